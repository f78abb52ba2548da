package layered

import (
	"context"
	"math/rand/v2"
	"testing"
)

// TestChoose holds the drawing that is chosen against the one with rows of the default
// width: it takes no more area, and is about as easy to follow.
func TestChoose(t *testing.T) {
	var chosen, first int
	for seed := range uint64(60) {
		g := spineWithSwitch(rand.New(rand.NewPCG(seed, 33)))
		opt := Options{}.withDefaults(g)
		w := &work{ctx: context.Background()}
		plan := newPlan(g, opt)
		p, err := plan.best(w, true)
		if err != nil {
			t.Fatal(err)
		}
		q, err := plan.best(w, false)
		if err != nil {
			t.Fatal(err)
		}
		check(t, g, q)
		a, b := crossed(&p), crossed(&q)
		if q.W*q.H > p.W*p.H || b*10 > a*11 {
			t.Errorf("seed %d: %dx%d with %d crossings, first %dx%d with %d", seed, q.W, q.H, b, p.W, p.H, a)
		}
		if q.H > max(p.H, maxTall*q.W) {
			t.Errorf("seed %d: %d wide, %d high", seed, q.W, q.H)
		}
		if e := q.effort(); e.crossings != b {
			t.Errorf("seed %d: %d crossings, of all pairs of lines %d cross", seed, e.crossings, b)
		}
		chosen, first = chosen+q.W*q.H, first+p.W*p.H
	}
	t.Logf("%.2f of the area with rows of the default width", float64(chosen)/float64(first))
	if chosen > first*97/100 {
		t.Errorf("%d pixels, with rows of the default width %d", chosen, first)
	}
}

// spineWithSwitch makes checks that leave for one exit, then a switch.
func spineWithSwitch(r *rand.Rand) Graph {
	var g Graph
	node := func() int {
		g.Nodes = append(g.Nodes, Node{W: 160 + r.IntN(120), H: 40 + r.IntN(80)})
		return len(g.Nodes) - 1
	}
	exit := node()
	g.Entry = node()
	at := g.Entry
	for range 4 + r.IntN(6) {
		next := node()
		g.Edges = append(g.Edges, Edge{From: at, To: next, Straight: true}, Edge{From: at, To: exit, Class: 1})
		at = next
	}
	for range 6 + r.IntN(14) {
		c := node()
		g.Edges = append(g.Edges, Edge{From: at, To: c, Fan: true, Class: 9}, Edge{From: c, To: exit, Class: 2})
	}
	return g
}

// crossed counts the pairs of lines that cross, those that edges share once.
func crossed(p *Placement) int {
	var lines []Band
	for _, r := range p.Routes {
		for k := r.First + 1; k <= r.Last; k++ {
			a, b := r.Points[k-1], r.Points[k]
			lines = append(lines, Band{min(a.X, b.X), min(a.Y, b.Y), max(a.X, b.X), max(a.Y, b.Y)})
		}
	}
	n := 0
	for _, l := range lines {
		for _, u := range lines {
			if l.X0 < u.X0 && u.X1 < l.X1 && u.Y0 < l.Y0 && l.Y1 < u.Y1 {
				n++
			}
		}
	}
	return n
}
