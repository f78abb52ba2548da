package layered

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// randomCFG makes a graph like that of a program: most blocks fall through or jump a short way;
// some loop or lead to many blocks.
func randomCFG(r *rand.Rand, n int) Graph {
	var g Graph
	for range n {
		g.Nodes = append(g.Nodes, Node{W: 80 + r.IntN(160), H: 20 + r.IntN(120)})
	}
	near := func(v, d int) int { return min(n-1, max(0, v+d)) }
	for v := range n {
		switch k := r.IntN(20); {
		case k < 1: // exit
		case k < 2: // fan
			for range 2 + r.IntN(12) {
				g.Edges = append(g.Edges, Edge{From: v, To: near(v, 1+r.IntN(15)), Fan: true, Class: 9})
			}
		default:
			if v+1 < n {
				g.Edges = append(g.Edges, Edge{From: v, To: v + 1, Straight: true})
			}
			if k < 12 {
				g.Edges = append(g.Edges, Edge{From: v, To: near(v, r.IntN(12)+1), Class: 1})
			} else if k < 14 {
				g.Edges = append(g.Edges, Edge{From: v, To: near(v, -r.IntN(10)), Class: 1 + r.IntN(2)})
			} else if k < 15 {
				g.Edges = append(g.Edges, Edge{From: v, To: r.IntN(n)})
			}
		}
	}
	return g
}

func check(t *testing.T, g Graph, p Placement) Quality {
	t.Helper()
	q := Measure(g, p)
	if q.Overlaps != 0 || q.Through != 0 || q.Slanted != 0 || q.Conflicts != 0 {
		t.Errorf("%+v", q)
	}
	return q
}

func TestRandom(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := randomCFG(r, 1+r.IntN(60))
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := Layout(g, Options{})
			check(t, g, p)
			if !reflect.DeepEqual(p, Layout(g, Options{})) {
				t.Error("a second layout differs")
			}
		})
	}
}

func TestColumns(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		g := randomCFG(r, 5+r.IntN(60))
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := Layout(g, Options{MaxHeight: 200 + r.IntN(1500)})
			check(t, g, p)
		})
	}
}

func BenchmarkLayout(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 5000, 50_000} {
		g := randomCFG(rand.New(rand.NewPCG(uint64(n), 1)), n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Layout(g, Options{})
			}
		})
	}
}
