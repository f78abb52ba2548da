package succ_test

import (
	"os"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/succ"
)

// corpusPrograms loads the compiled corpus, with and without jump tables.
func corpusPrograms(b *testing.B) []*bytecode.Program {
	b.Helper()
	var out []*bytecode.Program
	for _, dir := range []string{"corpus/out/*.o", "corpus/out-plain/*.o"} {
		for _, file := range testenv.Glob(b, dir) {
			data, err := os.ReadFile(file)
			if err != nil {
				b.Fatal(err)
			}
			o, err := load.ELF(file, data)
			if err != nil {
				b.Fatal(err)
			}
			out = append(out, o.Programs...)
		}
	}
	return out
}

// BenchmarkCorpus resolves the whole corpus, and reports how many states blocks
// end up with: a histogram in classes of 1, 2 to 4, 5 to 16, and more.
func BenchmarkCorpus(b *testing.B) {
	programs := corpusPrograms(b)
	var classes [4]int
	insns := 0
	b.ReportAllocs()
	for b.Loop() {
		classes, insns = [4]int{}, 0
		for _, p := range programs {
			r, err := succ.Resolve(p, succ.Options{})
			if err != nil {
				b.Fatal(err)
			}
			insns += len(p.Insns)
			for i := range r.Graph.Blocks {
				count(&classes, len(r.Facts.EntryText(cfg.BlockID(i))))
			}
		}
	}
	b.ReportMetric(float64(insns), "insns")
	for i, unit := range []string{"blocks:1", "blocks:2-4", "blocks:5-16", "blocks:>16"} {
		b.ReportMetric(float64(classes[i]), unit)
	}
}

// count adds a block with n states; one that is not reached has none.
func count(classes *[4]int, n int) {
	switch {
	case n == 0:
	case n == 1:
		classes[0]++
	case n <= 4:
		classes[1]++
	case n <= 16:
		classes[2]++
	default:
		classes[3]++
	}
}
