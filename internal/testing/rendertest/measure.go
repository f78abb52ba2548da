package rendertest

import (
	"cmp"
	"math"
	"slices"

	"github.com/bpfcfg/bpfcfg/render"
)

// Measured says how hard the graph half of a layout is to read. A trunk, which several edges share,
// is measured once, as it is drawn.
type Measured struct {
	Boxes     int // blocks and hubs
	Lines     int // lines drawn
	Crossings int // places where two lines cross
	Turns     int // corners; of curves the angle that they turn by, in right angles
	Length    int // pixels of line
	Area      int // pixels of the functions' frames
	BentFalls int // fall-through edges that are not one straight line down
	Falls     int // fall-through edges, and those over a call
	Through   int // boxes that lines of others cross, each pair of line and box
	Up        int // lines that lead up
	Given     int // edges without a line
}

// Add adds another measure to this one.
func (m *Measured) Add(o Measured) {
	m.Boxes += o.Boxes
	m.Lines += o.Lines
	m.Crossings += o.Crossings
	m.Turns += o.Turns
	m.Length += o.Length
	m.Area += o.Area
	m.BentFalls += o.BentFalls
	m.Falls += o.Falls
	m.Through += o.Through
	m.Up += o.Up
	m.Given += o.Given
}

// bentBy is the distance in pixels that a fall-through may stray from its
// start: Graphviz's straight ones are off by a rounded pixel or two.
const bentBy = 2

// Measure measures a layout of any engine. Curves are taken as polygons of 16
// sides for each segment. The time grows with the square of the lines that lie
// above each other.
func Measure(s *render.Scene, l *render.Placement) Measured {
	m := Measured{Boxes: len(l.Blocks) + len(l.Hubs), Lines: len(l.Lines), Given: len(l.Given)}
	for _, f := range l.Funcs {
		m.Area += f.W * f.H
	}
	var all []segment
	var turns float64
	for i, w := range l.Lines {
		if w.Up {
			m.Up++
		}
		path := flatten(w)
		first, last := w.First, w.Last
		if w.Curve {
			first, last = 0, len(path)-1
		}
		for k := max(first, 1); k <= min(last, len(path)-2); k++ {
			turns += turn(path[k-1], path[k], path[k+1])
		}
		for k := first + 1; k <= last; k++ {
			sg := newSegment(path[k-1], path[k], i)
			m.Length += int(sg.length() + 0.5)
			all = append(all, sg)
		}
		if e := &s.Edges[w.Edges[0]]; e.Kind == render.FallThrough || e.Kind == render.Return {
			m.Falls++
			if !upright(path) {
				m.BentFalls++
			}
		}
	}
	m.Turns = int(turns + 0.5)
	m.Crossings = crossings(l.Lines, all)
	m.Through = through(s, l, all)
	return m
}

// point is a point with fractions of pixels.
type point struct{ x, y float64 }

// flatten returns the corners of a line; of a curve points on it.
func flatten(w render.Wire) []point {
	var out []point
	if !w.Curve {
		for _, p := range w.Points {
			out = append(out, point{float64(p.X), float64(p.Y)})
		}
		return out
	}
	const sides = 16
	for i := 0; i+3 < len(w.Points); i += 3 {
		for k := range sides {
			out = append(out, bezier(w.Points[i:i+4], float64(k)/sides))
		}
	}
	end := w.Points[len(w.Points)-1]
	return append(out, point{float64(end.X), float64(end.Y)})
}

// bezier is the point of a cubic Bézier curve at t.
func bezier(p []render.Pt, t float64) point {
	u := 1 - t
	c := [4]float64{u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t}
	var q point
	for i, w := range c {
		q.x += w * float64(p[i].X)
		q.y += w * float64(p[i].Y)
	}
	return q
}

// turn is the angle at b in right angles.
func turn(a, b, c point) float64 {
	d := math.Atan2(c.y-b.y, c.x-b.x) - math.Atan2(b.y-a.y, b.x-a.x)
	for d > math.Pi {
		d -= 2 * math.Pi
	}
	for d < -math.Pi {
		d += 2 * math.Pi
	}
	return math.Abs(d) / (math.Pi / 2)
}

