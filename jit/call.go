package jit

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// call emits a call of a subprogram, helper or kfunc (BPF_JMP|BPF_CALL in
// do_jit). BPF's argument registers are those of the C calling convention.
func (c *function) call(in bytecode.Insn) {
	op := c.operand()
	if op == nil {
		panic("bug: call without operand")
	}
	if c.fn.TailCallReachable && (in.Src == bytecode.CallSubprogram || !c.kernel.Has(kernel.CountToSubprogs)) {
		c.passTailCount()
	}
	if op.arena >= 0 {
		c.arenaArgs(c.prog.ArenaArgs[op.arena])
	}
	if c.private {
		c.x.Push(regPrivate)
	}
	c.callDepth(op.thunked)
	c.x.Byte(0xe8)
	c.relocOperand(4, RelRel32, c.rel32(op.value, op.known), op)
	if c.private {
		c.x.Pop(regPrivate)
	}
}

// passTailCount loads rax for a callee that does tail calls: with the pointer to the counter, or
// with the counter itself before Linux 6.12.
func (c *function) passTailCount() {
	off := -16 - c.frame
	if !c.kernel.Has(kernel.TailCallPointer) {
		off = -8 - c.frame
	}
	c.x.Put(0x48, 0x8b, 0x85) // mov rax, [rbp+disp32]
	c.x.Imm32(off)
}

// arenaArgs turns 32-bit arena pointers in argument registers into kernel
// addresses. It has not been compared with a running kernel.
func (c *function) arenaArgs(a ArenaArgs) {
	x := &c.x
	for i := range 5 {
		if a.Pointers>>i&1 == 0 {
			continue
		}
		r := c.regs[1+i]
		x.Mov(x86.W32, r, r)
		if a.Nullable>>i&1 != 0 {
			x.RR(x86.W32, 0x85, r, r)
			x.Put(0x74, 3) // je over the add
		}
		x.RR(x86.W64, 0x01, regArena, r)
	}
}

// callDepth emits the accounting of a call for CPUs whose return predictor is
// refilled by depth, unless the callee does it itself:
//
//	sar qword ptr gs:[rip+__x86_call_depth], 5
//
// (x86_call_depth_emit_accounting in arch/x86/kernel/callthunks.c).
func (c *function) callDepth(thunked bool) {
	if !c.prof.CallDepth || thunked {
		return
	}
	x := &c.x
	x.Put(0x65, 0x48, 0xc1, 0x3d)
	addr, known := c.symbol("__x86_call_depth")
	known = c.rel32(addr-1, known) // the instruction ends one byte later
	c.reloc(4, RelCallDepth, known, "__x86_call_depth", 0)
	x.Byte(5)
}
