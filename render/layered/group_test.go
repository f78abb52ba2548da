package layered

import (
	"math/rand/v2"
	"testing"
)

// TestDominators compares with the definition: d dominates v when v cannot be
// reached without it.
func TestDominators(t *testing.T) {
	for seed := range uint64(100) {
		g := randomCFG(rand.New(rand.NewPCG(seed, 9)), 30)
		d := search(g)
		idom := immediate(g, d)
		dominates := func(a, b int) bool {
			for ; b >= 0; b = idom[b] {
				if a == b {
					return true
				}
			}
			return false
		}
		for a := range g.Nodes {
			if !d.reached[a] {
				continue
			}
			seen := make([]bool, len(g.Nodes))
			var work []int
			if a != g.Entry {
				seen[g.Entry] = true
				work = append(work, g.Entry)
			}
			for len(work) > 0 {
				v := work[len(work)-1]
				work = work[:len(work)-1]
				for _, e := range d.out[v] {
					if w := g.Edges[e].To; w != a && !seen[w] {
						seen[w] = true
						work = append(work, w)
					}
				}
			}
			for b := range g.Nodes {
				if d.reached[b] && dominates(a, b) == seen[b] {
					t.Fatalf("seed %d: %d dominates %d: %v", seed, a, b, !seen[b])
				}
			}
		}
	}
}

// TestGroups checks that groups nest as loops do: a node is in all loops that
// are around its group, unless it is a guest.
func TestGroups(t *testing.T) {
	guests, fans := 0, 0
	for seed := range uint64(300) {
		g := randomCFG(rand.New(rand.NewPCG(seed, 10)), 60)
		d := search(g)
		f := findLoops(g, d)
		s := findGroups(g, d, f, immediate(g, d))
		fans += len(s.parent) - len(f.header)
		for v := range g.Nodes {
			if s.guest[v] {
				guests++
				continue
			}
			if got := s.of[v]; got >= 0 && s.loop[got] != f.of[v] || got < 0 && f.of[v] >= 0 {
				t.Fatalf("seed %d: node %d of loop %d is in group %d", seed, v, f.of[v], got)
			}
			for in := s.of[v]; in >= 0; in = s.parent[in] {
				if l := s.loop[in]; l >= 0 && f.common(l, f.of[v]) != l {
					t.Fatalf("seed %d: node %d is not of loop %d around its group", seed, v, l)
				}
			}
		}
	}
	if guests < 20 || fans < 100 {
		t.Errorf("only %d guests and %d fans", guests, fans)
	}
}

// TestCasesFall checks that what a case of a wrapped switch falls through to
// stays straight below the case, in a loop also the way out.
func TestCasesFall(t *testing.T) {
	const cases = 20
	g := Graph{Nodes: boxes(2 + 2*cases + 1)}
	end := 2 + 2*cases
	g.Edges = append(g.Edges, Edge{From: 0, To: 1, Straight: true}, Edge{From: 0, To: end, Class: 2})
	for i := range cases {
		c := 2 + 2*i
		g.Edges = append(g.Edges, Edge{From: 1, To: c, Fan: true, Class: 1}, Edge{From: c, To: 0, Class: 2},
			Edge{From: c, To: c + 1, Straight: true}, Edge{From: c + 1, To: end, Class: 3})
	}
	p := Layout(g, Options{})
	check(t, g, p)
	rows := map[int]bool{}
	for i := range cases {
		c, w := p.Nodes[2+2*i], p.Nodes[3+2*i]
		rows[c.Y] = true
		if c.X != w.X || w.Y <= c.Y || w.Y > c.Y+200 {
			t.Errorf("case %d at %v, what follows at %v", i, c, w)
		}
	}
	if len(rows) < 3 {
		t.Errorf("%d rows of cases", len(rows))
	}
}

// TestTargets counts the edges of a fan: each target once, and not those that lead back.
func TestTargets(t *testing.T) {
	g := Graph{Nodes: boxes(6), Edges: []Edge{
		{From: 1, To: 2, Fan: true}, {From: 1, To: 2, Fan: true}, {From: 1, To: 3, Fan: true},
		{From: 1, To: 4}, {From: 1, To: 0, Fan: true}, {From: 0, To: 1}, {From: 1, To: 5, Fan: true},
	}}
	if got := targets(g, search(g), 1); got != 3 { // 2, 3 and 5
		t.Errorf("%d targets, want 3", got)
	}
}

