package layered

import (
	"cmp"
	"slices"
)

// After a placement went up (compact.go) it is made as narrow as it can be: boxes, upright lines
// and upright edges of areas keep their order from left to right wherever they have a height in
// common. Boxes and the lines that leave and enter them move as one piece, so that straight lines
// stay straight. A piece moves no farther than the width needs; then pieces with a long line
// between them move closer, as far as their neighbours allow.

// squeezing is a placement that is being made narrower. Its levels are those of
// compacting with x and y changed: y is the place from left to right, h the width.
type squeezing struct {
	g      Graph
	p      *Placement
	opt    Options
	levels []level
	piece  []int // of each level, its piece: union-find
	lines  []int // levels of lines, by x and y0
	edges  map[levelAt]int
	bounds []bound
	pulls  [][]tug // of each piece
	moves  []int   // of each piece
	width  int
}

// bound says that piece b is to move at least least farther than piece a.
type bound struct{ a, b, least int }

// tug is a line from one piece to another. It has no length if the moves of the two differ by want.
type tug struct{ other, want int }

// squeeze makes a placement narrower.
func squeeze(g Graph, p *Placement, opt Options) {
	s := &squeezing{g: g, p: p, opt: opt, edges: map[levelAt]int{}}
	room := len(g.Nodes) + corners(p)
	s.levels, s.piece = make([]level, 0, room), make([]int, 0, room)
	for v, n := range g.Nodes {
		s.add(level{kind: levelBox, x0: p.Nodes[v].Y, x1: p.Nodes[v].Y + n.H, y: p.Nodes[v].X, h: n.W})
	}
	s.addLines()
	for i := range p.Loops {
		eachSide(&p.Loops[i], func(at levelAt) {
			if _, ok := s.edges[at]; !ok {
				s.edges[at] = s.add(level{kind: levelEdge, x0: at.x0, x1: at.x1, y: at.y})
			}
		})
	}
	s.join()
	s.bind()
	if s.leftmost() {
		s.settle()
		s.apply()
	}
}

func (s *squeezing) add(l level) int {
	s.levels = append(s.levels, l)
	s.piece = append(s.piece, len(s.piece))
	return len(s.levels) - 1
}

// addLines adds the upright parts of lines, those that meet as one, and corners where
// a line goes straight on: another one of its trunk turns there.
func (s *squeezing) addLines() {
	parts := make([]level, 0, corners(s.p))
	for i := range s.p.Routes {
		pts := s.p.Routes[i].Points
		for k := 0; k+1 < len(pts); k++ {
			if a, b := pts[k], pts[k+1]; a.X == b.X {
				parts = append(parts, level{kind: levelLine, x0: min(a.Y, b.Y), x1: max(a.Y, b.Y), y: a.X})
			} else if k > 0 && pts[k-1].X != a.X {
				parts = append(parts, level{kind: levelLine, x0: a.Y, x1: a.Y, y: a.X})
			}
		}
	}
	for _, l := range meeting(parts) {
		s.lines = append(s.lines, s.add(l))
	}
}

// line returns the level of the upright line through a point.
func (s *squeezing) line(q Point) int {
	i, ok := slices.BinarySearchFunc(s.lines, q, func(i int, q Point) int {
		return cmp.Or(cmp.Compare(s.levels[i].y, q.X), cmp.Compare(s.levels[i].x0, q.Y))
	})
	if !ok {
		i--
	}
	return s.lines[i]
}

func (s *squeezing) find(i int) int {
	for s.piece[i] != i {
		s.piece[i] = s.piece[s.piece[i]]
		i = s.piece[i]
	}
	return i
}

// join puts boxes and their lines together.
func (s *squeezing) join() {
	for i := range s.p.Routes {
		pts := s.p.Routes[i].Points
		if len(pts) == 0 {
			continue
		}
		e := s.g.Edges[i]
		for _, at := range [2]struct {
			box int
			q   Point
		}{{e.From, pts[0]}, {e.To, pts[len(pts)-1]}} {
			s.piece[s.find(s.line(at.q))] = s.find(at.box)
		}
	}
	for i := range s.piece {
		s.piece[i] = s.find(i)
	}
	s.pulls = make([][]tug, len(s.levels))
	for i := range s.p.Routes {
		r := &s.p.Routes[i]
		for k := max(1, r.First+1); k <= r.Last && k < len(r.Points); k++ {
			p, q := r.Points[k-1], r.Points[k]
			if p.X == q.X {
				continue
			}
			if a, b := s.piece[s.line(p)], s.piece[s.line(q)]; a != b {
				s.pulls[a] = append(s.pulls[a], tug{b, q.X - p.X})
				s.pulls[b] = append(s.pulls[b], tug{a, p.X - q.X})
			}
		}
	}
}

// bind finds which pieces are beside each other.
func (s *squeezing) bind() {
	order := make([]int, len(s.levels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(s.levels[i].y, s.levels[j].y) })
	for i := range s.levels {
		s.levels[i].up = s.piece[i] // for the skyline's answers
	}
	var left skyline
	for _, i := range order {
		l := &s.levels[i]
		left.over(l.x0-s.opt.TrackGap+1, l.x1+s.opt.TrackGap-1, func(o *level) {
			if o.up != l.up {
				slack := l.y - o.y - o.h
				s.bounds = append(s.bounds, bound{o.up, l.up, min(slack, s.apart(o.kind, l.kind)) - slack})
			}
		})
		left.put(l)
	}
}

// apart is the least distance between a thing and one at its right.
func (s *squeezing) apart(a, b levelKind) int {
	switch {
	case a == levelBox && b == levelBox:
		return s.opt.MinGap
	case a == levelBox || b == levelBox: // half of what is between boxes has room for a label
		return max(12, (s.opt.MinGap-s.opt.TrackGap)/2)
	}
	return s.opt.TrackGap
}

