package verify

import (
	"golang.org/x/arch/x86/x86asm"
)

// list collects the instructions that a body must consist of. One list is reused, so that checking
// allocates little.
type list struct{ w []want }

func (l *list) reset() { l.w = l.w[:0] }

// add appends an instruction and returns its index.
func (l *list) add(op x86asm.Op, args ...arg) int {
	w := want{op: op}
	copy(w.args[:], args)
	l.w = append(l.w, w)
	return len(l.w) - 1
}

func (l *list) hint(h hint) { l.w = append(l.w, want{hint: h}) }

// jump appends a jump to an offset in the function, which may be padded.
func (l *list) jump(op x86asm.Op, place int) {
	l.w = append(l.w, want{op: op, to: toOffset, place: place, pad: true})
}

// skip appends a jump inside the body, and returns its index: land says where to.
func (l *list) skip(op x86asm.Op) int {
	l.w = append(l.w, want{op: op, to: toWant})
	return len(l.w) - 1
}

// land makes jumps of skip lead to the next instruction appended.
func (l *list) land(skips ...int) {
	for _, k := range skips {
		l.w[k].place = len(l.w)
	}
}

// away appends a jump or call that leaves the image for a symbol.
func (l *list) away(op x86asm.Op, symbol string) {
	l.w = append(l.w, want{op: op, to: awayFrom, away: symbol})
}

// last returns the instruction that was appended last.
func (l *list) last() *want { return &l.w[len(l.w)-1] }

// Numbers of the x86 registers, as instructions have them (Intel SDM volume 2,
// table 3-1).
const (
	nAX, nCX, nDX, nBX, nSP, nBP, nSI, nDI = 0, 1, 2, 3, 4, 5, 6, 7
	n8, n9, n10, n11, n12, n13, n14, n15   = 8, 9, 10, 11, 12, 13, 14, 15
	nArena, nScratch, nHidden, nPrivate    = n12, n11, n10, n9
	firstREXByteReg                        = 4 // from here on, byte registers need a REX prefix
)

// sized returns a register by its number and size in bytes.
func sized(n, size int) arg {
	r := x86asm.Reg(n)
	switch size {
	case 8:
		return reg(x86asm.RAX + r)
	case 4:
		return reg(x86asm.EAX + r)
	case 2:
		return reg(x86asm.AX + r)
	}
	if n < firstREXByteReg {
		return reg(x86asm.AL + r)
	}
	return reg(x86asm.SPB + r - firstREXByteReg)
}

// at returns memory at a register and a displacement.
func at(n int, off int32) arg { return mem(x86asm.RAX+x86asm.Reg(n), off) }

// atIndex returns memory at the sum of two registers and a displacement.
func atIndex(n, index int, scale uint8, off int32) arg {
	a := at(n, off)
	a.index, a.scale = x86asm.RAX+x86asm.Reg(index), scale
	return a
}

// mov64 appends a move between registers.
func (l *list) mov(size, d, s int) { l.add(x86asm.MOV, sized(d, size), sized(s, size)) }

func (l *list) push(n int) { l.add(x86asm.PUSH, sized(n, 8)) }
func (l *list) pop(n int)  { l.add(x86asm.POP, sized(n, 8)) }

// constant appends the move of a constant that is known: by the shortest form that Linux uses, 7 or
// 10 bytes for those that 32 bits do not hold.
func (l *list) constant(d int, v uint64) {
	switch {
	case v == 0:
		l.add(x86asm.XOR, sized(d, 4), sized(d, 4))
	case v>>32 == 0:
		l.add(x86asm.MOV, sized(d, 4), imm(int64(v)))
	default:
		l.add(x86asm.MOV, sized(d, 8), imm64(int64(v)))
	}
}
