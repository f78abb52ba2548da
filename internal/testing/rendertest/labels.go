package rendertest

import "github.com/bpfcfg/bpfcfg/render"

// Label is a text that a drawing has at a line.
type Label struct {
	render.Rect
	Text string
	Of   string // what is in its place: "a line", "a box", "a label"
}

// Hidden returns the labels whose place something else covers.
func Hidden(l *render.Placement, labels []Label) []Label {
	var out []Label
	for i, p := range labels {
		if p.Of = covered(l, p.Rect, labels[:i]); p.Of != "" {
			out = append(out, p)
		}
	}
	return out
}

// covered returns what is in a place, "" for nothing.
func covered(l *render.Placement, r render.Rect, labels []Label) string {
	for i := range l.Lines {
		pts := l.Lines[i].Points
		for k := 1; k < len(pts); k++ {
			a, b := pts[k-1], pts[k]
			x, y := min(a.X, b.X), min(a.Y, b.Y)
			if meet(r, render.Rect{X: x, Y: y, W: max(a.X, b.X) - x, H: max(a.Y, b.Y) - y}) {
				return "a line"
			}
		}
	}
	for _, b := range l.Blocks {
		if meet(r, b) {
			return "a box"
		}
	}
	for _, o := range labels {
		if meet(r, o.Rect) {
			return "a label"
		}
	}
	return ""
}

// meet reports whether two rectangles have a point in common, or their sides.
func meet(a, b render.Rect) bool {
	return a.X <= b.X+b.W && b.X <= a.X+a.W && a.Y <= b.Y+b.H && b.Y <= a.Y+a.H
}
