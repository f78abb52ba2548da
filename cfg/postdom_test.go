package cfg

import (
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestPostdominators compares with a slow check: a block postdominates another if no path from the
// other one reaches an end without it.
func TestPostdominators(t *testing.T) {
	found := 0
	for seed := range uint64(60) {
		p := progen.Random(seed, 10+int(seed))
		g, err := Build(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(seed, 4))
		dropped, final := make([]bool, g.NumEdges()), make([]bool, g.NumBlocks())
		for i := range dropped {
			dropped[i] = rnd.IntN(8) == 0
		}
		for b := range final {
			final[b] = rnd.IntN(16) == 0
		}
		keep := func(i int) bool { return !dropped[i] }
		got := Postdominators(g, keep, func(b BlockID) bool { return final[b] })
		for b := range got {
			want := slowPostdominator(g, BlockID(b), keep, final)
			if got[b] != want {
				t.Fatalf("seed %d: b%d has b%d, want b%d", seed, b, got[b], want)
			}
			if want != NoBlock {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no block has any")
	}
}

// slowPostdominator returns the block on every way from b to an end from which all
// others such are reached: the first of them.
func slowPostdominator(g *Graph, b BlockID, keep func(int) bool, final []bool) BlockID {
	if !endsWithout(g, b, NoBlock, keep, final) {
		return NoBlock
	}
	var on []BlockID
	for c := range g.Blocks {
		if c := BlockID(c); c != b && !endsWithout(g, b, c, keep, final) {
			on = append(on, c)
		}
	}
	for _, first := range on {
		all := true
		for _, c := range on {
			all = all && (c == first || !endsWithout(g, first, c, keep, final))
		}
		if all {
			return first
		}
	}
	return NoBlock
}

// endsWithout reports whether a way from b ends without going through not.
func endsWithout(g *Graph, b, not BlockID, keep func(int) bool, final []bool) bool {
	seen := map[BlockID]bool{b: true}
	for todo := []BlockID{b}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		lo, hi := g.SuccIDs(at)
		goes := false
		for i := lo; i < hi; i++ {
			e := g.Edges()[i]
			if !g.Local(e) || !keep(i) {
				continue
			}
			goes = true
			if e.To != not && !seen[e.To] {
				seen[e.To] = true
				todo = append(todo, e.To)
			}
		}
		if !goes || final[at] {
			return true
		}
	}
	return false
}
