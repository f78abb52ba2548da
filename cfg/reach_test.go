package cfg

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestReachableStatic checks what edges alone do not tell: a loaded address, and what is
// after bpf_throw.
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
		if got, want := ReachableStatic(g), []bool{true, true, true, false, handled, false}; !slices.Equal(got, want) {
			t.Errorf("as Linux: got %v, want %v", got, want)
		}
	}
}
