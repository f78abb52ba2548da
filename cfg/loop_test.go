package cfg

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/topo"
)

// Weak topological orders of figures, and of small graphs with the answer
// worked out by hand.
func TestLoopsFigures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		n     int
		links []link
		want  string
	}{
		// Bourdoncle 1993, figure 1, blocks counted from 0: 1 2 (3 4 (5 6) 7) 8.
		// Its order of branches is free; here the loop is the fall-through.
		{"bourdoncle 1", 8, []link{{0, 1}, {1, 2}, {1, 7}, {2, 3}, {3, 4}, {3, 6}, {4, 5}, {5, 4}, {5, 6}, {6, 2}, {6, 7}},
			"b0 b1 (b2 b3 (b4 b5) b6) b7"},
		{"self loop", 2, []link{{0, 0}, {0, 1}}, "(b0) b1"},
		{"one header, two ways back", 4, []link{{0, 1}, {1, 2}, {2, 1}, {2, 3}, {3, 1}}, "b0 (b1 b2 b3)"},
		{"nest", 4, []link{{0, 1}, {1, 2}, {2, 2}, {2, 1}, {1, 0}, {0, 3}}, "(b0 (b1 (b2))) b3"},
		{"exit is laid out behind", 4, []link{{0, 1}, {1, 3}, {1, 2}, {2, 1}}, "b0 (b1 b2) b3"},
		{"irreducible", 3, []link{{0, 1}, {0, 2}, {1, 2}, {2, 1}}, "b0 (b2 b1)"},
		{"unreached", 4, []link{{0, 3}, {1, 2}, {2, 1}, {2, 3}}, "b0 b3"},
	} {
		g := shaped(tt.n, tt.links)
		if got := Loops(g).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	f := Loops(shaped(3, []link{{0, 1}, {0, 2}, {1, 2}, {2, 1}}))
	if len(f.All) != 1 || !f.All[0].Irreducible {
		t.Errorf("the loop with two entries: %+v", f.All)
	}
}

// slowTree is a depth-first search tree as the recursive textbook makes it.
type slowTree struct {
	pre, last []int // of each block; pre is -1 when not reached
}

func newSlowTree(g *Graph) *slowTree {
	s := &slowTree{pre: make([]int, len(g.Blocks)), last: make([]int, len(g.Blocks))}
	for b := range s.pre {
		s.pre[b] = -1
	}
	count := 0
	var visit func(BlockID)
	visit = func(b BlockID) {
		s.pre[b] = count
		count++
		for _, e := range slices.Backward(g.Succs(b)) {
			if g.Local(e) && s.pre[e.To] < 0 {
				visit(e.To)
			}
		}
		s.last[b] = count - 1
	}
	for b, root := range roots(g) {
		if root && s.pre[b] < 0 {
			visit(BlockID(b))
		}
	}
	return s
}

func (s *slowTree) under(v, w BlockID) bool { return s.pre[w] <= s.pre[v] && s.pre[v] <= s.last[w] }

// The slow version takes the definition at its word: for each block, those
// below it in the search tree that lead to it without leaving that part.
func TestLoopsSlow(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		f, s, d := Loops(g), newSlowTree(g), Dominators(g)
		bodies := map[BlockID][]bool{}
		for h := range BlockID(len(g.Blocks)) {
			body := only(g, h)
			back := false
			for _, e := range g.Preds(h) {
				back = back || g.Local(e) && s.pre[e.From] >= 0 && s.under(e.From, h)
			}
			for changed := true; changed && back; {
				changed = false
				for _, e := range g.Edges() {
					if g.Local(e) && s.pre[e.From] >= 0 && body[e.To] && !body[e.From] && s.under(e.From, h) {
						body[e.From], changed = true, true
					}
				}
			}
			if back && s.pre[h] >= 0 {
				bodies[h] = body
			}
		}
		if len(f.All) != len(bodies) {
			t.Fatalf("%d loops, want %d", len(f.All), len(bodies))
		}
		for i, l := range f.All {
			checkLoop(t, g, f, i, bodies, d)
			if l.Parent >= 0 && (l.Parent >= i || !f.Contains(l.Parent, l.Header)) {
				t.Errorf("parent of loop %d: %d", i, l.Parent)
			}
		}
		for b := range BlockID(len(g.Blocks)) {
			depth := 0
			for _, body := range bodies {
				if body[b] {
					depth++
				}
			}
			if f.Depth(b) != depth {
				t.Errorf("depth of %v: got %d, want %d", b, f.Depth(b), depth)
			}
		}
	})
}

