package layered

import (
	"context"
	"math/rand/v2"
	"testing"
)

// TestCompact holds drawings against the same ones in rows: they are no higher and no
// wider, lines cross as often and have the same corners, nothing overlaps, and areas have
// the boxes in them that they had.
func TestCompact(t *testing.T) {
	var rows, now int
	for seed := range uint64(40) {
		g := randomCFG(rand.New(rand.NewPCG(seed, 21)), 30)
		opt := Options{}.withDefaults(g)
		plan := newPlan(g, opt)
		p, err := inRows(plan, plan.ranks(opt.MaxWidth), &work{ctx: context.Background()})
		if err != nil {
			t.Fatal(err)
		}
		before, w, h, in := Measure(g, p), p.W, p.H, inside(g, &p)
		tighten(g, &p, opt)
		squeeze(g, &p, opt)
		tighten(g, &p, opt)
		after := Measure(g, p)
		if after.Crossings > before.Crossings || after.Bends > before.Bends || p.W > w || p.H > h {
			t.Errorf("seed %d: %dx%d %+v, in rows %dx%d %+v", seed, p.W, p.H, after, w, h, before)
		}
		if after.Overlaps+after.Through+after.Slanted+after.Conflicts != 0 {
			t.Errorf("seed %d: %+v", seed, after)
		}
		for k, was := range inside(g, &p) {
			if was != in[k] {
				t.Errorf("seed %d: box %d in area %d: %v, in rows %v", seed, k[1], k[0], was, in[k])
			}
		}
		rows, now = rows+w*h, now+p.W*p.H
	}
	t.Logf("%.2f of the area of rows", float64(now)/float64(rows))
	if now > rows*9/10 {
		t.Errorf("%d pixels, in rows %d", now, rows)
	}
}

// inside reports for each area and box whether the box is in it.
func inside(g Graph, p *Placement) map[[2]int]bool {
	out := map[[2]int]bool{}
	for l, r := range p.Loops {
		for v, n := range g.Nodes {
			x, y := p.Nodes[v].X+n.W/2, p.Nodes[v].Y+n.H/2
			in := false
			for _, b := range r.Bands {
				in = in || b.X0 <= x && x < b.X1 && b.Y0 <= y && y < b.Y1
			}
			for _, b := range r.Holes {
				in = in && (x < b.X0 || x >= b.X1 || y < b.Y0 || y >= b.Y1)
			}
			out[[2]int{l, v}] = in
		}
	}
	return out
}
