package verify

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/machine"
)

// Counts of rounds that may_goto begins with (BPF_MAX_LOOPS and
// BPF_MAX_TIMED_LOOPS, include/linux/bpf.h).
const (
	mayGotoRounds      = 8 << 20
	mayGotoTimedRounds = 0xffff
)

// inserted checks what the verifier put in front of a function, up to the slot
// at: the counters of may_goto, or what only the kernel knows.
func (c *source) inserted(fn *machine.Func, at bytecode.PC) {
	first := c.Original[at]
	c.collect(first, int32(fn.Start), int32(at))
	if len(c.items) == 0 {
		if c.usesMayGoto(c.p.Subprogs[c.sub]) {
			c.fail(first, "nothing sets up the counters of may_goto in front of it")
		}
		return
	}
	count, fp := int16(-fn.StackDepth), bytecode.R10
	form := []pat{p(stD, fp, 0, count, mayGotoRounds)}
	if c.k.has(kernel.TimedMayGoto) {
		form = []pat{p(stD, fp, 0, count, mayGotoTimedRounds), p(stD, fp, 0, count+8, 0)}
	}
	if c.matches(int32(at), form...) && c.usesMayGoto(c.p.Subprogs[c.sub]) {
		c.out.Insertions++
		return
	}
	if c.sub == 0 && c.unclones(int32(at)) {
		c.out.Insertions++
		return
	}
	for x := fn.Start; x < at; x++ {
		if c.known[x] {
			c.fail(first, "%s in front of it: no insertion of %s", c.itemsText(), c.k.Name)
			return
		}
	}
	if !c.confined(int32(fn.Start), int32(at)) {
		c.fail(first, "what is in front of it, %s, does not lead to it", c.itemsText())
	}
}

// unclones reports whether c.items make a packet that others share the program's
// own, or give up with a verdict: where the mark of such a packet lies, its bit and
// the verdict are the kernel's to know (net/core/filter.c bpf_unclone_prologue,
// Linux 7.3).
func (c *source) unclones(end int32) bool {
	const (
		length   = 10
		pullData = 39 // bpf_skb_pull_data
	)
	if len(c.items) != length {
		return false
	}
	mark, bit, verdict := c.items[0].in.Off, c.items[1].in.Imm, c.items[7].in.Imm
	r0, r1, r2, r6 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R6
	return c.matches(end,
		p(0x71, r6, r1, mark, 0), // r6 = *(u8 *)(r1 + mark)
		p(0x54, r6, 0, 0, bit),   // w6 &= bit
		p(0x15, r6, 0, 7, 0),     // if r6 == 0 goto the program
		p(0xbf, r6, r1, 0, 0),
		p(0xaf, r2, r2, 0, 0),
		p(bytecode.CodeCall, 0, 0, 0, pullData),
		p(0x15, r0, 0, 2, 0),
		p(0xb4, r0, 0, 0, verdict),
		p(bytecode.CodeExit, 0, 0, 0, 0),
		p(0xbf, r1, r6, 0, 0),
	)
}

// usesMayGoto reports whether a may_goto of a subprogram is left as one.
func (c *source) usesMayGoto(s bytecode.Subprogram) bool {
	for pc := s.Start; pc < s.End; pc++ {
		if c.p.Insns[pc].Code == bytecode.CodeMayGoto && c.first[pc] >= 0 &&
			c.prog.Insns[c.first[pc]].Code != bytecode.CodeGoto && c.Graph.InsnAt(pc) {
			return true
		}
	}
	return false
}

// hidden checks a function that the verifier appended: the callback of a program
// that throws and has none, which returns what was thrown.
func (c *source) hidden(fn *machine.Func, f int) {
	body := c.prog.Insns[fn.Start:fn.End]
	move := bytecode.Insn{Code: w64 | opMov | byReg, Dst: bytecode.R0, Src: bytecode.R1}
	own := false
	for _, s := range c.p.Subprogs {
		own = own || s.Exception
	}
	if f != len(c.prog.Funcs)-1 || own || len(body) != 2 || body[0] != move || body[1].Code != bytecode.CodeExit ||
		!fn.ExceptionCallback {
		c.fail(-1, "function %d, which the verifier added, is no exception callback", f)
	}
	for x := fn.Start; x < fn.End; x++ {
		if c.Original[x] >= 0 {
			c.fail(c.Original[x], "lies in function %d, which the verifier added", f)
		}
	}
}

