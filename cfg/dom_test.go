package cfg

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/graph/flow"
)

// letters makes a graph of edges such as "RA", nodes named by letters in order.
func letters(names string, pairs ...string) *Graph {
	var links []link
	at := func(c byte) int { return slices.Index([]byte(names), c) }
	for _, p := range pairs {
		links = append(links, link{at(p[0]), at(p[1])})
	}
	return shaped(len(names), links)
}

// Figures of the papers: the graph and the immediate dominator of each block
// in the paper's drawing of the dominator tree; "." for none.
func TestDominatorsFigures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		nodes string
		idom  string
		edges []string
	}{
		// Lengauer and Tarjan 1979, figures 1 and 2.
		{"lengauer-tarjan 1", "RABCDEFGHIJKL", ".RRRRRCCRRGRD", []string{
			"RA", "RB", "RC", "AD", "BA", "BD", "BE", "CF", "CG", "DL", "EH", "FI", "GI", "GJ",
			"HE", "HK", "IK", "JI", "KR", "KI", "LH"}},
		// Cooper, Harvey and Kennedy 2001, figures 2 and 4: irreducible graphs.
		{"cooper-harvey-kennedy 2", "54321", ".5555", []string{"54", "53", "41", "32", "12", "21"}},
		{"cooper-harvey-kennedy 4", "654321", ".66666", []string{
			"65", "64", "51", "42", "43", "12", "21", "23", "32"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Dominators(letters(tt.nodes, tt.edges...))
			got := make([]byte, len(tt.nodes))
			for b := range got {
				got[b] = '.'
				if i := d.Idom(BlockID(b)); i != NoBlock {
					got[b] = tt.nodes[i]
				}
			}
			if string(got) != tt.idom {
				t.Errorf("of  %s\ngot %s\nwant %s", tt.nodes, got, tt.idom)
			}
		})
	}
}

// The slow version takes the definition at its word: a dominates b when b
// cannot be reached without a.
func TestDominatorsSlow(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		d := Dominators(g)
		root := roots(g)
		reached := flood(g, root, g.Local)
		dominates := make([][]bool, len(g.Blocks))
		for a := range g.Blocks {
			dominates[a] = make([]bool, len(g.Blocks))
			without := slices.Clone(root)
			without[a] = false
			avoid := flood(g, without, func(e Edge) bool { return g.Local(e) && e.To != BlockID(a) })
			for b := range g.Blocks {
				dominates[a][b] = reached[a] && reached[b] && !avoid[b]
			}
		}
		for b := range g.Blocks {
			if d.Reached(BlockID(b)) != reached[b] {
				t.Errorf("b%d reached: %v", b, !reached[b])
			}
			for a := range g.Blocks {
				if got := d.Dominates(BlockID(a), BlockID(b)); got != dominates[a][b] {
					t.Errorf("b%d dominates b%d: got %v", a, b, got)
				}
			}
			// The immediate one is the strict dominator that all others dominate.
			want := NoBlock
			for a := range g.Blocks {
				if a != b && dominates[a][b] && (want == NoBlock || dominates[want][a]) {
					want = BlockID(a)
				}
			}
			if got := d.Idom(BlockID(b)); got != want {
				t.Errorf("idom of b%d: got %v, want %v", b, got, want)
			}
		}
	})
}

func TestDominatorsGonum(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		if len(g.entries) > 1 {
			return
		}
		d, want := Dominators(g), flow.Dominators(BlockID(0), g.Gonum(nil))
		for b := range BlockID(len(g.Blocks)) {
			idom := NoBlock
			if n := want.DominatorOf(b.ID()); n != nil {
				idom = n.(BlockID)
			}
			if got := d.Idom(b); got != idom {
				t.Errorf("idom of %v: got %v, gonum says %v", b, got, idom)
			}
		}
	})
}

// chk is the algorithm of Cooper, Harvey and Kennedy, the second opinion on
// graphs too large for the definition.
func chk(g *Graph) []BlockID {
	rpo := ReversePostorder(g)
	idom := make([]int32, len(rpo.Blocks))
	for i := range idom {
		idom[i] = -1
	}
	idom[0] = 0
	for changed := true; changed; {
		changed = false
		for i, b := range rpo.Blocks[1:] {
			i, best := int32(i+1), int32(-1)
			for _, e := range g.Preds(b) {
				p := rpo.Num[e.From]
				if p < 0 || idom[p] < 0 {
					continue
				}
				if best < 0 {
					best = p
				}
				for p != best {
					for p > best {
						p = idom[p]
					}
					for best > p {
						best = idom[best]
					}
				}
			}
			if idom[i] != best {
				idom[i], changed = best, true
			}
		}
	}
	out := make([]BlockID, len(g.Blocks))
	for b := range out {
		out[b] = NoBlock
		if i := rpo.Num[b]; i > 0 {
			out[b] = rpo.Blocks[idom[i]]
		}
	}
	return out
}

func TestDominatorsLarge(t *testing.T) {
	for _, s := range shapes {
		g := s.make(3000)
		d, want := Dominators(g), chk(g)
		for b := range want {
			if d.Idom(BlockID(b)) != want[b] {
				t.Fatalf("%s: idom of b%d: got %v, want %v", s.name, b, d.Idom(BlockID(b)), want[b])
			}
		}
	}
}
