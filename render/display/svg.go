package display

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// SVG writes a picture as one file, without scripts, fonts or other references to
// the outside. With no scheme the reader's browser chooses it; programs that know
// less CSS than browsers show the light one.
func SVG(p *Picture, t *Theme, scheme Scheme) []byte {
	w := &svgWriter{}
	w.Grow(1 << 18) // enough for most pictures; unused memory costs nothing
	w.head(p, t, "<style>\n"+t.CSS(scheme)+"</style>\n")
	for it := range p.Parts {
		w.item(&it)
		w.s("\n")
	}
	w.s("</svg>\n")
	return w.Bytes()
}

// SVGHead writes the beginning of a drawing, up to the first item, for a document
// that has the theme's style sheet already.
func SVGHead(p *Picture, t *Theme) []byte {
	w := &svgWriter{}
	w.head(p, t, "")
	return w.Bytes()
}

// Shaper writes the forms of paths.
type Shaper struct{ w svgWriter }

// Shape returns the data of a path from a point on, which is its start or near it: the same for all
// paths of that form. It is valid until the next call.
func (s *Shaper) Shape(p *Path, from Pt) []byte {
	s.w.shape = true
	s.w.Reset()
	s.w.path(p, from)
	return s.w.Bytes()
}

// SVGItem writes an item without its surroundings.
func SVGItem(it *Item) []byte {
	w := &svgWriter{}
	w.item(it)
	return w.Bytes()
}

type svgWriter struct {
	bytes.Buffer
	shape bool // path data without places
}

func (w *svgWriter) s(s string) { w.WriteString(s) }

// attr writes an attribute, but none without a value.
func (w *svgWriter) attr(name, value string) {
	if value != "" {
		w.s(" " + name + `="` + xmlEscaper.Replace(value) + `"`)
	}
}

func (w *svgWriter) num(name string, v int) {
	w.s(" " + name + `="` + strconv.Itoa(v) + `"`)
}

func (w *svgWriter) element(name, text string) {
	if text != "" {
		w.s("<" + name + ">" + xmlEscaper.Replace(text) + "</" + name + ">")
	}
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

func (w *svgWriter) head(p *Picture, t *Theme, style string) {
	w.s(`<svg xmlns="http://www.w3.org/2000/svg"`)
	w.num("width", p.W)
	w.num("height", p.H)
	w.attr("viewBox", "0 0 "+strconv.Itoa(p.W)+" "+strconv.Itoa(p.H))
	w.s(` xml:space="preserve" role="graphics-document">` + "\n")
	w.s("<title>" + xmlEscaper.Replace(p.Title) + "</title>\n<desc>" + xmlEscaper.Replace(p.Desc) + "</desc>")
	w.s("\n" + style + "<defs>" + t.hatchSVG() + "</defs>\n")
}

func (w *svgWriter) item(it *Item) {
	switch {
	case it.Box != nil:
		w.s("<rect")
		w.attr("class", it.Class)
		w.num("x", it.Box.X)
		w.num("y", it.Box.Y)
		w.num("width", it.Box.W)
		w.num("height", it.Box.H)
		if it.Box.R > 0 {
			w.num("rx", it.Box.R)
		}
		w.end(it, "rect")
	case len(it.Path.Ops) > 0:
		w.s("<path")
		w.attr("class", it.Class)
		w.s(` d="`)
		w.path(&it.Path, it.Path.Pts[0])
		w.s(`"`)
		w.end(it, "path")
	case len(it.Runs) > 0:
		w.text(it)
	case len(it.Items) > 0:
		w.group(it)
	}
}

// end ends the tag of a shape.
func (w *svgWriter) end(it *Item, tag string) {
	if it.Title == "" {
		w.s("/>")
		return
	}
	w.s(">")
	w.element("title", it.Title)
	w.s("</" + tag + ">")
}

func (w *svgWriter) text(it *Item) {
	if it.Title != "" { // a title in a text would be part of it for some programs
		w.s("<g>")
		w.element("title", it.Title)
		defer w.s("</g>")
	}
	w.s("<text")
	w.s(` x="` + number(it.At.X) + `" y="` + number(it.At.Y) + `"`)
	w.attr("class", it.Class)
	w.attr("text-anchor", [...]string{"", "middle", "end"}[it.Anchor])
	w.s(">")
	for _, r := range it.Runs {
		if r.Class == "" {
			w.s(xmlEscaper.Replace(r.Text))
			continue
		}
		w.s(`<tspan class="` + r.Class + `">` + xmlEscaper.Replace(r.Text) + "</tspan>")
	}
	w.s("</text>")
}

// Named reports whether an item is a group in a file, too.
func Named(it *Item) bool {
	return it.Box == nil && len(it.Path.Ops) == 0 && len(it.Runs) == 0 &&
		(it.Part == Piece || it.Link+it.Class+it.ID+it.Label+it.Title != "")
}

func (w *svgWriter) group(it *Item) {
	tag := "g"
	if it.Link != "" {
		tag = "a"
	}
	if !Named(it) { // it stands for something without a mark of its own
		for i := range it.Items {
			w.item(&it.Items[i])
		}
		return
	}
	w.s("<" + tag)
	w.attr("href", it.Link)
	w.attr("class", it.Class)
	w.attr("id", it.ID)
	if it.Label != "" {
		w.s(` role="group"`)
		w.attr("aria-label", it.Label)
	}
	w.s(">")
	w.element("title", it.Title)
	for i := range it.Items {
		w.item(&it.Items[i])
	}
	w.s("</" + tag + ">")
}

// path writes path data (SVG 2, section 9.3). Distances are shorter than places; a
// shape has nothing else, and starts at a point.
func (w *svgWriter) path(p *Path, at Pt) {
	pts := p.Pts
	start := at
	for i, op := range p.Ops {
		a := pts[:op.Points()]
		pts = pts[op.Points():]
		switch op {
		case Move:
			start = a[0]
			switch {
			case !w.shape:
				w.s("M" + number(a[0].X))
				w.next(a[0].Y)
			case i > 0 || a[0] != at:
				w.s("m" + number(a[0].X-at.X))
				w.next(a[0].Y - at.Y)
			}
		case Line:
			w.line(at, a[0])
		case Quad, Cube:
			w.s(string("qc"[op-Quad]))
			for j, q := range a {
				if j == 0 {
					w.s(number(q.X - at.X))
				} else {
					w.next(q.X - at.X)
				}
				w.next(q.Y - at.Y)
			}
		case Close:
			w.s("z")
			at = start
			continue
		}
		at = a[len(a)-1]
	}
}

func (w *svgWriter) line(from, to Pt) {
	switch {
	case from.Y == to.Y:
		w.s("h" + number(to.X-from.X))
	case from.X == to.X:
		w.s("v" + number(to.Y-from.Y))
	default:
		w.s("l" + number(to.X-from.X))
		w.next(to.Y - from.Y)
	}
}

// next writes a number after another one. A sign parts them as well as a space.
func (w *svgWriter) next(v float64) {
	n := number(v)
	if n[0] != '-' {
		w.s(" ")
	}
	w.s(n)
}

// number writes a coordinate with at most two decimals.
func number(v float64) string {
	if v == math.Trunc(v) {
		return strconv.FormatInt(int64(v), 10)
	}
	s := strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}
