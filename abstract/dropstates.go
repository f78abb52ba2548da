package abstract

import (
	"sync"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// manySlots is the number of slots from which on a program is large: the states of a block are
// dropped as soon as no further state can reach it. States take most of the memory of facts, and
// few callers need them.
const manySlots = 1 << 16

// droppedStates holds what is needed to compute the states of facts again.
type droppedStates struct {
	p             *bytecode.Program
	opt           Options
	neededDropped bool // a state reached a block whose states were dropped: the facts are not reliable
	once          sync.Once
	full          *Facts
}

// neededDropped reports whether the facts are to be computed again with all states kept.
func (f *Facts) neededDropped() bool { return f.droppedStates != nil && f.droppedStates.neededDropped }

// statesAt returns the states at the entry of a block. Those that were dropped are computed again,
// all at once: the analysis gives the same states each time.
func (f *Facts) statesAt(b cfg.BlockID) []*State {
	s := f.droppedStates
	if s == nil {
		return f.states[b]
	}
	s.once.Do(func() { s.full = Analyze(s.p, f.g, s.opt) })
	return s.full.states[b]
}

// canDropStates reports whether states can be dropped: the program is large, and states follow only
// edges of the graph. An indirect jump without an edge can lead elsewhere. If one with edges does,
// that is noticed (see droppedStates), and the analysis is repeated.
func (a *analyzer) canDropStates() bool {
	large := a.opt.large
	if large == 0 {
		large = manySlots
	}
	if a.opt.all || int(a.p.Len()) < large {
		return false
	}
	for b := range a.g.Blocks {
		lo, hi := a.g.SuccIDs(cfg.BlockID(b))
		if lo == hi && a.p.Insns[a.g.Blocks[b].Last].IsGotox() {
			return false
		}
	}
	return true
}

// barriers returns for each position in the order of a subprogram's blocks the first
// position that a block there, or after, leads back to. No state comes from there on to
// a block before both.
func (a *analyzer) barriers(sub int) []int32 {
	if a.back[sub] != nil {
		return a.back[sub]
	}
	order := a.order[sub]
	out := make([]int32, len(order))
	first := int32(len(order))
	for i := len(order) - 1; i >= 0; i-- {
		lo, hi := a.g.SuccIDs(order[i])
		for _, e := range a.g.Edges()[lo:hi] {
			if a.g.Blocks[e.To].Sub == sub {
				first = min(first, a.pos[e.To])
			}
		}
		out[i] = first
	}
	a.back[sub] = out
	return out
}

// dropStates drops the states of the blocks that no state reaches any more, when the block at a
// position is carried out next.
func (r *run) dropStates(pos int32) {
	end := min(pos, r.a.barriers(r.sub)[pos])
	for ; r.done < end; r.done++ {
		bs := &r.blocks[r.a.order[r.sub][r.done]-r.lo]
		bs.entries, bs.past = nil, nil
	}
}
