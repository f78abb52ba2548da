package verify

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/machine"
)

// Initial counts of may_goto (BPF_MAX_LOOPS and
// BPF_MAX_TIMED_LOOPS, include/linux/bpf.h).
const (
	mayGotoRounds      = 8 << 20
	mayGotoTimedRounds = 0xffff
)

// inserted checks the code that the verifier put before a function, up to the slot at: the counters
// of may_goto, and after them the code that the program's type requires.
func (c *source) inserted(fn *machine.Func, at bytecode.PC) {
	first := c.Original[at]
	c.collect(int32(fn.Start), int32(at))
	counters := c.counters(fn)
	prologue, must := c.prologue()
	if must != Yes && c.beginsWith(int32(at), counters) ||
		must != No && c.beginsWith(int32(at), append(counters, prologue...)) {
		if len(c.items) > 0 {
			c.out.Insertions++
		}
		return
	}
	if len(c.items) == 0 {
		c.fail(first, "has nothing in front of it, should have %d instructions of the verifier's",
			len(counters)+len(prologue))
		return
	}
	c.fail(first, "%s in front of it: no insertion of %s, or not here", c.itemsText(), c.k.Name)
}

// beginsWith reports whether c.items are a form, which may be empty.
func (c *source) beginsWith(end int32, form []pat) bool {
	return len(form) == len(c.items) && c.matches(end, form...)
}

// counters returns the code that sets up the count of may_goto, if the function has one.
func (c *source) counters(fn *machine.Func) []pat {
	if !c.usesMayGoto(c.p.Subprogs[c.sub]) {
		return nil
	}
	count, fp := int16(-fn.StackDepth), bytecode.R10
	if c.k.has(kernel.TimedMayGoto) {
		return []pat{p(stD, fp, 0, count, mayGotoTimedRounds), p(stD, fp, 0, count+8, 0)}
	}
	return []pat{p(stD, fp, 0, count, mayGotoRounds)}
}

// Members of struct Qdisc_ops, by number (include/net/sch_generic.h).
const (
	qdiscInit    = 8
	qdiscReset   = 9
	qdiscDestroy = 10
)

// isQdisc reports whether the program is a function of a queueing discipline.
func (c *source) isQdisc() bool {
	return c.p.Type == "struct_ops" && c.p.AttachTo == "struct Qdisc_ops"
}

// prologue returns the code before the main program, and whether there is any (gen_prologue of
// struct bpf_verifier_ops).
func (c *source) prologue() ([]pat, Answer) {
	r0, r1, r6 := bytecode.R0, bytecode.R1, bytecode.R6
	switch {
	case c.sub != 0:
	case c.p.Type == "sched_cls" || c.p.Type == "sched_act" || c.p.Type == "sk_skb" || c.p.Type == "lwt_xmit":
		return c.unclone(), c.writesPacket()
	case c.isQdisc() && c.AttachType == qdiscInit:
		return []pat{p(w64|opMov|byReg, r6, r1, 0, 0), fetch(bytecode.R2, r1), fetch(r1, r1),
			kfuncCall("bpf_qdisc_init_prologue"), p(j64|jeq, r0, 0, 1, 0), p(bytecode.CodeExit, 0, 0, 0, 0),
			p(w64|opMov|byReg, r1, r6, 0, 0)}, Yes
	case c.hasEpilogue():
		return []pat{store(bytecode.Insn{Code: stxD, Dst: bytecode.R10, Src: r1})}, Yes
	}
	return nil, No
}

// writesPacket reports whether the program writes to packet data, itself or through
// a slice of it.
func (c *source) writesPacket() Answer {
	out := c.Facts.WritesPacket()
	for _, r := range c.p.Refs {
		if r.Kind == bytecode.RefKfunc && r.Name == "bpf_dynptr_slice_rdwr" && c.p.Insns[r.PC].IsKfuncCall() {
			out = max(out, c.Facts.Seen(r.PC))
		}
	}
	return out
}

// unclone copies a shared packet, or gives up with a verdict. Only the kernel knows where the mark
// of such a packet is (net/core/filter.c bpf_unclone_prologue, Linux 7.3).
func (c *source) unclone() []pat {
	const pullData = 39 // bpf_skb_pull_data
	verdict := int32(2) // TC_ACT_SHOT
	if c.p.Type == "sk_skb" {
		verdict = 0 // SK_DROP
	}
	r0, r1, r2, r6 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R6
	bit := p(w32|opAnd, r6, 0, 0, 0)
	bit.any = true
	return []pat{
		fetch(r6, r1), bit, p(j64|jeq, r6, 0, 7, 0),
		p(w64|opMov|byReg, r6, r1, 0, 0), p(w64|opXor|byReg, r2, r2, 0, 0), p(bytecode.CodeCall, 0, 0, 0, pullData),
		p(j64|jeq, r0, 0, 2, 0), p(w32|opMov, r0, 0, 0, verdict), p(bytecode.CodeExit, 0, 0, 0, 0),
		p(w64|opMov|byReg, r1, r6, 0, 0),
	}
}

// hasEpilogue reports whether the program's exits become one that calls a function
// of the kernel (gen_epilogue of struct bpf_verifier_ops).
func (c *source) hasEpilogue() bool {
	return c.isQdisc() && (c.AttachType == qdiscReset || c.AttachType == qdiscDestroy)
}

// exitForms checks an exit: with an epilogue, the first has it, and the others jump
// there.
func (c *source) exitForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	switch {
	case c.sub != 0 || !c.hasEpilogue():
		return c.single(in)
	case c.exit >= 0:
		return c.matches(end, jumpTo(bytecode.Insn{Code: bytecode.CodeGotol}, c.exit))
	}
	c.exit = pc
	return c.matches(end, fetch(bytecode.R1, bytecode.R10), fetch(bytecode.R1, bytecode.R1),
		kfuncCall("bpf_qdisc_reset_destroy_epilogue"), pat{in: in})
}
