package render

import (
	"context"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

// Spaces between the parts of a picture in pixels.
const (
	margin    = 24
	titleH    = 58 // title and subtitle
	funcHead  = 30 // name of a function
	funcPad   = 10 // around the blocks of a function
	funcGap   = 28 // between functions
	noteH     = 17
	headH     = 20 // a line below the title of a figure
	hubWidth  = 160
	hubHeight = 24
)

// Place decides where everything goes. It fails when the scene is not
// consistent or the engine does.
func Place(s *Scene, opt PlaceOptions) (*Placement, error) {
	return PlaceContext(context.Background(), s, opt)
}

// PlaceContext decides where everything goes, like Place. When the context
// ends first it returns the context's error.
func PlaceContext(ctx context.Context, s *Scene, opt PlaceOptions) (*Placement, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if opt.Engine == nil {
		opt.Engine = Layered{}
	}
	if opt.Detail == DetailAuto {
		opt.Detail = autoDetail(s)
	}
	if opt.Detail == DetailFigure {
		return placeFigure(ctx, s, opt)
	}
	return place(ctx, s, opt)
}

// place places a scene that is consistent, by options that are complete.
func place(ctx context.Context, s *Scene, opt PlaceOptions) (*Placement, error) {
	l := &Placement{Engine: opt.Engine.Name(), Detail: opt.Detail}
	top := margin + titleHeight(s, opt.Detail) + mismatchHeight(s)
	right, bottom := margin, top
	if opt.View != ViewLayout {
		fs, err := placeFuncs(ctx, s, opt, l)
		if err != nil {
			return nil, err
		}
		w, h := shelve(fs, opt.MaxWidth)
		l.assemble(s, fs, margin, top)
		right, bottom = margin+w, top+h
	}
	if opt.View != ViewCFG && s.Image != nil {
		right, bottom = l.placeStrip(s, right, top, bottom, opt.Columns)
	}
	l.Legend = Rect{margin, bottom + 16, max(right-margin, 600), 0}
	l.Legend.H = legendHeight(s, l)
	bottom = l.Legend.Y + l.Legend.H
	if len(s.Notes) > 0 {
		l.Notes = Rect{margin, bottom + 8, l.Legend.W, 8 + noteH*len(l.noteLines(s))}
		bottom = l.Notes.Y + l.Notes.H
	}
	l.W, l.H = max(right, l.Legend.X+l.Legend.W, titleWidth(s, opt.Detail))+margin, bottom+margin
	return l, nil
}

func titleWidth(s *Scene, detail Detail) int {
	if detail == DetailFigure {
		return figureWidth - margin
	}
	_, stamp := s.stamp()
	sub := columns(visible.Text(s.Subtitle)) + len(s.Profile) + columns(visible.Text(stamp)) + 5
	return margin + max(columns(visible.Text(s.Title))*12, textWidth(sub))
}

// titleHeight is that of title, subtitle and stamp.
func titleHeight(s *Scene, detail Detail) int {
	if detail != DetailFigure {
		return titleH
	}
	sub, stamp := figureHead(s)
	return titleH + headH*(max(len(sub)+len(stamp), 2)-1)
}

// mismatchHeight is the height of the warning below the title.
func mismatchHeight(s *Scene) int {
	if len(s.Mismatches) == 0 {
		return 0
	}
	return 34 + noteH*min(len(s.Mismatches), maxMismatches)
}

// maxMismatches is how many mismatches the warning lists.
const maxMismatches = 12

// placed is a function with its place.
type placed struct {
	fn     int
	blocks []int   // scene blocks, by node of the graph
	edges  [][]int // scene edges, by edge of the graph
	toHub  []bool  // by edge of the graph: it ends at a hub
	hubs   []Hub
	nodes  []Node
	p      Placed
	again  bool // edges lost their lines, and the boxes do not show it yet
	head   int  // height of the function's name; 0 without a frame
	pad    int  // around the blocks
	w, h   int  // of the frame
	x, y   int  // of the frame, set by shelve
}

// Node is a box of a Graph.
type Node = layered.Node

// placeFuncs lays out every function for itself.
func placeFuncs(ctx context.Context, s *Scene, opt PlaceOptions, l *Placement) ([]*placed, error) {
	blocks := make([][]int, len(s.Funcs))
	for b := range s.Blocks {
		blocks[s.Blocks[b].Func] = append(blocks[s.Blocks[b].Func], b)
	}
	bar := &progressBar{report: opt.Progress, blocks: max(1, len(s.Blocks))}
	fs := make([]*placed, len(s.Funcs))
	l.rows = make([][]row, len(s.Blocks))
	if !opt.AllLines {
		l.Given = s.stubs(opt.Detail.limits().stubIns)
	}
	// A first placement shows which edges get no line. Boxes then show references for them, which
	// changes their sizes and may cost another edge its line. Each round but the last adds an edge
	// to the list. Functions without new ones stay as they are.
	for more := true; more; {
		b := newFuncBuilder(newViewer(s, opt.Detail, l.Given), l.rows)
		more = false
		for f := range s.Funcs {
			if len(blocks[f]) == 0 || fs[f] != nil && !fs[f].again {
				continue
			}
			p, err := b.place(ctx, f, blocks[f], opt.Engine, bar.part(len(blocks[f])))
			if err != nil {
				return nil, fmt.Errorf("place function %q: %w", visible.Text(s.Funcs[f].Name), err)
			}
			fs[f] = p
			for _, e := range p.given() {
				if !b.v.given[e] {
					l.Given = append(l.Given, e)
					p.again, more = true, true
				}
			}
		}
	}
	slices.Sort(l.Given)
	bar.end()
	return slices.DeleteFunc(fs, func(p *placed) bool { return p == nil }), nil
}

// given returns the scene edges without a route.
func (p *placed) given() []int {
	var out []int
	for i, r := range p.p.Routes {
		if r.Points == nil {
			out = append(out, p.edges[i]...)
		}
	}
	return out
}

// funcBuilder makes graphs of functions.
type funcBuilder struct {
	v    *viewer
	rows [][]row // of each block, as they were placed last
	node []int   // node of each block in its function's graph
	out  [][]int // edges of each block that are drawn, and hidden ones

	above, below map[int]int // room for labels at each block
}

func newFuncBuilder(v *viewer, rows [][]row) *funcBuilder {
	b := &funcBuilder{v: v, rows: rows, node: make([]int, len(v.scene.Blocks)), out: make([][]int, len(v.scene.Blocks))}
	b.above, b.below = labelRooms(v.scene)
	for i, e := range v.scene.Edges {
		if v.drawn(i) || v.given[i] {
			b.out[e.From] = append(b.out[e.From], i)
		}
	}
	return b
}

func (fb *funcBuilder) place(
	ctx context.Context, f int, blocks []int, engine Engine, report func(phase string, done, total int),
) (*placed, error) {
	p := &placed{fn: f, blocks: blocks}
	for i, b := range blocks {
		fb.node[b] = i
		fb.rows[b] = fb.v.blockRows(b)
		w, h := fb.v.boxSize(fb.rows[b])
		p.nodes = append(p.nodes, Node{W: w, H: h, Above: fb.above[b], Below: fb.below[b]})
	}
	g := Graph{Entry: fb.node[fb.v.scene.Funcs[f].Entry]}
	g.Edges = fb.edges(p)
	g.Nodes = p.nodes
	var err error
	if p.p, err = enginePlace(ctx, engine, g, report); err != nil {
		return nil, err
	}
	p.head, p.pad = funcHead, funcPad
	name := columns(visible.Text(fb.v.scene.Funcs[f].Name)) + columns(visible.Text(fb.v.scene.Funcs[f].Note))
	title := textWidth(min(name, 80)+34) + 2*funcPad
	if fb.v.lim.figure {
		title = textWidth(min(name, 40)+2) + 2*funcPad
		if len(fb.v.scene.Funcs) == 1 { // the title of the picture is its name
			p.head, p.pad, title = 0, 0, 0
		}
	}
	p.w = max(p.p.W+2*p.pad, title)
	p.h = p.p.H + p.head + 2*p.pad
	return p, nil
}

// edges makes the edges of a function's graph, with hubs for indirect jumps
// that share all their targets.
func (fb *funcBuilder) edges(p *placed) []layered.Edge {
	s := fb.v.scene
	hubOf := fb.findHubs(p)
	var es []layered.Edge
	into := map[[2]int]int{} // hub and node that have a line: its edge
	for _, b := range p.blocks {
		for _, i := range fb.out[b] {
			e := &s.Edges[i]
			from, to := fb.node[e.From], fb.node[e.To]
			h, ok := hubOf[e.From]
			if !ok || e.Kind != Indirect || e.Dead {
				es = append(es, fb.edge(i, from, to))
				p.edges = append(p.edges, []int{i})
				p.toHub = append(p.toHub, false)
				continue
			}
			hub := len(p.blocks) + h
			for _, k := range [][2]int{{from, hub}, {hub, to}} {
				j, ok := into[k]
				if !ok {
					j = len(es)
					into[k] = j
					es = append(es, layered.Edge{From: k[0], To: k[1], Fan: k[0] == hub, Class: 2 * classes, Hidden: fb.v.given[i]})
					p.edges = append(p.edges, nil)
					p.toHub = append(p.toHub, k[1] == hub)
				}
				p.edges[j] = append(p.edges[j], i)
			}
			p.hubs[h].Edges = append(p.hubs[h].Edges, i)
		}
	}
	return es
}

// classes bounds the classes that edge returns.
const classes = 16

func (fb *funcBuilder) edge(i, from, to int) layered.Edge {
	e := &fb.v.scene.Edges[i]
	le := layered.Edge{From: from, To: to, Hidden: fb.v.given[i]}
	switch e.Kind {
	case FallThrough, Return:
		le.Straight = true
		return le
	case Indirect, Compared:
		le.Fan = true
		le.Class = 1
	case Taken:
		le.Class = 2
	case Goto:
		le.Class = 3
	case Unwind:
		le.Class = 6
	default:
		le.Class = 4
	}
	if e.Maybe {
		le.Class = 5
	}
	if e.Dead {
		// Dead edges run apart from live ones, even from one jump: those of a large switch have a
		// trunk of their own.
		le.Fan = e.Kind == Compared
		le.Class += classes / 2
	}
	return le
}

// findHubs gives a hub to indirect jumps with the same three or more targets.
// Drawn one by one, the jumps of a threaded interpreter with n handlers are n²
// lines.
func (fb *funcBuilder) findHubs(p *placed) map[int]int {
	s := fb.v.scene
	groups := map[string][]int{}
	var keys []string
	for _, b := range p.blocks {
		var to []int
		for _, i := range fb.out[b] {
			if s.Edges[i].Kind == Indirect && !s.Edges[i].Dead {
				to = append(to, s.Edges[i].To)
			}
		}
		slices.Sort(to)
		if len(slices.Compact(slices.Clone(to))) < 3 {
			continue
		}
		k := fmt.Sprint(fb.v.tablesOf[b], slices.Compact(to))
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], b)
	}
	hubOf := map[int]int{}
	for _, k := range keys {
		bs := groups[k]
		if len(bs) < 2 {
			continue
		}
		h := Hub{Table: -1, Rect: Rect{W: hubWidth, H: hubHeight}}
		if ts := fb.v.tablesOf[bs[0]]; len(ts) == 1 {
			h.Table = ts[0]
			cols := columns(visible.Text(s.Tables[ts[0]].Name))
			h.W = (textWidth(min(cols, 40)+8) + 31) / 32 * 32
		}
		for _, b := range bs {
			hubOf[b] = len(p.hubs)
		}
		p.hubs = append(p.hubs, h)
		p.nodes = append(p.nodes, Node{W: h.W, H: h.H})
	}
	return hubOf
}
