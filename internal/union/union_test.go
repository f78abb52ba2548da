package union

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/layers"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// sideOf analyses an object as one side of a difference.
func sideOf(t *testing.T, path string) diff.Side {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(path, data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	side := diff.Side{Input: path}
	for _, p := range o.Programs {
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		side.Programs = append(side.Programs, diff.Compiled{Key: p.Name, Analysis: a})
	}
	return side
}

// count counts marks.
func count(s *render.Scene) (blocks, edges map[string]int) {
	blocks, edges = map[string]int{}, map[string]int{}
	for _, b := range s.Blocks {
		blocks[b.Mark]++
	}
	for _, e := range s.Edges {
		edges[e.Mark]++
	}
	return blocks, edges
}

// TestUnion states that the picture of a difference has every block, edge and
// byte of both versions, for every object of the corpus against its version
// without jump tables, both ways round.
func TestUnion(t *testing.T) {
	for _, plain := range testenv.Glob(t, "corpus/out-plain/*.o") {
		name := filepath.Base(plain)
		if name == "15_thousand_cases.o" {
			continue // as many seconds as all others together
		}
		sides := []diff.Side{sideOf(t, testenv.Path(t, "corpus/out/"+name)), sideOf(t, plain)}
		for range 2 {
			r := diff.Compare(sides[0], sides[1])
			for i := range r.Programs {
				checkUnion(t, name, &r.Programs[i])
			}
			if _, err := HTML(r, Options{Title: name}); err != nil {
				t.Error(name, err)
			}
			sides[0], sides[1] = sides[1], sides[0]
		}
	}
}

// checkDiffFindings states that a difference has the findings of the new version at its
// blocks, and those that are gone at the blocks of the union that have their instruction.
func checkDiffFindings(t *testing.T, name string, p *diff.Program, s *render.Scene) {
	t.Helper()
	now := layers.Findings(p.New)
	for i, f := range findings(p) {
		if i < len(now) {
			if f != now[i] {
				t.Errorf("%s %s: %+v, want %+v", name, p.Name, f, now[i])
			}
			continue
		}
		if !strings.HasPrefix(f.Message, "no longer found: ") || f.Level != "note" {
			t.Errorf("%s %s: %+v is not said to be gone", name, p.Name, f)
		}
		if f.Block == render.Outside {
			continue
		}
		if b := s.Blocks[f.Block]; f.Block >= len(p.New.Graph.Blocks) &&
			!slices.ContainsFunc(b.Lines, func(l render.Line) bool { return l.Slot == f.Slot }) {
			t.Errorf("%s %s: %+v is at %s, which does not have its instruction", name, p.Name, f, b.Name)
		}
	}
}

func checkUnion(t *testing.T, name string, p *diff.Program) {
	t.Helper()
	s := Scene(p, name)
	checkDiffFindings(t, name, p, s)
	blocks, edges := count(s)
	if got, want := len(s.Blocks)-blocks[render.MarkRemoved], len(p.New.Graph.Blocks); got != want {
		t.Errorf("%s %s: %d blocks of the new version, want %d", name, p.Name, got, want)
	}
	if got, want := len(s.Blocks)-blocks[render.MarkAdded], len(p.Old.Graph.Blocks); got != want {
		t.Errorf("%s %s: %d blocks of the old version, want %d", name, p.Name, got, want)
	}
	for mark, want := range map[string]int{render.MarkAdded: p.Counts.Added, render.MarkRemoved: p.Counts.Removed,
		render.MarkChanged: p.Counts.Changed} {
		if blocks[mark] != want {
			t.Errorf("%s %s: %d blocks %s, want %d", name, p.Name, blocks[mark], mark, want)
		}
	}
	if got, want := len(s.Edges)-edges[render.MarkRemoved], len(picture.Scene(p.New, name).Edges); got != want {
		t.Errorf("%s %s: %d edges of the new version, want %d", name, p.Name, got, want)
	}
	if got, want := len(s.Edges)-edges[render.MarkAdded], len(picture.Scene(p.Old, name).Edges); got != want {
		t.Errorf("%s %s: %d edges of the old version, want %d", name, p.Name, got, want)
	}
	type code struct {
		img  *render.Image
		want int
	}
	var images []code
	if p.New.Image != nil && p.Old.Image != nil {
		images = []code{{s.Image, len(p.New.Image.Code)}, {s.Before, len(p.Old.Image.Code)}}
	}
	for _, m := range images {
		n := 0
		for _, piece := range m.img.Pieces {
			n += piece.Len
		}
		if n != m.want {
			t.Errorf("%s %s: pieces of %d bytes, want %d", name, p.Name, n, m.want)
		}
	}
	if _, err := render.Place(s, render.PlaceOptions{}); err != nil {
		t.Errorf("%s %s: %v", name, p.Name, err)
	}
}

// TestMergeLines merges the instructions of two versions of a block.
func TestMergeLines(t *testing.T) {
	lines := func(slots ...int) []render.Line {
		var out []render.Line
		for _, s := range slots {
			out = append(out, render.Line{Slot: s})
		}
		return out
	}
	type change = diff.Line
	for _, c := range []struct {
		old, now []int
		changes  []change
		want     string
	}{
		{[]int{0, 1, 2}, []int{5, 6, 7}, nil, "   "},
		{[]int{0, 1, 2}, []int{5, 6}, []change{{Op: "-", Insn: 1}}, " - "},
		{[]int{0, 1}, []int{5, 6}, []change{{Op: "-", Insn: 1}, {Op: "+", Insn: 6}}, " -+"},
		{[]int{0}, []int{5, 6, 7}, []change{{Op: "+", Insn: 5}, {Op: "+", Insn: 7}}, "+ +"},
		{[]int{0, 1, 2}, []int{5}, nil, " --"}, // a list that was cut off
		{nil, []int{5}, nil, "+"},
	} {
		got := ""
		for _, l := range mergeLines(lines(c.old...), lines(c.now...), c.changes) {
			got += map[string]string{"": " ", render.MarkAdded: "+", render.MarkRemoved: "-"}[l.Mark]
		}
		if got != c.want {
			t.Errorf("%v and %v by %v: %q, want %q", c.old, c.now, c.changes, got, c.want)
		}
	}
}

// TestVisits lays counts over both versions: each block has those of its version, and a
// block of both has both.
func TestVisits(t *testing.T) {
	const name = "01_ipproto_xdp.o"
	old, now := sideOf(t, testenv.Path(t, "corpus/out-plain/"+name)), sideOf(t, testenv.Path(t, "corpus/out/"+name))
	p := &diff.Compare(old, now).Programs[0]
	m := newMaker(Options{Visits: [2]*layers.Visits{{File: "old.txt", Data: []byte("0 3\n")}, {File: "new.txt", Data: []byte("0 7\n")}}})
	a, b, err := m.scenes(p)
	if err != nil || m.missing() != nil {
		t.Fatal(err, m.missing())
	}
	s := join(p, a, b, name)
	if s.Counted != "visits in new.txt, before: visits in old.txt" {
		t.Errorf("%q", s.Counted)
	}
	if first := &s.Blocks[0]; *first.Count != 7 || *first.CountBefore != 3 {
		t.Errorf("%d and %d visits of the first block, want 7 and 3", *first.Count, *first.CountBefore)
	}
	for i := range s.Blocks {
		blk := &s.Blocks[i]
		if blk.Count == nil {
			t.Errorf("%s has no count", blk.Name)
		}
		both := blk.Mark != render.MarkAdded && blk.Mark != render.MarkRemoved
		if both != (blk.CountBefore != nil) {
			t.Errorf("%s, mark %q: count before %v", blk.Name, blk.Mark, blk.CountBefore)
		}
	}
}

// TestVisitsOfOthers states that a log must have one of the programs, not all.
func TestVisitsOfOthers(t *testing.T) {
	object := testenv.Path(t, "corpus/out/17_range_checked.o")
	side := sideOf(t, object)
	if len(side.Programs) < 2 {
		t.Fatal("one program")
	}
	log := func(name string) *layers.Visits {
		return &layers.Visits{File: "x.log", Data: []byte("func#0 @0\nprog '" + name + "': -- BEGIN PROG LOAD LOG --\n0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n")}
	}
	r := diff.Compare(side, side)
	for name, fails := range map[string]bool{side.Programs[1].Key: false, "nobody": true} {
		m := newMaker(Options{Visits: [2]*layers.Visits{nil, log(name)}})
		for i := range r.Programs {
			if _, _, err := m.scenes(&r.Programs[i]); err != nil {
				t.Fatal(name, err)
			}
		}
		if got := m.missing() != nil; got != fails {
			t.Errorf("%s: %v", name, m.missing())
		}
	}
}
