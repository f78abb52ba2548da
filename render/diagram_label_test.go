package render

import (
	"context"
	"testing"

	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

// TestLabelsClear: each label has room beside its line, and no other line runs through it.
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

// crosses reports whether a vertical part of a line crosses a height between two places.
func crosses(r layered.Route, lo, hi, y int) bool {
	for k := 1; k < len(r.Points); k++ {
		a, b := r.Points[k-1], r.Points[k]
		if a.X == b.X && lo < a.X && a.X < hi && min(a.Y, b.Y) < y && y < max(a.Y, b.Y) {
			return true
		}
	}
	return false
}

// TestLabelsAtStart: where three labelled lines come into a box, each label is at the start of
// its line, on the side of its own box that the line leaves from.
func TestLabelsAtStart(t *testing.T) {
	v := &diagramView{
		d: &Diagram{Nodes: make([]DiagramNode, 4), Edges: []DiagramEdge{{From: 0, To: 3, Label: "a"},
			{From: 1, To: 3, Label: "b"}, {From: 2, To: 3, Label: "c"}}},
		g: &layered.Graph{Nodes: []layered.Node{{W: 100}, {W: 100}, {W: 100}, {W: 100}}},
		at: &layered.Placement{Nodes: []layered.Point{{X: 100}, {X: 300}, {X: 500}, {X: 300, Y: 200}},
			Routes: []layered.Route{
				{Points: []layered.Point{{X: 120, Y: 50}, {X: 310, Y: 200}}}, // from the left half
				{Points: []layered.Point{{X: 350, Y: 50}, {X: 350, Y: 200}}}, // from the middle
				{Points: []layered.Point{{X: 580, Y: 50}, {X: 390, Y: 200}}}, // from the right half
			}},
	}
	v.placeLabels()
	for i, want := range []display.Anchor{display.End, display.End, display.Start} {
		if l := v.labels[i]; !l.tail || l.anchor != want {
			t.Errorf("label %d: %+v", i, l)
		}
	}
}
