package jit

import "github.com/bpfcfg/bpfcfg/jit/x86"

// exit emits an EXIT instruction: the epilogue for the first one in layout
// order, a jump to it for all others (BPF_JMP|BPF_EXIT in do_jit).
func (c *function) exit() {
	if c.exited {
		c.jumpTo(c.exitOff - c.addrs[c.slot+1])
		return
	}
	c.exited = true
	c.exitOff = c.addrs[c.slot]
	if c.prog.Classic && c.prog.Unprivileged {
		c.clearBHB()
	}
	c.moveStack(0, c.outArgs)
	c.popSaved()
	c.x.Byte(0xc9) // leave: it drops the tail-call counter, too
	c.ret()
}

// ret returns to the caller, through a thunk on CPUs with return mitigations
// (emit_return in bpf_jit_comp.c).
func (c *function) ret() {
	if c.prof.ReturnThunk != "" {
		c.branch(0xe9, c.prof.ReturnThunk)
		return
	}
	c.x.Byte(0xc3)
	if c.prof.SLS {
		c.x.Byte(0xcc)
	}
}

// clearBHB emits the barrier that keeps a classic filter of an unprivileged
// loader from steering branch history (emit_spectre_bhb_barrier in
// bpf_jit_comp.c).
func (c *function) clearBHB() {
	loop := c.prof.BHI == BHILoop || c.prof.BHI == BHILoopGuest
	if loop {
		c.x.Push(x86.RAX)
		c.x.Push(x86.RCX)
		c.callDepth(false)
		c.branch(0xe8, "clear_bhb_loop")
		c.x.Pop(x86.RCX)
		c.x.Pop(x86.RAX)
	}
	if c.prof.BHI == BHIHardware || c.prof.BHI == BHILoopGuest {
		c.x.Put(0xf3, 0x48, 0x0f, 0x1e, 0xf8) // IBHF
	}
}
