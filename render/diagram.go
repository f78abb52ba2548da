package render

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

// Diagram is a graph of named boxes: the functions of an object and what leads to them. All
// strings may come from a hostile file.
type Diagram struct {
	Title    string
	Subtitle string
	Nodes    []DiagramNode
	Edges    []DiagramEdge
	Notes    []string // remarks below the picture
}

// DiagramNode is a box.
type DiagramNode struct {
	Name  string
	Lines []string // below the name
	Look  NodeLook
}

// NodeLook is how a box looks.
type NodeLook uint8

// The looks of boxes.
const (
	NodePlain  NodeLook = iota
	NodeStrong          // thick border: where the kernel comes in
	NodeRound           // round corners: for data
	NodeDashed          // part of another object
	NodeDead            // hatched: nothing leads to it
)

// DiagramEdge is a line with a head. Kind is the word of the legend; lines of one
// kind look the same, by Line.
type DiagramEdge struct {
	From, To int
	Kind     string
	Label    string
	Line     LineLook
	Dead     bool // drawn pale and labelled "never taken"
}

// LineLook is one of the looks of lines, 0 to LineLooks-1; no two have the same
// dashes and the same head.
type LineLook uint8

// The looks of lines.
const (
	LineSolid   LineLook = iota // filled head
	LineThick                   // head with a bar
	LineDashed                  // filled head
	LineLong                    // thick long dashes, double head
	LineDashDot                 // cross
	LineUnwind                  // dash-dot, diamond
	LineHollow                  // solid, hollow head
	LineCircle                  // solid, hollow circle
	LineDotted                  // filled head
	LinePale                    // dotted, no head
	LineLooks   = iota
)

// lineLooks are the strokes by LineLook.
var lineLooks = [LineLooks]display.Look{
	LineSolid:   {Stroke: inkText, Width: 1.4},
	LineThick:   {Stroke: inkJump, Width: 2.4},
	LineDashed:  {Stroke: inkTaken, Width: 1.6, Dash: []float64{7, 3}},
	LineLong:    {Stroke: inkJump, Width: 2.2, Dash: []float64{14, 5}},
	LineDashDot: {Stroke: inkBad, Width: 1.6, Dash: []float64{10, 3, 2, 3}},
	LineUnwind:  {Stroke: inkBad, Width: 1.6, Dash: []float64{4, 3, 1, 3}},
	LineHollow:  {Stroke: inkGood, Width: 1.6},
	LineCircle:  {Stroke: inkGood, Width: 1.2},
	LineDotted:  {Stroke: inkNote, Width: 1.4, Dash: []float64{2, 2}},
	LinePale:    {Stroke: inkLine, Width: 1, Dash: []float64{1, 3}},
}

// diagramTheme is the theme of diagrams.
func diagramTheme() *display.Theme {
	looks := []display.Look{
		{Class: "strong", Stroke: inkText, Width: 2.4},
		{Class: "away", Stroke: inkLine, Dash: []float64{6, 3}},
	}
	for i, l := range lineLooks {
		head := display.Look{Class: fmt.Sprintf("h%d", i), Fill: l.Stroke, Stroke: l.Stroke, Width: 1}
		open := display.Look{Class: fmt.Sprintf("o%d", i), Fill: inkPale, Stroke: l.Stroke, Width: 1.4}
		l.Class, l.Fill = fmt.Sprintf("l%d", i), display.None
		looks = append(looks, l, head, open)
	}
	looks = append(looks, display.Look{Class: "never", StrokeOpacity: .45})
	return &display.Theme{Font: pictureFont, Looks: slices.Concat(textLooks, boxLooks, looks)}
}

// Check reports the first edge that names no box or no look.
func (d *Diagram) Check() error {
	for i, e := range d.Edges {
		if e.From < 0 || e.To < 0 || e.From >= len(d.Nodes) || e.To >= len(d.Nodes) || e.Line >= LineLooks {
			return fmt.Errorf("diagram: edge %d: from %d to %d, look %d: no such box or look", i, e.From, e.To, e.Line)
		}
	}
	return nil
}

// DiagramSVG returns the picture as an SVG file.
func DiagramSVG(ctx context.Context, d *Diagram, scheme display.Scheme) ([]byte, error) {
	p, err := d.picture(ctx)
	if err != nil {
		return nil, err
	}
	return display.SVG(p, diagramTheme(), scheme), nil
}

// DiagramPaint returns the picture with its looks resolved, for packages raster and
// pdf.
func DiagramPaint(ctx context.Context, d *Diagram, scheme display.Scheme) (*display.Drawing, error) {
	p, err := d.picture(ctx)
	if err != nil {
		return nil, err
	}
	return display.Paint(p, diagramTheme(), scheme), nil
}

// Sizes of diagrams in pixels and cells.
const (
	diagramCols = 44
	diagramTop  = margin + titleH
)

// size returns the size of a box.
func (n *DiagramNode) size() layered.Node {
	name, _ := clip(visible.Text(n.Name), diagramCols)
	w := textWidth(columns(name) + 2)
	for _, l := range n.Lines {
		l, _ = clip(visible.Text(l), diagramCols)
		w = max(w, textWidth(columns(l)))
	}
	return layered.Node{W: max(w, 80) + 2*boxPad, H: headRow + rowHeight*len(n.Lines) + 6}
}

// text returns the label at the head of a line.
func (e *DiagramEdge) text() string {
	t := visible.Text(e.Label)
	if e.Dead {
		t = strings.TrimSpace(t + " never taken")
	}
	t, _ = clip(t, labelCols)
	return t
}

// maxLabels is the maximum number of labels above each other.
const maxLabels = 8

// labelRows returns the maximum number of labels above each other: those of the left half of the
// lines into a box are at the left of their lines, the others at the right.
func (d *Diagram) labelRows() int {
	count, most := make([]int, len(d.Nodes)), 0
	for i := range d.Edges {
		if e := &d.Edges[i]; e.text() != "" {
			count[e.To]++
			most = max(most, (count[e.To]+1)/2)
		}
	}
	return min(most, maxLabels)
}

// gap is the space between boxes: labels extend beyond their boxes on both sides.
func (d *Diagram) gap() int {
	gap := 48
	for i := range d.Edges {
		gap = max(gap, min(16+2*textWidth(columns(d.Edges[i].text())), 180))
	}
	return gap
}

// picture places the boxes and lines and returns the list of what to paint.
func (d *Diagram) picture(ctx context.Context) (*display.Picture, error) {
	v, err := d.place(ctx)
	if err != nil {
		return nil, err
	}
	return v.picture(), nil
}

// place decides where the boxes, lines and labels are.
func (d *Diagram) place(ctx context.Context) (*diagramView, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	g := layered.Graph{}
	for i := range d.Nodes {
		g.Nodes = append(g.Nodes, d.Nodes[i].size())
	}
	for _, e := range d.Edges {
		class := 0
		if e.Label == "" && !e.Dead {
			class = int(e.Line) + 1
		}
		g.Edges = append(g.Edges, layered.Edge{From: e.From, To: e.To, Class: class})
	}
	at, err := layered.LayoutContext(ctx, g, layered.Options{NodeGap: d.gap(), MinGap: d.gap(),
		ChanEnd: 20 + labelHeight*d.labelRows()})
	if err != nil {
		return nil, err
	}
	v := &diagramView{d: d, g: &g, at: &at, legendY: diagramTop + at.H + 28}
	v.placeLabels()
	return v, nil
}
