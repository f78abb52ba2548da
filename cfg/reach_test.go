package cfg

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

func TestReachableSlow(t *testing.T) {
	randomGraphs(t, func(t *testing.T, g *Graph) {
		want := flood(g, only(g, 0), func(Edge) bool { return true })
		if got := Reachable(g); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Where the two differ: a loaded address, and what is behind bpf_throw.
func TestReachableStatic(t *testing.T) {
	p := program(insns{
		wide(bytecode.LdFunc, 3), hi, kfunc(1), exit, // main
		exit, nop, exit, // address taken; dead code
		exit, // exception callback
		exit, // nobody's
	}, 4, 7, 8)
	p.Refs = []bytecode.Ref{{PC: 2, Kind: bytecode.RefKfunc, Name: "bpf_throw"}}
	for _, handled := range []bool{false, true} {
		p.Subprogs[2].Exception = handled
		g, err := Build(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Blocks: 0-3, 3-4, 4-5, 5-7, 7-8, 8-9.
		if got, want := Reachable(g), []bool{true, false, false, false, handled, false}; !slices.Equal(got, want) {
			t.Errorf("by edges: got %v, want %v", got, want)
		}
		if got, want := ReachableStatic(g), []bool{true, true, true, false, handled, false}; !slices.Equal(got, want) {
			t.Errorf("as Linux: got %v, want %v", got, want)
		}
	}
}
