package cfg

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/graph/topo"
)

// Blocks are in one component when each can be reached from the other.
func TestComponentsSlow(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		for _, keep := range []func(Edge) bool{nil, g.Local} {
			s := Components(g, keep)
			admits := keep
			if admits == nil {
				admits = func(Edge) bool { return true }
			}
			reach := make([][]bool, len(g.Blocks))
			for b := range g.Blocks {
				reach[b] = flood(g, only(g, BlockID(b)), admits)
			}
			for a := range g.Blocks {
				for b := range g.Blocks {
					if got, want := s.Of[a] == s.Of[b], reach[a][b] && reach[b][a]; got != want {
						t.Errorf("b%d and b%d in one component: got %v", a, b, got)
					}
				}
			}
			for _, e := range g.Edges() {
				if admits(e) && s.Of[e.From] < s.Of[e.To] {
					t.Errorf("%v leads from component %d to %d", e, s.Of[e.From], s.Of[e.To])
				}
			}
			checkMembers(t, g, s, admits)
		}
	})
}

// checkMembers checks the lists of blocks, and what is cyclic.
func checkMembers(t *testing.T, g *Graph, s *SCCs, admits func(Edge) bool) {
	t.Helper()
	n := 0
	for i := range s.Len() {
		cyclic := false
		for _, e := range g.Edges() {
			cyclic = cyclic || admits(e) && int(s.Of[e.From]) == i && int(s.Of[e.To]) == i
		}
		if s.Cyclic(i) != cyclic {
			t.Errorf("component %d cyclic: got %v", i, s.Cyclic(i))
		}
		for _, b := range s.Blocks(i) {
			n++
			if int(s.Of[b]) != i {
				t.Errorf("%v is listed in component %d, not %d", b, i, s.Of[b])
			}
		}
	}
	if n != len(g.Blocks) {
		t.Errorf("%d of %d blocks are listed", n, len(g.Blocks))
	}
}

func TestComponentsGonum(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		s := Components(g, nil)
		var got, want [][]BlockID
		for i := range s.Len() {
			got = append(got, slices.Sorted(slices.Values(s.Blocks(i))))
		}
		for _, c := range topo.TarjanSCC(g.Gonum(nil)) {
			var blocks []BlockID
			for _, n := range c {
				blocks = append(blocks, n.(BlockID))
			}
			slices.Sort(blocks)
			want = append(want, blocks)
		}
		slices.SortFunc(got, slices.Compare)
		slices.SortFunc(want, slices.Compare)
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("got %v, gonum says %v", got, want)
		}
	})
}
