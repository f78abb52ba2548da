package typeface

import (
	"math"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// sign draws a sign that the fonts lack and our own pictures have: polygons in
// hundredths of an em, y upwards.
func sign(r rune) (p display.Path, ok bool) {
	var polygons [][][2]float64
	switch r {
	case '✓':
		polygons = [][][2]float64{{{4, 28}, {12, 36}, {23, 22}, {48, 66}, {56, 60}, {24, 4}}}
	case '✗':
		polygons = [][][2]float64{
			{{6, 10}, {46, 62}, {54, 56}, {14, 4}},
			{{6, 56}, {14, 62}, {54, 10}, {46, 4}},
		}
	case '⊘':
		polygons = [][][2]float64{ring(30, 32, 28, false), ring(30, 32, 21, true), {{12, 18}, {44, 52}, {48, 46}, {16, 12}}}
	case '▸':
		polygons = [][][2]float64{{{12, 8}, {12, 60}, {52, 34}}}
	case '⚠':
		polygons = [][][2]float64{
			{{30, 70}, {60, 2}, {0, 2}},
			{{27, 46}, {28, 24}, {32, 24}, {33, 46}}, // holes run the other way
			{{27, 18}, {27, 11}, {33, 11}, {33, 18}},
		}
	default:
		return p, false
	}
	for _, poly := range polygons {
		for i, v := range poly {
			op := display.Line
			if i == 0 {
				op = display.Move
			}
			p.Ops = append(p.Ops, op)
			p.Pts = append(p.Pts, display.Pt{X: v[0] / 100, Y: -v[1] / 100})
		}
		p.Ops = append(p.Ops, display.Close)
	}
	return p, true
}

// ring returns a circle as a polygon; holes run the other way.
func ring(x, y, r float64, hole bool) [][2]float64 {
	const n = 24
	var out [][2]float64
	for i := range n {
		a := 2 * math.Pi * float64(i) / n
		if !hole {
			a = -a
		}
		out = append(out, [2]float64{x + r*math.Cos(a), y + r*math.Sin(a)})
	}
	return out
}
