package render

import (
	"fmt"
	"slices"
	"strings"
)

// radius of the rounded corners of lines.
const radius = 6

// Styles of lines, the digits of the style sheet's classes.
const (
	styleFall = iota
	styleTaken
	styleGoto
	styleIndirect
	styleOther
	styleDead
)

// kindStyle returns the style of an edge kind.
func kindStyle(k EdgeKind) int {
	switch k {
	case FallThrough, Return:
		return styleFall
	case Taken:
		return styleTaken
	case Goto:
		return styleGoto
	case Indirect:
		return styleIndirect
	}
	return styleOther
}

func (d *drawing) style(w *Wire) int {
	e := &d.scene.Edges[w.Edges[0]]
	if e.Dead {
		return styleDead
	}
	return kindStyle(e.Kind)
}

// prepareLines decides in which block's group each line is drawn: that of its
// source, or of its target when it leaves a hub.
func (d *drawing) prepareLines() {
	n := len(d.scene.Blocks)
	d.wires, d.whole = make([][]int, n), make([][]int, n)
	for i := range d.l.Lines {
		w := &d.l.Lines[i]
		e := &d.scene.Edges[w.Edges[0]]
		b := e.From
		if len(w.Edges) > 1 && !w.ToHub {
			b = e.To
		}
		d.wires[b] = append(d.wires[b], i)
		if w.First > 0 || w.Last < len(w.Points)-1 {
			d.whole[b] = append(d.whole[b], i)
		}
	}
	d.ins = make([][]int, n)
	for i := range d.l.Lines {
		w := &d.l.Lines[i]
		if to := d.scene.Edges[w.Edges[0]].To; !w.ToHub && to != Outside {
			d.ins[to] = append(d.ins[to], w.Points[len(w.Points)-1].X)
		}
	}
	for _, xs := range d.ins {
		slices.Sort(xs)
	}
	d.prepareStrip()
}

// wire draws the part of a line that no other has, its head and its label.
func (d *drawing) wire(i int) {
	w := &d.l.Lines[i]
	e := &d.scene.Edges[w.Edges[0]]
	k := d.style(w)
	path := d.wholePath(w)
	if !w.Curve {
		path = roundedPath(w.Points, w.First, w.Last)
	}
	title := fmt.Sprintf("%s → %s, %s", d.scene.Blocks[e.From].Name, d.target(e), e.Kind)
	if w.ToHub {
		title = fmt.Sprintf("%s, %d targets", d.scene.Blocks[e.From].Name, len(w.Edges))
	}
	if e.Label != "" && len(w.Edges) == 1 {
		title += ": " + e.Label
	}
	if e.Dead {
		title += ", never taken"
	}
	mark := ""
	if !w.ToHub {
		mark = markClass(d.sameMark(w))
	}
	if mark != "" {
		title += ", " + Visible(e.Mark)
	}
	if e.Count != nil && len(w.Edges) == 1 {
		title += fmt.Sprintf(", passed %d times", *e.Count)
	}
	if mark != "" { // a broad line below: dashes and head still tell the kind
		d.f(`<path class="glow%s" d="%s"/>`, mark, path)
	}
	d.f(`<path class="e k%d" d="%s"><title>%s</title></path>`, k, path, xmlText(title))
	if w.Last == len(w.Points)-1 {
		d.head(w, k)
	}
	d.label(w, e)
}

func (d *drawing) target(e *Edge) string {
	if e.To == Outside {
		return "unknown"
	}
	return d.scene.Blocks[e.To].Name
}

