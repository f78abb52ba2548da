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
func (l *Layout) placeStrip(s *Scene, x, top, bottom int) (right, newBottom int) {
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
	if len(m.Pieces) < 2000 {
		h = max(h, min(12*len(m.Pieces), h+h/2))
	}
	if len(l.Funcs) == 0 {
		h = max(h, min(12*len(m.Pieces), 30_000))
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
	st.Aims, st.Feeds = make([][]Aim, len(s.Tables)), make([][]Aim, len(s.Tables))
	right = st.X + stripW + st.placeArcs(s)
	right, newBottom = l.placeTables(s, right, st.Y, max(bottom, st.Y+h+8))
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
	part := func(offset, n int) Rect {
		y := st.at(offset)
		return Rect{st.X, y, st.W, st.at(offset+n) - y}
	}
	for _, p := range m.Pieces {
		st.Pieces = append(st.Pieces, part(p.Offset, p.Len))
	}
	for _, f := range m.Funcs {
		st.Funcs = append(st.Funcs, part(f.Offset, f.Len))
	}
	return st
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

// rail is the line that the jumps of one kind to one target share.
type rail struct {
	jumps  []int // by their offset
	lo, hi int   // y
}

// rails groups the jumps that have arcs, shortest rails first.
func (st *Strip) rails(s *Scene) []rail {
	type key struct{ to, style int }
	at := map[key]int{}
	var rs []rail
	tabled := s.tabledJumps()
	for i, j := range s.Image.Jumps {
		if tabled[i] {
			continue
		}
		k := key{j.To, kindStyle(j.Kind)}
		r, ok := at[k]
		if !ok {
			r = len(rs)
			at[k] = r
			rs = append(rs, rail{lo: st.at(j.To), hi: st.at(j.To)})
		}
		rs[r].jumps = append(rs[r].jumps, i)
		rs[r].lo, rs[r].hi = min(rs[r].lo, st.at(j.From)), max(rs[r].hi, st.at(j.From))
	}
	for _, r := range rs {
		slices.SortStableFunc(r.jumps, func(a, b int) int {
			return cmp.Compare(s.Image.Jumps[a].From, s.Image.Jumps[b].From)
		})
	}
	slices.SortStableFunc(rs, func(a, b rail) int { return cmp.Compare(a.hi-a.lo, b.hi-b.lo) })
	return rs
}

// placeArcs draws the jumps on the right of the strip and returns the width
// taken. Those of one kind to one target run together on a rail, as fifty
// branches to one exit would be a blot; short rails are near the strip, longer
// ones around them. Jumps for which maxLanes are not enough have no line.
//
// An indirect jump by way of a table has no arc: it has a line to the table,
// whose rows point to the targets.
func (st *Strip) placeArcs(s *Scene) int {
	st.Arcs = make([]Arc, len(s.Image.Jumps))
	rs := st.rails(s)
	lanes := newLanes(st.H + 9)
	lane, used := make([]int, len(rs)), 0
	for i, r := range rs {
		lane[i] = lanes.take(r.lo-st.Y, r.hi-st.Y+8) // 8: lines in one lane stay apart
		if lane[i] <= maxLanes {
			used = max(used, lane[i])
		}
	}
	laneW := 8
	if used > 12 {
		laneW = 6
	}
	for i, r := range rs {
		for n, k := range r.jumps {
			j := s.Image.Jumps[k]
			a := Arc{X: st.X + stripW, Y0: st.at(j.From), Y1: st.at(j.To), Far: lane[i] > maxLanes,
				Bulge: 10 + laneW*min(lane[i], used+1)}
			a.Stem = a.Y1
			if j.From < j.To && n+1 < len(r.jumps) && s.Image.Jumps[r.jumps[n+1]].From < j.To {
				a.Stem = st.at(s.Image.Jumps[r.jumps[n+1]].From)
			} else if j.From >= j.To && n > 0 && s.Image.Jumps[r.jumps[n-1]].From >= j.To {
				a.Stem = st.at(s.Image.Jumps[r.jumps[n-1]].From)
			}
			st.Arcs[k] = a
		}
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

// placeTables puts the tables right of the strip, each as near to the code that
// it points to as the others leave room for.
func (l *Layout) placeTables(s *Scene, right, top, bottom int) (int, int) {
	if len(s.Tables) == 0 {
		return right, bottom
	}
	return l.tablesAt(s, right+tableGap, top, bottom)
}

// tablesAt puts the tables at x.
func (l *Layout) tablesAt(s *Scene, x, top, bottom int) (int, int) {
	st, n := l.Strip, len(s.Tables)
	widest := 0
	l.Tables = make([]Rect, n)
	order, want := make([]int, n), make([]int, n)
	for t := range s.Tables {
		rows := tableRows(&s.Tables[t])
		l.Tables[t] = Rect{x, 0, l.tableWidth(s, rows), tableHead + tableRowHeight(len(rows), st.H)*len(rows) + 6}
		widest = max(widest, l.Tables[t].W)
		order[t], want[t] = t, st.middle(rows)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(want[a], want[b]) })
	places, gaps := make([]int, n), make([]int, n)
	for i, t := range order {
		places[i] = want[t] - l.Tables[t].H/2
		gaps[i] = l.Tables[t].H + 16
	}
	spread(places, gaps, top, bottom)
	for i, t := range order {
		l.Tables[t].Y = places[i]
		l.Tables[t].W = widest
		bottom = max(bottom, places[i]+gaps[i])
		l.aimTable(s, t)
	}
	return x + widest, bottom
}

func (l *Layout) tableWidth(s *Scene, rows []tableLine) int {
	c := tableColumns(s, rows, l.Detail.limits())
	return c.width()
}

// middle returns the mean height of what the rows of a table point to.
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
func (l *Layout) aimTable(s *Scene, t int) {
	st, r := l.Strip, l.Tables[t]
	rows := tableRows(&s.Tables[t])
	high := tableRowHeight(len(rows), st.H)
	for i, row := range rows {
		if row.offset >= 0 {
			st.Aims[t] = append(st.Aims[t], Aim{Row: i, Y0: r.Y + tableHead + high*i + high/2, Y1: st.at(row.offset)})
		}
	}
	for _, o := range s.feeds(t) {
		st.Feeds[t] = append(st.Feeds[t], Aim{Row: -1, Y0: r.Y + 12, Y1: st.at(o)})
	}
}

// tableRowHeight returns the height of a table's rows: less where they would
// not fit beside the strip.
func tableRowHeight(rows, stripHeight int) int {
	return min(15, max(11, (stripHeight-tableHead)/max(rows, 1)))
}

// placeLinks ties each block to its first piece with a line through the
// gutter: of the older image, if that has one. The ends on the left are in the
// order of the blocks' places, moved apart as little as their names need.
func (l *Layout) placeLinks(s *Scene) {
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
				X0: left - gutter + 50, Y0: b.Y + min(b.H/2, 40), X1: st.X, Y1: r.Y + r.H/2})
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
