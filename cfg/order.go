package cfg

// Order is an order of the blocks that can be reached from the entry of their
// subprogram.
type Order struct {
	// Blocks holds the reached blocks, subprogram after subprogram.
	Blocks []BlockID
	// Num holds for each block its index in Blocks, -1 when it is not reached.
	Num []int32
}

// ReversePostorder returns the blocks in reverse postorder of a depth-first search along local
// edges. Only edges that go backwards in this order close cycles, so a pass in this order visits
// every block after its predecessors, loop-closing edges aside. The successors of a block keep
// the order of Succs, except where a loop forces another.
//
// A subprogram's order begins with its entry, unless a block of it is entered
// only from another subprogram by an indirect jump; such blocks come before.
func ReversePostorder(g *Graph) *Order {
	o := &Order{Blocks: newTree(g).reversePostorder(g), Num: filled(len(g.Blocks), -1)}
	for i, b := range o.Blocks {
		o.Num[b] = int32(i)
	}
	return o
}

// tree is a depth-first spanning tree over local edges. Vertices are preorder numbers from 1;
// vertex 0 is the parent of the roots of all subprograms. The descendants of v, including v, are
// v to last[v].
type tree struct {
	order  []BlockID // of each vertex; NoBlock for vertex 0
	num    []int32   // vertex of each block, -1 when it is not reached
	parent []int32   // of each vertex
	last   []int32   // of each vertex
	post   []int32   // vertices in postorder, without 0
	root   []bool    // of each block: an entry of a subprogram, or entered from another one
}

// newTree searches the graph. It visits the last successor first, so that reverse postorder has
// the successors in the order of Succs.
func newTree(g *Graph) *tree {
	n := len(g.Blocks)
	t := &tree{
		order:  make([]BlockID, 1, n+1),
		num:    make([]int32, n),
		parent: make([]int32, 1, n+1),
		last:   make([]int32, n+1),
		post:   make([]int32, 0, n),
		root:   make([]bool, n),
	}
	t.order[0] = NoBlock
	for b := range t.num {
		t.num[b] = -1
	}
	for _, b := range g.entries {
		t.root[b] = true
	}
	for _, e := range g.edges {
		if e.Kind == Indirect && !g.Local(e) {
			t.root[e.To] = true
		}
	}
	s := search{g: g, t: t, next: make([]int32, n+1)}
	for sub := range g.entries {
		lo, hi := g.SubBlocks(sub)
		for b := lo; b < hi; b++ {
			if t.root[b] && t.num[b] < 0 {
				s.run(b)
			}
		}
	}
	t.last = t.last[:len(t.order)]
	t.last[0] = int32(len(t.order) - 1)
	return t
}

// search is a depth-first search with its own stack.
type search struct {
	g     *Graph
	t     *tree
	next  []int32 // of each vertex: successors still to visit, counted from the first
	stack []int32 // vertices being visited
}

// run visits the blocks that can be reached from b and have not been visited.
func (s *search) run(b BlockID) {
	g, t := s.g, s.t
	s.enter(b, 0)
	for len(s.stack) > 0 {
		v := s.stack[len(s.stack)-1]
		if s.next[v] == 0 {
			s.stack = s.stack[:len(s.stack)-1]
			t.last[v] = int32(len(t.order) - 1)
			t.post = append(t.post, v)
			continue
		}
		s.next[v]--
		if e := g.edges[g.succ[t.order[v]]+s.next[v]]; t.num[e.To] < 0 && g.Local(e) {
			s.enter(e.To, v)
		}
	}
}

// enter numbers a block and puts it on the stack.
func (s *search) enter(b BlockID, parent int32) {
	v := int32(len(s.t.order))
	s.t.num[b] = v
	s.t.order = append(s.t.order, b)
	s.t.parent = append(s.t.parent, parent)
	s.next[v] = s.g.succ[b+1] - s.g.succ[b]
	s.stack = append(s.stack, v)
}

// under reports whether v is w or a descendant of w.
func (t *tree) under(v, w int32) bool { return w <= v && v <= t.last[w] }

// reversePostorder returns the blocks of each subprogram in reverse postorder,
// subprogram after subprogram.
func (t *tree) reversePostorder(g *Graph) []BlockID {
	out := make([]BlockID, 0, len(t.post))
	for hi := 0; hi < len(t.post); {
		lo, sub := hi, g.Blocks[t.order[t.post[hi]]].Sub
		for hi < len(t.post) && g.Blocks[t.order[t.post[hi]]].Sub == sub {
			hi++
		}
		for i := hi - 1; i >= lo; i-- {
			out = append(out, t.order[t.post[i]])
		}
	}
	return out
}
