package check_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// BenchmarkFindings judges programs that have been analysed; the time for each
// slot should not depend on their size.
func BenchmarkFindings(b *testing.B) {
	for _, c := range []struct {
		name string
		p    *bytecode.Program
	}{
		{"diamonds-10k", progen.Diamonds(2500)},
		{"diamonds-100k", progen.Diamonds(25_000)},
		{"switches-10k", progen.Switches(160, 16)},
		{"switches-100k", progen.Switches(1600, 16)},
		{"loops-100k", progen.Loops(5000, 3)},
		{"straight-1M", progen.Straight(1_000_000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			a := analyse(b, c.p)
			b.ReportAllocs()
			for b.Loop() {
				check.Findings(a, check.Expect{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.p.Len()), "ns/slot")
		})
	}
}
