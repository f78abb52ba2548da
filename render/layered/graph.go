// Package layered places boxes of a directed graph in rows and routes its
// edges between them with horizontal and vertical lines only. It is made for
// control flow graphs: one entry, loops, mostly short edges, a few blocks with
// hundreds of successors.
//
//	p := layered.Layout(layered.Graph{
//		Nodes: []layered.Node{{W: 120, H: 60}, {W: 120, H: 40}, {W: 90, H: 40}},
//		Edges: []layered.Edge{{From: 0, To: 1, Straight: true}, {From: 0, To: 2}, {From: 1, To: 2, Straight: true}},
//	}, layered.Options{})
//	// p.Nodes[1] is the top left corner of box 1, p.Routes[1] the corners of the line from 0 to 2
//
//	+-----+
//	|  0  |          row 0
//	+-----+
//	   |  '---.      channel: tracks for the horizontal parts
//	+-----+   |
//	|  1  |   |      row 1; the long edge passes as a dummy cell
//	+-----+   |
//	   |  .---'
//	+-----+
//	|  2  |          row 2
//	+-----+
//
// The method is that of Sugiyama, Tagawa and Toda, "Methods for visual
// understanding of hierarchical system structures" (IEEE SMC 11, 1981):
// remove cycles, assign rows, order each row, assign coordinates, route.
// The file of each phase says where it departs from that, for control flow.
//
// What holds for every result: no two boxes overlap, no line crosses a box,
// all coordinates are integers ≥ 0, equal input gives equal output. The time
// is near linear: see Options.MaxCells.
//
// The package knows no text, no colour and no instructions.
package layered

import (
	"context"
	"slices"
)

// Graph is what to place. Parallel edges and self edges are allowed.
type Graph struct {
	Nodes []Node
	Edges []Edge // in order of preference: the first out-edges of a node are visited first
	Entry int    // node to start from, at the top
}

// Node is a box, its size in pixels.
type Node struct {
	W, H int
	// Above and Below are pixels that lines keep more from its upper and lower side than
	// from those of other boxes: lines that enter or leave it have labels there.
	Above, Below int
}

// Edge leads from the bottom of one box to the top of another.
type Edge struct {
	From, To int
	// Straight requests a straight line down, as for fall-through edges.
	Straight bool
	// Fan lets all Fan edges of one node share a trunk that branches.
	Fan bool
	// Class lets edges with the same positive Class into one node run together
	// before they reach it. Zero never merges.
	Class int
	// Hidden edges keep their ends in order and have no route.
	Hidden bool
}

// Options tune Layout. Zero values mean the defaults.
type Options struct {
	NodeGap  int // pixels between boxes of a row, default 28
	MinGap   int // pixels that are left of that where a drawing is made narrower, default 12
	TrackGap int // pixels between parallel lines, default 8
	ChanTop  int // pixels from a box to the first track below, default 8
	ChanEnd  int // pixels from the last track to the box below: arrow heads; default 12
	MaxWidth int // pixels that a row of boxes may take before it is broken; by default widths are tried

	// Slack is how much wider than its widest row a drawing may be in pixels before
	// lines that are straight get bends; default 480, two boxes.
	Slack int

	// MaxHeight is the height in pixels at which the drawing is cut into columns;
	// negative for never. By default drawings much higher than wide are.
	MaxHeight int

	// MaxCells bounds the places that long edges take in rows they pass. Edges
	// that do not fit, longest first, get no route: the caller shows them as
	// references. Default 4 for each node and edge, and 20,000.
	MaxCells int
	// Sweeps is how often rows are reordered, default 24 and less for large
	// graphs.
	Sweeps int

	// Progress, if not nil, is called as the work goes on: done of total parts.
	// Phase names what follows. It must return soon.
	Progress func(phase string, done, total int)
}

// Point is a place in pixels, y growing down.
type Point struct {
	X, Y int
}

// Placement is the result of Layout.
type Placement struct {
	W, H   int
	Nodes  []Point // top left corner of each box
	Routes []Route // one for each edge
	Loops  []Region
	Rows   int // number of rows
	Cells  int // boxes and dummy cells
}

// Route is the line of an edge.
type Route struct {
	// Points are the corners from source to target; nil for an edge without a route, see
	// Options.MaxCells.
	Points []Point
	// First and Last bound the part of Points that no earlier edge of the same
	// trunk has: a writer that draws Points[First] to Points[Last] of every
	// edge draws each line once.
	First, Last int
	// Retreating reports whether the edge leads up, against the rows.
	Retreating bool
}

// Region is the area of a loop: bands on top of each other, from the top down.
type Region struct {
	Header int // node at which the loop is entered
	Depth  int // 1 for an outermost loop
	Bands  []Band
	// Holes are around boxes among the bands that are not in the loop: exits that stay below their
	// case.
	Holes []Band
}

