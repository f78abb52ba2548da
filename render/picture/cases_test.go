package picture

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestCases compares the labels of indirect jumps with the C lines that their
// targets begin with, as far as those name cases: the compiler's line table is not
// of our making. Joined code has the line of one of its cases, so a few differ.
func TestCases(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`\bcase (-?\d+):`)
	agree, not := 0, 0
	for _, path := range testenv.Glob(t, "corpus/out/*.o") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(path), data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s := Scene(a, path)
			for _, e := range s.Edges {
				if e.Kind != render.Indirect || e.To == render.Outside || strings.Contains(e.Label, "[") || e.Label == "" {
					continue
				}
				first := s.Blocks[e.To].Lines[0].Source
				ms := word.FindAllStringSubmatch(first, -1)
				if len(ms) == 0 {
					continue
				}
				same := false
				for _, m := range ms {
					v, _ := strconv.Atoi(m[1])
					same = same || labelHas(e.Label, v)
				}
				if same {
					agree++
				} else {
					not++
					t.Logf("%s %s: %q leads to %q", filepath.Base(path), p.Name, e.Label, first)
				}
			}
		}
	}
	if agree < 100 || not > agree/20 {
		t.Errorf("%d labels agree with the source, %d do not", agree, not)
	}
}

// labelHas reports whether a label "0, 3–5" has a number.
func labelHas(label string, v int) bool {
	for part := range strings.SplitSeq(label, ", ") {
		from, to, ok := strings.Cut(part, "–")
		if !ok {
			to = from
		}
		lo, err1 := strconv.Atoi(from)
		hi, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil && lo <= v && v <= hi {
			return true
		}
	}
	return false
}

// TestLabelRows draws a switch, one of whose labels has more cases than fit into a line: the rows are
// read from above, beside the line of the edge, and the last one is next to the box.
func TestLabelRows(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(testenv.Path(t, "corpus/out/06_sparse_dense.o"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF("06_sparse_dense.o", data)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(o.Programs[0], prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := Scene(a, "06_sparse_dense.o")
	AddCode(s, a)
	l, err := render.Place(s, render.PlaceOptions{Columns: true})
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`<text x="(\d+)" y="(\d+)" class="lab case"[^>]*>([0-9, –]+)`)
	type place struct{ x, y int }
	at, text := place{}, ""
	broken := 0
	for _, m := range row.FindAllStringSubmatch(string(render.SVG(s, l)), -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		if strings.HasSuffix(text, ",") {
			broken++
			if x != at.x || y <= at.y || y > at.y+16 { // letters are 11 high
				t.Errorf("%q at %v goes on in %q at %v", text, at, m[3], place{x, y})
			}
			if box := boxBelow(l, x, y); box < 0 || box > 16 {
				t.Errorf("%q ends %d above the box", m[3], box)
			}
		}
		at, text = place{x, y}, m[3]
	}
	if broken == 0 {
		t.Error("no label is broken into lines")
	}
}

// boxBelow returns how far below a place the next box is, -1 if there is none.
func boxBelow(l *render.Placement, x, y int) int {
	best := -1
	for _, b := range l.Blocks {
		if d := b.Y - y; d >= 0 && b.X-16 <= x && x < b.X+b.W && (best < 0 || d < best) {
			best = d
		}
	}
	return best
}
