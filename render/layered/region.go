package layered

// regionPad is the space around the cells of a loop, less for inner loops.
func regionPad(depth int) int { return max(2, 15-3*depth) }

// rowSpan is the part of a row that a loop takes, from x0 to x1.
type rowSpan struct{ x0, x1 int }

// spans returns the part that each loop takes of the rows from its header's down.
func (ch *channels) spans() [][]rowSpan {
	c := ch.c
	rows := make([][]rowSpan, len(c.f.header))
	height := make([]int, len(c.f.header))
	for i := range c.cell {
		if l := c.cell[i].loop; l >= 0 {
			height[l] = max(height[l], c.cell[i].row+1)
		}
	}
	for l, h := range height { // inner loops come first
		if p := c.f.parent[l]; p >= 0 {
			height[p] = max(height[p], h)
		}
		rows[l] = make([]rowSpan, 0, max(0, h-c.cell[c.f.header[l]].row))
	}
	for i := range c.cell {
		x := &c.cell[i]
		for l := x.loop; l >= 0; l = c.f.parent[l] {
			r := x.row - c.cell[c.f.header[l]].row
			if r < 0 {
				continue
			}
			for len(rows[l]) <= r {
				rows[l] = append(rows[l], rowSpan{far, -1})
			}
			s := &rows[l][r]
			pad := regionPad(c.f.depth[l])
			s.x0, s.x1 = min(s.x0, x.x-x.w/2-pad), max(s.x1, x.x+x.w/2+pad)
		}
	}
	return rows
}

// regions returns the area of each loop, outer ones first.
func (ch *channels) regions() []Region {
	c := ch.c
	rows := ch.spans()
	ends := ch.laneEnds()
	var out []Region
	for l := len(rows) - 1; l >= 0; l-- {
		if len(rows[l]) == 0 {
			continue
		}
		h := c.cell[c.f.header[l]].row
		r := Region{Header: c.f.header[l], Depth: c.f.depth[l]}
		pad := regionPad(r.Depth) / 2
		for i := range rows[l] {
			if s := &rows[l][i]; s.x1 < 0 { // only lines without a route
				*s = rows[l][max(0, i-1)]
			}
			s, dx := rows[l][i], ch.dx(h+i)
			y0, y1 := ch.rowY[h+i]-pad, ch.rowY[h+i]+ch.rowH[h+i]+pad
			switch {
			case i == 0:
				y0 = max(0, min(y0, ends[l].top-pad-8))
			case ch.cols.cut[h+i]:
				out = append(out, r)
				r.Bands = nil
			default:
				up := rows[l][i-1]
				last := r.Bands[len(r.Bands)-1]
				r.add(Band{max(0, min(s.x0, up.x0)+dx), last.Y1, max(s.x1, up.x1) + dx, y0})
			}
			if i == len(rows[l])-1 {
				if ends[l].channel == h+i+1 {
					y1 = max(y1, ends[l].bottom+pad)
				}
			}
			r.add(Band{max(0, s.x0+dx), y0, s.x1 + dx, y1})
		}
		out = append(out, r)
	}
	ch.holes(out)
	return out
}

// add adds a band at the bottom, to the last one if they have the same width.
func (r *Region) add(b Band) {
	if n := len(r.Bands); n > 0 && r.Bands[n-1].X0 == b.X0 && r.Bands[n-1].X1 == b.X1 {
		r.Bands[n-1].Y1 = b.Y1
		return
	}
	r.Bands = append(r.Bands, b)
}

// holes adds the holes for guests to the areas.
func (ch *channels) holes(areas []Region) {
	c := ch.c
	of := map[int][]int{} // areas of each loop, by header
	for i := range areas {
		of[areas[i].Header] = append(of[areas[i].Header], i)
	}
	const pad = 6
	for v, guest := range c.gr.guest {
		if !guest {
			continue
		}
		row := c.cell[v].row
		x, y := c.cell[v].x+ch.dx(row), ch.rowY[row]
		hole := Band{x - c.cell[v].w/2 - pad, y - pad, x + (c.cell[v].w+1)/2 + pad, y + c.g.Nodes[v].H + pad}
		for in := c.cell[v].group; in >= 0; in = c.gr.parent[in] {
			l := c.gr.loop[in]
			if c.gr.root[in] >= 0 || c.f.common(l, c.f.of[v]) == l {
				continue
			}
			for _, i := range of[c.f.header[l]] {
				for _, b := range areas[i].Bands {
					if b.X0 < hole.X1 && hole.X0 < b.X1 && b.Y0 < hole.Y1 && hole.Y0 < b.Y1 {
						areas[i].Holes = append(areas[i].Holes, hole)
						break
					}
				}
			}
		}
	}
}

// laneEnd is the y of the highest and lowest turns of a loop's lanes.
type laneEnd struct {
	top     int
	bottom  int
	channel int // of bottom
}

func (ch *channels) laneEnds() []laneEnd {
	ends := make([]laneEnd, len(ch.c.f.header))
	for l := range ends {
		ends[l].top = far
	}
	for i := range ch.c.nets {
		n := &ch.c.nets[i]
		if !n.up || n.given || n.loop < 0 {
			continue
		}
		e := &ends[n.loop]
		if n.chLo == ch.c.cell[ch.c.f.header[n.loop]].row {
			e.top = min(e.top, ch.lowerY(n.chLo, &ch.pieces[n.piece]))
		}
		y := ch.upperY(n.chHi, &ch.pieces[n.piece+n.chHi-n.chLo])
		if n.chHi > e.channel {
			e.bottom, e.channel = y, n.chHi
		} else if n.chHi == e.channel {
			e.bottom = max(e.bottom, y)
		}
	}
	return ends
}