// Band is a rectangle from (X0, Y0) to (X1, Y1).
type Band struct {
	X0, Y0, X1, Y1 int
}

// Layout places the graph. Edges must name nodes of the graph.
func Layout(g Graph, opt Options) Placement {
	p, err := LayoutContext(context.Background(), g, opt)
	if err != nil {
		panic("bug: layered: " + err.Error())
	}
	return p
}

// LayoutContext places the graph like Layout. When the context ends first it
// returns its error, at the next step: the longest, coordinates, takes a second
// or two for 50,000 nodes.
func LayoutContext(ctx context.Context, g Graph, opt Options) (Placement, error) {
	if len(g.Nodes) == 0 {
		return Placement{Routes: make([]Route, len(g.Edges))}, ctx.Err()
	}
	fixed := opt.MaxWidth > 0
	opt = opt.withDefaults(g)
	w := &work{ctx: ctx, report: opt.Progress}
	w.at(phaseRows, 0)
	p, err := newPlan(g, opt).best(w, fixed)
	if err != nil {
		return Placement{}, err
	}
	w.at(phaseDone, 0)
	return p, nil
}

// inRows places the graph in rows and channels, each as high as its highest part.
func inRows(p *plan, ranks []int, w *work) (Placement, error) {
	opt := p.opt
	c := makeCells(p.g, p.d, p.gr, ranks, opt)
	order(c, opt.Sweeps, w)
	w.at(phasePlaces, 0)
	if w.ended() {
		return Placement{}, w.ctx.Err()
	}
	centre(c)
	assignX(c, opt)
	ch := makeChannels(c, opt)
	if len(ch.cols.dx) > 1 && !w.ended() {
		// Now each column is placed by itself: it need not line up with the others.
		c.unlink(ch.cols)
		assignX(c, opt)
		ch = makeChannelsCut(c, opt, ch)
	}
	w.at(phaseLines, 0)
	if w.ended() {
		return Placement{}, w.ctx.Err()
	}
	return ch.placement(), nil
}

func (o Options) withDefaults(g Graph) Options {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&o.NodeGap, 28)
	def(&o.MinGap, min(12, o.NodeGap))
	def(&o.TrackGap, 8)
	def(&o.ChanTop, 8)
	def(&o.ChanEnd, 12)
	def(&o.Slack, 480)
	cells := 4*(len(g.Nodes)+len(g.Edges)) + 20_000
	if slices.ContainsFunc(g.Edges, func(e Edge) bool { return e.Hidden }) {
		// A second layout, with references in boxes for the edges that the first gave up: rows may
		// differ a little, and should not cost more edges.
		cells += cells / 4
	}
	def(&o.MaxCells, cells)
	def(&o.MaxWidth, defaultWidth(g, o.NodeGap))
	def(&o.Sweeps, min(24, 2+400_000/(1+len(g.Nodes)+len(g.Edges))))
	return o
}

// defaultWidth is the row width of a drawing of this area that is two and a half
// times as wide as high, were all rows full, and not less than five ordinary
// boxes. Rows are not: drawings come out half as wide again as high. Rows of
// cases are full; where there is little else, half as wide again is enough, up to
// maxCaseRow, and where that makes it higher than wide, as wide as high.
func defaultWidth(g Graph, gap int) int {
	var area int64
	widest, sum := 0, 0
	for _, n := range g.Nodes {
		area += int64(n.W+gap) * int64(n.H+2*gap)
		sum += n.W + gap
		widest = max(widest, n.W)
	}
	cases := make([]bool, len(g.Nodes))
	full := 0
	for _, e := range g.Edges {
		if e.Fan && !cases[e.To] {
			cases[e.To] = true
			full++
		}
	}
	most := far
	if full*2 > len(g.Nodes) {
		most = max(maxCaseRow, isqrt(area)*7/8) // about as wide as high
	}
	area += area / 2
	if full*4 < 3*len(g.Nodes) {
		area += area * 2 / 3
	}
	return max(min(isqrt(area), most), 5*sum/len(g.Nodes), widest)
}

// maxCaseRow is the greatest width of a row of cases: people prefer to scroll down rather than
// right. It is not less, because each row of cases crosses the lines that leave it once or twice.
const maxCaseRow = 7800

// isqrt returns the integer square root, by Newton's method.
func isqrt(n int64) int {
	if n < 2 {
		return int(n)
	}
	x := n
	for y := (x + 1) / 2; y < x; y = (x + n/x) / 2 {
		x = y
	}
	return int(x)
}

// far is beyond every coordinate.
const far = 1 << 30
