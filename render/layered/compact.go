package layered

import (
	"cmp"
	"slices"
)

// Rows are as high as their highest box, and channels as high as all of their tracks
// need, wherever these are. When all is placed, every box, every level line and every level edge of
// an area moves up as far as the things above it allow, one after the other from the top:
// compaction in one dimension, as of circuits (T. Lengauer, "Combinatorial algorithms for
// integrated circuit layout", 1990, chapter 10). Of two things that have an x in common the upper
// one stays the upper one. So lines cross what they crossed, and no other thing, and have the same
// corners.

// levelKind says what moves up.
type levelKind uint8

const (
	levelBox levelKind = iota
	levelLine
	levelEdge // of an area
)

// level is a thing that moves up: from x0 to x1, h high.
type level struct {
	kind   levelKind
	x0, x1 int
	y, h   int
	up     int // its new y

	above, below int // of a box
}

// compacting is a placement that is being made lower.
type compacting struct {
	g      Graph
	p      *Placement
	opt    Options
	levels []level
	boxes  []int // level of each box
	lines  []int // levels of lines, by y and x0
	edges  map[levelAt]int
	above  skyline
}

// levelAt is where an edge of an area is.
type levelAt struct{ y, x0, x1 int }

// tighten makes a placement lower.
func tighten(g Graph, p *Placement, opt Options) {
	c := &compacting{g: g, p: p, opt: opt, edges: map[levelAt]int{}}
	c.levels = make([]level, 0, len(g.Nodes)+corners(p))
	c.boxes = make([]int, 0, len(g.Nodes))
	for v, n := range g.Nodes {
		c.boxes = append(c.boxes, c.add(level{kind: levelBox, x0: p.Nodes[v].X, x1: p.Nodes[v].X + n.W,
			y: p.Nodes[v].Y, h: n.H, above: n.Above, below: n.Below}))
	}
	c.addLines()
	for i := range p.Loops {
		eachEdge(&p.Loops[i], func(at levelAt) {
			if _, ok := c.edges[at]; !ok {
				c.edges[at] = c.add(level{kind: levelEdge, x0: at.x0, x1: at.x1, y: at.y})
			}
		})
	}
	order := make([]int, len(c.levels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(c.levels[i].y, c.levels[j].y) })
	for _, i := range order {
		c.lift(&c.levels[i])
	}
	c.apply()
}

// corners counts the points of all lines.
func corners(p *Placement) int {
	n := 0
	for i := range p.Routes {
		n += len(p.Routes[i].Points)
	}
	return n
}

func (c *compacting) add(l level) int {
	c.levels = append(c.levels, l)
	return len(c.levels) - 1
}

// lift moves one thing up.
func (c *compacting) lift(l *level) {
	const beside = grid - 1 // things nearer than that stay above, too
	l.up = 0
	if l.y < 0 {
		l.up = l.y
	}
	c.above.over(l.x0-beside, l.x1+beside, func(o *level) {
		l.up = max(l.up, o.up+o.h+min(l.y-o.y-o.h, c.apart(o, l)))
	})
	c.above.put(l)
}

// apart is the least distance between a thing and one below it.
func (c *compacting) apart(upper, lower *level) int {
	switch {
	case upper.kind == levelBox && lower.kind == levelBox:
		return c.opt.ChanTop + upper.below + lower.above + c.opt.ChanEnd
	case upper.kind == levelBox && lower.kind == levelLine:
		return c.opt.ChanTop + upper.below
	case lower.kind == levelBox:
		return c.opt.ChanEnd + lower.above
	}
	return c.opt.TrackGap
}

// addLines adds the level parts of lines. Those that meet at one height are of one trunk, and go up
// together. A corner at which a line goes straight on is a part of length 0: another line of its
// trunk turns there.
func (c *compacting) addLines() {
	parts := make([]level, 0, corners(c.p))
	for i := range c.p.Routes {
		pts := c.p.Routes[i].Points
		for k := 1; k+1 < len(pts); k++ {
			a, q, b := pts[k-1], pts[k], pts[k+1]
			if a.Y == q.Y {
				parts = append(parts, level{kind: levelLine, x0: min(a.X, q.X), x1: max(a.X, q.X), y: q.Y})
			} else if b.Y != q.Y {
				parts = append(parts, level{kind: levelLine, x0: q.X, x1: q.X, y: q.Y})
			}
		}
	}
	for _, l := range meeting(parts) {
		c.lines = append(c.lines, c.add(l))
	}
}

// meeting sorts lines, and makes one of those that meet at one height.
func meeting(parts []level) []level {
	slices.SortFunc(parts, func(a, b level) int { return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(a.x0, b.x0)) })
	out := parts[:0]
	for _, l := range parts {
		if n := len(out); n > 0 && out[n-1].y == l.y && l.x0 <= out[n-1].x1 {
			out[n-1].x1 = max(out[n-1].x1, l.x1)
			continue
		}
		out = append(out, l)
	}
	return out
}

// line returns the new y of the level line through a point.
func (c *compacting) line(q Point) int {
	i, ok := slices.BinarySearchFunc(c.lines, q, func(i int, q Point) int {
		return cmp.Or(cmp.Compare(c.levels[i].y, q.Y), cmp.Compare(c.levels[i].x0, q.X))
	})
	if !ok {
		i--
	}
	return c.levels[c.lines[i]].up
}

