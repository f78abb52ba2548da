package cfg

import (
	"fmt"
	"strings"
)

// Loop is a set of blocks in which control can go round, entered at its header.
type Loop struct {
	Header BlockID
	Parent int // index of the innermost enclosing loop, -1 for none
	Depth  int // 1 for an outermost loop
	// Irreducible reports whether the loop can be entered elsewhere than at its header. Which of
	// its entries is the header then depends on the order of the search. If the loop is not
	// irreducible, its header dominates all of its blocks: it is a natural loop.
	Irreducible bool

	lo, hi int32 // range in the weak topological order
}

// LoopForest holds the loops of all subprograms and their nesting.
type LoopForest struct {
	All []Loop // in weak topological order of their headers: outer before inner

	of    []int32   // innermost loop of each block, -1 for none
	pos   []int32   // index in order of each block, -1 when not reached
	order []BlockID // weak topological order
}

// Of returns the index of the innermost loop that contains b, -1 for none.
func (f *LoopForest) Of(b BlockID) int { return int(f.of[b]) }

// Depth returns how many loops contain b.
func (f *LoopForest) Depth(b BlockID) int {
	if f.of[b] < 0 {
		return 0
	}
	return f.All[f.of[b]].Depth
}

// IsHeader reports whether b is the header of a loop. Every reachable cycle of local edges passes
// a header whose loop contains the whole cycle, so a fixpoint iteration needs widening at headers
// only.
func (f *LoopForest) IsHeader(b BlockID) bool {
	return f.of[b] >= 0 && f.All[f.of[b]].Header == b
}

// Blocks returns the blocks of loop i, including those of inner loops, in weak topological order
// with the header first. Callers do not change the slice.
func (f *LoopForest) Blocks(i int) []BlockID {
	lo, hi := f.All[i].lo, f.All[i].hi
	return f.order[lo:hi:hi]
}

// Contains reports whether loop i contains b. The cost is constant.
func (f *LoopForest) Contains(i int, b BlockID) bool {
	return f.All[i].lo <= f.pos[b] && f.pos[b] < f.All[i].hi
}

// IsBack reports whether a local edge closes a loop: it leads from a block of the loop to the
// loop's header.
func (f *LoopForest) IsBack(e Edge) bool {
	return f.IsHeader(e.To) && f.Contains(f.Of(e.To), e.From)
}

// Order returns the reached blocks, subprogram after subprogram, in a weak topological order: the
// blocks of a loop follow one another, header first, and for a local edge from u to v, either u
// comes before v, or v is the header of a loop that contains u. Callers do not change the slice.
//
// Source: François Bourdoncle, Efficient chaotic iteration strategies with widenings, 1993,
// https://doi.org/10.1007/BFb0039704, for the order. The paper's algorithm, which searches every
// loop again for inner loops, is not used. The order is made from the loops: the blocks and inner
// loops of a loop are in reverse postorder of the same search, an inner loop at the place of its
// header.
func (f *LoopForest) Order() []BlockID { return f.order[:len(f.order):len(f.order)] }

// Num returns the index of b in Order, or -1 if b is not reached.
func (f *LoopForest) Num(b BlockID) int { return int(f.pos[b]) }

// String returns the weak topological order with loops in parentheses:
// "b0 (b1 b2) b3".
func (f *LoopForest) String() string {
	var w strings.Builder
	open := -1
	for i, b := range f.order {
		for open >= 0 && int(f.All[open].hi) == i {
			w.WriteString(")")
			open = f.All[open].Parent
		}
		if i > 0 {
			w.WriteString(" ")
		}
		if f.IsHeader(b) {
			w.WriteString("(")
			open = f.Of(b)
		}
		fmt.Fprint(&w, b)
	}
	for ; open >= 0; open = f.All[open].Parent {
		w.WriteString(")")
	}
	return w.String()
}

// Loops returns the loops of all subprograms along local edges. Each block h that is the target
// of a retreating edge is the header of a loop. The loop consists of h and all blocks below h in
// the depth-first search tree from which h can be reached without leaving the tree below h. The
// cost is nearly linear.
//
//	b0 → b1 ⇄ b2 → b3          b0 (b1 b2) b3
//
// Source: Paul Havlak, Nesting of Reducible and Irreducible Loops, 1997,
// https://doi.org/10.1145/262004.262005, made nearly linear by G. Ramalingam, Identifying Loops
// in Almost Linear Time, 1999, https://doi.org/10.1145/316686.316687: a cross or forward edge is
// added at the nearest common ancestor of its ends. Irreducible loops are marked afterwards, from
// the edges that enter them.
func Loops(g *Graph) *LoopForest {
	t := newTree(g)
	l := newLoopFinder(g, t)
	for w := int32(len(t.order)) - 1; w > 0; w-- {
		l.find(w)
	}
	f := l.forest()
	f.markIrreducible(g, t)
	return f
}

// joinEdge is a cross or forward edge, an element of a list.
type joinEdge struct {
	from, to int32
	next     int32 // index of the next element, -1 for none
}

// loopFinder holds the arrays of Havlak's algorithm by vertex.
type loopFinder struct {
	g *Graph
	t *tree

	header []int32 // header of the innermost loop around the vertex, other than itself; 0 for none
	isHead []bool
	set    unionFind // contracts found loops into their headers

	joins []joinEdge
	at    []int32 // first in the list of joins added at this common ancestor
	in    []int32 // first in the list of joins that lead to this vertex or to a vertex contracted into it
	mark  []int32 // last header whose search visited the vertex
	todo  []int32
}

