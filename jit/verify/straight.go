package verify

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// registers holds the number of the x86 register of each BPF register
// (arch/x86/net/bpf_jit_comp.c reg2hex, Linux 7.3).
var registers = [...]int{nAX, nDI, nSI, nDX, nCX, n8, nBX, n13, n14, n15, nBP}

// register returns the x86 register of a BPF register in the current function.
// Numbers without one give a register that no BPF register has.
func (c *checker) register(r bytecode.Reg) int {
	switch {
	case r == bytecode.R10 && c.frame.private:
		return nPrivate
	case uint8(r) == c.k.AXReg:
		return nHidden
	case int(r) < len(registers):
		return registers[r]
	}
	return nArena
}

// arithmetic lists an instruction of class ALU or ALU64.
func (c *checker) arithmetic(l *list, b *body) {
	in := b.in
	size := 4
	if in.Class() == asm.ALU64Class {
		size = 8
	}
	d, s := c.register(in.Dst), c.register(in.Src)
	second := imm(int64(in.Imm))
	byReg := in.Source() == asm.RegSource
	if byReg {
		second = sized(s, size)
	}
	if op, ok := binary[in.ALUOp()]; ok {
		l.add(op, sized(d, size), second)
		return
	}
	switch in.ALUOp() {
	case asm.Mov:
		c.move(l, b, size, d, s)
	case asm.Neg:
		l.add(x86asm.NEG, sized(d, size))
	case asm.Mul:
		if byReg {
			l.add(x86asm.IMUL, sized(d, size), second)
		} else {
			l.add(x86asm.IMUL, sized(d, size), sized(d, size), second)
		}
	case asm.Div, asm.Mod:
		divide(l, in, size, d, s)
	case asm.LSh, asm.RSh, asm.ArSh:
		c.shift(l, in, size, d, s)
	case asm.Swap:
		swap(l, in, d)
	}
}

// binary holds the operations that are one instruction of two operands.
var binary = map[asm.ALUOp]x86asm.Op{
	asm.Add: x86asm.ADD, asm.Sub: x86asm.SUB, asm.And: x86asm.AND, asm.Or: x86asm.OR, asm.Xor: x86asm.XOR,
}

// move lists a move: a plain one, of a constant, with sign extension (RFC 9669
// section 4.1), to a per-CPU address, or between address spaces of an arena.
func (c *checker) move(l *list, b *body, size, d, s int) {
	in := b.in
	const toUser = 1 << 16
	switch {
	case in.Source() == asm.ImmSource && c.refAt(b.pc) != nil:
		l.add(x86asm.MOV, sized(d, size), arg{kind: anyImm})
	case in.Source() == asm.ImmSource && size == 8 && in.Imm < 0:
		l.add(x86asm.MOV, sized(d, 8), imm64(int64(in.Imm)))
	case in.Source() == asm.ImmSource:
		l.constant(d, uint64(uint32(in.Imm)))
	case size == 8 && in.Off == 1 && in.Imm == toUser:
		c.castUser(l, d, s)
	case in.Off == 8:
		l.add(x86asm.MOVSX, sized(d, size), sized(s, 1))
	case in.Off == 16:
		l.add(x86asm.MOVSX, sized(d, size), sized(s, 2))
	case in.Off == 32:
		l.add(x86asm.MOVSXD, sized(d, size), sized(s, 4))
	default:
		if size == 4 || d != s {
			l.mov(size, d, s)
		}
		if size == 8 && in.Off == -1 {
			c.thisCPU(l, d)
		}
	}
}

// castUser lists the cast of an arena pointer to a user address; null stays.
func (c *checker) castUser(l *list, d, s int) {
	if d != s {
		l.mov(4, d, s)
	}
	upper := imm(int64(int32(c.prog.UserStart >> 32)))
	if c.prog.UserStart == 0 {
		upper = arg{kind: anyImm}
	}
	l.add(x86asm.SHL, sized(d, 8), imm(32))
	l.add(x86asm.OR, sized(d, 8), upper)
	l.add(x86asm.ROL, sized(d, 8), imm(32))
	l.add(x86asm.XOR, sized(nScratch, 8), sized(nScratch, 8))
	l.add(x86asm.TEST, sized(d, 4), sized(d, 4))
	l.add(x86asm.CMOVE, sized(d, 8), sized(nScratch, 8))
}

