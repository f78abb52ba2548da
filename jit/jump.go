package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// jump emits an instruction of class JMP or JMP32 (RFC 9669 section 4.3).
func (c *function) jump(in bytecode.Insn, w x86.Width, d, s x86.Reg) {
	switch in.Code {
	case bytecode.CodeGoto:
		c.goTo(int32(in.Off))
	case bytecode.CodeGotol:
		c.goTo(in.Imm)
	case bytecode.CodeGotox:
		c.indirectJump(d)
	case bytecode.CodeCallx:
		c.indirectCall(d)
	case bytecode.CodeCall:
		c.call(in)
	case bytecode.CodeTailCall:
		c.tailCall(in)
	case bytecode.CodeExit:
		c.exit()
	default:
		c.compare(in, w, d, s)
		c.jumpIf(condition(in.JumpOp()), int32(in.Off))
	}
}

// compare sets the flags for a conditional jump. Comparison with 0 is a TEST
// of the register with itself, which serves signed and unsigned conditions.
func (c *function) compare(in bytecode.Insn, w x86.Width, d, s x86.Reg) {
	x := &c.x
	reg := in.Source() == asm.RegSource
	set := in.JumpOp() == asm.JSet
	switch {
	case reg && set:
		x.RR(w, 0x85, s, d)
	case reg:
		x.RR(w, 0x39, s, d)
	case set:
		x.RDigit(w, 0xf7, 0, d)
		x.Imm32(in.Imm)
	case in.Imm == 0:
		x.RR(w, 0x85, d, d)
	default:
		x.REX(w, 0, d)
		if x86.IsInt8(in.Imm) {
			x.Put(0x83, x86.Digit(7, d), byte(in.Imm))
			return
		}
		x.Put(0x81, x86.Digit(7, d)) // rax has a shorter form, not used
		x.Imm32(in.Imm)
	}
}

// condition returns the opcode of the short conditional jump.
func condition(op asm.JumpOp) byte {
	switch op {
	case asm.JEq:
		return 0x74
	case asm.JNE, asm.JSet:
		return 0x75
	case asm.JGT:
		return 0x77
	case asm.JLT:
		return 0x72
	case asm.JGE:
		return 0x73
	case asm.JLE:
		return 0x76
	case asm.JSGT:
		return 0x7f
	case asm.JSLT:
		return 0x7c
	case asm.JSGE:
		return 0x7d
	default: // asm.JSLE
		return 0x7e
	}
}

// maxShortJump is the largest displacement of the short form. It is below 127 so that a jump stays
// short if another jump grows by 4 bytes; otherwise sizes might oscillate (is_imm8_jmp_offset in
// bpf_jit_comp.c).
const maxShortJump = 123

// isShort reports whether displacement n takes one byte.
func isShort(n int32) bool { return n >= -128 && n <= maxShortJump }

// distance returns the displacement of a jump over off slots. Both ends are current offsets in
// c.addrs: that of a target further up is from this walk, all others are from the walk before.
func (c *function) distance(off int32) int32 {
	next := c.slot + 1
	return c.addrs[next+int(off)] - c.addrs[next]
}

// jumpIf emits a conditional jump over off slots. It stays even if it goes to
// the next instruction.
func (c *function) jumpIf(cc byte, off int32) {
	n := c.distance(off)
	if isShort(n) {
		c.pad(2, padCond)
		c.x.Put(cc, byte(n))
		return
	}
	c.x.Put(0x0f, cc+0x10)
	c.x.Imm32(n)
}

// goTo emits an unconditional jump over off slots, nothing if it goes to the
// next instruction. A jump to itself is known to be 2 bytes long.
func (c *function) goTo(off int32) {
	n := int32(-2)
	if off != -1 {
		n = c.distance(off)
	}
	if n == 0 {
		c.pad(0, padNone)
		return
	}
	c.jumpTo(n)
}

// jumpTo emits an unconditional jump with displacement n.
func (c *function) jumpTo(n int32) {
	if isShort(n) {
		c.pad(2, padGoto)
		c.x.Put(0xeb, byte(n))
		return
	}
	c.x.Byte(0xe9)
	c.x.Imm32(n)
}
