package cfg

// DomTree says which blocks dominate which: a dominates b when every path from
// an entry of the subprogram to b goes through a. Every block dominates itself.
// An unreached block is dominated by none and dominates none.
//
// Paths are made of local edges, so each subprogram has a tree of its own. A
// block that is entered from another subprogram by an indirect jump is one more
// entry.
type DomTree struct {
	idom  []BlockID // of each block
	start []int32   // of each block: its preorder number in the dominator tree, -1 when not reached
	size  []int32   // of each block: number of blocks that it dominates
	order []BlockID // blocks by start
}

// Idom returns the immediate dominator of b: the last block before b on every
// path to it. It is NoBlock for an entry, for a block without a single one
// (paths from different entries) and for an unreached block.
func (d *DomTree) Idom(b BlockID) BlockID { return d.idom[b] }

// Reached reports whether b can be reached from an entry of its subprogram.
func (d *DomTree) Reached(b BlockID) bool { return d.start[b] >= 0 }

// Dominates reports whether a dominates b. The cost is constant.
func (d *DomTree) Dominates(a, b BlockID) bool {
	return d.start[a] >= 0 && d.start[a] <= d.start[b] && d.start[b] < d.start[a]+d.size[a]
}

// Dominated returns the blocks that b dominates, itself first and each behind
// its immediate dominator. Callers do not change the slice.
func (d *DomTree) Dominated(b BlockID) []BlockID {
	if d.start[b] < 0 {
		return nil
	}
	lo, hi := d.start[b], d.start[b]+d.size[b]
	return d.order[lo:hi:hi]
}

// Dominators returns the dominator trees of all subprograms. The cost is
// O(m log n) for n blocks and m edges, in practice linear.
//
// Source: Thomas Lengauer and Robert Endre Tarjan, A Fast Algorithm for Finding
// Dominators in a Flowgraph, 1979, https://doi.org/10.1145/357062.357071, the
// version with simple linking and path compression; steps and names are the
// paper's. Cooper, Harvey and Kennedy's iteration is shorter and faster on
// common graphs, but quadratic on deep nests of loops; tests use it as the second
// opinion.
func Dominators(g *Graph) *DomTree {
	t := newTree(g)
	return newDomTree(g, t, immediate(g, t))
}

// lt holds the arrays of Lengauer and Tarjan by vertex. A vertex is a preorder
// number, so "vertex" and "semi" need no translation.
type lt struct {
	semi     []int32 // smallest semidominator candidate found so far
	ancestor []int32 // link in the forest, -1 for a root of it
	label    []int32 // vertex with the smallest semi on the path to the root of the forest
	path     []int32 // scratch of compress
}

// immediate returns the immediate dominator of each vertex.
func immediate(g *Graph, t *tree) []int32 {
	n := len(t.order)
	l := &lt{semi: make([]int32, n), ancestor: make([]int32, n), label: make([]int32, n)}
	dom, bucket, inBucket := make([]int32, n), make([]int32, n), make([]int32, n)
	for v := range int32(n) { // step 1
		l.semi[v], l.ancestor[v], l.label[v], bucket[v] = v, -1, v, -1
	}
	for w := int32(n) - 1; w > 0; w-- { // step 2
		b := t.order[w]
		if t.root[b] {
			l.semi[w] = 0
		}
		for _, e := range g.Preds(b) {
			if v := t.num[e.From]; v >= 0 && g.Local(e) {
				l.semi[w] = min(l.semi[w], l.semi[l.eval(v)])
			}
		}
		s, p := l.semi[w], t.parent[w]
		inBucket[w], bucket[s] = bucket[s], w
		l.ancestor[w] = p
		for v := bucket[p]; v >= 0; v = inBucket[v] { // step 3
			if u := l.eval(v); l.semi[u] < l.semi[v] {
				dom[v] = u
			} else {
				dom[v] = p
			}
		}
		bucket[p] = -1
	}
	for w := 1; w < n; w++ { // step 4
		if dom[w] != l.semi[w] {
			dom[w] = dom[dom[w]]
		}
	}
	return dom
}

// eval returns the vertex with the smallest semi on the path from v up to, not
// including, the root of its tree in the forest; v itself when it is the root.
func (l *lt) eval(v int32) int32 {
	if l.ancestor[v] < 0 {
		return v
	}
	l.path = l.path[:0]
	for u := v; l.ancestor[l.ancestor[u]] >= 0; u = l.ancestor[u] {
		l.path = append(l.path, u)
	}
	for i := len(l.path) - 1; i >= 0; i-- {
		u := l.path[i]
		a := l.ancestor[u]
		if l.semi[l.label[a]] < l.semi[l.label[u]] {
			l.label[u] = l.label[a]
		}
		l.ancestor[u] = l.ancestor[a]
	}
	return l.label[v]
}

// newDomTree numbers the dominator tree. An immediate dominator has a smaller
// vertex than what it dominates, so one sweep up gives sizes, and one sweep
// down preorder numbers.
func newDomTree(g *Graph, t *tree, dom []int32) *DomTree {
	n := len(t.order)
	d := &DomTree{
		idom:  make([]BlockID, len(g.Blocks)),
		start: make([]int32, len(g.Blocks)),
		size:  make([]int32, len(g.Blocks)),
		order: make([]BlockID, n-1),
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
		d.idom[b], d.start[b], d.size[b], d.order[at] = t.order[dom[v]], at, size[v], b
	}
	return d
}