// newLoopFinder makes the lists of cross and forward edges by the nearest common ancestor of
// their ends. This is Tarjan's offline algorithm: when the search leaves a vertex, all vertices
// left before are contracted into their first ancestor that the search has not left, so find of
// an edge's end gives the common ancestor.
func newLoopFinder(g *Graph, t *tree) *loopFinder {
	n := len(t.order)
	l := &loopFinder{
		g: g, t: t, header: make([]int32, n), isHead: make([]bool, n), set: newUnionFind(n),
		at: filled(n, -1), in: filled(n, -1), mark: make([]int32, n),
	}
	left := newUnionFind(n)
	for _, v := range t.post {
		for _, e := range g.Succs(t.order[v]) {
			if !g.Local(e) {
				continue
			}
			w := t.num[e.To]
			if t.under(v, w) || t.parent[w] == v {
				continue
			}
			a := left.find(w)
			l.joins = append(l.joins, joinEdge{v, w, l.at[a]})
			l.at[a] = int32(len(l.joins) - 1)
		}
		left.join(v, t.parent[v])
	}
	return l
}

// find contracts the loop with header w, if there is one. All inner loops have been contracted
// before.
func (l *loopFinder) find(w int32) {
	for i := l.at[w]; i >= 0; {
		next, to := l.joins[i].next, l.set.find(l.joins[i].to)
		l.joins[i].next, l.in[to] = l.in[to], i
		i = next
	}
	l.todo = l.todo[:0]
	l.mark[w] = w
	for _, e := range l.g.Preds(l.t.order[w]) {
		if v := l.t.num[e.From]; v >= 0 && l.t.under(v, w) && l.g.Local(e) {
			l.isHead[w] = true
			l.push(v, w)
		}
	}
	for i := 0; i < len(l.todo); i++ { //nolint:intrange // push makes it longer
		v := l.todo[i]
		l.header[v] = w
		l.push(l.t.parent[v], w)
		for j := l.in[v]; j >= 0; j = l.joins[j].next {
			l.push(l.joins[j].from, w)
		}
	}
	for _, v := range l.todo {
		l.set.join(v, w)
	}
}

// push adds the vertex into which v is contracted to the loop with header w.
func (l *loopFinder) push(v, w int32) {
	if v = l.set.find(v); l.mark[v] != w {
		l.mark[v] = w
		l.todo = append(l.todo, v)
	}
}

// forest numbers the loops and lays out the weak topological order. A header has a smaller vertex
// number than the rest of its loop, so one sweep upwards gives the sizes. It also comes before
// the rest in reverse postorder, so one further sweep gives the places.
func (l *loopFinder) forest() *LoopForest {
	nb, n := len(l.g.Blocks), len(l.t.order)
	f := &LoopForest{of: filled(nb, -1), pos: filled(nb, -1), order: make([]BlockID, n-1)}
	size, next := make([]int32, n), make([]int32, n)
	for v := n - 1; v > 0; v-- {
		size[v]++
		size[l.header[v]] += size[v]
	}
	for _, b := range l.t.reversePostorder(l.g) {
		v := l.t.num[b]
		h := l.header[v]
		f.pos[b], next[v] = next[h], next[h]+1
		next[h] += size[v]
		f.order[f.pos[b]] = b
	}
	for _, b := range f.order {
		v := l.t.num[b]
		loop := int32(-1)
		if h := l.header[v]; h > 0 {
			loop = f.of[l.t.order[h]]
		}
		if l.isHead[v] {
			in := Loop{Header: b, Parent: int(loop), Depth: 1, lo: f.pos[b], hi: f.pos[b] + size[v]}
			if loop >= 0 {
				in.Depth = f.All[loop].Depth + 1
			}
			loop = int32(len(f.All))
			f.All = append(f.All, in)
		}
		f.of[b] = loop
	}
	return f
}

// markIrreducible marks the loops that can be entered elsewhere than at their header. For each
// edge it goes outwards from the innermost loop around the edge's target and marks each loop
// until one also contains the edge's source. Loops that are already marked are contracted into
// their parents, so each is marked once.
func (f *LoopForest) markIrreducible(g *Graph, t *tree) {
	marked := newUnionFind(len(f.All) + 1) // element i+1 is loop i, 0 is outside of all
	enter := func(from, to BlockID) {
		i := f.Of(to)
		if i >= 0 && f.All[i].Header == to {
			i = f.All[i].Parent
		}
		for {
			i = int(marked.find(int32(i+1))) - 1
			if i < 0 || from != NoBlock && f.Contains(i, from) {
				return
			}
			f.All[i].Irreducible = true
			marked.join(int32(i+1), int32(f.All[i].Parent+1))
		}
	}
	for _, e := range g.edges {
		if t.num[e.From] >= 0 && g.Local(e) {
			enter(e.From, e.To)
		}
	}
	for b, root := range t.root {
		if root {
			enter(NoBlock, BlockID(b))
		}
	}
}

// filled returns a slice of n equal elements.
func filled(n int, value int32) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = value
	}
	return s
}

// unionFind holds disjoint sets, each with a representative that join chooses.
// Path compression alone makes n operations cost O(n log n).
type unionFind []int32

// newUnionFind makes n sets of one element.
func newUnionFind(n int) unionFind {
	u := make(unionFind, n)
	for i := range u {
		u[i] = int32(i)
	}
	return u
}

// find returns the representative of the set of v.
func (u unionFind) find(v int32) int32 {
	for u[v] != v {
		u[v] = u[u[v]]
		v = u[v]
	}
	return v
}

// join adds the set of v, its representative, to that of w.
func (u unionFind) join(v, w int32) { u[v] = u.find(w) }
