package cfg

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// link is an edge of a test graph.
type link struct{ from, to int }

// shaped makes a Graph of one-slot blocks with any edges, for algorithms that
// look at nothing else. Subprograms begin at 0 and starts; an edge between two of
// them is an indirect jump.
func shaped(n int, links []link, starts ...int) *Graph {
	p := &bytecode.Program{Insns: make([]bytecode.Insn, n)}
	starts = append([]int{0}, starts...)
	g := &Graph{Program: p}
	for i, s := range starts {
		end := n
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Start: bytecode.PC(s), End: bytecode.PC(end)})
		g.entries = append(g.entries, BlockID(s))
		for b := s; b < end; b++ {
			pc := bytecode.PC(b)
			g.Blocks = append(g.Blocks, Block{Start: pc, End: pc + 1, Last: pc, Sub: i})
		}
	}
	rows := make([][]Edge, n)
	for _, l := range links {
		rows[l.from] = append(rows[l.from], Edge{BlockID(l.from), BlockID(l.to), Indirect})
	}
	for _, row := range rows {
		g.edges = append(g.edges, row...)
	}
	g.index()
	return g
}

// randomGraphs calls f with many graphs, small enough for slow algorithms, of
// different densities, parallel edges and self loops included.
func randomGraphs(t *testing.T, f func(t *testing.T, g *Graph)) {
	t.Helper()
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(14)
		if seed%10 == 0 {
			n = 30 + r.IntN(30)
		}
		links := randomLinks(r, n, seed%3)
		var starts []int
		if seed%4 == 3 && n > 2 {
			starts = []int{1 + r.IntN(n-1)}
		}
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) { f(t, shaped(n, links, starts...)) })
		if t.Failed() {
			t.Logf("%d blocks %v, subprograms at 0 and %v", n, links, starts)
			return
		}
	}
}

// randomLinks makes edges: anywhere, mostly as branches of a program would be,
// or mostly forward with a few long ways back.
func randomLinks(r *rand.Rand, n int, style uint64) []link {
	var links []link
	for b := range n {
		switch style {
		case 0:
			for range r.IntN(4) {
				links = append(links, link{b, r.IntN(n)})
			}
		case 1:
			if b+1 < n && r.IntN(8) > 0 {
				links = append(links, link{b, b + 1})
			}
			if r.IntN(2) == 0 {
				links = append(links, link{b, max(0, min(n-1, b+r.IntN(7)-3))})
			}
		default:
			for range 1 + r.IntN(2) {
				links = append(links, link{b, min(n-1, b+1+r.IntN(3))})
			}
			if r.IntN(3) == 0 {
				links = append(links, link{b, r.IntN(b + 1)})
			}
		}
	}
	return links
}

// roots returns the blocks that a subprogram is entered at.
func roots(g *Graph) []bool {
	root := make([]bool, len(g.Blocks))
	for _, b := range g.entries {
		root[b] = true
	}
	for _, e := range g.Edges() {
		if e.Kind == Indirect && g.Blocks[e.From].Sub != g.Blocks[e.To].Sub {
			root[e.To] = true
		}
	}
	return root
}

// flood returns what can be reached from blocks along edges that keep admits.
func flood(g *Graph, from []bool, keep func(Edge) bool) []bool {
	seen := append([]bool(nil), from...)
	for changed := true; changed; {
		changed = false
		for _, e := range g.Edges() {
			if seen[e.From] && !seen[e.To] && keep(e) {
				seen[e.To], changed = true, true
			}
		}
	}
	return seen
}

// only returns the set of one block.
func only(g *Graph, b BlockID) []bool {
	s := make([]bool, len(g.Blocks))
	s[b] = true
	return s
}
