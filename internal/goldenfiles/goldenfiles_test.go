package goldenfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/goldenfiles"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/jit"
)

// object10 is an object whose source, 10_single_target.c, has the programs one and last.
const object10 = "../../testdata/corpus/out/10_single_target.o"

// repository is a directory with objects and golden files.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T, objects ...string) repository {
	r := repository{t, t.TempDir()}
	data, err := os.ReadFile(object10)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range objects {
		r.put(name, data)
	}
	return r
}

func (r repository) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r repository) put(name string, data []byte) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o777); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), data, 0o666); err != nil {
		r.t.Fatal(err)
	}
}

func (r repository) opener() input.Opener {
	r.t.Helper()
	root, err := object.NewRoot(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return input.Opener{Root: root}
}

// plan plans the golden files of arguments below golden.
func (r repository) plan(globs []string, args ...string) (*goldenfiles.Plan, error) {
	r.t.Helper()
	list, err := input.Find(args, globs, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		r.t.Fatal(err)
	}
	return goldenfiles.NewPlan(r.opener(), list, args, r.path("golden"),
		func(input.Source) ([]jit.Profile, error) { return []jit.Profile{prof}, nil })
}

func (r repository) mustPlan(globs []string, args ...string) *goldenfiles.Plan {
	r.t.Helper()
	p, err := r.plan(globs, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func write(path string, data []byte) error { return os.WriteFile(path, data, 0o666) }

// run does all jobs and returns the statuses in order.
func (r repository) run(p *goldenfiles.Plan, act goldenfiles.Action) (statuses []goldenfiles.Status, files []string) {
	r.t.Helper()
	programs := goldenfiles.NewCache(r.opener())
	for i := range p.Jobs {
		res, err := p.Jobs[i].Do(programs, act)
		if err != nil && res.Status != goldenfiles.Unreadable {
			r.t.Fatal(err)
		}
		statuses, files = append(statuses, res.Status), append(files, res.File)
	}
	return statuses, files
}

func (r repository) want(p *goldenfiles.Plan, act goldenfiles.Action, want ...goldenfiles.Status) []string {
	r.t.Helper()
	got, files := r.run(p, act)
	if !slices.Equal(got, want) {
		r.t.Errorf("statuses %q, want %q", got, want)
	}
	return files
}

func (r repository) update() goldenfiles.Action { return goldenfiles.Update(r.path("golden"), write) }

// stale returns the stale files, relative to golden.
func (r repository) stale(p *goldenfiles.Plan) string {
	r.t.Helper()
	files, err := p.Stale()
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range files {
		rel, err := filepath.Rel(r.path("golden"), files[i])
		if err != nil {
			r.t.Fatal(err)
		}
		files[i] = filepath.ToSlash(rel)
	}
	return fmt.Sprint(files)
}

// TestLife follows golden files from the first update: a check writes nothing, and what an
// update has written is the same to the next.
func TestLife(t *testing.T) {
	r := newRepository(t, "a.o")
	p := r.mustPlan(nil, r.path("a.o"))
	r.want(p, goldenfiles.Check, goldenfiles.Missing, goldenfiles.Missing)
	if _, err := os.Stat(r.path("golden")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a check makes the directory: %v", err)
	}
	files := r.want(p, r.update(), goldenfiles.New, goldenfiles.New)
	r.want(p, r.update(), goldenfiles.Same, goldenfiles.Same)
	r.want(p, goldenfiles.Check, goldenfiles.Same, goldenfiles.Same)

	// Each has the layout of the other: both differ, and an update mends both.
	one, other := files[0], files[1]
	for _, step := range [][2]string{{one, r.path("tmp")}, {other, one}, {r.path("tmp"), other}} {
		if err := os.Rename(step[0], step[1]); err != nil {
			t.Fatal(err)
		}
	}
	r.want(p, goldenfiles.Check, goldenfiles.Differs, goldenfiles.Differs)
	r.want(p, r.update(), goldenfiles.Changed, goldenfiles.Changed)

	if err := os.WriteFile(one, []byte("not a layout"), 0o666); err != nil {
		t.Fatal(err)
	}
	r.want(p, goldenfiles.Check, goldenfiles.Unreadable, goldenfiles.Same)
	r.want(p, r.update(), goldenfiles.Replaced, goldenfiles.Same)
	r.want(p, goldenfiles.Check, goldenfiles.Same, goldenfiles.Same)
}

// TestStale drops objects and programs.
func TestStale(t *testing.T) {
	r := newRepository(t, "d/a.o", "d/b.o")
	r.want(r.mustPlan(nil, r.path("d")), r.update(), "new", "new", "new", "new")
	a, err := os.ReadFile(r.path("golden/d/a.o/one.linux-7.3.layout"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := golden.Parse(string(a))
	if err != nil {
		t.Fatal(err)
	}
	l.Program = "gone" // a program that the object had once
	r.put("golden/d/a.o/gone.linux-7.3.layout", []byte(l.Text()))
	r.put("golden/d/a.o/.git/gone.linux-7.3.layout", []byte(l.Text()))
	r.put("golden/d/a.o/notes.layout", []byte("no layout"))
	r.put("golden/d/a.o/gone.txt", []byte(l.Text()))
	for _, c := range []struct {
		globs []string
		arg   string
		want  string
	}{
		{nil, "d", "[d/a.o/gone.linux-7.3.layout]"},
		{nil, "d/a.o", "[d/a.o/gone.linux-7.3.layout]"},
		{nil, "d/b.o", "[]"},
		{[]string{"one"}, "d", "[]"}, // not the whole object
		{nil, "d/a.o#one", "[]"},
	} {
		if got := r.stale(r.mustPlan(c.globs, r.path(c.arg))); got != c.want {
			t.Errorf("%s %q: stale %s, want %s", c.arg, c.globs, got, c.want)
		}
	}
	// An object that is gone: only who names its directory knows.
	if err := os.Remove(r.path("d/b.o")); err != nil {
		t.Fatal(err)
	}
	if got := r.stale(r.mustPlan(nil, r.path("d/a.o"))); got != "[d/a.o/gone.linux-7.3.layout]" {
		t.Errorf("a.o alone: stale %s", got)
	}
	p := r.mustPlan(nil, r.path("d"))
	want := "[d/a.o/gone.linux-7.3.layout d/b.o/last.linux-7.3.layout d/b.o/one.linux-7.3.layout]"
	if got := r.stale(p); got != want {
		t.Errorf("without b.o: stale %s, want %s", got, want)
	}
	path := r.path("golden/d/a.o/gone.linux-7.3.layout")
	if res, err := goldenfiles.Check(path, nil, nil); err != nil || res.Status != goldenfiles.Stale {
		t.Errorf("check of a stale file: %v, %v", res.Status, err)
	}
	if res, err := r.update()(path, nil, nil); err != nil || res.Status != goldenfiles.Removed {
		t.Errorf("update of a stale file: %v, %v", res.Status, err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there still: %v", err)
	}
}

// TestLinks has a link in the place of an object's directory: nothing is written through it.
func TestLinks(t *testing.T) {
	r := newRepository(t, "a.o")
	away := t.TempDir()
	if err := os.Mkdir(r.path("golden"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(away, r.path("golden/a.o")); err != nil {
		t.Skip(err)
	}
	p := r.mustPlan(nil, r.path("a.o"))
	if _, err := p.Jobs[0].Do(goldenfiles.NewCache(r.opener()), r.update()); err == nil {
		t.Error("an update follows a link")
	}
	if left, err := os.ReadDir(away); err != nil || len(left) != 0 {
		t.Errorf("written through the link: %v, %v", left, err)
	}
}

// TestPlanErrors has two inputs with one golden file, a selector without a program, and an object
// that changes after it was planned.
func TestPlanErrors(t *testing.T) {
	r := newRepository(t, "a.o")
	var misuse *input.Misuse
	if _, err := r.plan(nil, r.path("a.o"), r.path("a.o")); !errors.As(err, &misuse) {
		t.Errorf("the same object twice: %v", err)
	}
	if _, err := r.plan([]string{"none"}, r.path("a.o")); !errors.Is(err, input.ErrNoMatch) {
		t.Errorf("no program is selected: %v", err)
	}
	p := r.mustPlan(nil, r.path("a.o"))
	other, err := os.ReadFile("../../testdata/corpus/out/25_irreducible.o")
	if err != nil {
		t.Fatal(err)
	}
	r.put("a.o", other)
	if _, err := p.Jobs[0].Do(goldenfiles.NewCache(r.opener()), goldenfiles.Check); err == nil {
		t.Error("an object that has changed is compared")
	}
}
