package succ_test

import (
	"runtime"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// TestChain: in a chain of indirect jumps, each of which computes the target of the next, all are
// resolved; four times as many take about four times as long.
func TestChain(t *testing.T) {
	shape := progen.Hostile()[0]
	cost := func(slots int) float64 {
		p := shape.Make(slots)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := succ.Resolve(p, succ.Options{})
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range r.Indirect {
			if in.Status != succ.Exact || len(in.Exact) != 1 {
				t.Fatalf("insn %d: %s %v, want one exact target", in.PC, in.Status, in.Exact)
			}
		}
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	if small, large := cost(2000), cost(8000); large > 1.3*4*small {
		t.Errorf("2000 slots allocate %.0f bytes, 8000 slots %.0f", small, large)
	}
}
