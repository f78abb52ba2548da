package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Settle decides by a walk the questions that facts f with rules Verifier and the same options
// leave open: where states were joined, the verifier may or may not have one of them. A walk of
// all its paths shows which, if it ends within steps instructions. The result is f itself if no
// question was open or none could be decided. With Quirks.Guessed no walk is that of the kernel.
func Settle(p *bytecode.Program, f *Facts, opt Options, steps int) *Facts {
	if !f.open() || !f.walkable() || opt.Quirks.of(p).Guessed && f.usedQuirks.Guessed {
		return f
	}
	opt.Like = f
	w := newWalker(p, f.g, WalkOptions{Options: opt, Steps: steps})
	w.r.a.dropsStates = false
	w.settle(!f.unresolved())
	seen := w.r.a.f
	out := *f
	out.usedQuirks = f.usedQuirks.Or(seen.usedQuirks)
	if w.over || w.out.Ending != AllPaths || seen.anyFunc || seen.missing {
		return &out
	}
	out.both(f, seen)
	out.states, out.sure = slices.Clone(f.states), make([]bool, len(f.sure))
	out.reached = newBitset(len(f.sure))
	for b := range f.g.Blocks {
		switch t := w.reach(cfg.BlockID(b)); {
		case t == cfg.No:
			if out.states != nil { // see dropsStates
				out.states[b] = nil
			}
		case f.reached.has(b):
			out.reached.add(b)
			out.sure[b] = t == cfg.Yes || f.sure[b]
		}
	}
	out.settleEdges(f, w)
	out.faults = slices.DeleteFunc(slices.Clone(f.faults), func(x Fault) bool { return w.at(x.PC) == cfg.No })
	out.conclude()
	return &out
}

// settle walks to find out what the verifier reaches. With resolved, the graph has all edges.
// Otherwise no slot is left out.
func (w *walker) settle(resolved bool) {
	w.settles = true
	if resolved {
		for pc, idle := range idleSlots(w.r.a.g) {
			w.places[pc].idle = idle
		}
	}
	w.all()
}

// unresolved reports whether an indirect jump or call may go where no edge leads.
func (f *Facts) unresolved() bool {
	for _, d := range f.indirect {
		if d.Unresolved != "" {
			return true
		}
	}
	return false
}

// walkable reports whether a walk of all paths follows every path of the verifier. It does not with
// exceptions, nor with iterators and may_goto outside of callbacks, where the verifier knows one
// round better than others. Code that the verifier never reaches does not count.
func (f *Facts) walkable() bool {
	p := f.g.Program
	for b := range f.g.Blocks {
		blk := &f.g.Blocks[b]
		if !f.BlockReached(cfg.BlockID(b)) || f.sync[blk.Sub] {
			continue
		}
		for pc := blk.Start; pc < blk.End; pc += p.Insns[pc].Slots() {
			if p.Insns[pc].Code == bytecode.CodeMayGoto || isNext(p, pc) {
				return false
			}
		}
	}
	for i, e := range f.g.Edges() {
		if (e.Kind == cfg.Unwind || e.Kind == cfg.Exception) && f.EdgeFeasible(i) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Subprogs, func(s bytecode.Subprogram) bool { return s.Exception })
}

// open reports whether it is an open question that the verifier reaches some block.
func (f *Facts) open() bool {
	for b := range f.g.Blocks {
		if f.ReachBlock(cfg.BlockID(b)) == cfg.Maybe {
			return true
		}
	}
	return false
}

// settleEdges keeps the edges of f that a walk took.
func (f *Facts) settleEdges(old *Facts, w *walker) {
	f.edges, f.sureEdges = newBitset(f.g.NumEdges()), newBitset(f.g.NumEdges())
	for i, e := range f.g.Edges() {
		from := &w.places[f.g.Blocks[e.From].Last]
		way := from.seen.And(cfg.Maybe)
		switch e.Kind {
		case cfg.Taken:
			way = from.taken
		case cfg.FallThrough:
			if w.p.Flow(f.g.Blocks[e.From].Last).Kind == bytecode.FlowCond {
				way = from.fell
			}
		}
		way = way.Or(w.r.a.f.Take(i))
		if old.EdgeFeasible(i) && way != cfg.No && w.reach(e.To) != cfg.No {
			f.edge(i, way == cfg.Yes || old.Take(i) == cfg.Yes)
		}
	}
}

// reach reports whether the verifier reaches a block, on the walk or in a function that was called
// back.
func (w *walker) reach(b cfg.BlockID) cfg.Truth {
	return w.places[w.r.a.g.Blocks[b].Start].seen.Or(w.r.a.f.ReachBlock(b))
}

// at is reach for an instruction.
func (w *walker) at(pc bytecode.PC) cfg.Truth {
	return w.places[pc].seen.Or(w.r.a.f.Reach(pc))
}

// seen records that the walk has reached an instruction.
func (w *walker) seen(pc bytecode.PC) {
	pl := &w.places[pc]
	pl.seen = pl.seen.Or(truth(true, w.cur.s.certain()))
}

// addDepth adds how far down the last instruction has used the frames in sight to what is
// known of their functions.
func (w *walker) addDepth() {
	sub, up := w.r.sub, w.cur.up
	for i := range w.r.depth {
		if w.r.a.f.depth[sub].add(w.r.depth[i]); up == nil {
			break
		}
		sub, up = up.sub, up.up
	}
	w.r.depth = w.r.depth[:0]
}