// checkLoop compares a loop with its body from the slow version, and its mark
// with the definitions of reducible: entered at the header only, and the
// natural loop of its back edges.
func checkLoop(t *testing.T, g *Graph, f *LoopForest, i int, bodies map[BlockID][]bool, d *DomTree) {
	t.Helper()
	l := f.All[i]
	body, ok := bodies[l.Header]
	if !ok {
		t.Fatalf("%v is no header", l.Header)
	}
	for b := range BlockID(len(g.Blocks)) {
		if f.Contains(i, b) != body[b] || slices.Contains(f.Blocks(i), b) != body[b] {
			t.Errorf("loop of %v contains %v: got %v", l.Header, b, !body[b])
		}
	}
	irreducible := false
	root := roots(g)
	for b := range BlockID(len(g.Blocks)) {
		if !body[b] || b == l.Header {
			continue
		}
		irreducible = irreducible || root[b]
		for _, e := range g.Preds(b) {
			irreducible = irreducible || g.Local(e) && d.Reached(e.From) && !body[e.From]
		}
	}
	if l.Irreducible != irreducible {
		t.Errorf("loop of %v irreducible: got %v", l.Header, l.Irreducible)
	}
	if !irreducible {
		natural := only(g, l.Header)
		for changed := true; changed; {
			changed = false
			for _, e := range g.Edges() {
				isBack := e.To == l.Header && d.Dominates(e.To, e.From)
				into := e.To != l.Header && natural[e.To]
				if g.Local(e) && d.Reached(e.From) && !natural[e.From] && (isBack || into) {
					natural[e.From], changed = true, true
				}
			}
		}
		if !slices.Equal(natural, body) {
			t.Errorf("loop of %v: got %v, natural loop %v", l.Header, body, natural)
		}
	}
}

// What Bourdoncle asks of a weak topological order, and of its heads as places
// to widen at: without them no cycle is left.
func TestWeakTopologicalOrder(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		f := Loops(g)
		reached := flood(g, roots(g), g.Local)
		for b := range BlockID(len(g.Blocks)) {
			if (f.Num(b) >= 0) != reached[b] || reached[b] && f.Order()[f.Num(b)] != b {
				t.Errorf("number of %v: %d", b, f.Num(b))
			}
		}
		for _, e := range g.Edges() {
			if !reached[e.From] || !g.Local(e) || f.Num(e.From) < f.Num(e.To) {
				continue
			}
			if !f.IsBack(e) {
				t.Errorf("%v leads against the order %v", e, f)
			}
		}
		for i, l := range f.All {
			if f.Blocks(i)[0] != l.Header || !f.IsHeader(l.Header) {
				t.Errorf("loop %d of %v begins with %v", i, l.Header, f.Blocks(i)[0])
			}
		}
		if cyclic(g, func(e Edge) bool {
			return g.Local(e) && reached[e.From] && !f.IsHeader(e.From) && !f.IsHeader(e.To)
		}) {
			t.Errorf("no header in a cycle")
		}
	})
}

// cyclic reports whether the graph has a cycle of edges that keep admits, by gonum.
func cyclic(g *Graph, keep func(Edge) bool) bool {
	view := g.Gonum(keep)
	return slices.ContainsFunc(topo.TarjanSCC(view), func(c []graph.Node) bool {
		return len(c) > 1 || view.HasEdgeFromTo(c[0].ID(), c[0].ID())
	})
}

// A graph is reducible when it has no cycle but through edges to a dominator
// (Hecht and Ullman 1974); then, and only then, no loop is irreducible.
func TestReducible(t *testing.T) {
	both := [2]int{}
	randomGraphs(t, func(t *testing.T, g *Graph) {
		d := Dominators(g)
		reducible := !cyclic(g, func(e Edge) bool {
			return g.Local(e) && d.Reached(e.From) && !d.Dominates(e.To, e.From)
		})
		got := true
		for _, l := range Loops(g).All {
			got = got && !l.Irreducible
		}
		if got != reducible {
			t.Errorf("reducible: got %v", got)
		}
		if reducible {
			both[0]++
		} else {
			both[1]++
		}
	})
	if both[0] < 50 || both[1] < 50 {
		t.Errorf("%d reducible and %d irreducible graphs are too few", both[0], both[1])
	}
}

func TestReversePostorder(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		o, f := ReversePostorder(g), Loops(g)
		reached := flood(g, roots(g), g.Local)
		for b := range g.Blocks {
			if (o.Num[b] >= 0) != reached[b] || reached[b] && o.Blocks[o.Num[b]] != BlockID(b) {
				t.Errorf("number of b%d: %d", b, o.Num[b])
			}
		}
		for i, b := range o.Blocks {
			if i > 0 && g.Blocks[o.Blocks[i-1]].Sub > g.Blocks[b].Sub {
				t.Errorf("%v of subprogram %d comes late", b, g.Blocks[b].Sub)
			}
			for _, e := range g.Succs(b) {
				if g.Local(e) && o.Num[e.To] <= o.Num[b] && !f.IsBack(e) {
					t.Errorf("%v leads against reverse postorder and closes no loop", e)
				}
			}
		}
	})
	// Branches come in the order of Succs.
	g := shaped(4, []link{{0, 1}, {0, 2}, {1, 3}, {2, 3}})
	if got := ReversePostorder(g).Blocks; !slices.Equal(got, []BlockID{0, 1, 2, 3}) {
		t.Errorf("diamond: %v", got)
	}
}
