package succ_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/succ"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestAlone demands of Alone the graph of Resolve, with and without edges that depend on
// values, and no word on what executes. Variable BPFCFG_OBJECTS names more objects, as a
// glob.
func TestAlone(t *testing.T) {
	files := slices.Concat(testenv.Glob(t, "corpus/out/*.o"), testenv.Glob(t, "calls/*.o"),
		testenv.Glob(t, "graph/*.o"), testenv.Glob(t, "seed-callx/*.o"))
	more, err := filepath.Glob(os.Getenv("BPFCFG_OBJECTS"))
	if err != nil {
		t.Fatal(err)
	}
	with, without := 0, 0
	compare := func(name string, p *bytecode.Program) {
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			return
		}
		alone, err := succ.Alone(p, succ.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(alone.Graph.Blocks, r.Graph.Blocks) || !slices.Equal(alone.Graph.Edges(), r.Graph.Edges()) {
			t.Errorf("%s: another graph than that with facts", name)
		}
		if alone.Facts.Analyzed() || alone.Exact.Analyzed() || !r.Facts.Analyzed() {
			t.Errorf("%s: facts are not marked as what they are", name)
		}
		if len(r.Targets.PCs()) > 0 {
			with++
		} else {
			without++
		}
	}
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(file, data)
		if err != nil {
			continue
		}
		for _, p := range o.Programs {
			compare(file+"#"+p.Name, p)
		}
	}
	for _, s := range progen.Shapes() {
		compare(s.Name, s.Make(2000))
	}
	t.Logf("%d programs with edges that depend on values, %d without", with, without)
	if with < 30 || without < 30 {
		t.Errorf("%d programs with edges that depend on values, %d without: too few", with, without)
	}
}
