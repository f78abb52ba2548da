package hazard

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// path returns a shortest path from the program's start to an indirect jump and on to its target,
// empty if none is known.
func (f *finder) path(jump, to bytecode.PC) []bytecode.PC {
	if f.prev == nil {
		f.walk()
	}
	b, ok := f.r.Graph.BlockAt(jump)
	if !ok || f.prev[b] == b {
		return nil
	}
	path := []bytecode.PC{to, jump}
	for b != cfg.NoBlock {
		if start := f.r.Graph.Blocks[b].Start; start != jump {
			path = append(path, start)
		}
		b = f.prev[b]
	}
	slices.Reverse(path)
	return path
}

// walk finds shortest paths to all blocks, breadth first over edges that an execution can take.
// Functions without callers, such as global functions and callbacks, start paths of their own.
// prev of a block that is not reached is the block itself.
func (f *finder) walk() {
	g := f.r.Graph
	f.prev = make([]cfg.BlockID, len(g.Blocks))
	for b := range f.prev {
		f.prev[b] = cfg.BlockID(b)
	}
	for sub := range f.p.Subprogs {
		root := g.Entry(sub)
		if f.prev[root] != root || !f.r.Exact.BlockReached(root) {
			continue
		}
		f.prev[root] = cfg.NoBlock
		queue := []cfg.BlockID{root}
		for len(queue) > 0 {
			b := queue[0]
			queue = queue[1:]
			lo, hi := g.SuccIDs(b)
			for i := lo; i < hi; i++ {
				to := g.Edges()[i].To
				if f.r.Exact.EdgeFeasible(i) && f.prev[to] == to {
					f.prev[to] = b
					queue = append(queue, to)
				}
			}
		}
	}
}
