package layered

import (
	"cmp"
	"slices"
)

// share sets First and Last of the routes of a net, so that each of its lines is drawn once. Edges
// with the farthest ends go first, so that every other edge leaves or joins existing lines at a
// corner of its own.
func (n *net) share(c *cells, routes []Route) {
	for _, i := range n.edges {
		routes[i].Last = max(0, len(routes[i].Points)-1)
	}
	if n.given || len(n.edges) == 1 {
		return
	}
	first := c.g.Edges[n.edges[0]]
	fan := first.Fan
	far := func(i int) (row, width int) { // how far the free end is from the common one
		p := routes[i].Points
		e := c.g.Edges[i]
		a, b := 1, 2
		if fan {
			a, b = len(p)-3, len(p)-2
		}
		if len(p) > 3 {
			width = abs(p[a].X - p[b].X)
		}
		return abs(c.cell[e.From].row - c.cell[e.To].row), width
	}
	order := slices.Clone(n.edges)
	slices.SortStableFunc(order, func(i, j int) int {
		ri, wi := far(i)
		rj, wj := far(j)
		return cmp.Or(cmp.Compare(rj, ri), cmp.Compare(wj, wi))
	})
	drawn := coverage{}
	for k, i := range order {
		p := routes[i].Points
		if k > 0 && fan {
			for f := 1; f+1 < len(p) && drawn.has(p[f]); f++ {
				routes[i].First = f
			}
		} else if k > 0 {
			for l := len(p) - 2; l > 0 && drawn.has(p[l]); l-- {
				routes[i].Last = l
			}
		}
		drawn.add(p)
	}
}

// coverage holds the lines of a net: extents by the coordinate they have in
// common, first of the upright ones, then of the level ones.
type coverage [2]map[int][]extent

type extent struct{ lo, hi int }

func (c *coverage) has(p Point) bool {
	for axis, at := range [2][2]int{{p.X, p.Y}, {p.Y, p.X}} {
		for _, e := range c[axis][at[0]] {
			if e.lo <= at[1] && at[1] <= e.hi {
				return true
			}
		}
	}
	return false
}

func (c *coverage) add(p []Point) {
	for i := range c {
		if c[i] == nil {
			c[i] = map[int][]extent{}
		}
	}
	for i := 1; i < len(p); i++ {
		a, b := p[i-1], p[i]
		if a.X == b.X {
			c.extend(0, a.X, min(a.Y, b.Y), max(a.Y, b.Y))
		} else {
			c.extend(1, a.Y, min(a.X, b.X), max(a.X, b.X))
		}
	}
}

// extend adds an extent, joining it with one that it meets.
func (c *coverage) extend(axis, at, lo, hi int) {
	es := c[axis][at]
	for i := range es {
		if es[i].lo <= hi && lo <= es[i].hi {
			es[i].lo, es[i].hi = min(es[i].lo, lo), max(es[i].hi, hi)
			return
		}
	}
	c[axis][at] = append(es, extent{lo, hi})
}