// frameClaims checks what is said of a function and decides its frame.
func (c *source) frameClaims(fn *machine.Func, f int) {
	s := c.p.Subprogs[c.sub]
	at := fn.Start
	if want := c.reaches()[c.sub]; fn.TailCallReachable != want {
		c.fail(s.Start, "function %d is said to reach a tail call: %t, should be %t", f, fn.TailCallReachable, want)
	}
	if fn.ExceptionCallback != s.Exception {
		c.fail(s.Start, "function %d is said to be an exception callback: %t, should be %t", f, fn.ExceptionCallback,
			s.Exception)
	}
	if want := f == 0 && c.throws(); fn.ExceptionBoundary != want && (want || !c.nameless()) {
		c.fail(s.Start, "function %d is said to be an exception boundary: %t, should be %t", f, fn.ExceptionBoundary, want)
	}
	if want := stackArgs(c.p, s); fn.OutStackArgs != want && c.k.StackArgs {
		c.fail(s.Start, "function %d is said to pass %d arguments on the stack, should be %d", f, fn.OutStackArgs, want)
	}
	if fn.PrivateStack && (fn.TailCallReachable || !c.k.has(kernel.PrivateStack)) {
		c.fail(s.Start, "function %d is said to have a private stack, which it cannot have in %s", f, c.k.Name)
	}
	for ; at < fn.End; at += c.prog.Insns[at].Slots() {
		if off := frameOffset(c.prog.Insns[at]); -off > fn.StackDepth {
			c.fail(c.Original[at], "reaches %d bytes deep into a frame that is said to have %d", -off, fn.StackDepth)
			return
		}
	}
}

// frameOffset returns the offset from r10 that an instruction accesses, 0 if it
// names another base.
func frameOffset(in bytecode.Insn) int {
	base := in.Dst
	switch in.Class() {
	case asm.LdXClass:
		base = in.Src
	case asm.StClass, asm.StXClass:
	default:
		return 0
	}
	if base != bytecode.R10 {
		return 0
	}
	return min(int(in.Off), 0)
}

// stackArgs returns how many slots of stack arguments a subprogram writes.
func stackArgs(p *bytecode.Program, s bytecode.Subprogram) int {
	n := 0
	for pc := s.Start; pc < s.End; pc += p.Insns[pc].Slots() {
		in := p.Insns[pc]
		if cl := in.Class(); in.Dst == bytecode.R11 && (cl == asm.StClass || cl == asm.StXClass) {
			n = max(n, -int(in.Off)/8)
		}
	}
	return n
}

// throws reports whether the verifier comes to a call of bpf_throw.
func (c *source) throws() bool {
	for _, r := range c.p.Refs {
		if r.Kind == bytecode.RefKfunc && r.Name == "bpf_throw" && c.p.Insns[r.PC].IsKfuncCall() && c.Facts.Seen(r.PC) != No {
			return true
		}
	}
	return false
}

// nameless reports whether a kernel function is called whose name is not known: it
// may be bpf_throw.
func (c *source) nameless() bool {
	for pc := bytecode.PC(0); pc < c.p.Len(); pc += c.p.Insns[pc].Slots() {
		if !c.p.Insns[pc].IsKfuncCall() && c.p.PendingAt(pc) != bytecode.PartCall {
			continue
		}
		ref, ok := c.p.RefAt(pc)
		if !ok || ref.Kind != bytecode.RefKfunc || ref.Name == "" || c.p.PendingAt(pc) == bytecode.PartCall {
			return true
		}
	}
	return false
}

// reaches returns for each subprogram whether it holds a tail call, or calls or
// takes the address of one that does; calls that cannot execute count
// (check_max_stack_depth, kernel/bpf/verifier.c, Linux 7.3).
func (c *source) reaches() []bool {
	if c.tails != nil {
		return c.tails
	}
	n := len(c.p.Subprogs)
	c.tails = make([]bool, n)
	callers := make([][]int, n)
	var work []int
	for sub, s := range c.p.Subprogs {
		for pc := s.Start; pc < s.End; pc += c.p.Insns[pc].Slots() {
			in, f := c.p.Insns[pc], c.p.Flow(pc)
			if in.IsHelperCall() && in.Imm == bytecode.HelperTailCall && !c.tails[sub] {
				c.tails[sub] = true
				work = append(work, sub)
			}
			if f.Kind == bytecode.FlowCall || f.Kind == bytecode.FlowFuncAddr {
				if callee := c.p.SubprogAt(f.Callee); callee >= 0 {
					callers[callee] = append(callers[callee], sub)
				}
			}
		}
	}
	for len(work) > 0 {
		sub := work[len(work)-1]
		work = work[:len(work)-1]
		for _, caller := range callers[sub] {
			if !c.tails[caller] {
				c.tails[caller] = true
				work = append(work, caller)
			}
		}
	}
	return c.tails
}

