package rendertest_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// revision is the layout engine of another revision of this repository, as a program.
type revision struct{ path string }

// revisionMain is that program.
const revisionMain = `package main

import (
	"encoding/json"
	"os"

	"github.com/bpfcfg/bpfcfg/render/layered"
)

func main() {
	var g layered.Graph
	if err := json.NewDecoder(os.Stdin).Decode(&g); err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(layered.Layout(g, layered.Options{}))
}
`

// atRevision builds the engine of a revision.
func atRevision(t *testing.T, rev string) revision {
	t.Helper()
	dir := t.TempDir()
	run := func(in []byte, name string, args ...string) []byte {
		cmd := exec.Command(name, args...)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return out
	}
	root := strings.TrimSpace(string(run(nil, "git", "rev-parse", "--show-toplevel")))
	list := strings.Fields(string(run(nil, "git", "-C", root, "ls-tree", "--name-only", rev,
		"render/layered", "internal/dominators")))
	run(run(nil, "git", append([]string{"-C", root, "archive", rev}, list...)...), "tar", "-x", "-C", dir)
	for name, text := range map[string]string{
		"main.go": revisionMain, "go.mod": "module github.com/bpfcfg/bpfcfg\n\ngo 1.25\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e := revision{filepath.Join(dir, "layered")}
	run(nil, "go", "build", "-C", dir, "-o", e.path, ".")
	return e
}

func (revision) Name() string { return "revision" }

func (e revision) Place(g render.Graph) (render.Placed, error) {
	in, err := json.Marshal(g)
	if err != nil {
		return render.Placed{}, err
	}
	cmd := exec.Command(e.path)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return render.Placed{}, err
	}
	var p render.Placed
	err = json.Unmarshal(out, &p.Placement)
	return p, err
}

// TestQualityRevision compares layouts with those that the engine of another revision
// makes of the same boxes: of the corpus, and of the largest programs of QUALITY_OBJECTS,
// a list of patterns.
//
//	QUALITY_REV=HEAD~9 QUALITY_OBJECTS='objects/*.o' go test ./internal/testing/rendertest -run QualityRevision -v
//
// No sum may be worse by a twentieth, and no program by a fifth.
func TestQualityRevision(t *testing.T) {
	rev := os.Getenv("QUALITY_REV")
	if rev == "" {
		t.Skip("QUALITY_REV is not set")
	}
	old := atRevision(t, rev)
	compareRevision(t, "corpus", corpus(t), old)
	if list := os.Getenv("QUALITY_OBJECTS"); list != "" {
		compareRevision(t, "large", largest(t, list, 20), old)
	}
}

func compareRevision(t *testing.T, what string, samples []rendertest.Sample, old render.Engine) {
	t.Helper()
	var ours, theirs rendertest.Measured
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	row := func(name string, a, b rendertest.Measured) {
		fmt.Fprintf(w, "%s\t%d\t%d / %d\t%d / %d\t%d / %d\t%.1f / %.1f\n", name, a.Boxes, a.Crossings, b.Crossings,
			a.Turns, b.Turns, a.Length/1000, b.Length/1000, float64(a.Area)/1e6, float64(b.Area)/1e6)
	}
	fmt.Fprintln(w, "program\tboxes\tcrossings\tturns\tlength\tarea")
	for _, s := range samples {
		a, b := measured(t, s.Scene, nil), measured(t, s.Scene, old)
		row(s.Name, a, b)
		ours.Add(a)
		theirs.Add(b)
		notWorse(t, s.Name, a, b, 5, 5) // a few of what is small are nothing
	}
	row("sum", ours, theirs)
	w.Flush()
	t.Logf("%s, now / then\n%s", what, &table)
	notWorse(t, "sum of "+what, ours, theirs, 20, 0)
}

// notWorse fails if a measure is greater than another by more than one of so many parts,
// and more than few.
func notWorse(t *testing.T, name string, a, b rendertest.Measured, parts, few int) {
	t.Helper()
	for _, m := range []struct {
		what      string
		now, then int
		few       int
	}{
		{"crossings", a.Crossings, b.Crossings, few}, {"turns", a.Turns, b.Turns, few},
		{"length", a.Length, b.Length, 200 * few},
	} {
		if m.now > m.then+m.then/parts+m.few {
			t.Errorf("%s: %s %d, then %d", name, m.what, m.now, m.then)
		}
	}
}

// largest returns the n programs of the most instructions in some objects, those of one
// name and size once.
func largest(t *testing.T, patterns string, n int) []rendertest.Sample {
	t.Helper()
	type program struct {
		file string
		*bytecode.Program
	}
	var all []program
	seen := map[string]bool{}
	for _, pattern := range filepath.SplitList(patterns) {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o, err := load.ELF(file, data)
			if err != nil {
				continue // not every object is one of programs
			}
			for _, p := range o.Programs {
				if k := fmt.Sprint(p.Name, len(p.Insns)); !seen[k] {
					seen[k] = true
					all = append(all, program{file, p})
				}
			}
		}
		slices.SortStableFunc(all, func(a, b program) int { return cmp.Compare(len(b.Insns), len(a.Insns)) })
		all = all[:min(len(all), n)]
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	var out []rendertest.Sample
	for _, p := range all {
		a, err := pipeline.Run(p.Program, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(p.file), ".o") + "." + p.Name
		out = append(out, rendertest.Sample{Name: name, Scene: picture.Scene(a, name)})
	}
	return out
}
