package explain

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestAround holds dominators and cycles against searches of the plainest kind: without a
// dominator there is no way, a block that is none can be gone around, and a cycle is as
// long as the shortest way back.
func TestAround(t *testing.T) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	cycles := 0
	for _, name := range []string{"12_may_goto_switch.o", "03_threaded_vm.o", "25_irreducible.o"} {
		path := testenv.Path(t, "corpus/out/"+name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(path), data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			cycles += around(t, a)
		}
	}
	if cycles < 10 {
		t.Errorf("%d blocks in cycles are too few", cycles)
	}
}

// around checks the blocks of a program, and returns how many are in cycles.
func around(t *testing.T, a *pipeline.Analysis) (cycles int) {
	x, g := New(a), a.Graph
	for b := range g.Blocks {
		id := cfg.BlockID(b)
		if !a.Succ.Exact.BlockReached(id) {
			continue
		}
		ans, err := x.At(Place{Kind: "block", Number: b})
		if err != nil {
			t.Fatal(err)
		}
		entry := g.Entry(g.Blocks[b].Sub)
		for other := range g.Blocks {
			all := func(i int) bool { return int(g.Edges()[i].From) != other && g.Local(g.Edges()[i]) }
			way := id == entry || other != int(entry) && distance(g, entry, id, all) >= 0
			if is := slices.Contains(ans.Before, other); other != b && g.Blocks[other].Sub == g.Blocks[b].Sub && is == way {
				t.Errorf("b%d before b%d: %t, way without: %t", other, b, is, way)
			}
		}
		want := distance(g, id, id, func(i int) bool { return g.Local(g.Edges()[i]) && a.Succ.Exact.EdgeFeasible(i) })
		if got := len(ans.Cycle) - 1; got != want {
			t.Errorf("cycle of b%d: %v, want %d edges", b, ans.Cycle, want)
		}
		if want > 0 {
			cycles++
		}
	}
	return cycles
}

// distance returns the edges of a shortest way of at least one, -1 when there is none. A
// block is no way to itself, but from the entry it is one of none.
func distance(g *cfg.Graph, from, to cfg.BlockID, keep func(i int) bool) int {
	depth := map[cfg.BlockID]int{}
	for queue := []cfg.BlockID{from}; len(queue) > 0; queue = queue[1:] {
		lo, hi := g.SuccIDs(queue[0])
		for i := lo; i < hi; i++ {
			next := g.Edges()[i].To
			if _, seen := depth[next]; seen || !keep(i) {
				continue
			}
			depth[next] = depth[queue[0]] + 1
			queue = append(queue, next)
		}
	}
	if d, ok := depth[to]; ok {
		return d
	}
	return -1
}
