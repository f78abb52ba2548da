package layered

import "slices"

// maxCuts and cutWork bound how many chains are cut: a tree of a thousand compares
// needs thousands of cuts, and a cut costs a look at all chains.
const (
	maxCuts = 20_000
	cutWork = 80_000_000
)

// narrow cuts chains where they make the drawing wide. Chains that pass each
// other in different rows push one another aside like stairs:
//
//	A B          the drawing is five cells wide, because B, C and D
//	  B C        are straight, and would be two if they had bends
//	    C D
//	      D E
//
// While the drawing is more than a quarter and slack wider than its widest row,
// the weakest link on the path of chains that makes it so is given up.
func (m *mover) narrow() {
	cuts := min(maxCuts, cutWork/(1+len(m.c.cell)))
	widest := m.widestRow()
	limit := max(widest*5/4, widest+m.opt.Slack)
	left := m.packLeft()
	dirty := make([]bool, len(m.list), len(m.list)+cuts)
	for range cuts {
		i := m.weakest(left, limit)
		if i < 0 {
			return
		}
		k := m.of[m.c.links[i].a]
		m.split(i)
		left, dirty = append(left, 0), append(dirty, true)
		dirty[k] = true
		m.repack(left, dirty, slices.Index(m.order, k))
	}
}

// repack brings the leftmost places up to date, from a place in the order of
// chains on, where they depend on chains that are dirty.
func (m *mover) repack(left []int, dirty []bool, from int) {
	for _, k := range m.order[from:] {
		if !dirty[k] {
			continue
		}
		dirty[k] = false
		at := m.leftmost(k, left)
		if at == left[k] && k < len(left)-1 {
			continue
		}
		left[k] = at
		for _, v := range m.list[k] {
			if row, p := m.c.rows[m.c.cell[v].row], m.c.pos[v]; p+1 < len(row) {
				dirty[m.of[row[p+1]]] = true
			}
		}
	}
}

// split cuts the chain of a link in two. The lower part may follow the upper
// one in the order: its left neighbours were before the whole.
func (m *mover) split(link int) {
	l := m.c.links[link]
	m.below[l.a], m.above[l.b] = -1, -1
	k := m.of[l.a]
	at := slices.Index(m.list[k], l.b)
	tail := m.list[k][at:]
	m.list[k] = m.list[k][:at:at]
	for _, v := range tail {
		m.of[v] = len(m.list)
	}
	m.order = slices.Insert(m.order, slices.Index(m.order, k)+1, len(m.list))
	m.list = append(m.list, tail)
}

// widestRow returns the distance of the first and last centre in the widest
// row, packed.
func (m *mover) widestRow() int {
	widest := 0
	for _, row := range m.c.rows {
		w := 0
		for _, v := range row {
			w += m.left[v].gap
		}
		widest = max(widest, w)
	}
	return widest
}

// weakest returns the lightest link that the rightmost chain's place depends
// on, -1 when that place is within the limit or depends on one row alone.
func (m *mover) weakest(left []int, limit int) int {
	k := 0
	for i := range left {
		if left[i] > left[k] {
			k = i
		}
	}
	if left[k] <= limit {
		return -1
	}
	best := -1
	row := -1 // row in which chain k pushes the one to its right
	for {
		v, next := m.pusher(k, left)
		if row >= 0 {
			at := row
			if v >= 0 {
				at = m.c.cell[v].row
			}
			best = m.lightest(k, min(at, row), max(at, row), best)
		}
		if v < 0 {
			return best
		}
		row, k = m.c.cell[v].row, next
	}
}

// pusher returns the cell of chain k whose left neighbour decides the chain's
// place, and that neighbour's chain; -1 for none.
func (m *mover) pusher(k int, left []int) (cell, chain int) {
	for _, v := range m.list[k] {
		if n := m.left[v]; n.cell >= 0 && left[m.of[n.cell]]+n.gap == left[k] {
			return v, m.of[n.cell]
		}
	}
	return -1, -1
}

// lightest returns the lightest link of chain k between two rows, or best if
// that is as light.
func (m *mover) lightest(k, from, to, best int) int {
	for _, v := range m.list[k] {
		if i := m.below[v]; i >= 0 && m.c.cell[v].row >= from && m.c.cell[v].row < to {
			if best < 0 || m.c.links[i].weight < m.c.links[best].weight {
				best = i
			}
		}
	}
	return best
}
