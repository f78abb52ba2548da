package cfg

import "github.com/bpfcfg/bpfcfg/internal/dominators"

// DomTree holds the dominance relation of blocks: a dominates b if every path from an entry of
// the subprogram to b goes through a. Every block dominates itself. An unreached block neither
// dominates nor is dominated.
//
// Paths are made of local edges, so each subprogram has a tree of its own. A block that an
// indirect jump enters from another subprogram counts as a further entry.
type DomTree struct {
	idom  []BlockID // of each block
	start []int32   // of each block: its preorder number in the dominator tree, -1 when not reached
	size  []int32   // of each block: number of blocks that it dominates
}

// Idom returns the immediate dominator of b: the last block before b on every path to it. It is
// NoBlock for an entry, for an unreached block, and for a block that paths from different entries
// reach.
func (d *DomTree) Idom(b BlockID) BlockID { return d.idom[b] }

// Reached reports whether b can be reached from an entry of its subprogram.
func (d *DomTree) Reached(b BlockID) bool { return d.start[b] >= 0 }

// Dominates reports whether a dominates b. The cost is constant.
func (d *DomTree) Dominates(a, b BlockID) bool {
	return d.start[a] >= 0 && d.start[a] <= d.start[b] && d.start[b] < d.start[a]+d.size[a]
}

// Dominators returns the dominator trees of all subprograms, by the algorithm of Lengauer and
// Tarjan (package dominators). The cost is O(m log n) for n blocks and m edges, in practice
// linear. Tests compare the result with the iteration of Cooper, Harvey and Kennedy.
func Dominators(g *Graph) *DomTree {
	t := newTree(g)
	return newDomTree(g, t, dominators.Immediate(t.parent, func(w int32, from func(v int32)) {
		b := t.order[w]
		if t.root[b] {
			from(0)
		}
		for _, e := range g.Preds(b) {
			if v := t.num[e.From]; v >= 0 && g.Local(e) {
				from(v)
			}
		}
	}))
}

// newDomTree numbers the dominator tree. An immediate dominator has a smaller vertex number than
// the blocks it dominates, so one sweep upwards gives the sizes and one sweep downwards the
// preorder numbers.
func newDomTree(g *Graph, t *tree, dom []int32) *DomTree {
	n := len(t.order)
	d := &DomTree{
		idom:  make([]BlockID, len(g.Blocks)),
		start: make([]int32, len(g.Blocks)),
		size:  make([]int32, len(g.Blocks)),
	}
	size, next := make([]int32, n), make([]int32, n)
	for v := n - 1; v > 0; v-- {
		size[v]++
		size[dom[v]] += size[v]
	}
	for b := range d.idom {
		d.idom[b], d.start[b] = NoBlock, -1
	}
	for v := 1; v < n; v++ {
		b, at := t.order[v], next[dom[v]]
		next[dom[v]] += size[v]
		next[v] = at + 1
		d.idom[b], d.start[b], d.size[b] = t.order[dom[v]], at, size[v]
	}
	return d
}
