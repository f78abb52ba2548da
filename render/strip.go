package render

import (
	"cmp"
	"slices"
)

// Sizes of the machine code half in pixels.
const (
	gutter     = 130 // between the halves, for links
	stripW     = 200
	beforeGap  = 90 // between the strips of two versions
	maxLanes   = 24
	tableGap   = 76
	tableHead  = 54
	tableLimit = 1000 // rows of a table
	linkGap    = 13   // between the names at the left ends of links
)

// placeStrip places the machine code half right of x, between top and the
// bottom of the other half, and returns the new right and bottom.
func (l *Placement) placeStrip(s *Scene, x, top, bottom int, columns bool) (right, newBottom int) {
	if l.Detail == DetailFigure {
		return l.placeFigureStrip(s, x, top, bottom)
	}
	m := s.Image
	if len(l.Funcs) > 0 {
		x += gutter
	}
	// To scale, as high as the other half, and more if that gives most pieces
	// room for a label.
	h := max(bottom-top-24, 200)
	if columns && s.Before == nil && l.foldStrip(s, Rect{x, top + 24, stripW, h}) {
		return l.placeBeside(s, top, bottom)
	}
	if len(m.Pieces) < maxLabelled {
		h = max(h, min(cellLeast*len(m.Pieces), h+h/2))
	}
	if len(l.Funcs) == 0 {
		h = max(h, min(cellLeast*len(m.Pieces), 30_000))
	}
	h = min(h, 8*m.Len)
	var before *Strip
	if s.Before != nil { // both to one scale
		longest := max(m.Len, s.Before.Len, 1)
		before = newStrip(s.Before, Rect{x, top + 24, stripW, int(int64(h) * int64(s.Before.Len) / int64(longest))}, 0)
		h = int(int64(h) * int64(m.Len) / int64(longest))
		bottom = max(bottom, before.Y+before.H+8)
		x += stripW + beforeGap
	}
	st := newStrip(m, Rect{x, top + 24, stripW, h}, 0)
	st.Before = before
	l.Strip = st
	return l.placeBeside(s, top, bottom)
}

// placeBeside places what belongs to the strip: jumps, tables, links.
func (l *Placement) placeBeside(s *Scene, top, bottom int) (right, newBottom int) {
	st := l.Strip
	st.Aims, st.Feeds = make([][]Aim, len(s.Tables)), make([][]Aim, len(s.Tables))
	right = st.placeArcs(s)
	if len(st.Columns) > 0 {
		st.placeParts(s.Image)
	}
	right, newBottom = l.placeTables(s, right, st.Y, max(bottom, st.Y+st.H+8))
	l.placeLinks(s)
	return right + 8, newBottom
}

// newStrip places the pieces and functions of an image in a rectangle. Pieces are
// at least so high: the rectangle grows where that needs it.
func newStrip(m *Image, r Rect, least int) *Strip {
	st := &Strip{Len: m.Len, Rect: r}
	if least > 0 {
		st.stretch(m, least)
	}
	st.placeParts(m)
	return st
}

// placeParts places the pieces and functions of an image.
func (st *Strip) placeParts(m *Image) {
	for _, p := range m.Pieces {
		st.Pieces = append(st.Pieces, st.span(p.Offset, p.Len))
	}
	for _, f := range m.Funcs {
		st.Funcs = append(st.Funcs, st.span(f.Offset, f.Len))
	}
}

// stretch gives each piece a least height, and its share of the rest.
func (st *Strip) stretch(m *Image, least int) {
	bound := 0
	for _, p := range m.Pieces {
		if p.Len > 0 {
			bound += least
		}
	}
	rest := int64(max(st.H-bound, m.Len/8))
	st.H = bound + int(rest)
	share := func(offset int) int { return int(rest * int64(offset) / int64(max(m.Len, 1))) }
	y := st.Y
	for _, p := range m.Pieces {
		if p.Len == 0 {
			continue
		}
		st.Steps = append(st.Steps, Step{p.Offset, y + share(p.Offset)})
		y += least
		st.Steps = append(st.Steps, Step{p.Offset + p.Len, y + share(p.Offset+p.Len)})
	}
}

