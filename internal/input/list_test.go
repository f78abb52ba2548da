package input_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/input"
)

// elfHead returns the first bytes of an ELF file: the class and the place of the machine
// are those of the ELF specification.
func elfHead(data, low, high byte) []byte {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02")
	h[5], h[18], h[19] = data, low, high
	return h
}

// tree is a build directory. EM_BPF is 247, EM_X86_64 62.
func tree(t *testing.T) string {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"b.o":           elfHead(1, 247, 0),
		"a/z.o":         elfHead(2, 0, 247), // of the other byte order
		"a/noext":       elfHead(1, 247, 0),
		"a/host.o":      elfHead(1, 62, 0),
		"a/hosttool":    elfHead(1, 62, 0),
		"a/broken.o":    []byte("damaged"),
		"a/short.o":     []byte("\x7fELF"),
		"a/bitcode.o":   []byte("BC\xc0\xde"),
		"a/readme":      []byte("text"),
		".git/object.o": elfHead(1, 247, 0),
		"skip/me.o":     elfHead(1, 247, 0),
	} {
		put(t, dir, name, data)
	}
	if err := os.Symlink(filepath.Join(dir, "b.o"), filepath.Join(dir, "link.o")); err != nil {
		t.Skip(err)
	}
	return dir
}

func below(t *testing.T, dir string, files []input.File) string {
	t.Helper()
	var out []string
	for _, f := range files {
		if f.Given != dir || filepath.Join(f.Dir, filepath.FromSlash(f.InDir())) != f.Name {
			t.Errorf("%+v: not the file %s in %s", f, f.InDir(), dir)
		}
		out = append(out, f.InDir())
	}
	return strings.Join(out, " ")
}

func TestFind(t *testing.T) {
	dir := tree(t)
	for _, c := range []struct {
		exclude []string
		want    string
	}{
		{nil, "a/broken.o a/noext a/short.o a/z.o b.o skip/me.o"},
		{[]string{"skip"}, "a/broken.o a/noext a/short.o a/z.o b.o"},
		{[]string{"./skip/"}, "a/broken.o a/noext a/short.o a/z.o b.o"},
		{[]string{"*.o"}, "a/noext"},
		{[]string{"a/**"}, "b.o skip/me.o"},
		{[]string{"a/z.o", "b.o"}, "a/broken.o a/noext a/short.o skip/me.o"},
		{[]string{"./"}, "a/broken.o a/noext a/short.o a/z.o b.o skip/me.o"},
	} {
		l, err := input.Find([]string{dir}, nil, c.exclude)
		if err != nil {
			t.Fatal(err)
		}
		if got := below(t, dir, l.Files); got != c.want {
			t.Errorf("without %q: %s, want %s", c.exclude, got, c.want)
		}
	}
	l, err := input.Find([]string{dir}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]string{}
	for _, p := range l.Passed {
		passed[filepath.Base(p.Name)] = p.Why
	}
	if len(passed) != 2 || passed["host.o"] != "x86_64" || passed["bitcode.o"] != "LLVM bitcode" {
		t.Errorf("passed: %v", passed)
	}
}

func TestFindBad(t *testing.T) {
	empty := t.TempDir()
	put(t, empty, "readme", []byte("text"))
	if _, err := input.Find([]string{empty}, nil, nil); err == nil {
		t.Error("a directory without an object is no error")
	}
	for _, g := range []string{"", "[", "{a"} {
		var misuse *input.Misuse
		if _, err := input.Find([]string{empty}, nil, []string{g}); !errors.As(err, &misuse) {
			t.Errorf("--exclude %q: %v, want an error of the command line", g, err)
		}
	}
	// What cannot be looked at fails when it is opened, and does not end the run.
	l, err := input.Find([]string{filepath.Join(empty, "none"), twoPrograms}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var opened []string
	for f := range l.Sources(input.Opener{Guests: input.NewGuests(input.Opener{}, nil)}) {
		opened = append(opened, f.Name)
	}
	if !slices.Equal(opened, []string{twoPrograms}) || l.Opened != 1 || len(l.Failed) != 1 ||
		!errors.Is(l.Failed[0], os.ErrNotExist) {
		t.Errorf("opened %q (%d), failed %v", opened, l.Opened, l.Failed)
	}
}

func TestSort(t *testing.T) {
	l := &input.List{Files: []input.File{{Name: "b"}, {Name: "a", Dir: "."}, {Name: "b"}, {Name: "a"}}}
	if l.Sort(); len(l.Files) != 2 || l.Files[0].Name != "a" || l.Files[1].Name != "b" {
		t.Errorf("sorted: %v", l.Files)
	}
}

// TestUnmatched opens a directory with a selector that one object does not match.
func TestUnmatched(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "x.o", read(t, twoPrograms))
	put(t, dir, "y.o", read(t, "../../testdata/corpus/out/25_irreducible.o"))
	l, err := input.Find([]string{dir}, []string{"last"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for f, s := range l.Sources(input.Opener{Guests: input.NewGuests(input.Opener{}, nil)}) {
		if f.InDir() != "x.o" || names(s) != "last" {
			t.Errorf("%s: %s", f.Name, names(s))
		}
	}
	if l.Opened != 1 || len(l.Unmatched) != 1 || filepath.Base(l.Unmatched[0]) != "y.o" || len(l.Failed) != 0 {
		t.Errorf("opened %d, unmatched %q, failed %v", l.Opened, l.Unmatched, l.Failed)
	}
}
