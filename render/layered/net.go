package layered

import (
	"slices"
	"sort"
)

// net is a set of edges drawn as one tree of lines: a fan out of one node, a
// confluence into one node, or a single edge. Its trunk runs through a column
// of dummy cells, one in each row from lo to hi. An edge that retreats goes
// down from its source, to the side, up through the dummies of all rows from
// its source's to its target's, and from above into its target.
type net struct {
	edges []int
	up    bool // edges retreat
	lo    int  // first row with a dummy
	hi    int  // last row with a dummy; lo-1 when there is none
	cells int  // index of the dummy in row lo; the others follow
	chLo  int  // first channel; channel c is above row c
	chHi  int  // last channel
	loop  int  // loop that the dummies belong to
	group int  // and group
	inner int  // last row in which dummies of a fan belong to its root's group
	piece int  // index of the net's piece in channel chLo; the others follow
	given bool // given up: no route
}

// dummy returns the cell of the net in a row, -1 when it has none there.
func (n *net) dummy(row int) int {
	if row < n.lo || row > n.hi {
		return -1
	}
	return n.cells + row - n.lo
}

// netKey identifies the edges that form a net.
type netKey struct {
	node    int // common source or target
	class   int
	fan, up bool
	alone   int // edge that shares with no other, else -1
	hidden  bool
}

// makeNets groups the edges, in order of their first edge.
func makeNets(g Graph, t *tree, gr *groups, ranks []int) (nets []net, of []int) {
	index := map[netKey]int{}
	of = make([]int, len(g.Edges))
	for i, e := range g.Edges {
		k := netKey{node: e.To, class: e.Class, up: t.retreating[i], alone: -1, hidden: e.Hidden}
		switch {
		case e.Fan:
			k.node, k.fan = e.From, true
		case e.Class <= 0:
			k.alone = i
		}
		j, ok := index[k]
		if !ok {
			j = len(nets)
			index[k] = j
			nets = append(nets, net{up: t.retreating[i], loop: -2, given: e.Hidden})
		}
		nets[j].edges = append(nets[j].edges, i)
		of[i] = j
	}
	guests := gr.guestRows(ranks)
	for j := range nets {
		nets[j].span(g, gr, ranks, guests)
	}
	return nets, of
}

// guestRows returns the last row in which each group has a guest.
func (s *groups) guestRows(ranks []int) []int {
	last := fill(len(s.parent))
	for v, guest := range s.guest {
		if guest {
			last[s.of[v]] = max(last[s.of[v]], ranks[v])
		}
	}
	return last
}

// span computes rows, channels, loop and group of the net.
func (n *net) span(g Graph, gr *groups, ranks, guests []int) {
	f := gr.f
	top, bottom := len(g.Nodes), -1 // rows of all ends
	for _, i := range n.edges {
		e := g.Edges[i]
		for _, v := range []int{e.From, e.To} {
			top, bottom = min(top, ranks[v]), max(bottom, ranks[v])
			if n.loop == -2 {
				n.loop, n.group = f.of[v], gr.of[v]
			}
			n.loop = f.common(n.loop, f.of[v])
			n.group = gr.common(n.group, gr.of[v])
		}
	}
	n.inner = -1
	if e := g.Edges[n.edges[0]]; e.Fan && !n.up && gr.of[e.From] >= 0 {
		// The trunk stays among the cases, wherever the default may be.
		n.inner = guests[gr.of[e.From]]
		for _, i := range n.edges {
			if to := g.Edges[i].To; gr.common(gr.of[e.From], gr.of[to]) == gr.of[e.From] {
				n.inner = max(n.inner, ranks[to])
			}
		}
	}
	if n.up {
		n.lo, n.hi = top, bottom
		n.chLo, n.chHi = top, bottom+1
	} else {
		n.lo, n.hi = top+1, bottom-1
		n.chLo, n.chHi = top+1, bottom
	}
}

// cellKind says what a cell of a row is.
type cellKind uint8

const (
	boxCell   cellKind = iota
	trunkCell          // a line passes down
	laneCell           // a line passes up
)

// cell is a place in a row: a box, or where a line passes.
type cell struct {
	kind  cellKind
	node  int // box, -1 for others
	net   int // -1 for boxes
	row   int
	w     int // width in pixels
	loop  int // innermost loop, at most maxDepth deep; -1
	group int // innermost group, likewise
	x     int // centre, multiple of grid
}

