package layered

import (
	"cmp"
	"slices"
)

// grid is the unit of centre coordinates. Lines leave a box at its centre or a
// multiple of grid and a half beside it, and enter at the centre or a multiple
// and a quarter, so that lines that end above each other seldom run into one
// another.
const grid = 16

// assignX gives every cell a centre.
//
// As in U. Brandes and B. Köpf, "Fast and simple horizontal coordinate
// assignment" (GD 2001), cells are first joined into vertical chains, which
// then move as one. Departures: the links to make straight are the heaviest
// set without crossings, found exactly, in place of four greedy passes over
// medians, because a fall-through edge must win over a jump; and after the
// mean of the left- and rightmost placement each chain moves to the weighted
// median of its neighbours while there is room.
func assignX(c *cells, opt Options) {
	c.gradeLinks()
	m := &mover{c: c, opt: opt}
	m.lookLeft()
	m.chain()
	m.sortChains()
	m.narrow()
	m.settleBest()
	m.straighten()
	least := 0
	for i, x := range c.cell {
		if left := x.x - x.w/2; i == 0 || left < least {
			least = left
		}
	}
	least -= grid
	least -= ((least % grid) + grid) % grid
	for i := range c.cell {
		c.cell[i].x -= least
	}
}

// mover assigns coordinates to chains.
type mover struct {
	c     *cells
	opt   Options
	left  []neighbour // of each cell
	above []int       // link that joins each cell to the one above in its chain, -1
	below []int       // link to the one below, -1
	of    []int       // chain of each cell
	list  [][]int
	order []int // chains from left to right: each after its left neighbours
	x     []int // centre of each chain
}

// neighbour is the cell left of another, -1 for none, and their least distance.
type neighbour struct{ cell, gap int }

// lookLeft finds the neighbours.
func (m *mover) lookLeft() {
	m.left = make([]neighbour, len(m.c.cell))
	for _, row := range m.c.rows {
		for i, v := range row {
			m.left[v] = neighbour{cell: -1}
			if i > 0 {
				m.left[v] = neighbour{row[i-1], m.gap(row[i-1], v)}
			}
		}
	}
}

// chain selects links that will be straight and joins their cells.
func (m *mover) chain() {
	c := m.c
	m.above, m.below, m.of = fill(len(c.cell)), fill(len(c.cell)), fill(len(c.cell))
	for r := range len(c.rows) - 1 {
		if c.cut != nil && c.cut[r+1] {
			continue
		}
		for _, i := range c.straightLinks(r) {
			m.below[c.links[i].a], m.above[c.links[i].b] = i, i
		}
	}
	m.join()
}

// join makes the chains of the links selected.
func (m *mover) join() {
	for _, row := range m.c.rows {
		for _, x := range row {
			if m.above[x] >= 0 {
				m.of[x] = m.of[m.c.links[m.above[x]].a]
				m.list[m.of[x]] = append(m.list[m.of[x]], x)
				continue
			}
			m.of[x] = len(m.list)
			m.list = append(m.list, []int{x})
		}
	}
}

func fill(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = -1
	}
	return s
}

// straightLinks returns the heaviest set of links below row r of which no two
// cross or meet: the heaviest increasing subsequence of lower positions, links
// taken by upper position.
func (c *cells) straightLinks(r int) []int {
	ls := make([]int, 0, c.first[r+1]-c.first[r])
	for i := c.first[r]; i < c.first[r+1]; i++ {
		if c.mayChain(&c.links[i]) {
			ls = append(ls, i)
		}
	}
	// Of links with one upper cell at most one may be taken: descending lower
	// positions keep a sequence from taking two.
	slices.SortFunc(ls, func(i, j int) int {
		return cmp.Or(cmp.Compare(c.pos[c.links[i].a], c.pos[c.links[j].a]),
			cmp.Compare(c.pos[c.links[j].b], c.pos[c.links[i].b]))
	})
	type state struct{ weight, link int } // best sequence ending at or before a position
	tree := make([]state, len(c.rows[r+1])+1)
	for i := range tree {
		tree[i].link = -1
	}
	before := make(map[int]int, len(ls)) // link before each in its best sequence
	for _, i := range ls {
		p := c.pos[c.links[i].b]
		best := state{0, -1}
		for j := p; j > 0; j &= j - 1 {
			if tree[j].weight > best.weight {
				best = tree[j]
			}
		}
		before[i] = best.link
		here := state{best.weight + c.straightness(i), i}
		for j := p + 1; j < len(tree); j += j & -j {
			if here.weight > tree[j].weight {
				tree[j] = here
			}
		}
	}
	best := state{0, -1}
	for j := len(c.rows[r+1]); j > 0; j &= j - 1 {
		if tree[j].weight > best.weight {
			best = tree[j]
		}
	}
	var out []int
	for i := best.link; i >= 0; i = before[i] {
		out = append(out, i)
	}
	return out
}

