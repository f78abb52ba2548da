package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// settings loads the test's program, with the file that it is in.
func settings(t *testing.T) (*bytecode.Program, []byte) {
	t.Helper()
	file := filepath.Join("testdata", "settings.o")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return o.Programs[0], data
}

func rodata(t *testing.T, p *bytecode.Program) *bytecode.Map {
	t.Helper()
	for i := range p.Maps {
		if p.Maps[i].Name == ".rodata" {
			return &p.Maps[i]
		}
	}
	t.Fatal("no .rodata")
	return nil
}

// TestApply sets parts of structures. The offsets are those that C gives the members
// of settings.c: CFG is at 0, 4-byte members at multiples of 4, the union at a
// multiple of 8.
func TestApply(t *testing.T) {
	for _, c := range []struct {
		set  string
		off  int
		want string
	}{
		{"CFG.limit=0x01020304", 0, "\x04\x03\x02\x01"},
		{"CFG.mode=BLOCK", 4, "\x07\x00\x00\x00"},
		{"CFG.mode=LEARN", 4, "\x01\x00\x00\x00"},
		{"CFG.in[0].weight=-5", 8, "\xfb\xff"},
		{"CFG.in[1].flags[2]=9", 18, "\x09"},
		{" CFG.narrow = 77 ", 24, "\x4d\x00\x00\x00"}, // of an anonymous union
		{"CFG.wide=-1", 24, "\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"CFG.high=21", 32, "\xa8\x00"}, // 21 << 3
		{"CFG.low=7", 32, "\x07\x00"},
		{"table[1]=200", 44, "\xc8\x00\x00\x00"},
		{"each.local=5", 52, "\x05\x00\x00\x00"},
		{"hidden=false", 56, "\x00"},
	} {
		p, data := settings(t)
		before := string(rodata(t, p).Value)
		s, err := Parse(c.set)
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.Apply(p, TypesOf(data))
		if !found || err != nil {
			t.Errorf("%s: %v, %v", c.set, found, err)
			continue
		}
		got := string(rodata(t, p).Value)
		want := before[:c.off] + c.want + before[c.off+len(c.want):]
		if got != want {
			t.Errorf("%s:\n%x, want\n%x", c.set, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for set, want := range map[string]string{
		"CFG=1":                "a structure: name a member",
		"CFG.in=1":             "an array of 2: name an element",
		"CFG.in[2].weight=1":   "CFG.in has 2 elements",
		"CFG.in[0].nothing=1":  "CFG.in[0] has no member nothing",
		"CFG.limit.x=1":        "CFG.limit is not a structure",
		"CFG.limit[0]=1":       "CFG.limit is not an array",
		"CFG.mode=NEVER":       "none of OFF, LEARN, BLOCK",
		"CFG.low=8":            "does not fit in 3 bits",
		"hidden=256":           "does not fit in 8 bits",
		"table[0]=-2147483649": "does not fit in 32 bits",
		"counter=1":            "programs may change it",
		"hidden=yes":           "not a number",
		"folded[1]=1":          "const without volatile",
	} {
		p, data := settings(t)
		s, err := Parse(set)
		if err == nil {
			_, err = s.Apply(p, TypesOf(data))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
	p, _ := settings(t)
	s, _ := Parse("CFG.limit=1")
	if _, err := s.Apply(p, nil); err == nil {
		t.Error("a member is set without types")
	}
	for _, text := range []string{"", "x", "=1", "x=", "x[=1", "x[a]=1", "[0]=1", ".x=1", "x.=1", "x[1]y=1", "x[-1]=1"} {
		if s, err := Parse(text); err == nil {
			t.Errorf("%q is taken: %+v", text, s)
		}
	}
	for _, name := range []string{"nothing", "each.nothing"} {
		p, data := settings(t)
		s, err := New(name, "1")
		if err != nil {
			t.Fatal(err)
		}
		if found, err := s.Apply(p, TypesOf(data)); found || err != nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

// TestResize: the loader gives a map its number of entries.
func TestResize(t *testing.T) {
	for _, c := range []struct {
		set  string
		want uint32 // 0: an error, 99: not this program's
	}{
		{"counts.max_entries=16", 16}, {"counts.max_entries=0xffffffff", 1<<32 - 1}, {"counts.max_entries=0", 0},
		{"counts.max_entries=4294967296", 0}, {"counts.max_entries=-1", 0}, {"counts.max_entries=many", 0},
		{"counts.max_entries=?", 7}, {"others.max_entries=1", 99}, {".data.max_entries=1", 99}, {"counts.entries=1", 99},
	} {
		p := &bytecode.Program{Maps: []bytecode.Map{{Name: "x", MaxEntries: 5}, {Name: "counts", MaxEntries: 8}}}
		given := p.Maps
		s, err := Parse(c.set)
		if err != nil {
			continue // a name that begins with a dot
		}
		found, err := s.Apply(p, nil)
		switch {
		case c.want == 0:
			if err == nil || !strings.Contains(err.Error(), "not a number of entries") {
				t.Errorf("%s: %v", c.set, err)
			}
		case c.want == 99:
			if found || err != nil || p.Maps[1].MaxEntries != 8 {
				t.Errorf("%s: found %v, %v", c.set, found, err)
			}
		case !found || err != nil || p.Maps[1].MaxEntries != c.want && c.want != 7 || c.want == 7 && p.Maps[1].MaxEntries != 0:
			t.Errorf("%s: %v, %v, %d entries", c.set, found, err, p.Maps[1].MaxEntries)
		}
		if given[1].MaxEntries != 8 {
			t.Fatalf("%s changes a map that others share", c.set)
		}
	}
}

// TestFolded: with types, a constant that is not volatile is none that can be set.
func TestFolded(t *testing.T) {
	p, data := settings(t)
	m := rodata(t, p)
	for i := range m.Symbols {
		m.Symbols[i].Config = false
	}
	s, _ := Parse("hidden=0")
	if _, err := s.Apply(p, TypesOf(data)); err != nil {
		t.Errorf("the types say volatile: %v", err)
	}
}

// TestUnknown: a structure is forgotten, a member of it known again.
func TestUnknown(t *testing.T) {
	p, data := settings(t)
	types := TypesOf(data)
	Forget(p)
	unknown := func(off int64, size int) bool {
		_, is := rodata(t, p).UnknownAt(off, size)
		return is
	}
	if !unknown(0, 4) || !unknown(18, 1) || !unknown(56, 1) {
		t.Error("configuration is known")
	}
	for _, text := range []string{"CFG.in[1].flags[2]=3", "hidden=1", "CFG.limit=4"} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply(p, types); err != nil {
			t.Fatal(err)
		}
	}
	if unknown(18, 1) || unknown(56, 1) || unknown(0, 4) || !unknown(17, 1) || !unknown(19, 1) || !unknown(4, 4) {
		t.Errorf("unknown: %+v", rodata(t, p).Unknown)
	}
	s, _ := Parse("CFG=?")
	if _, err := s.Apply(p, types); err != nil || !unknown(18, 1) || unknown(56, 1) {
		t.Errorf("%v, unknown: %+v", err, rodata(t, p).Unknown)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("CFG.in[1].flags[2]=9")
	f.Add("a.b[0x7fffffff].c=?")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v and %v", s, err)
		}
		if s != nil && len(s.path) == 0 {
			t.Fatalf("%q has no name", text)
		}
	})
}
