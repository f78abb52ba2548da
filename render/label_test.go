package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// drawnItems returns the items of a picture, with those in groups.
func drawnItems(t *testing.T, s *Scene) (out []display.Item) {
	t.Helper()
	l, err := Place(s, PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for it := range Draw(s, l).Parts { // its memory is that of the next one
		for stack := []display.Item{it}; len(stack) > 0; {
			it := stack[len(stack)-1]
			stack = append(stack[:len(stack)-1], it.Items...)
			it.Runs = slices.Clone(it.Runs)
			out = append(out, it)
		}
	}
	return out
}

// TestBranchSigns: T and F stand at a block and at a chain, which end with one branch, and not
// at a box of several.
func TestBranchSigns(t *testing.T) {
	for kind, want := range map[string]int{"": 2, "chain": 2, "region": 0, "loop": 0} {
		s := &Scene{Funcs: []Func{{Name: "f"}}}
		for _, name := range []string{"b0", "b1", "b2"} {
			s.Blocks = append(s.Blocks, Block{Name: name, Reachable: true, Lines: []Line{{Text: "exit"}}})
		}
		if kind != "" {
			s.Blocks[0].Folded = &Folded{Kind: kind, Blocks: 3}
		}
		s.Edges = []Edge{{From: 0, To: 1, Kind: FallThrough}, {From: 0, To: 2, Kind: Taken}}
		signs := 0
		for _, it := range drawnItems(t, s) {
			if len(it.Runs) == 1 && strings.Contains("TF", it.Runs[0].Text) && it.Class == "lab" {
				signs++
			}
		}
		if signs != want {
			t.Errorf("%q: %d signs, want %d", kind, signs, want)
		}
	}
}

// TestCellApart: the place and the size of a large piece of machine code do not lie on each other.
func TestCellApart(t *testing.T) {
	s := &Scene{Image: &Image{Len: 40_000_000, Funcs: []ImageFunc{{Func: -1, Len: 40_000_000}},
		Pieces: []Piece{{Kind: PiecePrologue, Offset: 10, Len: 39_999_990}}}}
	type span struct{ lo, hi int }
	rows := map[int][]span{}
	for _, it := range drawnItems(t, s) {
		if it.Anchor != display.End || len(it.Runs) != 1 || !strings.HasPrefix(it.Class, "small") {
			continue
		}
		hi, y := int(it.At.X), int(it.At.Y)
		rows[y] = append(rows[y], span{hi - smallWidth(columns(it.Runs[0].Text)), hi})
	}
	pairs := 0
	for y, row := range rows {
		for i, a := range row {
			for _, b := range row[:i] {
				pairs++
				if a.lo < b.hi && b.lo < a.hi {
					t.Errorf("at %d: %v and %v", y, a, b)
				}
			}
		}
	}
	if pairs == 0 {
		t.Error("no texts beside each other")
	}
}
