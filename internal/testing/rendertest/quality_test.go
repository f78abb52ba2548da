package rendertest_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/dotengine"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// corpus returns the scenes of all programs of the corpus.
func corpus(t *testing.T) []rendertest.Sample {
	t.Helper()
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	var out []rendertest.Sample
	for _, path := range testenv.Glob(t, "corpus/out/*.o") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".o")
		o, err := load.ELF(name, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, rendertest.Sample{Name: name + "." + p.Name, Scene: picture.Scene(a, name)})
		}
	}
	for seed := range uint64(12) {
		a, err := pipeline.Run(progen.Random(seed, 12), prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("random %d", seed)
		out = append(out, rendertest.Sample{Name: name, Scene: picture.Scene(a, name)})
	}
	slices.SortFunc(out, func(a, b rendertest.Sample) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// graphviz returns the engine dot, nil when its program cannot be built.
func graphviz(t *testing.T) render.Engine {
	t.Helper()
	if testing.Short() {
		return nil
	}
	path := filepath.Join(t.TempDir(), "bpfcfg-dot")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/bpfcfg/bpfcfg/cmd/bpfcfg-dot").CombinedOutput(); err != nil {
		t.Logf("no Graphviz: %s", out)
		return nil
	}
	e, err := dotengine.New(dotengine.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// maxForDot is the number of boxes above which Graphviz is not asked.
const maxForDot = 250

func measured(t *testing.T, s *render.Scene, e render.Engine) rendertest.Measured {
	t.Helper()
	l, err := render.Place(s, render.PlaceOptions{View: render.ViewCFG, Engine: e, AllLines: true})
	if err != nil {
		t.Fatal(err)
	}
	return rendertest.Measure(s, l)
}

// TestQuality compares layouts of real and random programs with Graphviz's of
// the same boxes. With -v it prints the table of docs/layout.md.
//
// The limits are Graphviz's own figures: a layout made for control flow must
// not be harder to follow than a general one. That lines never cross boxes is
// the promise of package layered.
func TestQuality(t *testing.T) {
	dot := graphviz(t)
	var ours, theirs rendertest.Measured
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	row := func(name string, a, b rendertest.Measured) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d / %d\t%d / %d\t%d / %d\t%.1f / %.1f\t%d / %d\t%d / %d\t%d / %d\n", name, a.Boxes, a.Falls,
			a.Crossings, b.Crossings, a.Turns, b.Turns, a.Length/1000, b.Length/1000,
			float64(a.Area)/1e6, float64(b.Area)/1e6, a.BentFalls, b.BentFalls, a.Through, b.Through, a.Up, b.Up)
	}
	fmt.Fprintln(w, "program\tboxes\tfalls\tcrossings\tturns\tlength\tarea\tbent falls\tthrough\tup")
	for _, s := range corpus(t) {
		a := measured(t, s.Scene, nil)
		if a.Through != 0 || a.Given != 0 {
			t.Errorf("%s: lines run through %d boxes, %d edges have none", s.Name, a.Through, a.Given)
		}
		if dot == nil || a.Boxes > maxForDot {
			continue
		}
		b := measured(t, s.Scene, dot)
		row(s.Name, a, b)
		ours.Add(a)
		theirs.Add(b)
	}
	if dot == nil {
		t.Skip("nothing to compare with")
	}
	row("sum", ours, theirs)
	w.Flush()
	t.Logf("layered / dot\n%s", &table)
	if ours.Crossings > theirs.Crossings || ours.BentFalls > theirs.BentFalls || ours.Length > theirs.Length {
		t.Errorf("worse than Graphviz:\n%+v\n%+v", ours, theirs)
	}
}
