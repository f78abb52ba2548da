package layered

import (
	"cmp"
	"slices"
)

// Chains that were cut (narrow.go) step aside and back even where nothing is in the way. When all
// cells have their places, each line gets as few bends as the room that others leave it allows: it
// keeps its x as far down as one x is free in all of its rows. No line can have fewer bends: one
// that bends earlier has no more room below. Trunks between a line and cells with a final place
// give way.

// straightener makes lines straight, one after the other.
type straightener struct {
	m      *mover
	c      *cells
	done   []bool // cells with a final place
	bounds []room // of all cells of each column
	rooms  []room // of the current line
	xs     []int
}

// room is a range of possible places.
type room struct{ lo, hi int }

// none is no room.
var none = room{far, -far}

func (r room) and(o room) room { return room{max(r.lo, o.lo), min(r.hi, o.hi)} }

func (r room) nearest(x int) int { return min(max(x, r.lo), r.hi) }

// maxAside is how many trunks at each side of a cell may give way.
const maxAside = 40

// straighten makes the lines straight, the longest first.
func (m *mover) straighten() {
	s := &straightener{m: m, c: m.c, done: make([]bool, len(m.c.cell))}
	s.bound()
	for _, l := range s.lines() {
		s.place(l)
	}
}

// column is the column of a row.
func (c *cells) column(row int) int {
	if c.cut == nil {
		return 0
	}
	return c.cols[row]
}

// bound finds how far cells of each column may go: drawings do not get wider.
func (s *straightener) bound() {
	c := s.c
	s.bounds = make([]room, c.column(len(c.rows)-1)+1)
	for i := range s.bounds {
		s.bounds[i] = none
	}
	for _, x := range c.cell {
		b := &s.bounds[c.column(x.row)]
		b.lo, b.hi = min(b.lo, x.x-x.w/2), max(b.hi, x.x+x.w/2)
	}
}

// lines lists the cells of each line, from the top: of trunks, and of edges that request a straight
// line, with the boxes through which they lead.
func (s *straightener) lines() [][]int {
	c := s.c
	next, prev := fill(len(c.cell)), fill(len(c.cell))
	for i := range c.links {
		l := &c.links[i]
		if c.cut != nil && c.cut[c.cell[l.b].row] || next[l.a] >= 0 || prev[l.b] >= 0 {
			continue
		}
		if l.weight == weightStraight || c.cell[l.a].kind != boxCell && c.cell[l.a].net == c.cell[l.b].net {
			next[l.a], prev[l.b] = l.b, l.a
		}
	}
	var lines [][]int
	all := make([]int, 0, len(c.cell))
	for v := range c.cell {
		if prev[v] >= 0 || next[v] < 0 {
			continue
		}
		from := len(all)
		for x := v; x >= 0; x = next[x] {
			all = append(all, x)
		}
		lines = append(lines, all[from:])
	}
	slices.SortStableFunc(lines, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	return lines
}

// place places the cells of a line.
func (s *straightener) place(line []int) {
	s.rooms = s.rooms[:0]
	for _, v := range line {
		s.rooms = append(s.rooms, s.room(v))
	}
	for from := 0; from < len(line); {
		common := s.rooms[from]
		to := from + 1
		for ; to < len(line); to++ {
			both := common.and(s.rooms[to])
			if both.lo > both.hi {
				break
			}
			common = both
		}
		x := s.best(line[from:to], common)
		for _, v := range line[from:to] {
			s.move(v, x)
		}
		from = to
	}
}

// best returns the best x for a part of a line: one where it goes straight on into
// the boxes at its ends, and else the nearest to where most of it is.
func (s *straightener) best(part []int, common room) int {
	c := s.c
	s.xs = s.xs[:0]
	for _, v := range part {
		s.xs = append(s.xs, c.cell[v].x)
	}
	slices.Sort(s.xs)
	x := common.nearest(s.xs[len(s.xs)/2])
	upper, lower := s.end(&c.up, part[0]), s.end(&c.down, part[len(part)-1])
	for _, r := range [3]room{upper.and(lower), upper, lower} {
		r = r.and(common)
		r = room{(r.lo + grid - 1) / grid * grid, r.hi / grid * grid}
		if r.lo <= r.hi {
			return r.nearest(x)
		}
	}
	return x
}

// end returns where a trunk that ends in a cell may meet its box, by the cell's links
// up or down.
func (s *straightener) end(links *lists, v int) room {
	ls := links.of(v)
	if len(ls) != 1 || s.c.cell[v].kind != trunkCell {
		return none
	}
	l := &s.c.links[ls[0]]
	box := &s.c.cell[l.a+l.b-v]
	if box.kind != boxCell {
		return none
	}
	return box.side()
}

// side is where lines may meet a box.
func (x *cell) side() room { return room{x.x - x.w/2 + portCorner, x.x + x.w/2 - portCorner} }

// room finds the possible places of a cell, if trunks give way.
func (s *straightener) room(v int) room {
	x := s.c.cell[v].x
	return room{min(x, s.reach(v, -1)), max(x, s.reach(v, 1))}
}

// reach returns how far to the left, -1, or to the right a cell may go.
func (s *straightener) reach(v, dir int) int {
	c := s.c
	row := c.rows[c.cell[v].row]
	gaps := 0 // from v to the cell at hand
	for i := c.pos[v]; ; i += dir {
		o := &c.cell[row[i]]
		if n := abs(i - c.pos[v]); n > 0 && (s.done[row[i]] || o.kind == boxCell || n > maxAside) {
			return o.x - dir*gaps
		}
		b := s.bounds[c.column(o.row)]
		switch {
		case dir < 0 && i == 0:
			return (b.lo+o.w/2+grid-1)/grid*grid + gaps
		case dir < 0:
			gaps += s.m.left[row[i]].gap
		case i == len(row)-1:
			return (b.hi-o.w/2)/grid*grid - gaps
		default:
			gaps += s.m.left[row[i+1]].gap
		}
	}
}

// move gives a cell its final place x, and moves others out of its way.
func (s *straightener) move(v, x int) {
	c := s.c
	s.done[v] = true
	c.cell[v].x = x
	row := c.rows[c.cell[v].row]
	for i := c.pos[v]; i > 0; i-- {
		most := c.cell[row[i]].x - s.m.left[row[i]].gap
		if c.cell[row[i-1]].x <= most {
			break
		}
		c.cell[row[i-1]].x = most
	}
	for i := c.pos[v] + 1; i < len(row); i++ {
		least := c.cell[row[i-1]].x + s.m.left[row[i]].gap
		if c.cell[row[i]].x >= least {
			break
		}
		c.cell[row[i]].x = least
	}
}
