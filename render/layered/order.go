package layered

import (
	"cmp"
	"slices"
)

// order arranges the cells of each row so that few lines cross: rows are
// sorted by the mean position of the neighbours in the row above, then in the
// row below, again and again; after each sweep adjacent cells change places
// where that helps; the best order seen is kept.
//
// Source: E. Gansner, E. Koutsofios, S. North, K. Vo, "A technique for drawing
// directed graphs" (IEEE TSE 19, 1993), section 3, with barycentres as in
// Sugiyama's. One departure: the cells of a group stay together in every row,
// at every depth of nesting, with the lanes of a loop's back edges to their
// left. So loops have areas of their own, and lines up and lines down do not
// mingle.
func order(c *cells, sweeps int, w *work) {
	s := &sorter{c: c, key: make([]int64, len(c.cell)), groups: make([]groupKey, len(c.gr.parent))}
	s.sweep(true)
	best, bestRows := c.crossings(), cloneRows(c.rows)
	for i, stale := 0, 0; i < sweeps && best > 0 && stale < 6 && !w.ended(); i++ {
		w.at(phaseOrder, 1000*i/sweeps)
		s.sweep(i%2 == 1)
		if len(c.cell) < 20_000 {
			s.transpose()
		}
		stale++
		if x := c.crossings(); x < best {
			best, bestRows, stale = x, cloneRows(c.rows), 0
		}
	}
	for r, row := range bestRows {
		c.setRow(r, row)
	}
}

func cloneRows(rows [][]int) [][]int {
	out := make([][]int, len(rows))
	for i, r := range rows {
		out[i] = slices.Clone(r)
	}
	return out
}

func (c *cells) setRow(r int, row []int) {
	c.rows[r] = row
	for i, x := range row {
		c.pos[x] = i
	}
}

// straightPull is how many other neighbours one that falls through counts for.
const straightPull = 8

// sorter sorts rows.
type sorter struct {
	c      *cells
	key    []int64    // wanted place of each cell, see place
	groups []groupKey // wanted place of each group
}

// groupKey sums the keys of a group's cells in all rows: the group has one side
// of its neighbours for all of its height.
type groupKey struct{ sum, n int64 }

// sweep sorts all rows by the row above, or by the row below.
func (s *sorter) sweep(down bool) {
	s.placeGroups()
	n := len(s.c.rows)
	for i := 1; i < n; i++ {
		if down {
			s.sortRow(i, &s.c.up)
		} else {
			s.sortRow(n-1-i, &s.c.down)
		}
	}
	s.sortRow(0, nil) // bring the first row's groups together
}

// placeGroups sets the keys of the groups to where their cells are drawn.
func (s *sorter) placeGroups() {
	c := s.c
	clear(s.groups)
	for x := range c.cell {
		if c.cell[x].group < 0 {
			continue
		}
		var w weighted
		w.add(c, x, c.up.of(x))
		w.add(c, x, c.down.of(x))
		key := w.mean(c.place(x))
		for l := c.cell[x].group; l >= 0; l = c.gr.parent[l] {
			s.groups[l].sum += key
			s.groups[l].n++
		}
	}
}

// weighted sums places.
type weighted struct{ sum, n int64 }

// add adds the places at the other ends of cell x's links.
func (w *weighted) add(c *cells, x int, links []int) {
	for _, l := range links {
		k := int64(1)
		if c.links[l].weight == weightStraight {
			k = straightPull
		}
		w.sum += k * c.place(c.links[l].a+c.links[l].b-x)
		w.n += k
	}
}

// mean returns the mean place, or the one given when there is none.
func (w *weighted) mean(none int64) int64 {
	if w.n == 0 {
		return none
	}
	return w.sum / w.n
}

// place is the position of a cell as a fraction of its row, in 2^20ths: rows
// differ in length.
func (c *cells) place(x int) int64 {
	return int64(2*c.pos[x]+1) << 20 / int64(2*len(c.rows[c.cell[x].row]))
}

// sortRow sorts row r by the mean place of each cell's neighbours over the
// links given.
func (s *sorter) sortRow(r int, links *lists) {
	c := s.c
	for _, x := range c.rows[r] {
		var w weighted
		if links != nil {
			w.add(c, x, links.of(x))
		}
		s.key[x] = w.mean(c.place(x))
	}
	row := slices.Clone(c.rows[r])
	slices.SortFunc(row, s.compare)
	c.setRow(r, row)
}

// compare orders two cells of a row: below their common group each stands for
// the group that contains it there, or for itself.
func (s *sorter) compare(a, b int) int {
	if a == b {
		return 0
	}
	in := s.c.gr.common(s.c.cell[a].group, s.c.cell[b].group)
	laneA, keyA, tieA := s.unit(a, in)
	laneB, keyB, tieB := s.unit(b, in)
	if laneA != laneB {
		if laneA {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(keyA, keyB), cmp.Compare(tieA, tieB), cmp.Compare(a, b))
}

// unit returns what stands for cell x among the members of a group: whether it
// is a lane of that group, its key and its tie break.
func (s *sorter) unit(x, in int) (lane bool, key int64, tie int) {
	l := s.c.cell[x].group
	if l == in {
		return in >= 0 && s.c.cell[x].kind == laneCell, s.key[x], s.c.pos[x]
	}
	for s.c.gr.parent[l] != in {
		l = s.c.gr.parent[l]
	}
	k := s.groups[l]
	return false, k.sum / k.n, l
}

// transpose swaps neighbours of the same group while that removes crossings.
func (s *sorter) transpose() {
	c := s.c
	for range 4 {
		improved := false
		for _, row := range c.rows {
			for i := 0; i+1 < len(row); i++ {
				a, b := row[i], row[i+1]
				if c.cell[a].group != c.cell[b].group || (c.cell[a].kind == laneCell) != (c.cell[b].kind == laneCell) {
					continue
				}
				if c.pairCrossings(b, a) < c.pairCrossings(a, b) {
					row[i], row[i+1] = b, a
					c.pos[a], c.pos[b] = i+1, i
					improved = true
				}
			}
		}
		if !improved {
			return
		}
	}
}

// pairCrossings counts the crossings between the lines of a and those of b
// when a is left of b.
func (c *cells) pairCrossings(a, b int) int {
	n := 0
	for _, links := range []*lists{&c.up, &c.down} {
		for _, i := range links.of(a) {
			for _, j := range links.of(b) {
				if c.pos[c.links[i].a+c.links[i].b-a] > c.pos[c.links[j].a+c.links[j].b-b] {
					n++
				}
			}
		}
	}
	return n
}

// crossings counts the pairs of links that cross.
//
// Source: W. Barth, M. Jünger, P. Mutzel, "Simple and efficient bilayer cross
// counting" (GD 2002): inversions with a Fenwick tree.
func (c *cells) crossings() int {
	total := 0
	var ls []link
	var tree []int
	for r := range len(c.rows) - 1 {
		ls = append(ls[:0], c.links[c.first[r]:c.first[r+1]]...)
		slices.SortFunc(ls, func(x, y link) int {
			return cmp.Or(cmp.Compare(c.pos[x.a], c.pos[y.a]), cmp.Compare(c.pos[x.b], c.pos[y.b]))
		})
		tree = append(tree[:0], make([]int, len(c.rows[r+1])+1)...)
		for i, l := range ls {
			total += i // links seen, less those that end at or left of this one
			for j := c.pos[l.b] + 1; j > 0; j &= j - 1 {
				total -= tree[j]
			}
			for j := c.pos[l.b] + 1; j < len(tree); j += j & -j {
				tree[j]++
			}
		}
	}
	return total
}