// edges checks that the graph has the edges that the source's instructions state,
// counts those that the machine code has, and checks that the targets of indirect
// jumps are entries of tables.
func (c *source) edges() {
	entries := map[bytecode.PC]bool{}
	for _, t := range c.p.Tables {
		for _, target := range t.Targets {
			entries[target] = true
		}
	}
	marked := make([]Answer, len(c.prog.Insns))
	for i, e := range c.Graph.Edges() {
		from, to := &c.Graph.Blocks[e.From], &c.Graph.Blocks[e.To]
		c.sub, c.fn = from.Sub, 0
		if !c.states(e, from, to) {
			c.fail(from.Last, "the graph has %s to source slot %d, which the instruction does not state", e.Kind, to.Start)
			continue
		}
		from0, _ := c.span(from.Last)
		gone := c.Facts.Seen(from.Last) == No || from0 < 0 && e.Kind != cfg.FallThrough && e.Kind != cfg.Goto ||
			c.way[e.From] == onlyNext && e.Kind == cfg.Taken || c.way[e.From] == onlyTarget && e.Kind == cfg.FallThrough
		if gone {
			c.out.Absent++
			continue
		}
		c.out.Edges++
		if c.Facts.EdgeSeen(i) == No {
			c.out.Unseen++
		}
		if e.Kind == cfg.Indirect && c.p.Insns[from.Last].IsGotox() {
			c.indirect(i, from.Last, to.Start, entries, marked)
		}
	}
	c.marks(marked)
}

// indirect checks an edge of an indirect jump: its target is an entry of a table,
// and is still there.
func (c *source) indirect(edge int, pc, target bytecode.PC, entries map[bytecode.PC]bool, marked []Answer) {
	x := c.entryOf(target)
	switch {
	case !entries[target]:
		c.fail(pc, "the graph has an edge to source slot %d, which is in no table", target)
	case x == machine.Deleted && (c.Facts.EdgeSeen(edge) != Yes || c.doesNothing(target)):
		c.lose(pc, "can go to source slot %d, which %s removes: its table entry leads to address 0", target, c.k.Name)
	case x == machine.Deleted:
		c.fail(pc, "can go to source slot %d, which is gone", target)
	default:
		marked[x] = max(marked[x], Maybe, c.Facts.EdgeSeen(edge))
	}
}

// doesNothing reports whether a target is a jump to where control goes on anyway,
// which kernels up to Linux 7.3 remove even when an indirect jump leads to it.
func (c *source) doesNothing(pc bytecode.PC) bool {
	f := c.p.Flow(pc)
	jumps := f.Kind == bytecode.FlowGoto || f.Kind == bytecode.FlowCond
	return jumps && !c.k.has(kernel.KeepTargetNops)
}

// marks checks that the targets of indirect jumps are those that the graph has,
// no more and no less: they begin with ENDBR64 where the kernel wants it.
func (c *source) marks(marked []Answer) {
	for x := range marked {
		is := x < len(c.prog.IndirectTarget) && c.prog.IndirectTarget[x]
		switch {
		case is && marked[x] == No && c.Original[x] >= 0:
			c.fail(c.Original[x], "is marked as a target of indirect jumps, and the graph has no such edge to it")
		case !is && marked[x] == Yes:
			c.fail(c.Original[x], "is a target of indirect jumps and not marked as one")
		}
	}
}

// states reports whether an edge of the graph is one that the last instruction
// of its block states, or of a kind that analysis has to find.
func (c *source) states(e cfg.Edge, from, to *cfg.Block) bool {
	f := c.p.Flow(from.Last)
	switch e.Kind {
	case cfg.FallThrough, cfg.Return:
		return to.Start == f.Next && f.Kind != bytecode.FlowGoto && f.Kind != bytecode.FlowExit &&
			f.Kind != bytecode.FlowIndirect
	case cfg.Taken:
		return to.Start == f.Target && (f.Kind == bytecode.FlowCond || f.Kind == bytecode.FlowKey)
	case cfg.Goto:
		return to.Start == f.Target && f.Kind == bytecode.FlowGoto
	case cfg.Call:
		return f.Kind == bytecode.FlowCallx || f.Kind == bytecode.FlowCall && to.Start == f.Callee
	case cfg.Indirect:
		return f.Kind == bytecode.FlowIndirect
	}
	return f.Kind == bytecode.FlowHelper
}