// mayChain reports whether a link may join its cells to a chain. The trunk of a
// confluence goes by none of its sources, and does not hold the box that it
// ends at: that one has its place below its dominator.
func (c *cells) mayChain(l *link) bool {
	switch l.weight {
	case weightStraight:
		return true
	case weightFan:
		return c.cell[l.a].kind != boxCell
	}
	return c.cell[l.a].kind == boxCell || c.joins(l.b) < 0
}

// straightness is the weight of a link, finely graded by how near the middle
// of its cells' links it is.
func (c *cells) straightness(i int) int { return 16*c.links[i].weight + c.links[i].middle }

// gradeLinks sets middle of every link, by the final order.
func (c *cells) gradeLinks() {
	for i := range c.links {
		c.links[i].middle = 0
	}
	for v := range c.cell {
		for _, links := range [][]int{c.up.of(v), c.down.of(v)} {
			slices.SortFunc(links, func(i, j int) int {
				return cmp.Compare(c.pos[c.links[i].a+c.links[i].b-v], c.pos[c.links[j].a+c.links[j].b-v])
			})
			for j, i := range links {
				off := 2*j - (len(links) - 1)
				c.links[i].middle += 7 - 7*max(off, -off)/len(links)
			}
		}
	}
}

// gap returns the least distance between the centres of two adjacent cells, a
// multiple of grid.
func (m *mover) gap(a, b int) int {
	ca, cb := &m.c.cell[a], &m.c.cell[b]
	space := m.opt.NodeGap
	switch {
	case ca.kind != boxCell && cb.kind != boxCell:
		space = 0
		if ca.loop != cb.loop {
			space = grid / 2 // the rim of an area is between them
		}
	case ca.kind != boxCell || cb.kind != boxCell:
		space = m.opt.NodeGap / 4
	}
	d := (ca.w+1)/2 + space + (cb.w+1)/2
	return (d + grid - 1) / grid * grid
}

// packLeft returns the leftmost place of each chain.
func (m *mover) packLeft() []int {
	left := make([]int, len(m.list))
	for _, k := range m.order {
		left[k] = m.leftmost(k, left)
	}
	return left
}

// leftmost returns the leftmost place of a chain, its left neighbours being
// where they are.
func (m *mover) leftmost(k int, left []int) int {
	at := 0
	for _, v := range m.list[k] {
		if n := m.left[v]; n.cell >= 0 {
			at = max(at, left[m.of[n.cell]]+n.gap)
		}
	}
	return at
}

// cost is the length of the level lines, and the width for each row.
func (m *mover) cost() int {
	sum := 0
	for _, l := range m.c.links {
		if m.c.cut != nil && m.c.cut[m.c.cell[l.b].row] {
			continue
		}
		sum += abs(m.x[m.of[l.a]] - m.x[m.of[l.b]])
	}
	lo, hi := slices.Min(m.x), slices.Max(m.x)
	return sum + (hi-lo)*len(m.c.rows)
}

// sortChains finds an order in which each chain follows its left neighbours.
// There is one: chosen links do not cross, so "left of" has no cycle.
func (m *mover) sortChains() {
	waits := make([]int, len(m.list))
	for _, row := range m.c.rows {
		for _, x := range row[1:] {
			waits[m.of[x]]++
		}
	}
	for k, w := range waits {
		if w == 0 {
			m.order = append(m.order, k)
		}
	}
	for i := 0; i < len(m.order); i++ {
		for _, x := range m.list[m.order[i]] {
			row := m.c.rows[m.c.cell[x].row]
			if p := m.c.pos[x]; p+1 < len(row) {
				k := m.of[row[p+1]]
				if waits[k]--; waits[k] == 0 {
					m.order = append(m.order, k)
				}
			}
		}
	}
	if len(m.order) != len(m.list) {
		panic("bug: layered: chains cross")
	}
}

// joins returns the immediate dominator of a box in which ways meet again,
// else -1. What follows a switch is wanted below what led to it.
func (c *cells) joins(v int) int {
	if c.cell[v].kind != boxCell || len(c.up.of(v)) < 2 {
		return -1
	}
	d := c.gr.idom[v]
	if d < 0 || c.cut != nil && c.cols != nil && c.cols[c.cell[d].row] != c.cols[c.cell[v].row] {
		return -1
	}
	return d
}
