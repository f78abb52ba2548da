package jit

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// Stack-passed arguments (Linux 7.3): arguments from the sixth on are read and
// written through the pseudo base register r11. The sixth travels in r9, the
// others on the x86 stack as in the System V calling convention.
const (
	paramsReg = bytecode.R11
	argSixth  = 8 // offset of the sixth argument; negative when outgoing
)

// isParams reports whether r is the base register of stack arguments.
func (c *function) isParams(r bytecode.Reg) bool { return c.prof.StackArgs && r == paramsReg }

// loadArg emits a load of an incoming argument. The seventh, at r11+16, lies
// after the return address and the saved rbp.
func (c *function) loadArg(in bytecode.Insn, d x86.Reg) {
	if in.Off == argSixth {
		c.mov(x86.W64, d, x86.R9)
		return
	}
	c.loadMem(in.Size(), in.Mode() == modeMemSX, d, x86.RBP, int32(in.Off))
}

// storeArg emits a store of an outgoing argument.
func (c *function) storeArg(in bytecode.Insn, s x86.Reg) {
	if in.Off == -argSixth {
		c.mov(x86.W64, x86.R9, s)
		return
	}
	c.storeMem(in.Size(), s, x86.RBP, c.argOff(in.Off))
}

// storeArgImm emits a store of a constant outgoing argument.
func (c *function) storeArgImm(in bytecode.Insn) {
	if in.Off == -argSixth {
		c.x.MovImm64(x86.R9, uint64(int64(in.Imm)), c.prof.MovImm64Short)
		return
	}
	c.storeMemImm(in, x86.RBP, c.argOff(in.Off))
}

// argOff returns the offset from rbp of an outgoing argument beyond the sixth:
// they are below the frame and the saved registers, the seventh lowest.
func (c *function) argOff(off int16) int32 {
	bottom := -(c.frame + 8*c.saved.count())
	return bottom - c.outArgs - int32(off) - 2*argSixth
}
