package golden_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// analyse runs the pipeline on the programs of an object.
func analyse(t testing.TB, file, profile string) []*pipeline.Analysis {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	var out []*pipeline.Analysis
	for _, p := range o.Programs {
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil || a.ImageErr != nil {
			t.Fatalf("%s %s: %v %v", file, p.Name, err, a.ImageErr)
		}
		out = append(out, a)
	}
	return out
}

// layoutOf returns the layout of an analysis.
func layoutOf(a *pipeline.Analysis) *golden.File {
	return golden.Of(golden.Input{Program: a.Program, Succ: a.Succ, Xlated: a.Rewrite.Xlated, Funcs: a.Rewrite.Program.Funcs,
		Image: a.Image, Unpredicted: len(a.Rewrite.Unpredicted)})
}

// TestRoundTrip reads back the layout of every program of the corpus.
func TestRoundTrip(t *testing.T) {
	n := 0
	files := slices.Concat(testenv.Glob(t, "corpus/out/*.o"), testenv.Glob(t, "corpus/out-plain/*.o"))
	for _, file := range files {
		if strings.Contains(file, "15_thousand") && testing.Short() {
			continue
		}
		for _, a := range analyse(t, file, "linux-7.3+ibt") {
			l := layoutOf(a)
			text := l.Text()
			got, err := golden.Parse(text)
			if err != nil {
				t.Fatalf("%s %s: %v\n%s", filepath.Base(file), a.Program.Name, err, text)
			}
			if diff := cmp.Diff(l.Blocks, got.Blocks, cmp.FilterPath(func(p cmp.Path) bool {
				return p.Last().String() == ".Reachable"
			}, cmp.Ignore())); diff != "" {
				t.Errorf("%s %s: %s", filepath.Base(file), a.Program.Name, diff)
			}
			if c := golden.Compare(got, l); len(c) != 0 {
				t.Errorf("%s %s: compared with itself: %v", filepath.Base(file), a.Program.Name, c)
			}
			n++
		}
	}
	if n < 20 {
		t.Errorf("only %d programs", n)
	}
}

// TestBlocksCoverImage adds up the bytes of blocks and prologue.
func TestBlocksCoverImage(t *testing.T) {
	for _, a := range analyse(t, testenv.Path(t, "corpus/out/01_ipproto_xdp.o"), "linux-7.3") {
		l := layoutOf(a)
		sum := a.Image.Funcs[0].Prologue
		for _, b := range l.Blocks {
			sum += b.Len
		}
		if sum != l.Image {
			t.Errorf("blocks and prologue have %d bytes of %d", sum, l.Image)
		}
	}
}

const small = `# bpfcfg layout 2
profile linux-7.3
program f  insns 7  xlated 7  image 60  sha256 0011223344556677  code 8899aabbccddeeff
func f  code +0x0..+0x3c  60
b0    insn 0..1  code +0x14..+0x1e  10  0a0b0c0d  if r1 > 0x3 → b2 | b1
b1    insn 2..4  code +0x1e..+0x38  26  11111111  gotox r2 → b2 b3 (2 of 2, table T[0..1])
b2    insn 5..5  code +0x38..+0x3a  2  22222222  → b3
b3    insn 6..6  code +0x3a..+0x3c  2  33333333  exit
table T  3 entries
  0  b2 b3:removed -
`

func TestParse(t *testing.T) {
	l, err := golden.Parse(small)
	if err != nil {
		t.Fatal(err)
	}
	if l.Program != "f" || len(l.Blocks) != 4 || len(l.Tables[0].Entries) != 3 || l.Blocks[1].Ending.Detail == "" {
		t.Errorf("%+v", l)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"other file", "# bpfcfg layout 2", "hello", "not a bpfcfg layout file"},
		{"newer version", "layout 2\n", "layout 3\n", "another format version"},
		{"carriage returns", "\n", "\r\n", "another format version|CR LF"},
		{"conflict marker", "b2    insn", "<<<<<<< HEAD\nb2    insn", "line 7: "},
		{"missing block", "b2    insn 5..5  code +0x38..+0x3a  2  22222222  → b3\n", "", "line 7: "},
		{"wrong end", "+0x14..+0x1e", "+0x14..+0x1f", "line 5: not in the form that bpfcfg writes"},
		{"cut off", "  0  b2 b3:removed -\n", "", "line 9: not in the form that bpfcfg writes"},
		{"no program", small[len("# bpfcfg layout 2\n"):], "", "ends before"},
		{"huge number", "image 60", "image 99999999999999", "line 3: "},
		{"negative", "insn 5..5", "insn -5..5", "line 7: "},
	} {
		text := strings.ReplaceAll(small, c.old, c.new)
		if text == small {
			t.Errorf("%s: nothing replaced", c.name)
		}
		_, err := golden.Parse(text)
		ok := err != nil && slices.ContainsFunc(strings.Split(c.want, "|"), func(w string) bool {
			return strings.Contains(err.Error(), w)
		})
		if !ok {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// FuzzParse: what Parse takes, Text writes back byte for byte, and comparing it
// with another layout does not fail.
func FuzzParse(f *testing.F) {
	f.Add(small)
	f.Add(strings.Replace(small, "goto", "call f → b1 | b2 long", 1))
	for _, a := range analyse(f, testenv.Path(f, "corpus/out/13_subprog_switch.o"), "linux-7.3") {
		f.Add(layoutOf(a).Text())
	}
	other, err := golden.Parse(small)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := golden.Parse(text)
		if err != nil {
			if l != nil {
				t.Fatal("a layout beside an error")
			}
			return
		}
		if got := l.Text(); got != text {
			t.Fatalf("writes %q for %q", got, text)
		}
		if c := golden.Compare(l, l); len(c) != 0 {
			t.Fatalf("differs from itself: %v", c)
		}
		if same := text == other.Text(); (len(golden.Compare(other, l)) == 0) != same {
			t.Fatalf("same is %v, causes are %v", same, golden.Compare(other, l))
		}
		golden.Compare(l, other)
	})
}
