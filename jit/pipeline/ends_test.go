package pipeline

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// TestGenerated analyses generated programs that once brought the analysis down.
func TestGenerated(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []uint64{
		110, // a loop whose counter was lost and may be a pointer: it did not end in a lifetime
		122, // bits of a number without readings tested with a constant that has some: a panic
	} {
		if _, err := rules.Of(prof.Kernel()).Resolve(progen.Random(seed, 570)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}
