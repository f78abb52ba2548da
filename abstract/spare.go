package abstract

import (
	"sync"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// manySlots is the number of slots from which on a program is large: the states of its
// blocks are given up as soon as no further state can come to the block. Few who ask
// for facts ask for states, and they are most of what facts take in memory.
const manySlots = 1 << 16

// spared holds what it takes to make the states of facts again.
type spared struct {
	p     *bytecode.Program
	opt   Options
	stray bool // a state came to a block whose states were given up: not to be relied on
	once  sync.Once
	full  *Facts
}

// strayed reports whether the facts are to be computed again with all states kept.
func (f *Facts) strayed() bool { return f.spared != nil && f.spared.stray }

// statesAt returns the states at the entry of a block. Those that were given up are
// made again, all at once: the analysis is the same each time.
func (f *Facts) statesAt(b cfg.BlockID) []*State {
	s := f.spared
	if s == nil {
		return f.states[b]
	}
	s.once.Do(func() { s.full = Analyze(s.p, f.g, s.opt) })
	return s.full.states[b]
}

// sparing reports whether states can be given up: the program is large, and states go
// along edges of the graph alone. An indirect jump without an edge leads where none is. What one
// with edges leads to besides is noticed (see spared), and costs the analysis once more.
func (a *analyzer) sparing() bool {
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

// spare gives up the states of the blocks that no state comes to any more, when the
// block at a position is carried out next.
func (r *run) spare(pos int32) {
	end := min(pos, r.a.barriers(r.sub)[pos])
	for ; r.done < end; r.done++ {
		bs := &r.blocks[r.a.order[r.sub][r.done]-r.lo]
		bs.entries, bs.past = nil, nil
	}
}
