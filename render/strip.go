package render

import (
	"cmp"
	"slices"
)

// Sizes of the machine code half in pixels.
const (
	gutter     = 120 // between the halves, for links
	stripW     = 180
	maxLanes   = 24
	laneW      = 8
	tableGap   = 40
	tableW     = 240
	tableHead  = 40
	tableLimit = 1000 // rows of a table
)

// placeStrip places the machine code half right of x, between top and the
// bottom of the other half, and returns the new right and bottom.
func (l *Layout) placeStrip(s *Scene, x, top, bottom int) (right, newBottom int) {
	m := s.Image
	st := &Strip{Len: m.Len}
	l.Strip = st
	if len(l.Funcs) > 0 {
		x += gutter
	}
	// To scale, as high as the other half, and more if that gives most pieces
	// room for a label.
	h := max(bottom-top-24, 200)
	if len(m.Pieces) < 2000 {
		h = max(h, min(11*len(m.Pieces), h+h/2))
	}
	if len(l.Funcs) == 0 {
		h = max(h, min(11*len(m.Pieces), 30_000))
	}
	h = min(h, 8*m.Len)
	st.Rect = Rect{x, top + 24, stripW, h}
	for _, p := range m.Pieces {
		y0, y1 := st.at(p.Offset), st.at(p.Offset+p.Len)
		st.Pieces = append(st.Pieces, Rect{st.X, y0, stripW, y1 - y0})
	}
	for _, f := range m.Funcs {
		y0, y1 := st.at(f.Offset), st.at(f.Offset+f.Len)
		st.Funcs = append(st.Funcs, Rect{st.X, y0, stripW, y1 - y0})
	}
	right = st.X + stripW + st.placeArcs(s)
	right, newBottom = l.placeTables(s, right, st.Y, max(bottom, st.Y+h+8))
	l.placeLinks(s)
	return right + 8, newBottom
}

// at returns the y of a byte offset.
func (st *Strip) at(offset int) int {
	if st.Len == 0 {
		return st.Y
	}
	return st.Y + int(int64(offset)*int64(st.H)/int64(st.Len))
}

// placeArcs draws the jumps as arcs on the right of the strip and returns the
// width taken: short jumps near the strip, longer ones around them. Jumps
// beyond maxLanes share the outermost lane.
//
// An indirect jump by way of a table has no arc: it has a line to the table,
// whose rows point to the targets.
func (st *Strip) placeArcs(s *Scene) int {
	m := s.Image
	st.Arcs = make([]Arc, len(m.Jumps))
	var order []int
	tabled := s.tabledJumps()
	for i := range m.Jumps {
		if !tabled[i] {
			order = append(order, i)
		}
	}
	length := func(i int) int { j := m.Jumps[i]; return max(j.From-j.To, j.To-j.From) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(length(a), length(b)) })
	lanes := newLanes(m.Len + 1)
	used := 0
	for _, i := range order {
		j := m.Jumps[i]
		lane := min(maxLanes, lanes.take(min(j.From, j.To), max(j.From, j.To)))
		used = max(used, lane)
		st.Arcs[i] = Arc{X: st.X + stripW, Y0: st.at(j.From), Y1: st.at(j.To), Bulge: 10 + laneW*lane}
	}
	return 12 + laneW*(used+1)
}

// lanes assigns each interval the least lane above all that it overlaps: a
// Fenwick-like tree of maxima over offsets, scaled down to bound its size.
type lanes struct {
	shift int
	full  []int
	best  []int
	size  int
}

func newLanes(n int) *lanes {
	ls := &lanes{}
	for n>>ls.shift > 1<<16 {
		ls.shift++
	}
	for ls.size = 1; ls.size <= n>>ls.shift; ls.size *= 2 {
	}
	ls.full, ls.best = make([]int, 2*ls.size), make([]int, 2*ls.size)
	return ls
}

func (ls *lanes) take(lo, hi int) int {
	lo, hi = lo>>ls.shift, hi>>ls.shift
	n := 1 + ls.query(1, 0, ls.size-1, lo, hi)
	ls.set(1, 0, ls.size-1, lo, hi, n)
	return n
}

// query and set recurse to the depth of the tree, at most 17.
func (ls *lanes) query(i, a, b, lo, hi int) int {
	switch {
	case hi < a || b < lo:
		return 0
	case lo <= a && b <= hi:
		return ls.best[i]
	}
	mid := (a + b) / 2
	return max(ls.full[i], ls.query(2*i, a, mid, lo, hi), ls.query(2*i+1, mid+1, b, lo, hi))
}

func (ls *lanes) set(i, a, b, lo, hi, n int) {
	if hi < a || b < lo {
		return
	}
	ls.best[i] = max(ls.best[i], n)
	if lo <= a && b <= hi {
		ls.full[i] = max(ls.full[i], n)
		return
	}
	mid := (a + b) / 2
	ls.set(2*i, a, mid, lo, hi, n)
	ls.set(2*i+1, mid+1, b, lo, hi, n)
}

// placeTables puts the tables right of the strip, below each other.
func (l *Layout) placeTables(s *Scene, right, top, bottom int) (int, int) {
	st := l.Strip
	st.Aims, st.Feeds = make([][]Aim, len(s.Tables)), make([][]Aim, len(s.Tables))
	if len(s.Tables) == 0 {
		return right, bottom
	}
	x, y := right+tableGap, top
	for t := range s.Tables {
		rows := tableRows(&s.Tables[t])
		tableRow := tableRowHeight(len(rows), st.H)
		h := tableHead + tableRow*len(rows) + 6
		l.Tables = append(l.Tables, Rect{x, y, tableW, h})
		for i, r := range rows {
			if r.offset >= 0 {
				st.Aims[t] = append(st.Aims[t], Aim{Row: i, Y0: y + tableHead + tableRow*i + tableRow/2, Y1: st.at(r.offset)})
			}
		}
		for _, o := range s.feeds(t) {
			st.Feeds[t] = append(st.Feeds[t], Aim{Row: -1, Y0: y + 12, Y1: st.at(o)})
		}
		y += h + 16
	}
	return x + tableW, max(bottom, y)
}

// tableRowHeight returns the height of a table's rows: less where they would
// not fit beside the strip.
func tableRowHeight(rows, stripHeight int) int {
	return min(15, max(11, (stripHeight-tableHead)/max(rows, 1)))
}

// placeLinks ties each block to its first piece with a line through the
// gutter. The ends on the left are in the order of the blocks' places, moved
// apart where they would be nearer than a line of text.
func (l *Layout) placeLinks(s *Scene) {
	st := l.Strip
	if len(l.Funcs) == 0 {
		return
	}
	seen := make([]bool, len(s.Blocks))
	for i, p := range s.Image.Pieces {
		if p.Kind != PieceBlock || seen[p.Block] {
			continue
		}
		seen[p.Block] = true
		r, b := st.Pieces[i], l.Blocks[p.Block]
		st.Links = append(st.Links, Link{Block: p.Block, Piece: i,
			X0: st.X - gutter + 40, Y0: b.Y + min(b.H/2, 40), X1: st.X, Y1: r.Y + r.H/2})
	}
	slices.SortStableFunc(st.Links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.Y0, b.Y0), cmp.Compare(l.Blocks[a.Block].X, l.Blocks[b.Block].X))
	})
	y := 0
	for i := range st.Links {
		y = max(y, st.Links[i].Y0)
		st.Links[i].Y0 = y
		y += 11
	}
}
