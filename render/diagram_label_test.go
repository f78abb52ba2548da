package render

import (
	"context"
	"testing"

	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

// TestLabelsClear: a label has room beside its line, and no line that passes goes through it.
func TestLabelsClear(t *testing.T) {
	d := Diagram{Title: "passes"}
	for _, name := range []string{"forgotten", "entry", "parse", "filter", "count", "weigh", "hit", "stages"} {
		d.Nodes = append(d.Nodes, DiagramNode{Name: name, Lines: []string{"xdp, 10 insns"}})
	}
	for _, e := range []struct {
		from, to int
		label    string
	}{
		{0, 5, ""}, {1, 6, ""}, {1, 2, "stages[0]"}, {1, 3, "stages[1]"}, {1, 7, "[?]"}, {1, 4, "stages[4]"},
		{2, 5, ""}, {2, 6, ""}, {2, 3, "stages[1]"}, {2, 7, "[6]"}, {3, 6, ""}, {3, 4, "stages[4]"}, {4, 6, ""},
	} {
		d.Edges = append(d.Edges, DiagramEdge{From: e.from, To: e.to, Label: e.label})
	}
	v, err := d.place(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Edges {
		for _, it := range v.edge(i) {
			if len(it.Runs) == 0 {
				continue
			}
			x, text := int(it.At.X), it.Runs[0].Text
			lo, hi := x, x+textWidth(columns(text))
			if it.Anchor == display.End {
				lo, hi = x-textWidth(columns(text)), x
			}
			for k, r := range v.at.Routes {
				if k != i && crosses(r, lo-4-margin, hi+4-margin, int(it.At.Y)-diagramTop-4) {
					t.Errorf("the line of edge %d goes through %q of edge %d", k, text, i)
				}
			}
		}
	}
}

// crosses reports whether an upright part of a line passes a height between two places.
func crosses(r layered.Route, lo, hi, y int) bool {
	for k := 1; k < len(r.Points); k++ {
		a, b := r.Points[k-1], r.Points[k]
		if a.X == b.X && lo < a.X && a.X < hi && min(a.Y, b.Y) < y && y < max(a.Y, b.Y) {
			return true
		}
	}
	return false
}