// divide lists a division or remainder: rdx:rax is divided, and whichever of
// the two is not the destination is kept on the stack.
func divide(l *list, in bytecode.Insn, size, d, s int) {
	if d != nAX {
		l.push(nAX)
	}
	if d != nDX {
		l.push(nDX)
	}
	switch {
	case in.Source() == asm.ImmSource:
		l.add(x86asm.MOV, sized(nScratch, 8), imm64(int64(in.Imm)))
		s = nScratch
	case s == nAX || s == nDX:
		l.mov(8, nScratch, s)
		s = nScratch
	}
	if d != nAX {
		l.mov(size, nAX, d)
	}
	switch {
	case in.Off == 0:
		l.add(x86asm.XOR, sized(nDX, 4), sized(nDX, 4))
		l.add(x86asm.DIV, sized(s, size))
	case size == 8:
		l.add(x86asm.CQO)
		l.add(x86asm.IDIV, sized(s, size))
	default:
		l.add(x86asm.CDQ)
		l.add(x86asm.IDIV, sized(s, size))
	}
	result := nAX
	if in.ALUOp() == asm.Mod {
		result = nDX
	}
	if d != result {
		l.mov(size, d, result)
	}
	if d != nDX {
		l.pop(nDX)
	}
	if d != nAX {
		l.pop(nAX)
	}
}

// shifts holds the plain shift of each operation and that of BMI2.
var shifts = map[asm.ALUOp][2]x86asm.Op{
	asm.LSh: {x86asm.SHL, x86asm.SHLX}, asm.RSh: {x86asm.SHR, x86asm.SHRX}, asm.ArSh: {x86asm.SAR, x86asm.SARX},
}

// shift lists a shift. Without BMI2, the count must be in cl.
func (c *checker) shift(l *list, in bytecode.Insn, size, d, s int) {
	op := shifts[in.ALUOp()]
	switch {
	case in.Source() == asm.ImmSource:
		l.add(op[0], sized(d, size), imm(int64(in.Imm)).of(1))
	case !c.k.has(kernel.ShiftX):
		oldShift(l, op[0], size, d, s)
	case s == nCX:
		l.add(op[0], sized(d, size), sized(nCX, 1))
	case c.k.BMI2:
		l.add(op[1], sized(d, size), sized(d, size), sized(s, size))
	case d == nCX:
		l.mov(8, nScratch, nCX)
		l.mov(8, nCX, s)
		l.add(op[0], sized(nScratch, size), sized(nCX, 1))
		l.mov(8, nCX, nScratch)
	default:
		l.push(nCX)
		l.mov(8, nCX, s)
		l.add(op[0], sized(d, size), sized(nCX, 1))
		l.pop(nCX)
	}
}

// oldShift lists a shift of a kernel that knows no BMI2: rcx is saved unless the
// count is in it, and shifted in another register.
func oldShift(l *list, op x86asm.Op, size, d, s int) {
	to := d
	if d == nCX {
		to = nScratch
		l.mov(8, to, nCX)
	}
	if s != nCX {
		l.push(nCX)
		l.mov(8, nCX, s)
	}
	l.add(op, sized(to, size), sized(nCX, 1))
	if s != nCX {
		l.pop(nCX)
	}
	if d == nCX {
		l.mov(8, nCX, to)
	}
}

// swap lists a byte-order conversion (RFC 9669 section 4.2).
func swap(l *list, in bytecode.Insn, d int) {
	little := in.Class() == asm.ALUClass && in.Source() == asm.ImmSource
	switch {
	case in.Imm == 16:
		if !little {
			l.add(x86asm.ROR, sized(d, 2), imm(8))
			l.last().half = true
		}
		l.add(x86asm.MOVZX, sized(d, 4), sized(d, 2))
	case little && in.Imm == 32:
		l.mov(4, d, d)
	case !little:
		l.add(x86asm.BSWAP, sized(d, int(in.Imm)/8))
	}
}
