package render

import (
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
)

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
	if sign := d.branchSign(e); sign != "" && !w.ToHub {
		text = strings.TrimSpace(sign + " " + text)
	}
	if e.Maybe && text != "" {
		text = "≈ " + text
	}
	if text == "" || w.ToHub {
		return
	}
	n := len(w.Points)
	p := w.Points[0]
	if e.Kind.chooses() {
		p = w.Points[n-1]
	}
	room := d.roomRight(e.To, p.X)
	atLeft := e.Kind.chooses() && room < min(columns(visible.Text(text)), labelCols)*labelCell/10+12
	lines, cut := []string{text}, false
	if !e.Kind.chooses() || w.Curve {
		lines[0], cut = clip(visible.Text(text), labelCols)
	} else {
		// The last bend is where the line leaves its trunk.
		lines, cut = labelLines(visible.Text(text), d.labelRoom(p, atLeft, min(3, (p.Y-w.Points[n-2].Y-10)/labelHeight)))
	}
	title := ""
	if cut {
		title = text
	}
	look := "lab"
	if e.Kind == Indirect && !e.Dead {
		look = "lab case"
	}
	for i, t := range lines {
		run := display.Run{Text: visible.Text(t)}
		switch y := p.Y - 5 - labelHeight*(len(lines)-1-i); {
		case !e.Kind.chooses():
			at, anchor := d.besideStart(w, columns(run.Text)*labelCell/10)
			d.line(at.X, at.Y, "lab", title, anchor, run)
		case atLeft:
			d.line(p.X-8, y, look, title, display.End, run)
		default:
			d.line(p.X+8, y, look, title, display.Start, run)
		}
	}
}

// A label at the start of a line is so far beside the line and below the box, and so high. Level
// lines keep so much more distance from a box with labels below and above.
const (
	labelBelow  = 4
	labelAbove  = 2
	startBeside = 5
	startDown   = 10
	startHigh   = 8
)

// labelRooms returns the extra distance of lines from the sides of each block that have labels: the
// upper side of cases, the lower one of branches.
func labelRooms(s *Scene) (above, below map[int]int) {
	above, below = map[int]int{}, map[int]int{}
	for i := range s.Edges {
		switch e := &s.Edges[i]; {
		case e.Kind == Taken:
			below[e.From] = labelBelow
		case e.Label == "" && e.Count == nil && e.Mark == "" || e.To == Outside:
		case e.Kind.chooses():
			above[e.To] = labelAbove
		default:
			below[e.From] = labelBelow
		}
	}
	return above, below
}

// besideStart returns the place of the label at the start of a line: the side without another line
// or label, or farther down along the line.
func (d *drawing) besideStart(w *Wire, width int) (Pt, display.Anchor) {
	p := w.Points[0]
	sides := []display.Anchor{display.Start, display.End}
	if d.neighbour(w) > 0 {
		slices.Reverse(sides)
	}
	free, at := Rect{W: width, H: startHigh}, p.Y+startDown
	end := at // of where the line goes straight down
	if !w.Curve && width <= labelCell/10 {
		end = max(end, w.Points[1].Y-startHigh)
	}
	for y := at; y <= end && y <= at+3*startDown; y += startHigh / 2 {
		free.Y = y - startHigh
		for _, side := range sides {
			free.X = p.X + startBeside
			if side == display.End {
				free.X = p.X - startBeside - width
			}
			if d.lines.clear(free) {
				d.lines.take(free)
				return besides(p.X, y, side), side
			}
		}
	}
	return besides(p.X, at, sides[0]), sides[0]
}

// besides returns where a text beside a place starts, or ends.
func besides(x, y int, side display.Anchor) Pt {
	if side == display.End {
		return Pt{x - startBeside, y}
	}
	return Pt{x + startBeside, y}
}

// neighbour returns how far right of a line the next line of its block starts; it is negative for a
// line at the left, and 0 if there is none.
func (d *drawing) neighbour(w *Wire) int {
	nearest := 0
	for _, i := range d.wires[d.scene.Edges[w.Edges[0]].From] {
		by := d.l.Lines[i].Points[0].X - w.Points[0].X
		if by != 0 && (nearest == 0 || max(by, -by) < max(nearest, -nearest)) {
			nearest = by
		}
	}
	return nearest
}

// labelRoom returns how many lines of a label fit above the end of an edge, at most so many: other
// boxes may be near.
func (d *drawing) labelRoom(p Pt, atLeft bool, most int) int {
	if most <= 1 {
		return 1
	}
	const width = labelCols * labelCell / 10
	x, top := p.X+8, p.Y-5-labelHeight*most
	if atLeft {
		x -= 16 + width
	}
	for _, b := range d.l.Blocks {
		if bottom := b.Y + b.H; bottom > top && b.Y < p.Y && b.X < x+width && x < b.X+b.W {
			top = bottom
		}
	}
	return max(1, (p.Y-5-top)/labelHeight)
}

// branchSign returns T for the edge of a branch that is taken, F for the other one.
func (d *drawing) branchSign(e *Edge) string {
	switch {
	case !d.branches[e.From]:
	case e.Kind == Taken:
		return "T"
	case e.Kind == FallThrough:
		return "F"
	}
	return ""
}

// Sizes of labels: cells of a line, tenths of a pixel of a cell, pixels of a line.
const (
	labelCols   = 24
	labelCell   = 67
	labelHeight = 11
)

// labelLines breaks visible text after ";" and "," into at most most lines.
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