// cells is the graph in rows.
type cells struct {
	g     Graph
	t     *tree
	f     *forest
	gr    *groups
	nets  []net
	netOf []int // net of each edge
	cell  []cell
	rows  [][]int // cells of each row, left to right
	pos   []int   // index of each cell in its row
	links []link  // by upper row
	first []int   // first[r] is the index in links of the first link from row r down
	down  lists   // links below each cell
	up    lists   // links above each cell
	cols  []int   // column of each row, likewise
	cut   []bool  // rows before which the drawing is cut; nil before that is known
	// side lists for a lane the boxes of its own row that it ends at.
	side map[int][]int
}

// link is a line between cells of adjacent rows, a above b.
type link struct {
	a, b   int
	weight int // how much it should be straight
	middle int // 0 to 14, more the nearer it is to the middle of its cells' links
}

// makeCells adds dummies and links. The boxes are cells with the same index.
func makeCells(g Graph, t *tree, gr *groups, ranks []int, opt Options) *cells {
	f := gr.f
	c := &cells{g: g, t: t, f: f, gr: gr, side: map[int][]int{}}
	c.nets, c.netOf = makeNets(g, t, gr, ranks)
	giveUp(c.nets, opt.MaxCells)
	rows := 0
	for v, n := range g.Nodes {
		c.cell = append(c.cell, cell{kind: boxCell, node: v, net: -1, row: ranks[v], w: n.W,
			loop: f.shallow(f.of[v]), group: gr.shallow(gr.of[v])})
		rows = max(rows, ranks[v]+1)
	}
	c.rows = make([][]int, rows)
	for _, v := range t.place.order {
		c.rows[ranks[v]] = append(c.rows[ranks[v]], v)
	}
	c.addDummies(opt)
	c.pos = make([]int, len(c.cell))
	for _, row := range c.rows {
		for i, x := range row {
			c.pos[x] = i
		}
	}
	c.addLinks()
	return c
}

// giveUp marks the nets with the longest trunks until the rest fits.
func giveUp(nets []net, maxCells int) {
	total := 0
	byLen := make([]int, len(nets))
	for i := range nets {
		byLen[i] = i
		if !nets[i].given {
			total += nets[i].hi - nets[i].lo + 1
		}
	}
	if total <= maxCells {
		return
	}
	sort.SliceStable(byLen, func(i, j int) bool {
		a, b := nets[byLen[i]], nets[byLen[j]]
		return a.hi-a.lo > b.hi-b.lo
	})
	for _, i := range byLen {
		if total <= maxCells {
			return
		}
		if !nets[i].given {
			total -= nets[i].hi - nets[i].lo + 1
			nets[i].given = true
		}
	}
}

func (c *cells) addDummies(opt Options) {
	width := make([]int, len(c.rows))
	all := len(c.cell)
	for i := range c.nets {
		if n := &c.nets[i]; !n.given {
			all += n.hi - n.lo + 1
			for r := n.lo; r <= n.hi; r++ {
				width[r]++
			}
		}
	}
	c.cell = slices.Grow(c.cell, all-len(c.cell))
	for r, row := range c.rows {
		c.rows[r] = slices.Grow(row, width[r])
	}
	for i := range c.nets {
		n := &c.nets[i]
		if n.given {
			continue
		}
		n.cells = len(c.cell)
		kind := trunkCell
		if n.up {
			kind = laneCell
		}
		loop, group := c.f.shallow(n.loop), c.gr.shallow(n.group)
		inLoop, inGroup := loop, group
		if from := c.g.Edges[n.edges[0]].From; n.inner >= n.lo {
			inLoop, inGroup = c.cell[from].loop, c.cell[from].group
		}
		for r := n.lo; r <= n.hi; r++ {
			x := cell{kind: kind, node: -1, net: i, row: r, w: opt.TrackGap, loop: loop, group: group}
			if r <= n.inner {
				x.loop, x.group = inLoop, inGroup
			}
			c.rows[r] = append(c.rows[r], len(c.cell))
			c.cell = append(c.cell, x)
		}
	}
}

// Weights of links: how much a straight line is worth. The line of fall-through
// edges is the spine of a function: it bends only for three trunks or more.
const (
	weightStraight = 160
	weightTrunk    = 64
	weightOnly     = 12 // between a box and a trunk, or the only edge of both boxes
	weightPlain    = 6
	weightFan      = 2
	weightSpine    = 5  // between the trunk of a fan and its boxes
	weightJoin     = 24 // between a box where ways meet and its dominator
)

