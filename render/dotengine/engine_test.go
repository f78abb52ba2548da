package dotengine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

var helper = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bpfcfg-dot-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bpfcfg-dot")
	out, err := exec.Command("go", "build", "-o", path, "github.com/bpfcfg/bpfcfg/cmd/bpfcfg-dot").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if p, err := helper(); err == nil {
		os.RemoveAll(filepath.Dir(p))
	}
	os.Exit(code)
}

func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("bpfcfg-dot is not built in short mode")
	}
	p, err := helper()
	if err != nil {
		t.Skipf("bpfcfg-dot cannot be built: %v", err)
	}
	return p
}

func engine(t *testing.T, opt Options) *Engine {
	t.Helper()
	e, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(e.tmp); !os.IsNotExist(err) {
			t.Errorf("folder left: %v", err)
		}
	})
	return e
}

// graph has parallel edges, a self edge and a loop.
func graph() render.Graph {
	return render.Graph{
		Nodes: []layered.Node{{W: 128, H: 60}, {W: 96, H: 40}, {W: 200, H: 144}},
		Edges: []layered.Edge{{From: 0, To: 1, Straight: true}, {From: 0, To: 1}, {From: 1, To: 2},
			{From: 2, To: 0}, {From: 1, To: 1}, {From: 0, To: 2, Hidden: true}},
	}
}

func TestPlace(t *testing.T) {
	e := engine(t, Options{Path: build(t)})
	g := graph()
	p, err := e.Place(g)
	if err != nil {
		t.Fatal(err)
	}
	if q := layered.Measure(g, p.Placement); q.Overlaps != 0 || q.Given != 1 {
		t.Errorf("%+v", q)
	}
	if p.Nodes[0].Y >= p.Nodes[1].Y || p.Nodes[1].Y >= p.Nodes[2].Y || !p.Routes[3].Retreating {
		t.Errorf("order of boxes: %+v", p.Nodes)
	}
	for i, r := range p.Routes[:5] {
		at, n := p.Nodes[g.Edges[i].From], g.Nodes[g.Edges[i].From]
		if s := r.Points[0]; s.X < at.X-1 || s.X > at.X+n.W+1 || s.Y < at.Y-1 || s.Y > at.Y+n.H+1 {
			t.Errorf("edge %d starts at %v, away from its box %v", i, s, at)
		}
	}
	again, err := e.Place(g)
	if err != nil || !reflect.DeepEqual(p, again) {
		t.Errorf("again: %v, equal %v", err, reflect.DeepEqual(p, again))
	}
}

func TestScenes(t *testing.T) {
	e := engine(t, Options{Path: build(t)})
	for _, s := range rendertest.Samples() {
		l, err := render.Place(s.Scene, render.PlaceOptions{Engine: e})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if svg := string(render.SVG(s.Scene, l)); l.Engine != "dot" || !strings.HasSuffix(svg, "</svg>\n") {
			t.Errorf("%s: engine %s, %d bytes", s.Name, l.Engine, len(svg))
		}
	}
}

func TestPrivateCache(t *testing.T) {
	e := engine(t, Options{Path: build(t)})
	if st, err := os.Stat(e.tmp); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o700 {
		t.Fatalf("folder: %v, %v", st, err)
	}
	if _, err := e.Place(graph()); err != nil {
		t.Fatal(err)
	}
	if m, err := filepath.Glob(filepath.Join(e.tmp, "go-graphviz", "*")); err != nil || len(m) == 0 {
		t.Errorf("no cache in the private folder: %v, %v", m, err)
	}
}

func TestDamagedCache(t *testing.T) {
	e := engine(t, Options{Path: build(t)})
	if _, err := e.Place(graph()); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	err := filepath.WalkDir(e.tmp, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			damaged++
			return os.WriteFile(path, []byte("not a cache"), 0o600)
		}
		return err
	})
	if err != nil || damaged == 0 {
		t.Fatalf("%d files damaged: %v", damaged, err)
	}
	if _, err := e.run(t.Context(), writeDOT(graph())); err == nil {
		t.Log("the program survives a damaged cache by itself")
	}
	if _, err := e.Place(graph()); err != nil {
		t.Errorf("with a damaged cache: %v", err)
	}
}