// maxRounds bounds how often all bounds are looked at. Each round settles the pieces that depend on
// the round before; programs need few.
const maxRounds = 200

// leftmost finds the least width, and for each piece the least move that achieves it. It reports
// false if that takes too long.
func (s *squeezing) leftmost() bool {
	left := make([]int, len(s.levels))
	for i := range left {
		left[i] = far
	}
	for i := range s.levels {
		left[s.piece[i]] = min(left[s.piece[i]], s.levels[i].y)
	}
	for i := range left {
		left[i] = -left[i]
	}
	if !s.push(func(b bound) bool {
		if left[b.b] >= left[b.a]+b.least {
			return false
		}
		left[b.b] = left[b.a] + b.least
		return true
	}, false) {
		return false
	}
	for i, l := range s.levels {
		s.width = max(s.width, l.y+l.h+left[s.piece[i]])
	}
	s.moves = make([]int, len(s.levels))
	for i, l := range s.levels {
		s.moves[s.piece[i]] = min(s.moves[s.piece[i]], s.width-l.y-l.h)
	}
	return s.push(func(b bound) bool {
		if s.moves[b.a] <= s.moves[b.b]-b.least {
			return false
		}
		s.moves[b.a] = s.moves[b.b] - b.least
		return true
	}, true)
}

// push applies f to all bounds until it changes nothing.
func (s *squeezing) push(f func(bound) bool, back bool) bool {
	for range maxRounds {
		more := false
		for i := range s.bounds {
			if back {
				i = len(s.bounds) - 1 - i
			}
			more = f(s.bounds[i]) || more
		}
		if !more {
			return true
		}
	}
	return false
}

// settle moves pieces to the places where their lines are shortest.
func (s *squeezing) settle() {
	before := makeLists(len(s.levels), func(add func(piece, bound int)) {
		for i := range s.bounds {
			add(s.bounds[i].b, i)
		}
	})
	after := makeLists(len(s.levels), func(add func(piece, bound int)) {
		for i := range s.bounds {
			add(s.bounds[i].a, i)
		}
	})
	lo, hi := make([]int, len(s.levels)), make([]int, len(s.levels))
	for i := range hi {
		lo[i], hi[i] = -far, far
	}
	var order []int
	for i, l := range s.levels {
		k := s.piece[i]
		lo[k], hi[k] = max(lo[k], -l.y), min(hi[k], s.width-l.y-l.h)
		if k == i && len(s.pulls[i]) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(s.levels[i].y, s.levels[j].y) })
	var want []int
	for range 6 {
		slices.Reverse(order)
		for _, k := range order {
			lo, hi := lo[k], hi[k]
			for _, i := range before.of(k) {
				lo = max(lo, s.moves[s.bounds[i].a]+s.bounds[i].least)
			}
			for _, i := range after.of(k) {
				hi = min(hi, s.moves[s.bounds[i].b]-s.bounds[i].least)
			}
			want = want[:0]
			for _, u := range s.pulls[k] {
				want = append(want, s.moves[u.other]+u.want)
			}
			slices.Sort(want)
			// All places between the two in the middle are equally good.
			n := len(want)
			best := min(max(s.moves[k], want[(n-1)/2]), want[n/2])
			if lo <= hi {
				s.moves[k] = min(max(best, lo), hi)
			}
		}
	}
}

// apply moves everything to its new place.
func (s *squeezing) apply() {
	move := func(level int) int { return s.moves[s.piece[level]] }
	s.p.W = s.width
	var moves []int
	for i := range s.p.Routes {
		pts := s.p.Routes[i].Points
		moves = moves[:0]
		for _, q := range pts {
			moves = append(moves, move(s.line(q)))
		}
		for k := range pts {
			pts[k].X += moves[k]
		}
	}
	for v := range s.p.Nodes {
		s.p.Nodes[v].X += move(v)
	}
	for i := range s.p.Loops {
		r := &s.p.Loops[i]
		out := slices.Clone(r.Bands)
		for k, b := range r.Bands {
			out[k].X0 += move(s.edges[side(r.Bands, k, func(b Band) int { return b.X0 })])
			out[k].X1 = b.X1 + move(s.edges[side(r.Bands, k, func(b Band) int { return b.X1 })])
		}
		r.Bands = nil
		for _, b := range out {
			r.add(b)
		}
		for k, b := range r.Holes {
			r.Holes[k].X0 += move(s.edges[levelAt{b.X0, b.Y0, b.Y1}])
			r.Holes[k].X1 = b.X1 + move(s.edges[levelAt{b.X1, b.Y0, b.Y1}])
		}
	}
}

// side returns the side of an area of which band k has a part: as far up and down as
// the bands have the same x there.
func side(bands []Band, k int, x func(Band) int) levelAt {
	from, to := k, k
	for from > 0 && x(bands[from-1]) == x(bands[k]) {
		from--
	}
	for to+1 < len(bands) && x(bands[to+1]) == x(bands[k]) {
		to++
	}
	return levelAt{x(bands[k]), bands[from].Y0, bands[to].Y1}
}

// eachSide calls f with each upright side of an area.
func eachSide(r *Region, f func(levelAt)) {
	for k := range r.Bands {
		f(side(r.Bands, k, func(b Band) int { return b.X0 }))
		f(side(r.Bands, k, func(b Band) int { return b.X1 }))
	}
	for _, b := range r.Holes {
		f(levelAt{b.X0, b.Y0, b.Y1})
		f(levelAt{b.X1, b.Y0, b.Y1})
	}
}
