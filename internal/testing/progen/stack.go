package progen

import (
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Stack returns a random program that stores to and loads from its stack in every way: all widths,
// constant and variable offsets, known and unknown numbers, atomics. After a load it branches on
// the result, so that facts about single bytes decide what is reachable. It takes a context of 64
// bytes.
//
// With pointers it spills pointers as well, and loads them whole and in parts, and
// reads bytes that nothing wrote. Without them the result depends on the context
// alone: it mixes all registers and the stack.
func Stack(seed uint64, pointers bool) *bytecode.Program {
	g := &stackGen{rnd: rand.New(rand.NewPCG(seed, 11))}
	g.emit(opMovX, 6, 1, 0, 0)
	g.emit(opLdxDW, 7, 6, 8, 0)
	g.emit(opLdxDW, 8, 6, 16, 0)
	g.emit(opMovK, 9, 0, 0, 0)
	pieces := []func(){g.store, g.store, g.store, g.load, g.load, g.variable, g.variable, g.known, g.atomic}
	if pointers {
		pieces = append(pieces, g.spill)
	} else {
		for off := int16(8); off <= stackWindow; off += 8 {
			g.emit(opStxDW, 10, g.number(), -off, 0)
		}
	}
	for range 10 + g.rnd.IntN(50) {
		pieces[g.rnd.IntN(len(pieces))]()
	}
	g.emit(opMovK, 0, 0, 0, 0)
	if !pointers {
		g.mix()
	}
	g.emit(bytecode.CodeExit, 0, 0, 0, 0)
	p := &bytecode.Program{Name: "stack", Type: "syscall", Insns: g.insns}
	p.Subprogs = []bytecode.Subprogram{{Name: "stack", End: p.Len()}}
	return p
}

// stackGen is a program of Stack that is being made. r6 holds the context, r7 to
// r9 numbers, of which r9 is known at first.
type stackGen struct {
	rnd   *rand.Rand
	insns []bytecode.Insn
}

func (g *stackGen) emit(code uint8, dst, src bytecode.Reg, off int16, imm int32) {
	g.insns = append(g.insns, bytecode.Insn{Code: code, Dst: dst, Src: src, Off: off, Imm: imm})
}

// stackWindow is how many bytes of stack the programs use: few, so that accesses meet.
const stackWindow = 32

// size returns size bits and the number of bytes.
func (g *stackGen) size() (bits uint8, n int) {
	i := g.rnd.IntN(4)
	return [4]uint8{0x10, 0x08, 0x00, 0x18}[i], 1 << i
}

func (g *stackGen) off(n int) int16 { return int16(-stackWindow + g.rnd.IntN(stackWindow/n)*n) }

// constant returns a number of interest.
func (g *stackGen) constant() int32 {
	return []int32{0, 0, 0, 1, -1, 0xff, 0x100, 0xffff, 1 << 16, -1 << 31, 7}[g.rnd.IntN(11)]
}

func (g *stackGen) number() bytecode.Reg { return bytecode.Reg(7 + g.rnd.IntN(3)) }

func (g *stackGen) store() {
	bits, n := g.size()
	if g.rnd.IntN(3) == 0 {
		g.emit(0x62|bits, 10, 0, g.off(n), g.constant())
		return
	}
	g.emit(0x63|bits, 10, g.number(), g.off(n), 0)
}

// branch passes over an instruction when a comparison with a number holds.
func (g *stackGen) branch(r bytecode.Reg) {
	ops := []uint8{0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0}
	g.emit(ops[g.rnd.IntN(len(ops))]|5+uint8(g.rnd.IntN(2)), r, 0, 1, g.constant())
	g.emit([]uint8{0x07, 0x47, 0x57, 0xb7, 0x04, 0xb4}[g.rnd.IntN(6)], g.number(), 0, 0, g.constant())
}

func (g *stackGen) load() {
	bits, n := g.size()
	r := g.number()
	if n < 8 && g.rnd.IntN(3) == 0 {
		g.emit(0x81|bits, r, 10, g.off(n), 0)
	} else {
		g.emit(0x61|bits, r, 10, g.off(n), 0)
	}
	g.branch(r)
}

// variable stores or loads at an offset that is one of a few.
func (g *stackGen) variable() {
	bits, n := g.size()
	mask := int32(g.rnd.IntN(stackWindow)) &^ int32(n-1)
	g.emit(0xbf, 2, g.number(), 0, 0)
	g.emit(0x57, 2, 0, 0, mask)
	g.emit(0xbf, 3, 10, 0, 0)
	g.emit(0x07, 3, 0, 0, -stackWindow)
	g.emit(0x0f, 3, 2, 0, 0)
	switch r := g.number(); g.rnd.IntN(4) {
	case 0:
		g.emit(0x63|bits, 3, r, 0, 0)
	case 1:
		g.emit(0x62|bits, 3, 0, 0, g.constant())
	default:
		g.emit(0x61|bits, r, 3, 0, 0)
		g.branch(r)
	}
}

// known gives a register a new number: a constant, or one from the context, whole
// or in part.
func (g *stackGen) known() {
	bits, n := g.size()
	switch r := g.number(); g.rnd.IntN(3) {
	case 0:
		g.emit([]uint8{0xb7, 0xb4}[g.rnd.IntN(2)], r, 0, 0, g.constant())
	case 1:
		g.emit(0x61|bits, r, 6, int16(g.rnd.IntN(64/n)*n), 0)
	case 2:
		g.emit([]uint8{0x57, 0x54, 0x77, 0x67}[g.rnd.IntN(4)], r, 0, 0, int32(g.rnd.IntN(32)))
	}
}

// spill stores a pointer and perhaps loads through it again at once.
func (g *stackGen) spill() {
	off := g.off(8)
	g.emit(0x7b, 10, []bytecode.Reg{6, 10}[g.rnd.IntN(2)], off, 0)
	if g.rnd.IntN(2) == 0 {
		g.emit(0x79, 4, 10, off, 0)
		g.emit(0x07, 4, 0, 0, 0)
		g.emit(0xbf, g.number(), 4, 0, 0)
		g.emit(0xb7, 7, 0, 0, g.constant()) // no pointer stays among the numbers
		g.emit(0xb7, 8, 0, 0, g.constant())
		g.emit(0x79, 9, 6, 24, 0)
		g.emit(0x79, 8, 6, 32, 0)
	}
}

func (g *stackGen) atomic() {
	imm := []int32{0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1}[g.rnd.IntN(9)]
	bits, n := uint8(0x18), 8
	if g.rnd.IntN(2) == 0 {
		bits, n = 0, 4
	}
	r := g.number()
	g.emit(0xc3|bits, 10, r, g.off(n), imm)
	g.branch(r)
}

// mix makes r0 of everything.
func (g *stackGen) mix() {
	for r := bytecode.Reg(7); r <= 9; r++ {
		g.emit(0x27, 0, 0, 0, 31) // r0 *= 31
		g.emit(opAddX, 0, r, 0, 0)
	}
	for off := int16(8); off <= stackWindow; off += 8 {
		g.emit(opLdxDW, 1, 10, -off, 0)
		g.emit(0x27, 0, 0, 0, 31)
		g.emit(opAddX, 0, 1, 0, 0)
	}
}
