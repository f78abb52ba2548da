package rendertest_test

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
)

// TestSignsClear: the T and F of branches touch no line, no box and no other label, in all
// programs of the corpus.
func TestSignsClear(t *testing.T) {
	signs := 0
	for _, s := range corpus(t) {
		l, err := render.Place(s.Scene, render.PlaceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		labels := labelsOf(render.Draw(s.Scene, l))
		signs += len(labels)
		for _, p := range rendertest.Hidden(l, labels) {
			t.Errorf("%s: %q at %d, %d is not clear of %s", s.Name, p.Text, p.X, p.Y, p.Of)
		}
	}
	if signs < 250 {
		t.Errorf("only %d labels", signs)
	}
}

// labelsOf returns the signs of a picture's branches.
func labelsOf(p *display.Picture) []rendertest.Label {
	var out []rendertest.Label
	for it := range p.Parts {
		for _, in := range it.Items {
			if in.Class != "lab" || len(in.Runs) != 1 || !slices.Contains([]string{"T", "F"}, in.Runs[0].Text) {
				continue
			}
			r := render.Rect{X: int(in.At.X), Y: int(in.At.Y) - 8, W: 7, H: 8}
			if in.Anchor == display.End {
				r.X -= r.W
			}
			out = append(out, rendertest.Label{Rect: r, Text: in.Runs[0].Text})
		}
	}
	return out
}