// TestSwitchesApart checks that the cases of two switches side by side are not mixed within a row.
func TestSwitchesApart(t *testing.T) {
	const cases = 30
	g := Graph{Nodes: boxes(4 + 2*cases)}
	g.Edges = append(g.Edges, Edge{From: 0, To: 1, Straight: true}, Edge{From: 0, To: 2, Class: 2})
	for i := range 2 * cases {
		g.Edges = append(g.Edges, Edge{From: 1 + i/cases, To: 4 + i, Fan: true, Class: 1},
			Edge{From: 4 + i, To: 3, Class: 3})
	}
	p := Layout(g, Options{})
	check(t, g, p)
	ends := [2][2]int{{far, -1}, {far, -1}} // extents of both
	for i := range 2 * cases {
		e := &ends[i/cases]
		e[0], e[1] = min(e[0], p.Nodes[4+i].X), max(e[1], p.Nodes[4+i].X)
	}
	if ends[0][1] > ends[1][0] && ends[1][1] > ends[0][0] {
		t.Errorf("the switches take %v", ends)
	}
	if at := p.Nodes[3].Y; at < p.Nodes[3+cases].Y || at < p.Nodes[3+2*cases].Y {
		t.Error("the way out is not below both")
	}
}

// TestDeadLoop checks that a loop which nothing leads to stays together, above
// the code that it leads to, though its latch leads to its header alone.
func TestDeadLoop(t *testing.T) {
	const n = 40
	g := Graph{Nodes: boxes(n + 2)}
	for i := range n - 1 {
		g.Edges = append(g.Edges, Edge{From: i, To: i + 1, Straight: true})
	}
	g.Edges = append(g.Edges, Edge{From: n, To: n + 1, Straight: true}, Edge{From: n + 1, To: n, Class: 1},
		Edge{From: n, To: 10, Class: 1})
	p := Layout(g, Options{})
	check(t, g, p)
	if a, b, live := p.Nodes[n].Y, p.Nodes[n+1].Y, p.Nodes[10].Y; a >= live || b > live+100 || b <= a {
		t.Errorf("header at %d, latch at %d, what follows at %d", a, b, live)
	}
}

// localCFG makes a long program whose jumps are short, with some irreducible
// loops, and one exit that many blocks lead to.
func localCFG(r *rand.Rand, n int) Graph {
	g := Graph{Nodes: boxes(n)}
	add := func(v, to int, e Edge) {
		e.From, e.To = v, min(n-1, max(0, to))
		g.Edges = append(g.Edges, e)
	}
	for v := range n - 1 {
		k := r.IntN(40)
		if k != 1 && k < 35 {
			add(v, v+1, Edge{Straight: true})
		}
		switch {
		case k == 0:
			add(v, n-1, Edge{Class: 2})
		case k == 1:
			for range 5 + r.IntN(12) {
				add(v, v+1+r.IntN(12), Edge{Fan: true, Class: 1})
			}
			add(v, v+1, Edge{Fan: true, Class: 1})
		case k < 5:
			add(v, v-r.IntN(8), Edge{Class: 2})
		case k < 28:
			add(v, v+2+r.IntN(5), Edge{Class: 2})
		case k >= 35:
			add(v, v+1, Edge{Class: 2})
			add(v, v+2+r.IntN(4), Edge{Class: 3})
		}
	}
	return g
}

// TestLocal checks that short jumps stay short: no node is placed far from
// those that lead to it, because of a group around an irreducible loop or of a
// row that is full. Jumps pass six blocks at most on their way, switches twelve;
// eight places for each block are ample.
func TestLocal(t *testing.T) {
	for seed := range uint64(4) {
		const n = 10_000
		g := localCFG(rand.New(rand.NewPCG(seed, 11)), n)
		p := Layout(g, Options{})
		if p.Cells > 8*n {
			t.Errorf("seed %d: %d places for %d nodes in %d rows", seed, p.Cells, n, p.Rows)
		}
	}
}
