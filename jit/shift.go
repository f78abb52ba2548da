package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// shiftForm returns for a BPF operation the opcode extension of the plain
// shift, and its BMI2 form.
func shiftForm(op asm.ALUOp) (digit, pp uint8) {
	switch op {
	case asm.LSh:
		return 4, x86.SHLX
	case asm.RSh:
		return 5, x86.SHRX
	default: // asm.ArSh
		return 7, x86.SARX
	}
}

// shift emits a shift. x86 counts in cl, which is R4: BMI2 allows any register.
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
	case !c.kernel.Has(kernel.ShiftX):
		c.shiftOld(w, digit, d, s)
	case s == x86.RCX:
		x.RDigit(w, 0xd3, digit, d)
	case c.prof.BMI2:
		x.ShiftBMI2(w, pp, d, s)
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

// shiftOld emits a shift as kernels without ShiftX do: rcx as destination always
// takes the way through another register, and is saved whenever the count is not
// in it (do_jit in arch/x86/net/bpf_jit_comp.c, Linux 6.1).
func (c *function) shiftOld(w x86.Width, digit uint8, d, s x86.Reg) {
	x := &c.x
	to := d
	if d == x86.RCX {
		to = regScratch
		x.Mov(x86.W64, to, x86.RCX)
	}
	if s != x86.RCX {
		x.Push(x86.RCX)
		x.Mov(x86.W64, x86.RCX, s)
	}
	x.RDigit(w, 0xd3, digit, to)
	if s != x86.RCX {
		x.Pop(x86.RCX)
	}
	if d == x86.RCX {
		x.Mov(x86.W64, x86.RCX, to)
	}
}