func upright(path []point) bool {
	for i, p := range path {
		if math.Abs(p.x-path[0].x) > bentBy || i > 0 && p.y < path[i-1].y {
			return false
		}
	}
	return true
}

// segment is a straight part of a line, a left of b.
type segment struct {
	a, b     point
	top, bot float64
	line     int
}

func newSegment(a, b point, line int) segment {
	if b.x < a.x {
		a, b = b, a
	}
	return segment{a, b, min(a.y, b.y), max(a.y, b.y), line}
}

func (s segment) length() float64 { return math.Hypot(s.a.x-s.b.x, s.a.y-s.b.y) }

// side is positive when p is left of the segment, negative right of it.
func (s segment) side(p point) float64 {
	return (s.b.x-s.a.x)*(p.y-s.a.y) - (s.b.y-s.a.y)*(p.x-s.a.x)
}

func (s segment) crosses(o segment) bool {
	return s.side(o.a)*s.side(o.b) < 0 && o.side(s.a)*o.side(s.b) < 0
}

// commonEnd reports whether two lines start or end at one point. They do not
// count as crossing: Graphviz's curves leave a point as a bundle, and cross
// there again and again by fractions of a pixel.
func commonEnd(a, b render.Wire) bool {
	return a.Points[0] == b.Points[0] || a.Points[len(a.Points)-1] == b.Points[len(b.Points)-1]
}

// crossings counts pairs of segments of different lines that cross inside
// both.
func crossings(lines []render.Wire, all []segment) int {
	all = slices.Clone(all)
	slices.SortFunc(all, func(s, o segment) int {
		return cmp.Or(cmp.Compare(s.a.x, o.a.x), cmp.Compare(s.top, o.top), cmp.Compare(s.line, o.line))
	})
	n := 0
	for i, s := range all {
		for _, o := range all[i+1:] {
			if o.a.x > s.b.x {
				break
			}
			if o.line != s.line && o.top <= s.bot && s.top <= o.bot && s.crosses(o) && !commonEnd(lines[s.line], lines[o.line]) {
				n++
			}
		}
	}
	return n
}

// through counts pairs of a line and a box through which it runs, except the line's own ends at the
// rims.
func through(s *render.Scene, l *render.Placement, all []segment) int {
	boxes := slices.Clone(l.Blocks)
	for _, h := range l.Hubs {
		boxes = append(boxes, h.Rect)
	}
	slices.SortStableFunc(all, func(s, o segment) int { return cmp.Compare(s.line, o.line) })
	n := 0
	for _, b := range boxes {
		if b.W == 0 {
			continue
		}
		last := -1
		for _, sg := range all {
			if sg.line != last && inside(sg, b) {
				n++
				last = sg.line
			}
		}
	}
	return n
}

// rim is how far a line may reach into a box: rounding of curves.
const rim = 2

// inside reports whether a segment runs through the box without its rim, by
// the clipping of Liang and Barsky (1984).
func inside(s segment, b render.Rect) bool {
	x0, x1 := float64(b.X+rim), float64(b.X+b.W-rim)
	y0, y1 := float64(b.Y+rim), float64(b.Y+b.H-rim)
	if s.b.x <= x0 || s.a.x >= x1 || s.bot <= y0 || s.top >= y1 {
		return false
	}
	from, to := 0.0, 1.0
	dx, dy := s.b.x-s.a.x, s.b.y-s.a.y
	for _, c := range [4][2]float64{{-dx, s.a.x - x0}, {dx, x1 - s.a.x}, {-dy, s.a.y - y0}, {dy, y1 - s.a.y}} {
		switch {
		case c[0] == 0 && c[1] <= 0:
			return false
		case c[0] < 0:
			from = max(from, c[1]/c[0])
		case c[0] > 0:
			to = min(to, c[1]/c[0])
		}
	}
	return from < to
}