func (c *cells) addLinks() {
	b := &linker{c: c, seen: map[[2]int]bool{}}
	b.out, b.in = fill(len(c.g.Nodes)), fill(len(c.g.Nodes))
	for i := range c.nets {
		n := &c.nets[i]
		if n.given {
			continue
		}
		for k := range n.hi - n.lo {
			b.links = append(b.links, link{a: n.cells + k, b: n.cells + k + 1, weight: weightTrunk})
		}
		for _, e := range n.edges {
			b.linkEdge(i, n, e)
		}
	}
	byRow := makeLists(len(c.rows), func(add func(row, link int)) {
		for i := range b.links {
			add(c.cell[b.links[i].a].row, i)
		}
	})
	c.links = make([]link, len(b.links))
	c.first = make([]int, len(c.rows)+1)
	for i, l := range byRow.items {
		c.links[i] = b.links[l]
	}
	for r := range c.first {
		c.first[r] = int(byRow.start[r])
	}
	c.indexLinks()
}

// indexLinks lists the links of each cell, but for those over a cut.
func (c *cells) indexLinks() {
	each := func(upper bool) func(add func(cell, link int)) {
		return func(add func(cell, link int)) {
			for i := range c.links {
				l := &c.links[i]
				if c.cut != nil && c.cut[c.cell[l.b].row] {
					continue
				}
				if upper {
					add(l.a, i)
				} else {
					add(l.b, i)
				}
			}
		}
	}
	c.down, c.up = makeLists(len(c.cell), each(true)), makeLists(len(c.cell), each(false))
}

// linker collects links, each once.
type linker struct {
	c       *cells
	links   []link
	seen    map[[2]int]bool // pairs of boxes that are linked
	out, in []int           // net that linked each box with its trunk last
}

// boxes links two boxes.
func (b *linker) boxes(from, to, weight int) {
	if k := [2]int{from, to}; !b.seen[k] {
		b.seen[k] = true
		b.links = append(b.links, link{a: from, b: to, weight: weight})
	}
}

// toTrunk links a box with the dummy of a net below it, if there is one.
func (b *linker) toTrunk(net, box, dummy, weight int) {
	if dummy >= 0 && b.out[box] != net {
		b.out[box] = net
		b.links = append(b.links, link{a: box, b: dummy, weight: weight})
	}
}

// fromTrunk links a box with the dummy of a net above it, if there is one.
func (b *linker) fromTrunk(net, dummy, box, weight int) {
	if dummy >= 0 && b.in[box] != net {
		b.in[box] = net
		b.links = append(b.links, link{a: dummy, b: box, weight: weight})
	}
}

// linkEdge links the ends of an edge to each other or to the trunk.
func (b *linker) linkEdge(net int, n *net, i int) {
	c := b.c
	e := c.g.Edges[i]
	from, to := c.cell[e.From].row, c.cell[e.To].row
	if n.up {
		// The source is beside the lane, in the same row: draw it near the lane
		// of the row below, if any.
		b.toTrunk(net, e.From, n.dummy(from+1), weightFan)
		b.fromTrunk(net, n.dummy(to-1), e.To, weightFan)
		c.side[n.dummy(from)] = append(c.side[n.dummy(from)], e.From)
		c.side[n.dummy(to)] = append(c.side[n.dummy(to)], e.To)
		return
	}
	if to == from+1 {
		w := weightPlain
		switch {
		case e.Straight:
			w = weightStraight
		case e.Fan:
			w = weightSpine
		case len(c.t.out[e.From]) == 1 && len(c.t.in[e.To]) == 1:
			w = weightOnly
		}
		b.boxes(e.From, e.To, w)
		return
	}
	w := weightOnly
	switch {
	case e.Straight:
		w = weightStraight
	case e.Fan:
		w = weightSpine
	case len(n.edges) > 1:
		w = weightFan // the trunk is where it is for the others' sake, too
	}
	// The trunk may begin above the source (a confluence) or end below the
	// target (a fan).
	b.toTrunk(net, e.From, n.dummy(from+1), w)
	b.fromTrunk(net, n.dummy(to-1), e.To, w)
}
