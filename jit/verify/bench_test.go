package verify_test

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// BenchmarkProve measures the proof of programs of each shape, and beside it the
// analysis, rewriting and compilation which it checks.
func BenchmarkProve(b *testing.B) {
	const slots = 30_000
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range progen.Shapes() {
		if slices.Contains([]string{"functions", "chains", "deep"}, s.Name) {
			continue // more than 256 functions: no machine code
		}
		b.Run(s.Name, func(b *testing.B) {
			p := s.Make(slots)
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil || a.ImageErr != nil {
				b.Fatal(err, a.ImageErr)
			}
			b.Run("proof", func(b *testing.B) {
				for b.Loop() {
					if v := a.Verify(); !v.OK() {
						b.Fatal(v.Mismatches[0])
					}
				}
			})
			b.Run("analysis", func(b *testing.B) {
				for b.Loop() {
					if _, err := pipeline.Run(p, prof, rewrite.Options{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
