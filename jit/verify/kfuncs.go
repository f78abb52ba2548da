package verify

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// kfuncForms checks a call of a kernel function: its replacement, if it always has one, or the
// call, before which the verifier may set up further arguments.
func (c *source) kfuncForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	ref, ok := c.p.RefAt(pc)
	if !ok || ref.Kind != bytecode.RefKfunc || ref.Name == "" || c.p.PendingAt(pc) == bytecode.PartCall {
		c.unsure = true
		return c.arguments(in, "")
	}
	if form := c.kfunc(strings.TrimSuffix(ref.Name, "_impl")); form != nil {
		return c.matches(end, form...)
	}
	return c.arguments(in, ref.Name)
}

// arguments reports whether c.items are a call of a kernel function with only the setup of
// arguments before it. Either name may be unknown, and the kernel may call a variant, as
// bpf_dynptr_from_skb_rdonly.
func (c *source) arguments(in bytecode.Insn, name string) bool {
	last := len(c.items) - 1
	ref := c.items[last].ref
	if ref == nil && name != "" || ref != nil && (ref.Kind != bytecode.RefKfunc || name != "" && ref.Name != "" &&
		!strings.HasPrefix(ref.Name, strings.TrimSuffix(name, "_impl"))) {
		return false
	}
	for _, it := range c.items[:last] {
		if it.flow.Kind != bytecode.FlowNext {
			return false
		}
	}
	return c.items[last].in == in
}

// kfunc returns the code that replaces a kernel function without a call, nil for the others
// (kernel/bpf/verifier.c bpf_fixup_kfunc_call, Linux 7.3).
func (c *source) kfunc(name string) []pat {
	r0, r1 := bytecode.R0, bytecode.R1
	session := c.AttachType == attachSession || c.AttachType == attachSessionMulti
	count := p(ldxD, r0, r1, -8, 0)
	switch {
	case name == "bpf_cast_to_kern_ctx" || name == "bpf_rdonly_cast":
		return []pat{p(w64|opMov|byReg, r0, r1, 0, 0)}
	case strings.HasPrefix(name, "bpf_iter_num_") && c.k.has(kernel.InlineIterNum):
		return numbers(name)
	case name == "bpf_session_is_return" && session:
		return []pat{count, p(w64|opRsh, r0, 0, 0, 63), p(w64|opAnd, r0, 0, 0, 1)}
	case name == "bpf_session_cookie" && session:
		return []pat{count, p(w64|opRsh, r0, 0, 0, 8), p(w64|opAnd, r0, 0, 0, 0xff), p(w64|opLsh, r0, 0, 0, 3),
			p(w64|opSub|byReg, r0, r1, 0, 0), p(w64|opNeg, r0, 0, 0, 0)}
	}
	return nil
}

// numbers returns a function of the iterator over numbers, which keeps the current number and the
// end, 4 bytes each: both are 0 after the last.
func numbers(name string) []pat {
	const rounds, invalid, tooBig = 8 << 20, -22, -7
	const stW, stxW = 0x62, 0x63
	r0, r1, r2, r3 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3
	over := func(n int16) pat { return p(bytecode.CodeGoto, 0, 0, n, 0) }
	none, zero := p(stD, r1, 0, 0, 0), p(w64|opMov, r0, 0, 0, 0)
	switch name {
	case "bpf_iter_num_new":
		return []pat{p(j32|jsgt|byReg, r2, r3, 8, 0), p(w32|opMov|byReg, r0, r3, 0, 0), p(w32|opSub|byReg, r0, r2, 0, 0),
			p(j64|jgt, r0, 0, 8, rounds), p(w32|opAdd, r2, 0, 0, -1), p(stxW, r1, r2, 0, 0), p(stxW, r1, r3, 4, 0), zero,
			over(5), none, p(w64|opMov, r0, 0, 0, invalid), over(2), none, p(w64|opMov, r0, 0, 0, tooBig)}
	case "bpf_iter_num_next":
		return []pat{p(ldxW, r0, r1, 0, 0), p(w32|opAdd, r0, 0, 0, 1), p(ldxW, r2, r1, 4, 0),
			p(j32|jsge|byReg, r0, r2, 3, 0), p(stxW, r1, r0, 0, 0), p(w64|opMov|byReg, r0, r1, 0, 0), over(2), none, zero}
	}
	return []pat{over(0)}
}
