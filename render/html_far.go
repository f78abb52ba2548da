package render

import (
	"encoding/binary"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// A windowed program is one with so many blocks that a browser takes seconds
// for a drawing of all. Its page holds the items of each block and
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

// pageChunk blocks have their items in one payload, some 50 kB: a browser
// unpacks that in 5 ms, and a window shows blocks of few payloads.
const pageChunk = 192

// addDrawing writes the drawing of a windowed program in parts: what is under and over
// the blocks, always in the document; blocks; tables. Loops are left out: the script
// draws them.
func (p *payloads) addDrawing(s *Scene, l *Placement) {
	frame, blocks, tables := p.list(), p.list(), p.list()
	frame.add(0)
	n, under := 0, 0
	flush := func(w **listWriter, kind string, at int) {
		if len((*w).out) > 0 {
			text, items := (*w).bytes()
			p.addBytes(kind, at, text, items)
		}
		*w = p.list()
	}
	tabled := 0
	for it := range draw(s, l, true).Parts {
		switch it.Part {
		case display.Block:
			blocks.item(&it)
			if n++; n%pageChunk == 0 {
				flush(&blocks, "draw", n/pageChunk-1)
			}
		case display.Table:
			tables.item(&it)
			if tabled++; tabled%pageChunk == 0 {
				flush(&tables, "table", tabled/pageChunk-1)
			}
		case display.Loop:
		default:
			if n == 0 {
				under += shown([]display.Item{it})
			}
			frame.item(&it)
		}
	}
	flush(&blocks, "draw", n/pageChunk)
	flush(&tables, "table", tabled/pageChunk)
	frame.out = append(binary.AppendVarint(nil, int64(under)), frame.out[1:]...)
	text, items := frame.bytes()
	p.addBytes("frame", 0, text, items)
}

// addWhole writes the drawing of a program that is in the document as a whole.
func (p *payloads) addWhole(s *Scene, l *Placement) {
	p.addList("svg", draw(s, l, true))
}

// addList writes the items of a picture.
func (p *payloads) addList(kind string, picture *display.Picture) {
	w := p.list()
	w.numbers = p.numbers()
	for it := range picture.Parts {
		w.item(&it)
	}
	text, _ := w.bytes()
	p.addNumbers(kind, 0, w.numbers, text)
}

// list starts a list of items.
func (p *payloads) list() *listWriter {
	w := &listWriter{texts: p.texts}
	w.classes.texts, w.looks.texts = &w.strings, &w.strings
	return w
}

// pageSVG writes the drawing of a program for a page, which has the style sheet.
func pageSVG(s *Scene, l *Placement) []byte {
	picture := Draw(s, l)
	out := display.SVGHead(picture, theme())
	for it := range picture.Parts {
		out = append(append(out, display.SVGItem(&it)...), '\n')
	}
	return append(out, "</svg>\n"...)
}

// newFarData returns what is painted from afar.
func newFarData(s *Scene, l *Placement) *farData {
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
func tableArea(l *Placement, t int) Rect {
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
func (d *farData) addWires(s *Scene, l *Placement) {
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
