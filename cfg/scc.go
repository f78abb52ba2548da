package cfg

// SCCs are the strongly connected components of a graph: the largest sets of
// blocks that can all reach one another. Every block is in exactly one.
//
// Components are numbered in reverse topological order: an edge between two
// components leads from the larger number to the smaller.
type SCCs struct {
	// Of holds for each block the number of its component.
	Of []int32

	blocks []BlockID // by component
	start  []int32   // start[i]:start[i+1] in blocks
	cyclic []bool    // of each component
}

// Len returns the number of components.
func (s *SCCs) Len() int { return len(s.cyclic) }

// Blocks returns the blocks of component i, in the order of the search.
// Callers do not change the slice.
func (s *SCCs) Blocks(i int) []BlockID {
	lo, hi := s.start[i], s.start[i+1]
	return s.blocks[lo:hi:hi]
}

// Cyclic reports whether component i contains a cycle: whether it has several
// blocks, or one with an edge to itself.
func (s *SCCs) Cyclic(i int) bool { return s.cyclic[i] }

// Components returns the strongly connected components of the graph along the
// edges that keep admits, all edges when keep is nil. Components(g, g.Local)
// finds loops, Components(g, nil) recursion too. The cost is linear.
//
// Source: Robert Tarjan, Depth-First Search and Linear Graph Algorithms, 1972,
// https://doi.org/10.1137/0201010, with a stack of its own instead of
// recursion: a program can be a chain of a million blocks.
func Components(g *Graph, keep func(Edge) bool) *SCCs {
	n := len(g.Blocks)
	s := &tarjan{
		g: g, keep: keep,
		out:  &SCCs{Of: make([]int32, n), blocks: make([]BlockID, 0, n), start: []int32{0}},
		num:  make([]int32, n),
		low:  make([]int32, n),
		next: make([]int32, n),
	}
	for b := range BlockID(n) {
		if s.num[b] == 0 {
			s.visit(b)
		}
	}
	return s.out
}

// tarjan is the state of the search; num and low are the paper's NUMBER and
// LOWLINK, from 1.
type tarjan struct {
	g    *Graph
	keep func(Edge) bool
	out  *SCCs

	num   []int32   // 0: not visited
	low   []int32   // smallest number known to be reachable
	next  []int32   // index in edges of the next one to follow
	call  []BlockID // blocks being visited
	stack []BlockID // blocks without a component yet
	count int32
}

// visit finds the components of all that can be reached from root and has not
// been visited.
func (s *tarjan) visit(root BlockID) {
	s.enter(root)
	for len(s.call) > 0 {
		b := s.call[len(s.call)-1]
		if s.next[b] == s.g.succ[b+1] {
			s.call = s.call[:len(s.call)-1]
			if s.low[b] == s.num[b] {
				s.pop(b)
			}
			if len(s.call) > 0 {
				up := s.call[len(s.call)-1]
				s.low[up] = min(s.low[up], s.low[b])
			}
			continue
		}
		e := s.g.edges[s.next[b]]
		s.next[b]++
		switch {
		case s.keep != nil && !s.keep(e):
		case s.num[e.To] == 0:
			s.enter(e.To)
		default:
			s.low[b] = min(s.low[b], s.num[e.To])
		}
	}
}

// done is the number of a block that has its component: it lowers nothing.
const done = 1<<31 - 1

// enter begins the visit of a block.
func (s *tarjan) enter(b BlockID) {
	s.count++
	s.num[b], s.low[b], s.next[b] = s.count, s.count, s.g.succ[b]
	s.call = append(s.call, b)
	s.stack = append(s.stack, b)
}

// pop takes the component with root b from the stack.
func (s *tarjan) pop(b BlockID) {
	id, at := int32(len(s.out.cyclic)), len(s.stack)-1
	for s.stack[at] != b {
		at--
	}
	for _, m := range s.stack[at:] {
		s.out.Of[m], s.num[m], s.low[m] = id, done, done
	}
	s.out.blocks = append(s.out.blocks, s.stack[at:]...)
	s.out.start = append(s.out.start, int32(len(s.out.blocks)))
	s.out.cyclic = append(s.out.cyclic, len(s.stack)-at > 1 || s.selfEdge(b))
	s.stack = s.stack[:at]
}

// selfEdge reports whether a block has an edge to itself.
func (s *tarjan) selfEdge(b BlockID) bool {
	for _, e := range s.g.Succs(b) {
		if e.To == b && (s.keep == nil || s.keep(e)) {
			return true
		}
	}
	return false
}
