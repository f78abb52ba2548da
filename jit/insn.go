package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// instruction emits the instruction at c.slot to c.x. It may set c.err.
func (c *function) instruction(in bytecode.Insn) {
	if c.prof.IBT && c.prof.EndbrTargets && c.prog.IndirectTarget != nil &&
		c.prog.IndirectTarget[int(c.fn.Start)+c.slot] {
		c.x.Endbr64()
	}
	d, s := c.regs[in.Dst&15], c.regs[in.Src&15]
	switch in.Class() {
	case asm.LdClass:
		c.loadImm64(in, d)
	case asm.LdXClass:
		c.load(in, d, s)
	case asm.StClass:
		c.storeImm(in, d)
	case asm.StXClass:
		c.storeReg(in, d, s)
	case asm.ALUClass:
		c.alu(in, x86.W32, d, s)
	case asm.ALU64Class:
		c.alu(in, x86.W64, d, s)
	case asm.JumpClass:
		c.jump(in, x86.W64, d, s)
	case asm.Jump32Class:
		c.jump(in, x86.W32, d, s)
	}
}
