package raster

import (
	"math"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// pt is a point of the scan converter, in 1/256 of a pixel.
type pt struct{ x, y int64 }

// vec is a point in pixels of the drawing.
type vec = display.Pt

// line is a subpath without curves.
type line struct {
	pts    []vec
	closed bool
}

// flatness is the maximum distance of a line from the curve that it stands for, in pixels of the
// picture.
const flatness = 0.1

// flatten returns a path without curves. Scale is that of the picture, which
// decides how many lines make a curve.
func flatten(p *display.Path, scale float64) []line {
	var out []line
	var cur line
	end := func(closed bool) {
		for i, q := range cur.pts {
			cur.pts[i] = vec{X: snap(q.X), Y: snap(q.Y)}
		}
		if len(cur.pts) > 0 {
			cur.closed = closed
			out = append(out, cur)
		}
		cur = line{}
	}
	pts := p.Pts
	var start, at vec
	for _, op := range p.Ops {
		a := pts[:op.Points()]
		pts = pts[op.Points():]
		if op == display.Close {
			end(true)
			at = start
			continue
		}
		if op == display.Move {
			end(false)
			start, at = a[0], a[0]
			cur.pts = append(cur.pts, at)
			continue
		}
		if len(cur.pts) == 0 { // after a close
			cur.pts = append(cur.pts, at)
		}
		cur.pts = curve(cur.pts, at, a, scale)
		at = a[len(a)-1]
	}
	end(false)
	return out
}

// curve appends the lines from a point along a line, a quadratic or a cubic
// curve. The number of lines follows from the second difference of the controls,
// which bounds how far a curve bends (Wang 1984).
func curve(out []vec, p vec, a []vec, scale float64) []vec {
	n := 1
	if len(a) > 1 {
		bend := second(p, a[0], a[1])
		k := 0.25 // degree 2: 2·1/8
		if len(a) == 3 {
			bend = max(bend, second(a[0], a[1], a[2]))
			k = 0.75 // degree 3: 3·2/8
		}
		n = int(min(max(math.Ceil(snap(math.Sqrt(k*bend*scale/flatness))), 1), 200))
	}
	for i := 1; i < n; i++ {
		t := float64(i) / float64(n)
		u := 1 - t
		var q vec
		if len(a) == 2 {
			q.X = u*u*p.X + 2*u*t*a[0].X + t*t*a[1].X
			q.Y = u*u*p.Y + 2*u*t*a[0].Y + t*t*a[1].Y
		} else {
			q.X = u*u*u*p.X + 3*u*u*t*a[0].X + 3*u*t*t*a[1].X + t*t*t*a[2].X
			q.Y = u*u*u*p.Y + 3*u*u*t*a[0].Y + 3*u*t*t*a[1].Y + t*t*t*a[2].Y
		}
		out = append(out, q)
	}
	return append(out, a[len(a)-1])
}

func second(a, b, c vec) float64 { return snap(math.Hypot(a.X-2*b.X+c.X, a.Y-2*b.Y+c.Y)) }

// snap rounds to a grid that is too fine to be seen, but coarse enough to remove the last bits of a
// sum. These differ between processors, some of which multiply and add in one step, and would
// decide the rounding of points exactly between two steps of the scan converter, as the middle of a
// curve often is.
func snap(x float64) float64 { return math.Round(x*(1<<20)) / (1 << 20) }

// pen draws strokes as polygons, one for each line and one for each joint, which
// all run the same way round.
type pen struct {
	half   float64 // of the width
	dash   []float64
	lo, hi float64 // no dash wholly above lo or below hi need be drawn
	emit   func(poly []vec)
}

// miterLimit is SVG's: a sharper joint is cut off.
const miterLimit = 4

// stroke draws a line.
func (p *pen) stroke(l line) {
	pts := l.pts[:1:1]
	for _, q := range l.pts[1:] {
		if q != pts[len(pts)-1] {
			pts = append(pts, q)
		}
	}
	if n := len(pts); l.closed && n > 1 && pts[0] == pts[n-1] {
		pts = pts[:n-1]
	}
	if len(pts) < 2 {
		return
	}
	if len(p.dash) > 0 {
		p.dashes(pts, l.closed)
		return
	}
	p.solid(pts, l.closed)
}

// solid draws a line without dashes.
func (p *pen) solid(pts []vec, closed bool) {
	n := len(pts)
	for i := range n {
		if i+1 < n {
			p.segment(pts[i], pts[i+1])
		} else if closed {
			p.segment(pts[i], pts[0])
		}
		switch {
		case i > 0 && i+1 < n:
			p.joint(pts[i-1], pts[i], pts[i+1])
		case closed && n > 2:
			p.joint(pts[(i+n-1)%n], pts[i], pts[(i+1)%n])
		}
	}
}

// normal returns the vector of length half at a right angle to the line, to its
// right as y points downwards.
func (p *pen) normal(a, b vec) vec {
	dx, dy := b.X-a.X, b.Y-a.Y
	k := p.half / math.Hypot(dx, dy)
	return vec{X: snap(-dy * k), Y: snap(dx * k)}
}

func (p *pen) segment(a, b vec) {
	n := p.normal(a, b)
	p.emit([]vec{{X: a.X - n.X, Y: a.Y - n.Y}, {X: b.X - n.X, Y: b.Y - n.Y}, {X: b.X + n.X, Y: b.Y + n.Y},
		{X: a.X + n.X, Y: a.Y + n.Y}})
}

// joint fills the outer corner at b.
func (p *pen) joint(a, b, c vec) {
	n, m := p.normal(a, b), p.normal(b, c)
	cross := n.X*m.Y - n.Y*m.X
	dot := n.X*m.X + n.Y*m.Y
	if cross > 0 { // it turns right: the corner is on the left
		n, m = vec{X: -n.X, Y: -n.Y}, vec{X: -m.X, Y: -m.Y}
	}
	u, v := vec{X: b.X + n.X, Y: b.Y + n.Y}, vec{X: b.X + m.X, Y: b.Y + m.Y}
	poly := []vec{b, u, v}
	// With the angle θ between the lines the miter is 1/sin(θ/2) widths long, and
	// sin²(θ/2) = (half²+dot)/(2·half²).
	sq := p.half * p.half
	if sin2 := (sq + dot) / (2 * sq); sin2*miterLimit*miterLimit >= 1 {
		k := sq / (sq + dot)
		poly = []vec{b, u, {X: b.X + (n.X+m.X)*k, Y: b.Y + (n.Y+m.Y)*k}, v}
	}
	if cross < 0 { // the same way round as segments
		for i, j := 1, len(poly)-1; i < j; i, j = i+1, j-1 {
			poly[i], poly[j] = poly[j], poly[i]
		}
	}
	p.emit(poly)
}

// dashes draws the dashes of a line. Those far from the band are skipped by calculation, because a
// long line has thousands.
func (p *pen) dashes(pts []vec, closed bool) {
	total := 0.0
	for _, d := range p.dash {
		total += d
	}
	if closed {
		pts = append(pts[:len(pts):len(pts)], pts[0])
	}
	walked := 0.0 // length of the line before the segment
	var cur []vec
	for i := 0; i+1 < len(pts); i++ {
		a, b := pts[i], pts[i+1]
		length := snap(math.Hypot(b.X-a.X, b.Y-a.Y))
		from, to := p.visible(a, b, length)
		if from > 0 {
			cur = p.flush(cur)
			// Dashes are drawn whole: the ends of a part would be rounded in another way.
			from = max(0, from-math.Mod(walked+from, total))
		}
		at := from
		for at < to {
			on, left := p.phase(math.Mod(walked+at, total))
			next := min(at+left, length)
			if on {
				if len(cur) == 0 {
					cur = append(cur, along(a, b, at/length))
				}
				if end := along(a, b, next/length); end != cur[len(cur)-1] { // a dash may begin at a corner
					cur = append(cur, end)
				}
			}
			if !on || at+left <= length {
				cur = p.flush(cur)
			}
			at = next
		}
		if at < length {
			cur = p.flush(cur)
		}
		walked += length
	}
	p.flush(cur)
}

func (p *pen) flush(cur []vec) []vec {
	if len(cur) > 1 {
		p.solid(cur, false)
	}
	return nil
}

func along(a, b vec, t float64) vec {
	return vec{X: snap(a.X + (b.X-a.X)*t), Y: snap(a.Y + (b.Y-a.Y)*t)}
}

// visible returns the part of a segment that is in reach of the band, as lengths
// from its start.
func (p *pen) visible(a, b vec, length float64) (from, to float64) {
	const joint = miterLimit + 1 // half widths that a joint reaches, and one more
	lo, hi := p.lo-joint*p.half, p.hi+joint*p.half
	if max(a.Y, b.Y) < lo || min(a.Y, b.Y) > hi {
		return length, length
	}
	from, to = 0, length
	if dy := b.Y - a.Y; dy != 0 {
		t0, t1 := (lo-a.Y)/dy*length, (hi-a.Y)/dy*length
		from, to = max(0, min(t0, t1)), min(length, max(t0, t1))
	}
	return from, to
}

// phase returns whether there is a dash at a length into the pattern, and how far that continues.
func (p *pen) phase(at float64) (on bool, left float64) {
	const tiny = 1e-6
	on = true
	for _, d := range p.dash {
		if at < d-tiny {
			return on, d - at
		}
		at = max(0, at-d)
		on = !on
	}
	return true, p.dash[0]
}
