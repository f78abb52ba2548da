package layered

import (
	"cmp"
	"slices"
)

// assignY stacks rows and channels, each column from the top. A channel is as
// high as its tracks need.
func (ch *channels) assignY() {
	c := ch.c
	ch.top, ch.end = ch.opt.ChanTop, ch.opt.ChanEnd
	for _, n := range c.g.Nodes {
		ch.top, ch.end = max(ch.top, ch.opt.ChanTop+n.Below), max(ch.end, ch.opt.ChanEnd+n.Above)
	}
	ch.rowY, ch.rowH = make([]int, len(c.rows)), make([]int, len(c.rows))
	y := 0
	for r, row := range c.rows {
		if ch.cols.cut[r] {
			y = ch.top + ch.opt.TrackGap*ch.after[r] + ch.end
		} else {
			y += ch.channelHeight(r)
		}
		ch.rowY[r] = y
		for _, x := range row {
			if v := c.cell[x].node; v >= 0 {
				ch.rowH[r] = max(ch.rowH[r], c.g.Nodes[v].H)
			}
		}
		y += ch.rowH[r]
	}
}

func (ch *channels) channelHeight(k int) int {
	if len(ch.in[k]) == 0 && (k == 0 || k == len(ch.c.rows)) {
		return 0
	}
	h := ch.top + ch.opt.TrackGap*ch.tracks[k] + ch.end
	if ch.jogs[k] {
		h += ch.opt.TrackGap
	}
	return h
}

// trackY returns the y of a track of channel k; track 0 is the one for jogs.
func (ch *channels) trackY(k, track int) int {
	y := ch.top
	if k > 0 {
		y += ch.rowY[k-1] + ch.rowH[k-1]
	}
	if !ch.jogs[k] {
		track--
	}
	return y + ch.opt.TrackGap*track
}

// upperY and lowerY return the y of a piece's track as seen from the row above
// and the row below its channel.
func (ch *channels) upperY(k int, p *piece) int { return ch.trackY(k, p.track) }

func (ch *channels) lowerY(k int, p *piece) int {
	if ch.cols.cut[k] {
		return ch.top + ch.opt.TrackGap*(p.after-1)
	}
	return ch.trackY(k, p.track)
}

// dx returns the offset of the x of a row, for its column.
func (ch *channels) dx(row int) int { return ch.cols.dx[ch.cols.of[row]] }

// placement collects the result.
func (ch *channels) placement() Placement {
	c := ch.c
	p := Placement{
		Nodes: make([]Point, len(c.g.Nodes)), Routes: make([]Route, len(c.g.Edges)),
		Rows: len(c.rows), Cells: len(c.cell),
	}
	for v, n := range c.g.Nodes {
		p.Nodes[v] = Point{c.cell[v].x - n.W/2 + ch.dx(c.cell[v].row), ch.rowY[c.cell[v].row]}
		p.W = max(p.W, p.Nodes[v].X+n.W)
		p.H = max(p.H, p.Nodes[v].Y+n.H)
	}
	for i := range c.g.Edges {
		p.Routes[i] = Route{Retreating: c.t.retreating[i]}
		if n := &c.nets[c.netOf[i]]; !n.given {
			p.Routes[i].Points = ch.route(n, i)
		}
		for _, q := range p.Routes[i].Points {
			p.W, p.H = max(p.W, q.X), max(p.H, q.Y)
		}
	}
	for i := range c.nets {
		c.nets[i].share(c, p.Routes)
	}
	p.Loops = ch.regions()
	for _, l := range p.Loops {
		for _, b := range l.Bands {
			p.W, p.H = max(p.W, b.X1), max(p.H, b.Y1)
		}
	}
	return p
}

// route walks an edge through its channels.
func (ch *channels) route(n *net, i int) []Point {
	c := ch.c
	e := c.g.Edges[i]
	net := c.netOf[i]
	from, to := c.cell[e.From].row, c.cell[e.To].row
	r := path{{ch.outX[e.From].find(net) + ch.dx(from), ch.rowY[from] + c.g.Nodes[e.From].H}}
	if n.up {
		ch.cross(&r, n, from+1, e.From, n.dummy(from), true, true)
		for k := from; k > to; k-- {
			ch.cross(&r, n, k, n.dummy(k), n.dummy(k-1), false, true)
		}
		ch.cross(&r, n, to, n.dummy(to), e.To, false, false)
	} else {
		at := e.From
		for k := from + 1; k <= to; k++ {
			next := e.To
			if k < to {
				next = n.dummy(k)
			}
			ch.cross(&r, n, k, at, next, true, false)
			at = next
		}
	}
	r.to(r[len(r)-1].X, ch.rowY[to])
	return r
}

// cross leads a path through channel k from one cell's pin to another's; the
// flags say on which side of the channel each cell is.
func (ch *channels) cross(r *path, n *net, k, from, to int, fromTop, toTop bool) {
	if fromTop != toTop && !ch.jogs[k] && !ch.cols.cut[k] {
		// Most of a long line: from dummy to dummy, straight on.
		if a, b := &ch.c.cell[from], &ch.c.cell[to]; a.kind != boxCell && b.kind != boxCell && a.x == b.x {
			return
		}
	}
	p := &ch.pieces[n.piece+k-n.chLo]
	a, b := ch.pin(p, from, fromTop), ch.pin(p, to, toTop)
	if p.straight() && !ch.cols.cut[k] {
		return
	}
	turn := func(q pin, top bool) (x, y, dx int) {
		if top {
			return q.x, ch.upperY(k, p), ch.dx(k - 1)
		}
		return q.x, ch.lowerY(k, p), ch.dx(k)
	}
	ax, ay, adx := turn(a, fromTop)
	bx, by, bdx := turn(b, toTop)
	if a.jog != 0 {
		r.to(ax+adx, ch.trackY(k, 0))
		r.to(ax+adx+a.jog, ch.trackY(k, 0))
	}
	r.to(ax+adx+a.jog, ay)
	if ch.cols.cut[k] && fromTop != toTop {
		lane := ch.gutter[k] + ch.opt.TrackGap*(p.lane-1)
		r.to(lane, ay)
		r.to(lane, by)
	}
	r.to(bx+bdx+b.jog, by)
	if b.jog != 0 {
		r.to(bx+bdx+b.jog, ch.trackY(k, 0))
		r.to(bx+bdx, ch.trackY(k, 0))
	}
}

// pin returns where a piece meets a cell.
func (ch *channels) pin(p *piece, cell int, top bool) pin {
	pins, ports := p.bots, ch.inX
	if top {
		pins, ports = p.tops, ch.outX
	}
	x := ch.c.cell[cell].x
	if ch.c.cell[cell].kind == boxCell {
		x = ports[cell].find(p.net)
	}
	i, _ := slices.BinarySearchFunc(pins, x, func(q pin, x int) int { return cmp.Compare(q.x, x) })
	for ; pins[i].cell != cell; i++ {
	}
	return pins[i]
}

// path is a line under construction.
type path []Point

// to adds a corner, and drops the previous point if it is none.
func (r *path) to(x, y int) {
	s := *r
	if k := len(s); k > 0 && s[k-1] == (Point{x, y}) {
		return
	} else if k > 1 && (s[k-2].X == s[k-1].X && s[k-1].X == x || s[k-2].Y == s[k-1].Y && s[k-1].Y == y) {
		s[k-1] = Point{x, y}
		return
	}
	*r = append(s, Point{x, y})
}
