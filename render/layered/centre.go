package layered

import "slices"

// centre puts the trunk of a fan or confluence into the middle of its boxes,
// in each row that has at least minCentred of them: the order of lines does
// not care where among them it runs, and a reader finds it there. The rows of
// a large switch then hang from a spine, the way in beside the way out.
func centre(c *cells) {
	const minCentred = 3
	for i := range c.nets {
		n := &c.nets[i]
		if n.given || n.up || n.hi < n.lo || len(n.edges) < minCentred {
			continue
		}
		fan := c.g.Edges[n.edges[0]].Fan
		members := map[int][]int{} // boxes by row
		for _, e := range n.edges {
			v := c.g.Edges[e].From
			if fan {
				v = c.g.Edges[e].To
			}
			members[c.cell[v].row] = append(members[c.cell[v].row], v)
		}
		for r := n.lo; r <= n.hi; r++ {
			if len(members[r]) >= minCentred {
				c.moveTo(n.dummy(r), members[r])
			}
		}
	}
}

// moveTo moves a cell into the middle of others of its row, if all are of one
// loop.
func (c *cells) moveTo(x int, others []int) {
	for _, o := range others {
		if c.cell[o].loop != c.cell[x].loop {
			return
		}
	}
	slices.SortFunc(others, func(a, b int) int { return c.pos[a] - c.pos[b] })
	before := others[len(others)/2]
	row := slices.Clone(c.rows[c.cell[x].row])
	row = slices.Delete(row, c.pos[x], c.pos[x]+1)
	at := slices.Index(row, before)
	c.setRow(c.cell[x].row, slices.Insert(row, at, x))
}
