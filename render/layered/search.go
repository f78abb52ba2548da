package layered

import "slices"

// tree is the result of a depth-first search over the whole graph.
type tree struct {
	out, in    [][]int // edge indices of each node; out has Straight edges first
	pre        []int   // preorder number of each node
	last       []int   // greatest preorder number among the node's descendants
	order      []int   // nodes by preorder number
	parent     []int   // node that the search came from, -1
	retreating []bool  // for each edge: it leads to an ancestor or the node itself
	reached    []bool  // for each node: the entry leads to it
	place      *tree   // the search with Straight edges first: the order in which blocks are placed
	next       func(v int) []int
	onPath     []bool // for each node: on the current search path
}

// search visits every node: from the entry, then from nodes without
// predecessors, then from the rest, by index. Removing the retreating edges
// leaves no cycle. On a reducible graph these are the back edges, whichever
// order is taken; the order matters only for irreducible loops.
//
// Of a node's edges the last is visited first, as package cfg does: so both
// take the same entry of an irreducible loop for its header.
func search(g Graph) *tree {
	next := makeLists(len(g.Nodes), func(add func(node, edge int)) {
		for i := range slices.Backward(g.Edges) {
			add(g.Edges[i].From, i)
		}
	})
	t := newTree(g, next.of)
	t.place = newTree(g, func(v int) []int { return t.out[v] })
	return t
}

// newTree searches with the edges of each node in the order given.
func newTree(g Graph, next func(v int) []int) *tree {
	n := len(g.Nodes)
	t := &tree{
		parent: make([]int, n), pre: make([]int, n), last: make([]int, n), order: make([]int, 0, n),
		retreating: make([]bool, len(g.Edges)), onPath: make([]bool, n),
	}
	t.out, t.in = adjacency(g)
	t.next = next
	for v := range t.pre {
		t.pre[v] = -1
	}
	t.visit(g, g.Entry)
	t.reached = visited(t.pre)
	for v := range n {
		if len(t.in[v]) == 0 {
			t.visit(g, v)
		}
	}
	for v := range n {
		t.visit(g, v)
	}
	return t
}

func visited(pre []int) []bool {
	r := make([]bool, len(pre))
	for v, p := range pre {
		r[v] = p >= 0
	}
	return r
}

// adjacency lists the edges of each node in edge order, out-edges with
// Straight first.
func adjacency(g Graph) (out, in [][]int) {
	out, in = make([][]int, len(g.Nodes)), make([][]int, len(g.Nodes))
	for _, straight := range []bool{true, false} {
		for i, e := range g.Edges {
			if e.Straight == straight {
				out[e.From] = append(out[e.From], i)
			}
		}
	}
	for i, e := range g.Edges {
		in[e.To] = append(in[e.To], i)
	}
	return out, in
}

// visit searches from root with a stack of its own: programs are deep.
func (t *tree) visit(g Graph, root int) {
	if t.pre[root] >= 0 {
		return
	}
	type frame struct{ node, next int }
	enter := func(v int) frame {
		t.pre[v] = len(t.order)
		t.order = append(t.order, v)
		t.onPath[v] = true
		return frame{node: v}
	}
	stack := []frame{enter(root)}
	t.parent[root] = -1
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		next := t.next(f.node)
		if f.next == len(next) {
			t.last[f.node] = len(t.order) - 1
			t.onPath[f.node] = false
			stack = stack[:len(stack)-1]
			continue
		}
		e := next[f.next]
		f.next++
		to := g.Edges[e].To
		switch {
		case t.pre[to] < 0:
			t.parent[to] = f.node
			stack = append(stack, enter(to))
		case t.onPath[to]:
			t.retreating[e] = true
		}
	}
}

// isAncestor reports whether a is b or above b in the search tree.
func (t *tree) isAncestor(a, b int) bool {
	return t.pre[a] <= t.pre[b] && t.pre[b] <= t.last[a]
}
