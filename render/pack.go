package render

import "github.com/bpfcfg/bpfcfg/render/layered"

// shelve puts functions side by side on shelves, in order, and returns the size
// of all. Shelves end where the drawing would become wider than maxWidth; 0 means
// the width of the widest function or of a square half as wide again as high, whichever is more.
// The next functions go below a function that is lower than its shelf if they are no wider.
func shelve(fs []*placed, maxWidth int) (w, h int) {
	if maxWidth == 0 {
		var area int64
		for _, f := range fs {
			maxWidth = max(maxWidth, f.w)
			area += int64(f.w+funcGap) * int64(f.h+funcGap)
		}
		for int64(maxWidth)*int64(maxWidth) < area+area/2 {
			maxWidth += 64
		}
	}
	y, shelfH := 0, 0
	x, colY, colW := 0, 0, 0 // of the column at hand, colY being its free room
	for _, f := range fs {
		switch {
		case colW > 0 && f.w <= colW && colY+f.h <= y+shelfH:
		case colW > 0 && x+colW+funcGap+f.w > maxWidth:
			x, y, shelfH = 0, y+shelfH+funcGap, 0
			colY, colW = y, f.w
		default:
			if colW > 0 {
				x += colW + funcGap
			}
			colY, colW = y, f.w
		}
		f.x, f.y = x, colY
		colY += f.h + funcGap
		shelfH = max(shelfH, f.y+f.h-y)
		w = max(w, f.x+f.w)
	}
	return w, y + shelfH
}

// assemble moves the functions to their places.
func (l *Placement) assemble(s *Scene, fs []*placed, x0, y0 int) {
	l.Funcs = make([]Rect, len(s.Funcs))
	l.Blocks = make([]Rect, len(s.Blocks))
	for _, f := range fs {
		l.Funcs[f.fn] = Rect{x0 + f.x, y0 + f.y, f.w, f.h}
		dx := x0 + f.x + (f.w-f.p.W)/2
		dy := y0 + f.y + f.head + f.pad
		for i, at := range f.p.Nodes {
			r := Rect{dx + at.X, dy + at.Y, f.nodes[i].W, f.nodes[i].H}
			if i < len(f.blocks) {
				l.Blocks[f.blocks[i]] = r
			} else {
				h := f.hubs[i-len(f.blocks)]
				h.Rect = r
				l.Hubs = append(l.Hubs, h)
			}
		}
		for i, r := range f.p.Routes {
			if r.Points == nil {
				continue
			}
			w := Wire{Edges: f.edges[i], First: r.First, Last: r.Last, Up: r.Retreating, Curve: f.p.Curved}
			for _, q := range r.Points {
				w.Points = append(w.Points, Pt{dx + q.X, dy + q.Y})
			}
			w.ToHub = f.toHub[i]
			l.Lines = append(l.Lines, w)
		}
		for _, r := range f.p.Loops {
			l.Loops = append(l.Loops, f.loop(r, dx, dy))
		}
	}
}

// loop moves the area of a loop to its place.
func (p *placed) loop(r layered.Region, dx, dy int) Loop {
	l := Loop{Header: -1, Depth: r.Depth}
	if r.Header < len(p.blocks) {
		l.Header = p.blocks[r.Header]
	}
	for _, b := range r.Bands {
		l.Bands = append(l.Bands, Rect{dx + b.X0, dy + b.Y0, b.X1 - b.X0, b.Y1 - b.Y0})
	}
	for _, b := range r.Holes {
		l.Holes = append(l.Holes, Rect{dx + b.X0, dy + b.Y0, b.X1 - b.X0, b.Y1 - b.Y0})
	}
	return l
}
