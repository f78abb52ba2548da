package display_test

import (
	"math"
	"testing"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/rendertest"
)

// FuzzRead reads changed files: an error comes without a drawing, and a drawing has
// a size, paths that begin with a move, as many points as their steps take, and no
// number that is none.
func FuzzRead(f *testing.F) {
	for _, s := range []*render.Scene{rendertest.Three(), rendertest.Loops()} {
		l, err := render.Place(s, render.PlaceOptions{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(render.SVG(s, l))
	}
	f.Add([]byte(head + `<style>a > .b, #c text { fill: url(#p); stroke-dasharray: 1 2 3; font: bold 3px x; }</style>` +
		`<defs><pattern id="p" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">` +
		`<path d="M0 0V4"/></pattern></defs><a href="#x"><path class="b" d="M1 1a4 4 0 1 1-3-2z"/></a></svg>`))
	f.Fuzz(func(t *testing.T, svg []byte) {
		d, err := display.Read(svg, display.Dark)
		if err != nil {
			if d != nil {
				t.Error("an error with a drawing")
			}
			return
		}
		if !(d.W > 0 && d.H > 0) {
			t.Errorf("size %v by %v", d.W, d.H)
		}
		for _, it := range d.Items {
			n := 0
			for _, op := range it.Path.Ops {
				n += op.Points()
			}
			if n != len(it.Path.Pts) || n > 0 && it.Path.Ops[0] != display.Move {
				t.Fatalf("path %v with %d points", it.Path.Ops, len(it.Path.Pts))
			}
			for _, p := range it.Path.Pts {
				if math.IsNaN(p.X + p.Y) {
					t.Fatalf("path with %v", p)
				}
			}
		}
	})
}
