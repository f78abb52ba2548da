package display

import "math"

// Pt is a point in pixels, y downwards.
type Pt struct{ X, Y float64 }

// Op is a step of a Path.
type Op uint8

// The steps of a path, and how many points each takes.
const (
	Move  Op = iota // 1: start a subpath
	Line            // 1
	Quad            // 2: control, end
	Cube            // 3: two controls, end
	Close           // 0
)

// Points is the number of points that the step takes.
func (o Op) Points() int { return [...]int{1, 1, 2, 3, 0}[o] }

// Path is a series of steps with their points. The methods that add a step return
// the path, so that they can be chained.
type Path struct {
	Ops []Op
	Pts []Pt
}

// Add adds a step.
func (p *Path) Add(op Op, pts ...Pt) *Path {
	p.Ops = append(p.Ops, op)
	p.Pts = append(p.Pts, pts...)
	return p
}

// end returns the current point: where the last step of the path ended.
func (p *Path) end() Pt {
	if len(p.Pts) == 0 {
		return Pt{}
	}
	return p.Pts[len(p.Pts)-1]
}

// At starts a path, or another part of one.
func (p *Path) At(x, y int) *Path { return p.Add(Move, pt(x, y)) }

// To adds a straight line to a point.
func (p *Path) To(x, y int) *Path { return p.Add(Line, pt(x, y)) }

// H adds a level line to an x.
func (p *Path) H(x int) *Path { return p.Add(Line, Pt{float64(x), p.end().Y}) }

// V adds an upright line to a y.
func (p *Path) V(y int) *Path { return p.Add(Line, Pt{p.end().X, float64(y)}) }

// By adds straight lines, each from the end of the last by an x and a y.
func (p *Path) By(d ...float64) *Path {
	for ; len(d) >= 2; d = d[2:] {
		p.Add(Line, Pt{p.end().X + d[0], p.end().Y + d[1]})
	}
	return p
}

// Skip starts another part of the path at a distance from its end.
func (p *Path) Skip(dx, dy float64) *Path { return p.Add(Move, Pt{p.end().X + dx, p.end().Y + dy}) }

// Curve adds a quadratic curve.
func (p *Path) Curve(cx, cy, x, y int) *Path { return p.Add(Quad, pt(cx, cy), pt(x, y)) }

// Cubic adds a cubic curve.
func (p *Path) Cubic(ax, ay, bx, by, x, y int) *Path {
	return p.Add(Cube, pt(ax, ay), pt(bx, by), pt(x, y))
}

// Close closes the part of the path.
func (p *Path) Close() *Path { return p.Add(Close) }

func pt(x, y int) Pt { return Pt{float64(x), float64(y)} }

// Arc adds the part of a circle around a centre that leads on from the end of the
// path by a number of quarter turns, clockwise.
func (p *Path) Arc(cx, cy float64, quarters int) *Path {
	from := Pt{p.end().X - cx, p.end().Y - cy}
	const k = 0.5522847498307936 // 4/3·tan(π/8)
	for range quarters {
		to := Pt{-from.Y, from.X}
		p.Add(Cube, Pt{cx + from.X + k*to.X, cy + from.Y + k*to.Y}, Pt{cx + to.X + k*from.X, cy + to.Y + k*from.Y},
			Pt{cx + to.X, cy + to.Y})
		from = to
	}
	return p
}

// Rect returns a rectangle with corners of radius r.
func Rect(x, y, w, h, r int) Path {
	var p Path
	r = max(0, min(r, w/2, h/2))
	if r == 0 {
		p.At(x, y).H(x + w).V(y + h).H(x).Close()
		return p
	}
	corner := func(cx, cy int) { p.Arc(float64(cx), float64(cy), 1) }
	p.At(x+r, y).H(x + w - r)
	corner(x+w-r, y+r)
	p.V(y + h - r)
	corner(x+w-r, y+h-r)
	p.H(x + r)
	corner(x+r, y+h-r)
	p.V(y + r)
	corner(x+r, y+r)
	p.Close()
	return p
}

// Bounds returns the corners of the smallest rectangle that holds all points.
func (p *Path) Bounds() (lo, hi Pt) {
	if len(p.Pts) == 0 {
		return
	}
	lo, hi = p.Pts[0], p.Pts[0]
	for _, q := range p.Pts[1:] {
		lo = Pt{math.Min(lo.X, q.X), math.Min(lo.Y, q.Y)}
		hi = Pt{math.Max(hi.X, q.X), math.Max(hi.Y, q.Y)}
	}
	return lo, hi
}
