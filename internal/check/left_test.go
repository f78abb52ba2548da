package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// shape returns a program of one of progen's shapes.
func shape(t *testing.T, name string, slots int) *bytecode.Program {
	t.Helper()
	all := progen.AllShapes()
	i := slices.IndexFunc(all, func(s progen.Shape) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no shape %s", name)
	}
	return all[i].Make(slots)
}

// TestLeftOut bounds the findings of a kind: of those beyond there is one that counts them, as bad
// as they are, and with one more it is another one.
func TestLeftOut(t *testing.T) {
	for _, c := range []struct {
		shape string
		id    check.ID
		each  int // slots of a finding
	}{
		{"faults", check.KernelRefuses, 1},
		{"deadcode", check.DeadBranch, 3},
	} {
		t.Run(c.shape, func(t *testing.T) {
			var before string
			for _, more := range []int{40, 60} {
				fs := check.Findings(analyse(t, shape(t, c.shape, c.each*10_000+more*c.each)), check.Expect{})
				n := 0
				for i := range fs {
					if fs[i].ID == c.id && fs[i].PC >= 0 {
						n++
					}
				}
				rest := fs[0]
				if n != 10_000 || rest.ID != c.id || rest.PC != -1 || !strings.HasSuffix(rest.Message, " of this kind left out") {
					t.Fatalf("%d findings, and first %s at %v: %q", n, rest.ID, rest.PC, rest.Message)
				}
				if rest.Level != c.id.Info().Level || rest.Fingerprint == before {
					t.Errorf("level %s, fingerprint %s, %s before", rest.Level, rest.Fingerprint, before)
				}
				before = rest.Fingerprint
			}
		})
	}
}

// TestLeftOutAcross counts what is left out for each kernel by itself.
func TestLeftOutAcross(t *testing.T) {
	p := shape(t, "faults", 10_040)
	a := analyse(t, p)
	lists, _ := check.Across([]*pipeline.Analysis{a, a}, check.Expect{})
	one := check.Findings(analyse(t, p), check.Expect{})
	for i, fs := range lists {
		if len(fs) != len(one) || fs[0].Message != one[0].Message || fs[0].Fingerprint != one[0].Fingerprint {
			t.Errorf("kernel %d: %d findings, first %q %s; alone %d, %q %s", i, len(fs), fs[0].Message, fs[0].Fingerprint,
				len(one), one[0].Message, one[0].Fingerprint)
		}
	}
}
