package layered

import "slices"

// centre puts the trunk of a fan into the middle of its boxes, in each row that has at least
// minCentred of them: its place among them does not change the order of lines, and a reader finds
// it there. The rows of a large switch then hang from a spine. In rows between those it stays where
// it came from, as seen from the boxes that hang straight below others.
//
// Trunks of confluences stay outside: beside the trunk of a fan, every row of boxes would cross
// both.
func centre(c *cells) {
	const minCentred = 3
	for i := range c.nets {
		n := &c.nets[i]
		if n.given || n.up || n.hi < n.lo || len(n.edges) < minCentred || !c.g.Edges[n.edges[0]].Fan {
			continue
		}
		members := map[int][]int{} // boxes by row
		for _, e := range n.edges {
			v := c.g.Edges[e].To
			members[c.cell[v].row] = append(members[c.cell[v].row], v)
		}
		centred := false
		for r := n.lo; r <= n.hi; r++ {
			x := n.dummy(r)
			if len(members[r]) >= minCentred {
				centred = c.moveTo(x, members[r])
			}
			if centred && r > n.lo {
				c.keepSides(x, n.dummy(r-1), len(members[r]) == 0)
			}
		}
	}
}

// moveTo moves a cell into the middle of others of its row if all are of one group, and reports
// whether they are.
func (c *cells) moveTo(x int, others []int) bool {
	for _, o := range others {
		if c.cell[o].group != c.cell[x].group {
			return false
		}
	}
	slices.SortFunc(others, func(a, b int) int { return c.pos[a] - c.pos[b] })
	c.moveBefore(x, others[len(others)/2])
	return true
}

// moveBefore moves a cell before another of its row.
func (c *cells) moveBefore(x, before int) {
	row := slices.Clone(c.rows[c.cell[x].row])
	row = slices.Delete(row, c.pos[x], c.pos[x]+1)
	c.setRow(c.cell[x].row, slices.Insert(row, slices.Index(row, before), x))
}

// keepSides moves the boxes that hang straight below others to the side of a trunk on which those
// are. The trunk is the cell above in their row, and x in this one. If x may move, boxes stay where
// they can.
func (c *cells) keepSides(x, above int, move bool) {
	var left, right []int // boxes that hang from the left and from the right
	for _, o := range c.rows[c.cell[x].row] {
		if c.cell[o].group != c.cell[x].group || c.cell[o].kind != boxCell || len(c.up.of(o)) != 1 {
			continue
		}
		if l := c.links[c.up.of(o)[0]]; l.weight != weightStraight {
			continue
		} else if c.pos[l.a] < c.pos[above] {
			left = append(left, o)
		} else {
			right = append(right, o)
		}
	}
	nl, nr := len(left), len(right)
	switch {
	case !move:
	case nr > 0 && (nl == 0 || c.pos[left[nl-1]] < c.pos[right[0]]):
		c.moveBefore(x, right[0])
	case nl > 0 && c.pos[x] < c.pos[left[nl-1]]:
		c.moveAfter(x, left[nl-1])
	}
	for _, o := range left {
		if c.pos[o] > c.pos[x] {
			c.moveBefore(o, c.outermost(x, -1))
		}
	}
	for i := nr - 1; i >= 0; i-- {
		if c.pos[right[i]] < c.pos[x] {
			c.moveAfter(right[i], c.outermost(x, 1))
		}
	}
}

// outermost returns the last cell of x's group to its left or right.
func (c *cells) outermost(x, dir int) int {
	row := c.rows[c.cell[x].row]
	i := c.pos[x]
	for i+dir >= 0 && i+dir < len(row) && c.cell[row[i+dir]].group == c.cell[x].group &&
		c.cell[row[i+dir]].kind != laneCell {
		i += dir
	}
	return row[i]
}

// moveAfter moves a cell after another of its row.
func (c *cells) moveAfter(x, after int) {
	row := slices.Clone(c.rows[c.cell[x].row])
	row = slices.Delete(row, c.pos[x], c.pos[x]+1)
	c.setRow(c.cell[x].row, slices.Insert(row, slices.Index(row, after)+1, x))
}