// apply moves everything to its new place.
func (c *compacting) apply() {
	c.p.H = 0
	for v := range c.p.Nodes {
		c.p.Nodes[v].Y = c.levels[c.boxes[v]].up
		c.p.H = max(c.p.H, c.p.Nodes[v].Y+c.g.Nodes[v].H)
	}
	for i := range c.p.Routes {
		pts := c.p.Routes[i].Points
		for k := range pts {
			switch e := c.g.Edges[i]; k {
			case 0:
				pts[k].Y = c.p.Nodes[e.From].Y + c.g.Nodes[e.From].H
			case len(pts) - 1:
				pts[k].Y = c.p.Nodes[e.To].Y
			default:
				pts[k].Y = c.line(pts[k])
			}
			c.p.H = max(c.p.H, pts[k].Y)
		}
	}
	for i := range c.p.Loops {
		r := &c.p.Loops[i]
		r.Bands = c.bands(r.Bands)
		for k := range r.Holes {
			b := &r.Holes[k]
			b.Y0, b.Y1 = c.edge(b.Y0, b.X0, b.X1), c.edge(b.Y1, b.X0, b.X1)
		}
		if n := len(r.Bands); n > 0 {
			c.p.H = max(c.p.H, r.Bands[n-1].Y1)
		}
	}
}

// edge returns the new y of an edge of an area.
func (c *compacting) edge(y, x0, x1 int) int {
	return c.levels[c.edges[levelAt{y, min(x0, x1), max(x0, x1)}]].up
}

// eachEdge calls f with each level edge of an area.
func eachEdge(r *Region, f func(levelAt)) {
	for i, b := range r.Bands {
		if i == 0 {
			f(levelAt{b.Y0, b.X0, b.X1})
		} else {
			a := r.Bands[i-1]
			if a.X0 != b.X0 {
				f(levelAt{b.Y0, min(a.X0, b.X0), max(a.X0, b.X0)})
			}
			if a.X1 != b.X1 {
				f(levelAt{b.Y0, min(a.X1, b.X1), max(a.X1, b.X1)})
			}
		}
		if i == len(r.Bands)-1 {
			f(levelAt{b.Y1, b.X0, b.X1})
		}
	}
	for _, b := range r.Holes {
		f(levelAt{b.Y0, b.X0, b.X1})
		f(levelAt{b.Y1, b.X0, b.X1})
	}
}

// step is where the left or right side of an area goes on at another x.
type step struct{ y, x int }

// bands returns the bands of an area after its edges moved up: each side now steps at other
// heights.
func (c *compacting) bands(old []Band) []Band {
	if len(old) == 0 {
		return old
	}
	top := c.edge(old[0].Y0, old[0].X0, old[0].X1)
	left, right := []step{{top, old[0].X0}}, []step{{top, old[0].X1}}
	for i := 1; i < len(old); i++ {
		a, b := old[i-1], old[i]
		if a.X0 != b.X0 {
			left = append(left, step{c.edge(b.Y0, a.X0, b.X0), b.X0})
		}
		if a.X1 != b.X1 {
			right = append(right, step{c.edge(b.Y0, a.X1, b.X1), b.X1})
		}
	}
	last := old[len(old)-1]
	end := c.edge(last.Y1, last.X0, last.X1)
	var r Region
	for y := top; y < end; {
		x0, x1 := left[0].x, right[0].x
		next := end
		if len(left) > 1 {
			next = min(next, left[1].y)
		}
		if len(right) > 1 {
			next = min(next, right[1].y)
		}
		if next > y {
			r.add(Band{x0, y, x1, next})
		}
		for len(left) > 1 && left[1].y <= next {
			left = left[1:]
		}
		for len(right) > 1 && right[1].y <= next {
			right = right[1:]
		}
		y = next
	}
	return r.Bands
}

// skyline holds for each x the lowest thing so far.
type skyline struct {
	from []int    // x from which
	what []*level // this is the lowest
}

// over calls f with all things that are lowest somewhere from x0 to x1.
func (s *skyline) over(x0, x1 int, f func(*level)) {
	i, ok := slices.BinarySearch(s.from, x0)
	if !ok && i > 0 {
		i--
	}
	var last *level
	for ; i < len(s.from) && s.from[i] <= x1; i++ {
		if o := s.what[i]; o != nil && o != last {
			f(o)
			last = o
		}
	}
}

// put makes a thing the lowest over its extent, except where a thing beside which it is reaches
// lower.
func (s *skyline) put(l *level) {
	i, _ := slices.BinarySearch(s.from, l.x0)
	j, ok := slices.BinarySearch(s.from, l.x1+1)
	var at *level // the lowest at x0
	if i > 0 {
		at = s.what[i-1]
	}
	from, what := []int{l.x0}, []*level{l.lower(at)}
	for k := i; k < j; k++ {
		at = s.what[k]
		if s.from[k] == l.x0 {
			what[0] = l.lower(at)
		} else if o := l.lower(at); o != what[len(what)-1] {
			from, what = append(from, s.from[k]), append(what, o)
		}
	}
	if !ok {
		from, what = append(from, l.x1+1), append(what, at)
	}
	s.from, s.what = slices.Replace(s.from, i, j, from...), slices.Replace(s.what, i, j, what...)
}

// lower returns that of two things that reaches lower.
func (l *level) lower(o *level) *level {
	if o != nil && o.y+o.h > l.y+l.h {
		return o
	}
	return l
}
