package layered

import (
	"cmp"
	"slices"
)

// A drawing that is much higher than wide is cut between rows into columns,
// side by side like those of a newspaper. Lines that are cut go on through the
// gutter between the columns:
//
//	|  row k-1  |  .------.        gutter: a lane for each line
//	+-----------+  |  .-- | --> row k
//	 |    |        |  |   '---> row k
//	 |    '--------'  |
//	 '----------------'
//
// The leftmost lane has the upper track on both sides, so that the turns of
// the lines do not cross each other; lanes go by where the lines lead to, the
// farthest right first.

// columns is the division of the rows.
type columns struct {
	of  []int // column of each row
	dx  []int // what to add to an x in each column
	cut []bool
}

// minColumn is the least height of a column in pixels: what fits on a few
// screens needs no cut.
const minColumn = 4000

// divide decides where to cut, once rows and channels have their heights.
func (ch *channels) divide() {
	rows := len(ch.c.rows)
	ch.cols = columns{of: make([]int, rows), cut: make([]bool, rows+1)}
	limit := ch.columnHeight()
	for start, at := 0, 0; start < rows; start = at {
		at = ch.cutAfter(start, limit)
		for r := start; r < at; r++ {
			ch.cols.of[r] = len(ch.cols.dx)
		}
		ch.cols.dx = append(ch.cols.dx, 0)
		if at < rows {
			ch.cols.cut[at] = true
		}
	}
}

// columnHeight is the height at which columns are cut.
func (ch *channels) columnHeight() int {
	switch {
	case ch.opt.MaxHeight < 0:
		return far
	case ch.opt.MaxHeight > 0:
		return ch.opt.MaxHeight
	}
	last := len(ch.rowY) - 1
	high, wide := ch.rowY[last]+ch.rowH[last], 0
	for _, x := range ch.c.cell {
		wide = max(wide, x.x+x.w/2)
	}
	if high <= 3*wide || high <= 2*minColumn {
		return far
	}
	return max(minColumn, isqrt(int64(high)*int64(wide)*2/3))
}

// cutAfter returns the first row of the next column: of the rows that end in
// the last quarter of the height the one that fewest lines pass.
func (ch *channels) cutAfter(start, limit int) int {
	rows := len(ch.c.rows)
	best, least := rows, 0
	for r := start + 1; r < rows; r++ {
		h := ch.rowY[r-1] + ch.rowH[r-1] - ch.rowY[start]
		if h > limit && best < rows {
			break
		}
		if n := ch.passing(r); h > limit*3/4 && (best == rows || n <= least) {
			best, least = r, n
		}
	}
	if end := rows - 1; ch.rowY[end]+ch.rowH[end]-ch.rowY[start] <= limit {
		return rows
	}
	return best
}

// passing counts the lines from row k-1 to row k, those that lead up twice.
func (ch *channels) passing(k int) int {
	n := 0
	for _, i := range ch.in[k] {
		p := &ch.pieces[i]
		if len(p.tops) > 0 && len(p.bots) > 0 {
			n++
			if ch.c.nets[p.net].up {
				n++
			}
		}
	}
	return n
}

// cutTracks gives the pieces of a cut channel their tracks on both sides.
// Turns that do not pass take the first tracks.
func (ch *channels) cutTracks(k int) {
	var upper, lower, pass []int
	for _, i := range ch.in[k] {
		switch p := &ch.pieces[i]; {
		case len(p.bots) == 0:
			upper = append(upper, i)
		case len(p.tops) == 0:
			lower = append(lower, i)
		default:
			pass = append(pass, i)
		}
	}
	slices.SortStableFunc(pass, func(i, j int) int {
		return cmp.Compare(mean(ch.pieces[j].bots), mean(ch.pieces[i].bots))
	})
	widest := func(i, j int) int {
		a, b := &ch.pieces[i], &ch.pieces[j]
		return cmp.Compare(a.r-a.l, b.r-b.l)
	}
	slices.SortStableFunc(upper, widest)
	slices.SortStableFunc(lower, widest)
	for n, i := range upper {
		ch.pieces[i].track = n + 1
	}
	for n, i := range pass {
		ch.pieces[i].track = len(upper) + n + 1
		ch.pieces[i].lane = n + 1
		ch.pieces[i].after = n + 1
	}
	for n, i := range lower {
		ch.pieces[i].after = len(pass) + n + 1
	}
	for _, i := range ch.in[k] {
		for _, pins := range [][]pin{ch.pieces[i].tops, ch.pieces[i].bots} {
			for j := range pins {
				pins[j].jog = 0
			}
		}
	}
	ch.jogs[k] = false
	ch.tracks[k] = len(upper) + len(pass)
	ch.after[k] = len(pass) + len(lower)
	ch.lanes[k] = len(pass)
}

// spreadColumns sets what to add to each x, and the x of the first lane of
// each gutter.
func (ch *channels) spreadColumns() {
	n := len(ch.cols.dx)
	lo, hi := make([]int, n), make([]int, n)
	for i := range lo {
		lo[i] = far
	}
	for _, x := range ch.c.cell {
		k := ch.cols.of[x.row]
		lo[k] = min(lo[k], x.x-x.w/2)
		hi[k] = max(hi[k], x.x+x.w/2)
	}
	at := 0
	for r, k := range ch.cols.of {
		if ch.cols.cut[r] {
			at += 2 * grid
			ch.gutter[r] = at
			at += ch.opt.TrackGap*ch.lanes[r] + 2*grid
		}
		if r == 0 || ch.cols.cut[r] {
			ch.cols.dx[k] = at + grid - lo[k]
			at += hi[k] - lo[k] + 2*grid
		}
	}
}

// unlink removes the links over the cuts: they do not pull.
func (c *cells) unlink(cols columns) {
	c.cut, c.cols = cols.cut, cols.of
	c.indexLinks()
}
