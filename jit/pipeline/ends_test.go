package pipeline

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// TestLostCounter analyses a program with a loop whose counter was lost and may be a
// pointer: the verifier decides no comparison of it then, so nothing but forgetting
// the number ends the analysis. It does not end in a lifetime without.
func TestLostCounter(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.Of(prof.Kernel()).Resolve(progen.Random(110, 570)); err != nil {
		t.Fatal(err)
	}
}
