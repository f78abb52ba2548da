package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// shiftForm returns for a BPF operation the opcode extension of the plain shift and
// the prefix bits (VEX.pp) of its BMI2 form SHLX, SHRX or SARX.
func shiftForm(op asm.ALUOp) (digit, pp uint8) {
	switch op {
	case asm.LSh:
		return 4, 1
	case asm.RSh:
		return 5, 3
	default: // asm.ArSh
		return 7, 2
	}
}

// shift emits a shift. x86 counts in cl, which is R4: BMI2 spares the detour.
func (c *function) shift(in bytecode.Insn, w x86.Width, d, s x86.Reg) {
	x := &c.x
	digit, pp := shiftForm(in.ALUOp())
	switch {
	case in.Source() == asm.ImmSource:
		if in.Imm == 1 {
			x.RDigit(w, 0xd1, digit, d)
			return
		}
		x.RDigit(w, 0xc1, digit, d)
		x.Byte(byte(in.Imm))
	case s == x86.RCX:
		x.RDigit(w, 0xd3, digit, d)
	case c.prof.BMI2:
		c.shiftBMI2(w, pp, d, s)
	case d == x86.RCX:
		x.Mov(x86.W64, regScratch, x86.RCX)
		x.Mov(x86.W64, x86.RCX, s)
		x.RDigit(w, 0xd3, digit, regScratch)
		x.Mov(x86.W64, x86.RCX, regScratch)
	default:
		x.Push(x86.RCX)
		x.Mov(x86.W64, x86.RCX, s)
		x.RDigit(w, 0xd3, digit, d)
		x.Pop(x86.RCX)
	}
}

// shiftBMI2 emits SHLX, SHRX or SARX d, d, s. The prefix holds the extension
// bits of registers inverted.
//
//	c4 | R X B mmmmm | W vvvv L pp | f7 | ModRM
//
// Source: Intel SDM volume 2, section 2.3.5.
func (c *function) shiftBMI2(w x86.Width, pp uint8, d, s x86.Reg) {
	low := byte(1) // R and B inverted
	if d.Extended() {
		low = 0
	}
	c.x.Put(0xc4, low<<7|1<<6|low<<5|2, byte(w)<<7|byte(^s&15)<<3|pp, 0xf7, x86.ModRM(d, d))
}
