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

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/layered"
	"github.com/bpfcfg/bpfcfg/render/rendertest"
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
	for name, c := range map[string]struct {
		script string
		want   error
	}{
		"silent":  {"cat >/dev/null", ErrIncomplete},
		"partial": {"cat >/dev/null; echo graph 1 1 1; echo node n0 1 1 1.7778 0.8333; echo stop", ErrIncomplete},
		"endless": {"while :; do :; done", ErrTimeout},
		"holds":   {"sleep 15 & exit 0", nil},
		"fails":   {"echo 'no: \033[31m' >&2; exit 1", nil},
		"floods":  {"yes graph 1 1 1 | head -c 300000000", ErrIncomplete},
		"garbage": {"head -c 10000 /dev/urandom", ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dot")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			timeout := 30 * time.Second
			if errors.Is(c.want, ErrTimeout) {
				timeout = 300 * time.Millisecond
			}
			e := engine(t, Options{Path: path, Timeout: timeout})
			_, err := e.Place(graph())
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if strings.ContainsRune(err.Error(), '\033') {
				t.Errorf("escape sequence in %q", err)
			}
		})
	}
}

// TestCancel checks that the engine heeds its caller's context.
func TestCancel(t *testing.T) {
	e := engine(t, Options{Path: build(t)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.PlaceContext(ctx, graph(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