func TestTimeout(t *testing.T) {
	// Alone, a graph that takes Graphviz minutes.
	e := engine(t, Options{Path: build(t), Timeout: 1500 * time.Millisecond})
	s := rendertest.Random(1500, 1)
	start := time.Now()
	_, err := render.Place(s, render.PlaceOptions{Engine: e})
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

// TestMemory sets a limit that a large graph does not keep within and a small one
// does: allocation fails in the helper, not here, and at once.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the limit of the address space is Linux's")
	}
	e := engine(t, Options{Path: build(t), Memory: 96 << 20})
	if _, err := e.Place(graph()); err != nil {
		t.Errorf("small graph: %v", err)
	}
	_, err := render.Place(rendertest.Random(1900, 1), render.PlaceOptions{Engine: e})
	if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "more than 96 MiB") {
		t.Errorf("large graph: %v", err)
	}
	if _, err := e.Place(graph()); err != nil {
		t.Errorf("small graph after that: %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	e := engine(t, Options{Path: build(t), MaxNodes: 2})
	if _, err := e.Place(graph()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}

func TestMissing(t *testing.T) {
	if _, err := New(Options{Path: filepath.Join(t.TempDir(), "nothing")}); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := New(Options{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	t.Setenv("PATH", ".")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("bpfcfg-dot", []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("program of the current folder: error %v", err)
	}
}

// TestBadPrograms starts programs that are no bpfcfg-dot.
func TestBadPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	const half = "graph 1 1 1\\nnode n0 1 1 1.7778 0.8333\\n"
	for name, c := range map[string]struct {
		script string
		want   error
	}{
		"silent":            {"cat >/dev/null", ErrIncomplete},
		"reads nothing":     {"exit 0", ErrIncomplete},
		"partial":           {"cat >/dev/null; printf '" + half + "stop\\n'", ErrIncomplete},
		"cut off":           {"cat >/dev/null; printf '" + half + "'", ErrIncomplete},
		"half a word":       {"printf 'graph 1 1 1\\nno'", ErrIncomplete},
		"other node":        {"printf 'graph 1 1 1\\nnode n9 1 1 1 1\\nstop\\n'", ErrIncomplete},
		"no numbers":        {"printf 'graph 1 NaN Inf\\nstop\\n'", ErrIncomplete},
		"one line":          {"head -c 100000000 /dev/zero | tr '\\0' x", ErrIncomplete},
		"endless":           {"while :; do :; done", ErrTimeout},
		"endless answer":    {"while :; do printf '" + half + "'; done", ErrTimeout},
		"endless messages":  {"yes 'warning: something' >&2", ErrTimeout},
		"endless and deaf":  {"trap '' TERM INT HUP; while :; do sleep 1; done", ErrTimeout},
		"holds":             {"sleep 15 & exit 0", nil},
		"fails":             {"echo 'no: \033[31m' >&2; exit 1", nil},
		"fails with answer": {"printf '" + half + "stop\\n'; exit 3", nil},
		"killed":            {"kill -9 $$", nil},
		"floods":            {"yes graph 1 1 1 | head -c 300000000", ErrIncomplete},
		"garbage":           {"head -c 10000 /dev/urandom", ErrIncomplete},
		"long message":      {"head -c 10000000 /dev/zero | tr '\\0' x >&2; exit 1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "dot")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			timeout := 30 * time.Second
			if errors.Is(c.want, ErrTimeout) {
				timeout = 300 * time.Millisecond
			}
			e := engine(t, Options{Path: path, Timeout: timeout})
			start := time.Now()
			p, err := e.Place(graph())
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if p.Nodes != nil || p.Routes != nil {
				t.Error("an answer and an error")
			}
			if strings.ContainsRune(err.Error(), '\033') || len(err.Error()) > 5000 {
				t.Errorf("escape sequence or too much in %.200q", err)
			}
			if d := time.Since(start); d > 25*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// TestNoPrograms starts what cannot be started.
func TestNoPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of files are Unix's")
	}
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"folder":         dir,
		"not executable": write("plain", "#!/bin/sh\n", 0o644),
		"no program":     write("text", "\x7fELF and no more", 0o755),
		"no interpreter": write("odd", "#!/nowhere/sh\n", 0o755),
		"removed":        write("gone", "#!/bin/sh\n", 0o755),
	} {
		e := engine(t, Options{Path: path})
		if name == "removed" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Place(graph()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestCancel checks that the engine stops with its caller's context.
func TestCancel(t *testing.T) {
	e := engine(t, Options{Path: build(t)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.PlaceContext(ctx, graph(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
