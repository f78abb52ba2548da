package layered

import (
	"cmp"
	"slices"
)

// portMap gives the x at which nets meet a box: few, so a list.
type portMap []port

type port struct {
	net  int
	x    int
	wish int // mean x of the other cells of the piece
	own  bool
}

func (m portMap) find(net int) int {
	for _, p := range m {
		if p.net == net {
			return p.x
		}
	}
	panic("bug: layered: net does not meet the box")
}

// assignPorts spreads the nets of each box over its lower and upper side: the
// one that goes straight on at the centre, the others to its left and right in
// the order in which they arrive. Then every pin has its x.
func (ch *channels) assignPorts() {
	c := ch.c
	ch.outX, ch.inX = make([]portMap, len(c.g.Nodes)), make([]portMap, len(c.g.Nodes))
	for i := range ch.pieces {
		p := &ch.pieces[i]
		ch.collect(p, p.tops, p.bots, ch.outX)
		ch.collect(p, p.bots, p.tops, ch.inX)
	}
	for v := range c.g.Nodes {
		spread(ch.outX[v], c.cell[v].x, c.cell[v].w, 0)
		spread(ch.inX[v], c.cell[v].x, c.cell[v].w, grid/4)
	}
	for i := range ch.pieces {
		ch.alignPorts(&ch.pieces[i])
	}
	for i := range ch.pieces {
		p := &ch.pieces[i]
		ch.setPins(p, p.tops, ch.outX)
		ch.setPins(p, p.bots, ch.inX)
	}
}

// Distances of ports that move from others and from the corners of their box.
const (
	portGap    = 12
	portCorner = 12
)

// alignPorts makes a piece between two cells straight, if its ports can be at one x
// between those beside them.
func (ch *channels) alignPorts(p *piece) {
	if len(p.tops) != 1 || len(p.bots) != 1 {
		return
	}
	top, at := ch.portRoom(p, p.tops[0].cell, ch.outX)
	bot, to := ch.portRoom(p, p.bots[0].cell, ch.inX)
	both := top.and(bot)
	if both.lo > both.hi || at == nil && to == nil || at != nil && to != nil && *at == *to {
		return
	}
	x := both.lo
	if at != nil {
		x = both.nearest(*at)
		*at = x
	}
	if to != nil {
		*to = x
	}
}

// portRoom returns where a piece may meet a cell, and its port there; nil for a line
// that passes.
func (ch *channels) portRoom(p *piece, cell int, ports []portMap) (room, *int) {
	c := &ch.c.cell[cell]
	if c.kind != boxCell {
		return room{c.x, c.x}, nil
	}
	m := ports[cell]
	i := slices.IndexFunc(m, func(q port) bool { return q.net == p.net })
	r := c.side()
	if i > 0 {
		r.lo = max(r.lo, m[i-1].x+portGap)
	}
	if i+1 < len(m) {
		r.hi = min(r.hi, m[i+1].x-portGap)
	}
	return r, &m[i].x
}

// collect notes a port for each box among the near pins of a piece.
func (ch *channels) collect(p *piece, near, far []pin, ports []portMap) {
	sum, n := 0, 0
	for _, pins := range [][]pin{near, far} {
		for _, q := range pins {
			sum += ch.c.cell[q.cell].x
			n++
		}
	}
	for _, q := range near {
		cell := &ch.c.cell[q.cell]
		if cell.kind != boxCell {
			continue
		}
		pt := port{net: p.net, wish: cell.x}
		if n > 1 {
			pt.wish = (sum - cell.x) / (n - 1)
		}
		// A piece that goes on at the same x, whatever else it does, is straight.
		for _, f := range far {
			pt.own = pt.own || ch.c.cell[f.cell].x == cell.x
			if len(near) > maxPairwise {
				break
			}
		}
		ports[q.cell] = append(ports[q.cell], pt)
	}
}

// spread gives each port an x within a box of the width w around centre.
func spread(ports portMap, centre, w, shift int) {
	if len(ports) == 0 {
		return
	}
	slices.SortStableFunc(ports, func(a, b port) int { return cmp.Compare(a.wish, b.wish) })
	mid := middlePort(ports, centre)
	left, right := mid, len(ports)-1-mid
	if mid < 0 {
		left, right = len(ports)/2, len(ports)-len(ports)/2
	}
	room := w/2 - 4
	for i := range ports {
		switch {
		case i == mid:
			ports[i].x = centre
		case i < left:
			ports[i].x = centre - offset(left-i, left, room, shift)
		default:
			ports[i].x = centre + offset(i-len(ports)+right+1, right, room, shift)
		}
	}
}

// middlePort returns the port that takes the centre, -1 for none.
func middlePort(ports portMap, centre int) int {
	best := -1
	for i, p := range ports {
		if p.own && (best < 0 || abs(p.wish-centre) < abs(ports[best].wish-centre)) {
			best = i
		}
	}
	if best < 0 && len(ports)%2 == 1 {
		return len(ports) / 2
	}
	return best
}

// offset is the distance from the centre of the i-th of n ports on one side.
func offset(i, n, room, shift int) int {
	if d := grid*i + grid/2 + shift; grid*n+grid/2+shift <= room {
		return d
	}
	return max(1, room*i/n)
}

func abs(x int) int { return max(x, -x) }

// setPins gives the pins of one side of a piece their x.
func (ch *channels) setPins(p *piece, pins []pin, ports []portMap) {
	for i := range pins {
		cell := &ch.c.cell[pins[i].cell]
		pins[i].x = cell.x
		if cell.kind == boxCell {
			pins[i].x = ports[pins[i].cell].find(p.net)
		}
	}
}
