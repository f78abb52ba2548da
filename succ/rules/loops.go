package rules

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// loops looks for loops that the kernel does not leave. There are two proofs. The first comes from
// the graph: from some block no end can be reached, so no path of the kernel ends there, and none
// is a reason to leave another one out. The second is a path of the kernel itself that returns to
// an earlier state, or is longer than its limit (abstract.Walk); it also shows the message and the
// instruction.
//
// The walk also meets other refusals, in the kernel's order, so it is made for those, too. If it
// cannot decide, v is nil, and may is a possible refusal.
func (w *paths) loops() (v, may *Verdict) {
	ends := w.ends()
	trap := ends.trap
	if trap.some || len(w.faults) > 0 || ends.cyclic || w.firstCalls() {
		const (
			least   = 1 << 14 // instructions to follow at least
			perSlot = 16      // and for each of the program
		)
		v, may = w.walk(abstract.WalkOptions{Steps: least + perSlot*int(w.p.Len()), Endless: trap.certain})
	}
	if v != nil || !trap.certain {
		return v, may
	}
	if may != nil {
		return may, nil
	}
	// The walk did not reach the loop: the message there does not depend on what the kernel did
	// before.
	w.endless = tooLong(w.r.Graph.Blocks[trap.at].Start)
	v, may = w.walk(abstract.WalkOptions{Endless: true, Facts: w.r.Facts, From: trap.at})
	switch {
	case v != nil:
		w.endless = v
	case may != nil:
		w.endless = may
	}
	return nil, nil
}

// walk follows paths and returns the kernel's refusal, or a possible one.
func (w *paths) walk(opt abstract.WalkOptions) (v, may *Verdict) {
	var met *Verdict
	opt.Quirks = w.c.set.Quirks
	opt.Stop = func(pc bytecode.PC) bool {
		met = w.ruleAt(pc)
		return met != nil
	}
	opt.Refuses = func(f abstract.Fault) bool {
		_, known := w.faults[f.PC]
		return (known || f.Kind == abstract.MissingArgument) && refuses(f)
	}
	out := w.outcome(opt, w.memo)
	switch out.Ending {
	case abstract.Stopped:
		return met, nil
	case abstract.Faulted:
		return w.c.set.verdict(out.Fault), nil
	case abstract.Repeats:
		may = reject(out.PC, Endless, fmt.Sprintf("infinite loop detected at insn %d", out.PC))
	case abstract.TooLong:
		may = tooLong(out.PC)
	case abstract.TooManyWait:
		may = tooLarge(out.PC, fmt.Sprintf("The sequence of %d jumps is too complex.", abstract.MaxWaiting+1))
	}
	if out.Proven {
		return may, nil
	}
	return nil, may
}

// tooLong is the kernel's message about a program that it follows for too long.
func tooLong(pc bytecode.PC) *Verdict {
	return tooLarge(pc, fmt.Sprintf("BPF program is too large. Processed %d insn", abstract.MaxWalked+1))
}

// tooLarge returns a refusal by a limit.
func tooLarge(pc bytecode.PC, msg string) *Verdict {
	return &Verdict{Message: msg, PC: pc, Errno: "E2BIG", Rule: TooLarge}
}

// trap says where a path cannot end.
type trap struct {
	some    bool        // there is such a place
	certain bool        // and the kernel certainly reaches it, and has no own way out
	at      cfg.BlockID // the first one that it certainly reaches
}

// closed finds the blocks that are reached and from which no end can be reached.
func (w *paths) closed() (t trap) {
	g := w.r.Graph
	ends := make([]bool, len(g.Blocks))
	var todo []cfg.BlockID
	for b := range g.Blocks {
		if id := cfg.BlockID(b); w.r.Facts.BlockReached(id) && w.stops(id) {
			ends[b] = true
			todo = append(todo, id)
		}
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, i := range g.PredIDs(b) {
			e := g.Edges()[i]
			// If a function does not return, its end is that of its caller.
			way := g.Local(e) || e.Kind == cfg.Call && !w.goesOn(e.From)
			if way && !ends[e.From] && w.r.Facts.EdgeFeasible(int(i)) {
				ends[e.From] = true
				todo = append(todo, e.From)
			}
		}
	}
	own := w.ownWays()
	for b := range g.Blocks {
		id := cfg.BlockID(b)
		if ends[b] || !w.r.Facts.BlockReached(id) {
			continue
		}
		t.some = true
		if !own[b] && !t.certain && w.r.Facts.ReachBlock(id) == cfg.Yes {
			t.certain, t.at = true, id
		}
	}
	return t
}

// stops reports whether a path may end in a block.
func (w *paths) stops(b cfg.BlockID) bool {
	call := w.p.Flow(w.r.Graph.Blocks[b].Last).Kind == bytecode.FlowCall
	return w.r.Graph.Throws(b) || !call && !w.goesOn(b)
}

// goesOn reports whether a path may continue after a block, in the same function.
func (w *paths) goesOn(b cfg.BlockID) bool {
	g := w.r.Graph
	lo, hi := g.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if g.Local(g.Edges()[i]) && w.r.Facts.EdgeFeasible(i) {
			return true
		}
	}
	return false
}

// ownWays returns the blocks from which a path may reach a place where the kernel can leave a loop
// though executions cannot: may_goto, iterators and callbacks, of which it follows as many rounds
// as change something.
func (w *paths) ownWays() []bool {
	g := w.r.Graph
	own := make([]bool, len(g.Blocks))
	var todo []cfg.BlockID
	for pc := bytecode.PC(0); pc < w.p.Len(); pc += w.p.Insns[pc].Slots() {
		if b, ok := g.BlockAt(pc); ok && !own[b] && w.ownWay(pc) {
			own[b] = true
			todo = append(todo, b)
		}
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, i := range g.PredIDs(b) {
			if from := g.Edges()[i].From; !own[from] && w.r.Facts.EdgeFeasible(int(i)) {
				own[from] = true
				todo = append(todo, from)
			}
		}
	}
	return own
}

// ownWay is ownWays for an instruction.
func (w *paths) ownWay(pc bytecode.PC) bool {
	if w.p.Insns[pc].Code == bytecode.CodeMayGoto || w.p.Insns[pc].IsCallx() || len(w.r.Facts.CalledBack(pc)) > 0 {
		return true
	}
	ref, ok := w.p.RefAt(pc)
	return ok && ref.Kind == bytecode.RefKfunc && strings.HasSuffix(ref.Name, "_next")
}

// cyclic reports whether feasible edges make a cycle within a function. Cycles of calls are found
// elsewhere.
func (w *paths) cyclic() bool {
	g := w.r.Graph
	const unseen, open, done = 0, 1, 2
	state := make([]uint8, len(g.Blocks))
	next := make([]int, len(g.Blocks))
	for root := range g.Blocks {
		if state[root] != unseen || !w.r.Facts.BlockReached(cfg.BlockID(root)) {
			continue
		}
		stack := []cfg.BlockID{cfg.BlockID(root)}
		state[root] = open
		for len(stack) > 0 {
			b := stack[len(stack)-1]
			lo, hi := g.SuccIDs(b)
			if lo+next[b] == hi {
				state[b] = done
				stack = stack[:len(stack)-1]
				continue
			}
			i := lo + next[b]
			next[b]++
			e := g.Edges()[i]
			if !g.Local(e) || !w.r.Facts.EdgeFeasible(i) {
				continue
			}
			switch state[e.To] {
			case open:
				return true
			case unseen:
				state[e.To] = open
				stack = append(stack, e.To)
			}
		}
	}
	return false
}
