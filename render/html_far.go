package render

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// A windowed program is one with so many blocks that a browser takes seconds
// for a drawing of all. Its page holds the markup of each block as text and
// puts those near the window into the document; from afar the script paints
// boxes and lines on a canvas. This file writes the drawing in such parts.

// farData is what the script of a page needs to paint a windowed program from
// afar, and to know which of its parts are near the window.
type farData struct {
	// Wires are the lines: style, and 8 for a curve, block in whose markup it is,
	// number of points, x and y of the first and of each further one from the one
	// before.
	Wires  []int `json:"wires"`
	Arcs   steps `json:"arcs"`   // block, y of both ends, bulge, of the strip's jumps
	ArcX   int   `json:"arcx"`   // their x
	Hubs   []int `json:"hubs"`   // x, y, w, h
	Tables []int `json:"tables"` // x, y, w, h
	Reach  []int `json:"reach"`  // of each table with its lines: x, y, w, h
}

// pageChunk blocks have their markup in one payload, some 300 kB: a browser
// unpacks that in 5 ms, and a window shows blocks of few payloads.
const pageChunk = 192

// farParts is the drawing of a windowed program in pieces.
type farParts struct {
	under, over string   // what is drawn before and after blocks, always in the document
	blocks      []string // group of each block
	tables      []string // group of each table
}

// newFarParts writes a drawing in parts. Loops are left out: the script draws them.
func newFarParts(s *Scene, l *Layout) farParts {
	picture := Draw(s, l)
	p := farParts{blocks: make([]string, 0, len(l.Blocks))}
	var under, over strings.Builder
	under.Write(display.SVGHead(picture, theme))
	rest := &under
	for it := range picture.Parts {
		switch it.Part {
		case display.Block:
			p.blocks = append(p.blocks, string(display.SVGItem(&it, corner(l, len(p.blocks)))))
			rest = &over
		case display.Table:
			p.tables = append(p.tables, string(display.SVGItem(&it, display.Pt{})))
		case display.Loop:
		default:
			rest.Write(display.SVGItem(&it, display.Pt{}))
			rest.WriteString("\n")
		}
	}
	p.under, p.over = under.String(), over.String()
	return p
}

// corner is the point of a block's group from which its places are counted.
func corner(l *Layout, block int) display.Pt {
	return display.Pt{X: float64(l.Blocks[block].X), Y: float64(l.Blocks[block].Y)}
}

// pageSVG writes the drawing of a program for a page, which has the style sheet.
func pageSVG(s *Scene, l *Layout) []byte {
	picture := Draw(s, l)
	out := display.SVGHead(picture, theme)
	for it := range picture.Parts {
		from := display.Pt{}
		if it.Part == display.Block && it.Index < len(l.Blocks) {
			from = corner(l, it.Index)
		}
		out = append(append(out, display.SVGItem(&it, from)...), '\n')
	}
	return append(out, "</svg>\n"...)
}

// newFarData returns what is painted from afar.
func newFarData(s *Scene, l *Layout) *farData {
	d := &farData{Wires: []int{}, Arcs: steps{by: 4}, Hubs: []int{}, Tables: []int{}, Reach: []int{}}
	for _, h := range l.Hubs {
		d.Hubs = append(d.Hubs, h.X, h.Y, h.W, h.H)
	}
	for i, r := range l.Tables {
		d.Tables = append(d.Tables, r.X, r.Y, r.W, r.H)
		r = tableArea(l, i)
		d.Reach = append(d.Reach, r.X, r.Y, r.W, r.H)
	}
	d.addWires(s, l)
	return d
}

// tableArea returns the box of a table and of its lines to the strip.
func tableArea(l *Layout, t int) Rect {
	r, st := l.Tables[t], l.Strip
	if st == nil {
		return r
	}
	y0, y1 := r.Y, r.Y+r.H
	for _, aims := range [][]Aim{st.Aims[t], st.Feeds[t]} {
		for _, a := range aims {
			y0, y1 = min(y0, a.Y1), max(y1, a.Y1)
		}
	}
	x := min(r.X, st.X+st.W)
	return Rect{x, y0, r.X + r.W - x, y1 - y0}
}

// addWires adds the lines, each to the block whose markup it is in.
func (d *farData) addWires(s *Scene, l *Layout) {
	for i := range l.Lines {
		w := &l.Lines[i]
		e := &s.Edges[w.Edges[0]]
		style := edgeStyle(e)
		pts := w.Points[w.First : w.Last+1]
		if w.Curve {
			pts, style = w.Points, style|8
		}
		d.Wires = append(d.Wires, style, wireBlock(s, w), len(pts))
		var at Pt
		for _, p := range pts {
			d.Wires = append(d.Wires, p.X-at.X, p.Y-at.Y)
			at = p
		}
	}
	if l.Strip == nil {
		return
	}
	for i, a := range l.Strip.Arcs {
		if j := s.Image.Jumps[i]; a != (Arc{}) && j.Edge >= 0 {
			d.ArcX = a.X
			d.Arcs.add(s.Edges[j.Edge].From, a.Y0, a.Y1, a.Bulge)
		}
	}
}

// wireBlock returns the block in whose group a line is drawn: its source, or
// its target when it leaves a hub.
func wireBlock(s *Scene, w *Wire) int {
	e := &s.Edges[w.Edges[0]]
	if len(w.Edges) > 1 && !w.ToHub {
		return e.To
	}
	return e.From
}