func (d *drawing) wholePath(w *Wire) string {
	if !w.Curve {
		return roundedPath(w.Points, 0, len(w.Points)-1)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M%d %d", w.Points[0].X, w.Points[0].Y)
	for i := 1; i+2 < len(w.Points); i += 3 {
		p := w.Points[i : i+3]
		fmt.Fprintf(&b, "C%d %d %d %d %d %d", p[0].X, p[0].Y, p[1].X, p[1].Y, p[2].X, p[2].Y)
	}
	return b.String()
}

// roundedPath writes the corners from first to last. A part that starts or
// ends inside the line has the rounding of its corner there, as a branch.
func roundedPath(p []Pt, first, last int) string {
	var b strings.Builder
	if first > 0 {
		q := toward(p[first], p[first-1], cornerRadius(p, first))
		fmt.Fprintf(&b, "M%d %d", q.X, q.Y)
	} else {
		fmt.Fprintf(&b, "M%d %d", p[0].X, p[0].Y)
	}
	end := last
	if last < len(p)-1 {
		end = last + 1
	}
	for i := max(1, first); i < end; i++ {
		r := cornerRadius(p, i)
		a, z := toward(p[i], p[i-1], r), toward(p[i], p[i+1], r)
		fmt.Fprintf(&b, "L%d %dQ%d %d %d %d", a.X, a.Y, p[i].X, p[i].Y, z.X, z.Y)
	}
	if last == len(p)-1 {
		fmt.Fprintf(&b, "L%d %d", p[last].X, p[last].Y)
	}
	return b.String()
}

// cornerRadius is radius, or less where the lines that meet are short.
func cornerRadius(p []Pt, i int) int {
	return min(radius, distance(p[i-1], p[i])/2, distance(p[i], p[i+1])/2)
}

func distance(a, b Pt) int { return max(a.X-b.X, b.X-a.X) + max(a.Y-b.Y, b.Y-a.Y) }

// toward returns the point r pixels from a in the direction of b, on a level
// or upright line.
func toward(a, b Pt, r int) Pt {
	switch {
	case b.X > a.X:
		a.X += r
	case b.X < a.X:
		a.X -= r
	case b.Y > a.Y:
		a.Y += r
	case b.Y < a.Y:
		a.Y -= r
	}
	return a
}

// head draws the arrow head: open for falling through, a triangle for jumps,
// with a bar for indirect ones. All lines arrive from above.
func (d *drawing) head(w *Wire, style int) {
	p := w.Points[len(w.Points)-1]
	switch style {
	case styleFall:
		d.f(`<path class="open" d="M%d %dl4 8l4-8"/>`, p.X-4, p.Y-8)
	case styleIndirect:
		d.f(`<path class="a%d" d="M%d %dl-5-9h10zm-6-12h12v2h-12z"/>`, style, p.X, p.Y)
	case styleDead:
		d.f(`<path class="open" d="M%d %dl6 6m0-6l-6 6"/>`, p.X-3, p.Y-14)
		d.f(`<path class="a%d" d="M%d %dl-4-8h8z"/>`, style, p.X, p.Y)
	default:
		d.f(`<path class="a%d" d="M%d %dl-4-9h8z"/>`, style, p.X, p.Y)
	}
}

// label writes the label of an edge: case values at the target of an indirect
// jump, a condition at the source of others, in as many lines as there is room
// for.
func (d *drawing) label(w *Wire, e *Edge) {
	text := e.Label
	if !d.sameLabel(w) {
		text = ""
	}
	if e.Count != nil && len(w.Edges) == 1 {
		text = strings.TrimSpace(text + " " + countText(e.Count))
	}
	if sign := d.sameMark(w); sign != "" && !w.ToHub {
		text = strings.TrimSpace(markSign(sign) + " " + text)
	}
	if text == "" || w.ToHub {
		return
	}
	n := len(w.Points)
	p := w.Points[0]
	if e.Kind == Indirect {
		p = w.Points[n-1]
	}
	room := d.roomRight(e.To, p.X)
	atLeft := e.Kind == Indirect && room < min(columns(Visible(text)), labelCols)*labelCell/10+12
	lines, cut := []string{text}, false
	if e.Kind != Indirect || w.Curve {
		lines[0], cut = clip(Visible(text), labelCols)
	} else {
		// The last bend is where the line leaves its trunk.
		lines, cut = labelLines(Visible(text), max(1, min(3, (p.Y-w.Points[n-2].Y-10)/labelHeight)))
	}
	if cut {
		d.s("<g>")
		d.title(text)
		defer d.s("</g>")
	}
	for i, t := range lines {
		switch y := p.Y - 5 - labelHeight*(len(lines)-1-i); {
		case e.Kind != Indirect:
			d.text(p.X+6, p.Y+11, "lab", t)
		case atLeft:
			d.f(`<text x="%d" y="%d" class="lab" text-anchor="end">%s</text>`, p.X-8, y, xmlText(t))
		default:
			d.text(p.X+8, y, "lab", t)
		}
	}
}

// Sizes of labels: cells of a line, tenths of a pixel of a cell, pixels of a line.
const (
	labelCols   = 24
	labelCell   = 67
	labelHeight = 11
)

// labelLines breaks visible text behind ";" and "," into at most most lines.
// Parts that end in ";" begin lines of their own.
func labelLines(text string, most int) (lines []string, cut bool) {
	var parts []string
	for _, table := range strings.SplitAfter(text, "; ") {
		parts = append(parts, strings.SplitAfter(table, ", ")...)
	}
	line := ""
	for _, p := range parts {
		if line != "" && (strings.HasSuffix(line, "; ") && most > 1 || columns(line+strings.TrimSpace(p)) > labelCols) {
			lines = append(lines, strings.TrimSuffix(strings.TrimSpace(line), ";"))
			line = ""
		}
		line += p
	}
	lines = append(lines, strings.TrimSpace(line))
	if len(lines) > most {
		lines, cut = lines[:most], true
		if columns(lines[most-1]) >= labelCols {
			lines[most-1], _ = clip(lines[most-1], labelCols-1)
		}
		lines[most-1] = strings.TrimSuffix(lines[most-1], "…") + "…"
	}
	for i := range lines {
		t, c := clip(lines[i], labelCols)
		lines[i], cut = t, cut || c
	}
	return lines, cut
}

// sameMark returns the mark that all edges of a line have.
func (d *drawing) sameMark(w *Wire) string {
	for _, i := range w.Edges {
		if d.scene.Edges[i].Mark != d.scene.Edges[w.Edges[0]].Mark {
			return ""
		}
	}
	return d.scene.Edges[w.Edges[0]].Mark
}

// sameLabel reports whether all edges of a line have one label.
func (d *drawing) sameLabel(w *Wire) bool {
	for _, i := range w.Edges {
		if d.scene.Edges[i].Label != d.scene.Edges[w.Edges[0]].Label {
			return false
		}
	}
	return true
}

// roomRight returns the distance from x to the next line that ends at the
// block.
func (d *drawing) roomRight(block, x int) int {
	for _, other := range d.ins[block] {
		if other > x {
			return other - x
		}
	}
	return 1 << 20
}