// at returns the y of a byte offset.
func (st *Strip) at(offset int) int {
	if c := st.column(offset); c != nil {
		return c.at(offset)
	}
	if st.Len == 0 {
		return st.Y
	}
	from, to := Step{0, st.Y}, Step{st.Len, st.Y + st.H}
	i, exact := slices.BinarySearchFunc(st.Steps, offset, func(s Step, o int) int { return cmp.Compare(s.Offset, o) })
	switch {
	case exact:
		return st.Steps[i].Y
	case i < len(st.Steps):
		to = st.Steps[i]
	}
	if i > 0 {
		from = st.Steps[i-1]
	}
	if to.Offset == from.Offset {
		return to.Y
	}
	return from.Y + int(int64(offset-from.Offset)*int64(to.Y-from.Y)/int64(to.Offset-from.Offset))
}

func (l *Placement) tableWidth(s *Scene, rows []tableLine) int {
	c := tableColumns(s, rows, l.Detail.limits())
	return c.width()
}

// middle returns the mean height of the targets of a table's rows.
func (st *Strip) middle(rows []tableLine) int {
	sum, n := 0, 0
	for _, r := range rows {
		if r.offset >= 0 {
			sum, n = sum+st.at(r.offset), n+1
		}
	}
	return sum / max(n, 1)
}

// aimTable sets the ends of the lines between a table and the strip.
func (l *Placement) aimTable(s *Scene, t int) {
	st, r := l.Strip, l.Tables[t]
	rows := tableRows(&s.Tables[t])
	g := gridOf(len(rows), st.H)
	aim := func(row, y, offset int) Aim {
		a := Aim{Row: row, Y0: y, Y1: st.at(offset)}
		if c := st.column(offset); c != nil {
			a.X1 = c.X + c.W
		}
		return a
	}
	for i, row := range rows {
		if row.offset >= 0 {
			st.Aims[t] = append(st.Aims[t], aim(i, g.y(r.Y, i), row.offset))
		}
	}
	for _, o := range s.feeds(t) {
		st.Feeds[t] = append(st.Feeds[t], aim(-1, r.Y+12, o))
	}
}

// placeLinks ties each block to its first piece with a line through the gutter: of the older image,
// if that has one. The left ends are in the order of the blocks' places, and only as far apart as
// their names need.
func (l *Placement) placeLinks(s *Scene) {
	st := l.Strip
	if len(l.Funcs) == 0 {
		return
	}
	seen := make([]bool, len(s.Blocks))
	left := st.X
	add := func(st *Strip, m *Image, before bool) {
		for i, p := range m.Pieces {
			if p.Kind != PieceBlock || seen[p.Block] {
				continue
			}
			seen[p.Block] = true
			r, b := st.Pieces[i], l.Blocks[p.Block]
			l.Strip.Links = append(l.Strip.Links, Link{Block: p.Block, Piece: i, Before: before,
				X0: left - gutter + 50, Y0: b.Y + min(b.H/2, 40), X1: r.X, Y1: r.Y + r.H/2})
		}
	}
	if st.Before != nil {
		left = st.Before.X
		add(st.Before, s.Before, true)
	}
	add(st, s.Image, false)
	slices.SortStableFunc(st.Links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.Y0, b.Y0), cmp.Compare(l.Blocks[a.Block].X, l.Blocks[b.Block].X))
	})
	ys, gaps := make([]int, len(st.Links)), make([]int, len(st.Links))
	for i, k := range st.Links {
		ys[i], gaps[i] = k.Y0, linkGap
	}
	if 0 < len(ys) && len(ys) <= manyLinks { // else they have no names
		spread(ys, gaps, st.Y, max(st.Y+st.H, ys[len(ys)-1]+linkGap))
	}
	for i := range st.Links {
		st.Links[i].Y0 = ys[i]
	}
}

// spread moves ascending places apart so that each is at least its gap before
// the next, by the least sum of squares (pool adjacent violators: M. Ayer et al.,
// "An empirical distribution function for sampling with incomplete information",
// 1955), and then between lo and hi as far as there is room.
func spread(places, gaps []int, lo, hi int) {
	type pool struct{ sum, n int } // of place minus the gaps before it
	var pools []pool
	before := make([]int, len(places)+1)
	for i, y := range places {
		before[i+1] = before[i] + gaps[i]
		pools = append(pools, pool{y - before[i], 1})
		for k := len(pools) - 1; k > 0 && pools[k-1].sum*pools[k].n >= pools[k].sum*pools[k-1].n; k-- {
			pools[k-1] = pool{pools[k-1].sum + pools[k].sum, pools[k-1].n + pools[k].n}
			pools = pools[:k]
		}
	}
	i, last := 0, hi-before[len(places)]
	for _, p := range pools {
		at := max(min(p.sum/p.n, last), lo)
		for range p.n {
			places[i] = at + before[i]
			i++
		}
	}
}
