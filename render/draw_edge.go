package render

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
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
	styleMaybe
	styleUnwind
)

// kindStyle returns the style of an edge kind.
func kindStyle(k EdgeKind) int {
	switch k {
	case FallThrough, Return:
		return styleFall
	case Taken, Compared:
		return styleTaken
	case Goto:
		return styleGoto
	case Indirect:
		return styleIndirect
	case Unwind:
		return styleUnwind
	}
	return styleOther
}

func (d *drawing) style(w *Wire) int { return edgeStyle(&d.scene.Edges[w.Edges[0]]) }

// edgeStyle returns the style of an edge.
func edgeStyle(e *Edge) int {
	switch {
	case e.Dead:
		return styleDead
	case e.Maybe:
		return styleMaybe
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
	d.lines = newOccupied(d.l.Lines)
	d.prepareStrip()
}

// wire draws the part of a line that it shares with no other, its head and its label.
func (d *drawing) wire(i int) {
	w := &d.l.Lines[i]
	e := &d.scene.Edges[w.Edges[0]]
	k := d.style(w)
	path := d.wholePath(w)
	if !w.Curve {
		path = roundedPath(d.newPath(), w.Points, w.First, w.Last)
	}
	mark := ""
	if !w.ToHub {
		mark = markClass(d.sameMark(w))
	}
	if mark != "" { // a broad line below: dashes and head still show the kind
		d.path("glow"+mark, path, "")
	}
	if class := "e k" + strconv.Itoa(k); len(w.Edges) == 1 && !w.ToHub {
		d.edgePath(w.Edges[0], class, path, func() string { return d.lineTitle(w, mark) })
	} else {
		d.path(class, path, d.lineTitle(w, mark))
	}
	if w.Last == len(w.Points)-1 {
		d.head(w, k)
	}
	d.label(w, e)
}

// lineTitle describes a line.
func (d *drawing) lineTitle(w *Wire, mark string) string {
	e := &d.scene.Edges[w.Edges[0]]
	title := fmt.Sprintf("%s → %s, %s", d.scene.Blocks[e.From].Name, d.target(e), e.Kind)
	if w.ToHub {
		title = fmt.Sprintf("%s, %s", d.scene.Blocks[e.From].Name, visible.Count(len(w.Edges), "target"))
	}
	if e.Label != "" && len(w.Edges) == 1 {
		title += ": " + e.Label
	}
	if e.Dead {
		title += ", never taken"
	} else if e.Maybe {
		title += ", merely possible"
	}
	if mark != "" {
		title += ", " + visible.Text(e.Mark)
	}
	if e.Count != nil && len(w.Edges) == 1 {
		title += fmt.Sprintf(", passed %d times", *e.Count)
	}
	return title
}

func (d *drawing) target(e *Edge) string {
	if e.To == Outside {
		return "unknown"
	}
	return d.scene.Blocks[e.To].Name
}

func (d *drawing) wholePath(w *Wire) *display.Path {
	if !w.Curve {
		return roundedPath(d.newPath(), w.Points, 0, len(w.Points)-1)
	}
	path := d.at(w.Points[0].X, w.Points[0].Y)
	for i := 1; i+2 < len(w.Points); i += 3 {
		p := w.Points[i : i+3]
		path.Cubic(p[0].X, p[0].Y, p[1].X, p[1].Y, p[2].X, p[2].Y)
	}
	return path
}

// roundedPath adds to an empty path the line with its corners from first to last. A part that
// starts or ends inside the line has the rounding of its corner there, as a branch.
func roundedPath(path *display.Path, p []Pt, first, last int) *display.Path {
	from := p[0]
	if first > 0 {
		from = toward(p[first], p[first-1], cornerRadius(p, first))
	}
	path.At(from.X, from.Y)
	end := last
	if last < len(p)-1 {
		end = last + 1
	}
	for i := max(1, first); i < end; i++ {
		r := cornerRadius(p, i)
		a, z := toward(p[i], p[i-1], r), toward(p[i], p[i+1], r)
		path.To(a.X, a.Y).Curve(p[i].X, p[i].Y, z.X, z.Y)
	}
	if last == len(p)-1 {
		path.To(p[last].X, p[last].Y)
	}
	return path
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
	fill := "a" + strconv.Itoa(style)
	switch style {
	case styleFall:
		d.path("open", d.at(p.X-4, p.Y-8).By(4, 8, 4, -8), "")
	case styleIndirect:
		d.path(fill, d.at(p.X, p.Y).By(-5, -9, 10, 0).Close().At(p.X-6, p.Y-12).By(12, 0, 0, 2, -12, 0).Close(), "")
	case styleDead:
		d.path("open", d.at(p.X-3, p.Y-14).By(6, 6).Skip(0, -6).By(-6, 6), "")
		d.path(fill, d.at(p.X, p.Y).By(-4, -8, 8, 0).Close(), "")
	case styleMaybe:
		d.path(fill, d.at(p.X, p.Y).By(-5, -10, 10, 0).Close(), "")
	case styleUnwind:
		d.path(fill, d.at(p.X, p.Y).By(-5, -7, 5, -7, 5, 7).Close(), "")
	default:
		d.path(fill, d.at(p.X, p.Y).By(-4, -9, 8, 0).Close(), "")
	}
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
