package explain

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/traverse"
)

// dominators returns the blocks through which every way from the entry of its function to a block
// leads, the nearest last; of many the nearest.
func (x *Explainer) dominators(b cfg.BlockID) []int {
	if x.doms == nil {
		x.doms = cfg.Dominators(x.g)
	}
	var out []int
	for at := x.doms.Idom(b); at != cfg.NoBlock; at = x.doms.Idom(at) {
		if x.limits.Steps > 0 && len(out) == x.limits.Steps {
			break
		}
		out = append(out, int(at))
	}
	slices.Reverse(out)
	return out
}

// cycle returns the blocks of a shortest cycle in the function that an execution can take
// from a block back to it, which is the first and the last; none when there is no cycle.
func (x *Explainer) cycle(b cfg.BlockID) []int {
	if x.taken == nil {
		edges := x.g.Edges()
		x.taken = x.g.GonumOf(func(i int) bool { return x.g.Local(edges[i]) && x.a.Succ.Exact.EdgeFeasible(i) })
	}
	before := map[int64]int64{}
	found := false
	search := traverse.BreadthFirst{Traverse: func(e graph.Edge) bool {
		from, to := e.From().ID(), e.To().ID()
		if _, seen := before[to]; !seen && !found {
			before[to] = from
			found = to == b.ID()
		}
		return !found
	}}
	search.Walk(x.taken, b, func(graph.Node, int) bool { return found })
	if !found {
		return nil
	}
	out := []int{int(b)}
	for at := before[b.ID()]; at != b.ID(); at = before[at] {
		out = append(out, int(at))
	}
	out = append(out, int(b))
	slices.Reverse(out)
	return out
}
