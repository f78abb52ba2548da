package input_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/input"
)

// twoPrograms is an object whose source, 10_single_target.c, has the programs one and last.
const twoPrograms = "../../testdata/corpus/out/10_single_target.o"

// put writes a file below dir.
func put(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func selector(t testing.TB, globs ...string) input.Selector {
	t.Helper()
	s, err := input.NewSelector(globs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(s input.Source) string {
	var out []string
	for _, p := range s.Programs {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

func TestSelector(t *testing.T) {
	for _, c := range []struct {
		globs    []string
		name     string
		selected bool
	}{
		{nil, "", true},
		{nil, "anything", true},
		{[]string{"x*"}, "xdp", true},
		{[]string{"x*"}, "tc", false},
		{[]string{"x*", "tc"}, "tc", true},
		{[]string{"a[b]"}, "ab", true},
		{[]string{"a[b]"}, "a[b]", true}, // a glob that matches itself
		{[]string{`a\b`}, `a\b`, true},
		{[]string{"*"}, "a/b", false},
		{[]string{""}, "x", false},
	} {
		s := selector(t, c.globs...)
		if got := s.Selects(c.name); got != c.selected {
			t.Errorf("%q selects %q: %v", c.globs, c.name, got)
		}
		if s.All() != (len(c.globs) == 0) {
			t.Errorf("%q: All = %v", c.globs, s.All())
		}
	}
	for _, bad := range []string{"[", "a[", `a\`, "[]a]"} {
		var misuse *input.Misuse
		if _, err := input.NewSelector([]string{"ok", bad}); !errors.As(err, &misuse) {
			t.Errorf("glob %q: error %v, want one of the command line", bad, err)
		}
	}
}

func TestOpenSelects(t *testing.T) {
	for _, c := range []struct {
		arg   string
		globs []string
		want  string
	}{
		{twoPrograms, nil, "one last"},
		{twoPrograms, []string{"l*"}, "last"},
		{twoPrograms + "#one", nil, "one"},
		{twoPrograms + "#one", []string{"last"}, "one"}, // the name in the argument decides
		{"-", []string{"one"}, "one"},
	} {
		o := input.Opener{In: bytes.NewReader(read(t, twoPrograms))}
		s, err := o.Open(c.arg, selector(t, c.globs...))
		if err != nil || names(s) != c.want {
			t.Errorf("%s %q: %q, %v; want %q", c.arg, c.globs, names(s), err, c.want)
		}
		if len(s.Whole.Programs) != 2 {
			t.Errorf("%s: the whole object has %d programs", c.arg, len(s.Whole.Programs))
		}
	}
	_, err := input.Opener{}.Open(twoPrograms+"#nope", input.Selector{})
	if !errors.Is(err, input.ErrNoMatch) || !strings.Contains(err.Error(), "one, last") {
		t.Errorf("program nope: %v", err)
	}
}

// TestOpenBad opens what is no input: each is an error that names the file and says what to do.
func TestOpenBad(t *testing.T) {
	dir := t.TempDir()
	object := read(t, twoPrograms)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty.o", nil, "the file is empty"},
		{"text.o", []byte("hello"), "use raw:FILE"},
		{"gzip", []byte("\x1f\x8b\x08"), "use record:FILE"},
		{"json", []byte("{}"), "use record:FILE"},
		{"lib.a", []byte("!<arch>\n"), "ar x"},
		{"code.bc", []byte("BC\xc0\xde"), "-emit-llvm"},
		{"mod.wasm", []byte("\x00asm\x01"), "wasm"},
		{"magic.o", []byte("\x7fELF"), ""},
		{"half.o", object[:len(object)/2], ""},
	} {
		path := put(t, dir, c.name, c.data)
		s, err := input.Opener{}.Open(path, input.Selector{})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with the file and %q", c.name, err, c.want)
		}
		if len(s.Programs) != 0 {
			t.Errorf("%s: an error and %d programs", c.name, len(s.Programs))
		}
	}
	for _, arg := range []string{
		dir, filepath.Join(dir, "none"), "raw:" + dir, "raw:", "record:", "vm:", "vm:k", "uml::x", "live:", "",
	} {
		if _, err := (input.Opener{}).Open(arg, input.Selector{}); err == nil {
			t.Errorf("%q opens", arg)
		}
	}
}

func TestOpenLimits(t *testing.T) {
	dir := t.TempDir()
	two := put(t, dir, "two", []byte("b700000000000000 9500000000000000"))
	o := input.Opener{Limits: load.Limits{Insns: 2}}
	if _, err := o.Open("raw:"+two, input.Selector{}); err != nil {
		t.Errorf("two slots within two: %v", err)
	}
	o.Limits.Insns = 1
	s, err := o.Open("raw:"+two, input.Selector{})
	if err == nil && len(s.Programs) > 0 || err != nil && !errors.Is(err, load.ErrTooLarge) {
		t.Errorf("two slots within one: %d programs, %v", len(s.Programs), err)
	}
	o.Limits = load.Limits{File: len(read(t, twoPrograms)) - 1}
	if _, err := o.Open(twoPrograms, input.Selector{}); !errors.Is(err, load.ErrTooLarge) {
		t.Errorf("an object of one byte more than the limit: %v", err)
	}
}

// FuzzOpen opens damaged objects: no program comes with an error, no panic.
func FuzzOpen(f *testing.F) {
	object := read(f, twoPrograms)
	f.Add(object)
	for _, at := range []int{4, 18, 40, 60, len(object) - 32} {
		bad := slices.Clone(object)
		bad[at] ^= 0xff
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := input.Opener{In: bytes.NewReader(data), Limits: load.Limits{File: 1 << 20, Insns: 1 << 16}}
		s, err := o.Open("-", input.Selector{})
		if err != nil && len(s.Programs) > 0 {
			t.Errorf("%d programs and the error %v", len(s.Programs), err)
		}
		for _, p := range s.Programs {
			if len(p.Insns) > o.Limits.Insns {
				t.Errorf("%s has %d slots", p.Name, len(p.Insns))
			}
		}
	})
}
