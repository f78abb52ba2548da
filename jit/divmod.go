package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// divMod emits a division or remainder, signed if Off is 1. x86 divides rdx:rax and leaves the
// quotient in rax (R0), the remainder in rdx (R3); whichever of them is not the destination is
// saved. Instructions that the verifier put before it handle division by 0 and by -1.
func (c *function) divMod(in bytecode.Insn, w x86.Width, d, s x86.Reg) {
	x := &c.x
	if d != x86.RAX {
		x.Push(x86.RAX)
	}
	if d != x86.RDX {
		x.Push(x86.RDX)
	}
	switch {
	case in.Source() == asm.ImmSource:
		x.MovSigned(regScratch, in.Imm)
		s = regScratch
	case s == x86.RAX || s == x86.RDX:
		x.Mov(x86.W64, regScratch, s)
		s = regScratch
	}
	if d != x86.RAX {
		x.Mov(w, x86.RAX, d)
	}
	if in.Off == 0 {
		x.RR(x86.W32, 0x31, x86.RDX, x86.RDX)
		x.RDigit(w, 0xf7, 6, s) // div
	} else {
		x.REX(w, 0, 0)
		x.Byte(0x99)            // cdq, cqo
		x.RDigit(w, 0xf7, 7, s) // idiv
	}
	mod := in.ALUOp() == asm.Mod
	if mod && d != x86.RDX {
		x.Mov(w, d, x86.RDX)
	}
	if !mod && d != x86.RAX {
		x.Mov(w, d, x86.RAX)
	}
	if d != x86.RDX {
		x.Pop(x86.RDX)
	}
	if d != x86.RAX {
		x.Pop(x86.RAX)
	}
}
