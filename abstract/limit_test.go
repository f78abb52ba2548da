package abstract_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"

	. "github.com/bpfcfg/bpfcfg/abstract"
)

// TestStatesAreLimited analyses a chain of branches with more ways through it than
// states may be kept apart. It does not end in a lifetime when states that are certain
// stay beside those that they were joined into.
func TestStatesAreLimited(t *testing.T) {
	p := progen.Diamonds(8000)
	g, err := cfg.Build(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, rules := range []Rules{Verifier, Executions} {
		f := Analyze(p, g, Options{Rules: rules})
		for b := range g.Blocks {
			if !f.BlockReached(cfg.BlockID(b)) {
				t.Fatalf("rules %v: block %d is not reached", rules, b)
			}
		}
	}
}
