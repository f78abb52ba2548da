package verify

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/machine"
)

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

// hidden checks a function that the verifier appended: the callback of a program that throws and
// has none, which returns the thrown value.
func (c *source) hidden(fn *machine.Func, f int) {
	body := c.prog.Insns[fn.Start:fn.End]
	move := bytecode.Insn{Code: w64 | opMov | byReg, Dst: bytecode.R0, Src: bytecode.R1}
	if f != len(c.prog.Funcs)-1 || c.ownCallback() || len(body) != 2 || body[0] != move ||
		body[1].Code != bytecode.CodeExit ||
		!fn.ExceptionCallback {
		c.fail(-1, "function %d, which the verifier added, is no exception callback", f)
	}
	for x := fn.Start; x < fn.End; x++ {
		if c.Original[x] >= 0 {
			c.fail(c.Original[x], "lies in function %d, which the verifier added", f)
		}
	}
}

// ownCallback reports whether the source has an exception callback.
func (c *source) ownCallback() bool {
	return slices.ContainsFunc(c.p.Subprogs, func(s bytecode.Subprogram) bool { return s.Exception })
}

// callbackAdded checks that the verifier's own exception callback is there when a
// program throws and has none.
func (c *source) callbackAdded() {
	n := len(c.prog.Funcs)
	is, must := n > 0 && c.prog.Funcs[n-1].Hidden, c.throws()
	if c.ownCallback() {
		must = No
	}
	if must == Yes && !is || must == No && is && !c.nameless() {
		c.sub, c.fn = 0, 0
		c.fail(-1, "has an exception callback of the verifier's: %t, should be %t", is, must == Yes)
	}
}

// frameClaims checks the claims about a function and decides its frame.
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
	if want := f == 0 && c.throws() != No; fn.ExceptionBoundary != want && (want || !c.nameless()) {
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

// throws reports whether the verifier reaches a call of bpf_throw.
func (c *source) throws() Answer {
	out := No
	for _, r := range c.p.Refs {
		if r.Kind == bytecode.RefKfunc && r.Name == "bpf_throw" && c.p.Insns[r.PC].IsKfuncCall() {
			out = max(out, c.Facts.Seen(r.PC))
		}
	}
	return out
}

// nameless reports whether a kernel function with an unknown name is called: it may be bpf_throw.
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
			c.way[e.From] == onlyNext && e.Kind == cfg.Taken || c.way[e.From] == onlyTarget && e.Kind == cfg.FallThrough ||
			e.Kind == cfg.Callback && c.isGone(to.Start)
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
	x, seen, selected := c.entryOf(target), c.Facts.EdgeSeen(edge), c.Facts.Selects(pc, target)
	switch {
	case !entries[target]:
		c.fail(pc, "the graph has an edge to source slot %d, which is in no table", target)
	case x == machine.Deleted && selected == No: // nothing goes there
	case x == machine.Deleted && selected == Maybe:
		c.out.Unknown++ // whether anything does
	case x == machine.Deleted && (seen != Yes || c.doesNothing(target)):
		c.lose(pc, "can go to source slot %d, which %s removes: its table entry leads to address 0", target, c.k.Name)
	case x == machine.Deleted:
		c.fail(pc, "can go to source slot %d, which is gone", target)
	default:
		marked[x] = max(marked[x], Maybe, seen)
	}
}

// doesNothing reports whether a target is a jump to the next instruction, which kernels up to Linux
// 7.3 remove even when an indirect jump leads to it.
func (c *source) doesNothing(pc bytecode.PC) bool {
	f := c.p.Flow(pc)
	jumps := f.Kind == bytecode.FlowGoto || f.Kind == bytecode.FlowCond
	return jumps && !c.k.has(kernel.KeepTargetNops)
}

// marks checks that the marked targets of indirect jumps are exactly those of the graph: they begin
// with ENDBR64 if the kernel requires it.
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

// states reports whether an edge of the graph follows from the last instruction of its block, or is
// of a kind that analysis has to find.
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
