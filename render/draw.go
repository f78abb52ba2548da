package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
)

// Draw returns the picture of a scene in the places of its layout, as a list of
// items. Coordinates are integers but for the bows of a few signs.
//
// Everything of a block, its box, its lines, its pieces of the strip and the
// link between them, is one group with the id "b" and the block's index, so
// that a style sheet alone can light up the whole and "#b7" in an address leads
// to it.
func Draw(s *Scene, l *Placement) *display.Picture {
	return draw(s, l, false)
}

// draw is Draw for a page, which if untitled makes the titles of lines and pieces, and the labels
// of blocks, itself.
func draw(s *Scene, l *Placement, untitled bool) *display.Picture {
	p := &display.Picture{W: l.W, H: l.H, Title: visible.Text(s.Title), Desc: s.describe(l)}
	p.Parts = func(yield func(display.Item) bool) {
		d := newDrawing(s, l)
		d.untitled = untitled
		on := true
		flush := func() {
			for _, it := range d.items {
				on = on && yield(it)
			}
			d.reuse()
		}
		steps := []func(){d.background, d.titles, d.frames, d.loops, d.stripBack}
		for _, step := range steps {
			step()
			flush()
		}
		for b := 0; b < len(s.Blocks) && on; b++ {
			d.block(b)
			flush()
		}
		for _, step := range []func(){d.hubs, d.stripFront, d.tables, d.legend, d.notes} {
			step()
			flush()
		}
	}
	return p
}

// SVG draws a scene in the places of its layout: one file without scripts,
// fonts or other references to the outside. It shows as it is in browsers and
// README files; librsvg and Inkscape, which know less CSS, show the light
// colours.
func SVG(s *Scene, l *Placement) []byte { return SVGScheme(s, l, "") }

// SVGScheme is SVG in the colours of one scheme, whichever the reader's system uses.
func SVGScheme(s *Scene, l *Placement, scheme display.Scheme) []byte {
	return display.SVG(Draw(s, l), theme(), scheme)
}

// Paint draws a scene for packages raster and pdf.
func Paint(s *Scene, l *Placement, scheme display.Scheme) *display.Drawing {
	return display.Paint(Draw(s, l), theme(), scheme)
}

// stamp returns what is proven of the picture, and the look of that text: a program that the kernel
// refuses is never called verified, and neither is one with parts that are not known.
func (s *Scene) stamp() (class, text string) {
	switch {
	case len(s.Mismatches) > 0: // listed below
		return "", ""
	case s.Refused != "":
		return "badtext", "⊘ refused " + s.Refused
	case s.Checked == "":
		return "", ""
	case len(s.Unsure) > 0:
		return "state", "≈ agrees: " + s.Checked + "; not proven: " + strings.Join(s.Unsure, ", ")
	}
	return "good", "✓ " + s.Checked
}

// describe describes the picture in a sentence, for screen readers.
func (s *Scene) describe(l *Placement) string {
	var parts []string
	if len(l.Blocks) > 0 {
		parts = append(parts, fmt.Sprintf("control flow graph of %s with %s and %s", visible.Count(len(s.Funcs), "function"),
			visible.Count(len(s.Blocks), "block"), visible.Count(len(s.Edges), "edge")))
	}
	if l.Strip != nil {
		parts = append(parts, fmt.Sprintf("x86-64 code of %s", visible.Count(s.Image.Len, "byte")))
	}
	if len(s.Tables) > 0 {
		parts = append(parts, visible.Count(len(s.Tables), "table"))
	}
	if len(s.Mismatches) > 0 {
		parts = append(parts, visible.Count(len(s.Mismatches), "difference")+", listed at the top")
	} else if _, text := s.stamp(); text != "" {
		parts = append(parts, strings.TrimPrefix(text, "✓ "))
	}
	return strings.Join(parts, "; ")
}

// drawing is a list under construction.
type drawing struct {
	*viewer
	l     *Placement
	items []display.Item // of the open groups, one after the other

	// Storage of the parts of items.
	inner pool[display.Item] // of groups
	runs  pool[display.Run]
	boxes pool[display.Box]
	ops   pool[display.Op]
	pts   pool[display.Pt]

	// untitled leaves out titles and labels that the part and its index imply.
	untitled bool

	wires [][]int // lines drawn in each block's group
	whole [][]int // lines of each block to light up as a whole
	links []int   // link of each block, -1
	parts [][]int // pieces of each block
	jumps [][]int // jumps of the strip drawn in each block's group
	x86   []X86   // the machine code, by Offset

	lines *occupied // where lines are

	partsBefore [][]int // pieces of each block in Scene.Before
	ins         [][]int // x of the lines that end at each block, ascending

	branches []bool  // blocks that end with a branch
	succs    [][]int // blocks that each block leads to
	preds    [][]int
	hottest  uint64 // greatest count
}

func newDrawing(s *Scene, l *Placement) *drawing {
	d := &drawing{viewer: newViewer(s, l.Detail, l.Given), l: l, hottest: s.hottest()}
	d.branches = make([]bool, len(s.Blocks))
	d.succs, d.preds = make([][]int, len(s.Blocks)), make([][]int, len(s.Blocks))
	for i := range s.Edges {
		e := &s.Edges[i]
		if e.To != Outside && !e.Dead {
			d.succs[e.From], d.preds[e.To] = append(d.succs[e.From], e.To), append(d.preds[e.To], e.From)
		}
		// With several branches in a box, it would not be clear which is meant.
		if f := s.Blocks[e.From].Folded; e.Kind == Taken && (f == nil || f.Kind == "chain") {
			d.branches[e.From] = true
		}
	}
	d.prepareLines()
	return d
}

func (d *drawing) add(it display.Item) { d.items = append(d.items, it) }

// group puts all that f adds into a group.
func (d *drawing) group(g display.Item, f func()) {
	outer := len(d.items)
	f()
	inner := d.items[outer:]
	if len(inner) == 0 {
		return
	}
	g.Items = d.inner.keep(inner)
	d.items = append(d.items[:outer], g)
}

// reuse frees the parts of the items drawn so far. A page writes each part at once; a caller that
// keeps the whole picture must not call it.
func (d *drawing) reuse() {
	d.items = d.items[:0]
	d.inner.drop()
	if d.untitled {
		d.runs.drop()
		d.boxes.drop()
		d.ops.drop()
		d.pts.drop()
	}
}

// pool allocates many parts of items at a time.
type pool[T any] struct{ list []T }

// room returns an empty list with room for n.
func (p *pool[T]) room(n int) []T {
	if len(p.list)+n > cap(p.list) {
		p.list = make([]T, 0, max(n, 64, min(2*cap(p.list), 4096)))
	}
	from := len(p.list)
	p.list = p.list[:from+n]
	return p.list[from:from:len(p.list)]
}

// keep copies a list to where it stays.
func (p *pool[T]) keep(list []T) []T { return append(p.room(len(list)), list...) }

// drop makes all room free again.
func (p *pool[T]) drop() { p.list = p.list[:0] }

// path adds a shape; title may be empty.
func (d *drawing) path(class string, p *display.Path, title string) {
	d.add(display.Item{Class: class, Path: *p, Title: visible.Text(title)})
}

// edgePath adds a shape that stands for an edge.
func (d *drawing) edgePath(edge int, class string, p *display.Path, title func() string) {
	it := display.Item{Class: class, Path: *p, Part: display.Edge, Index: edge}
	if !d.untitled {
		it.Title = visible.Text(title())
	}
	d.add(it)
}

// at starts a path.
func at(x, y int) *display.Path { return new(display.Path).At(x, y) }

// at starts a path of the drawing.
func (d *drawing) at(x, y int) *display.Path { return d.newPath().At(x, y) }

// newPath returns an empty path of the drawing.
func (d *drawing) newPath() *display.Path {
	return &display.Path{Ops: d.ops.room(10), Pts: d.pts.room(12)}
}

// text adds a line of text.
func (d *drawing) text(x, y int, class, s string) {
	d.anchored(x, y, class, s, display.Start)
}

// anchored adds a line of text of which x is the start, the middle or the end.
func (d *drawing) anchored(x, y int, class, s string, anchor display.Anchor) {
	d.line(x, y, class, "", anchor, display.Run{Text: visible.Text(s)})
}

// line adds a line of visible text of several looks.
func (d *drawing) line(x, y int, class, title string, anchor display.Anchor, runs ...display.Run) {
	d.add(display.Item{Class: class, Title: visible.Text(title), At: display.Pt{X: float64(x), Y: float64(y)},
		Anchor: anchor,
		Runs:   d.runs.keep(runs)})
}

func (d *drawing) rect(r Rect, class string, round int) { d.titled(r, class, round, "") }

func (d *drawing) titled(r Rect, class string, round int, title string) {
	box := append(d.boxes.room(1), display.Box{X: r.X, Y: r.Y, W: r.W, H: r.H, R: round})
	d.add(display.Item{Class: class, Title: visible.Text(title), Box: &box[0]})
}

func (d *drawing) background() { d.rect(Rect{0, 0, d.l.W, d.l.H}, "page", 0) }

func (d *drawing) titles() {
	s := d.scene
	d.group(display.Item{Label: "title"}, func() {
		d.text(margin, margin+18, "title", s.Title)
		class, stamp := s.stamp()
		if d.lim.figure {
			d.figureHead(class)
			return
		}
		sub := s.subtitle(d.l.Strip != nil)
		x, y := margin+textWidth(columns(visible.Text(sub))+2), margin+40
		d.clipped(margin, y, "sub", sub, (d.l.W-2*margin)*10/73)
		if stamp != "" {
			d.clipped(x, y, class, stamp, (d.l.W-margin-x)*10/73)
		}
	})
	if len(s.Mismatches) == 0 {
		return
	}
	y := margin + titleHeight(s, d.l.Detail)
	d.rect(Rect{margin, y, max(d.l.Legend.W, 600), mismatchHeight(s) - 12}, "bad", 4)
	d.text(margin+10, y+16, "badtext", visible.Count(len(s.Mismatches), "difference"))
	for i, m := range s.Mismatches {
		if i == maxMismatches-1 && len(s.Mismatches) > maxMismatches {
			d.text(margin+10, y+16+noteH*(i+1), "", fmt.Sprintf("… %d more", len(s.Mismatches)-i))
			break
		}
		d.clipped(margin+10, y+16+noteH*(i+1), "", m, (max(d.l.Legend.W, 600)-20)*10/73)
	}
}

// subtitle returns what a scene shows and, if the machine code is shown, for which kernel that is.
func (s *Scene) subtitle(machine bool) string {
	if s.Profile == "" || !machine {
		return s.Subtitle
	}
	return s.Subtitle + " · " + s.Profile
}

// figureHead draws the lines below the title of a figure.
func (d *drawing) figureHead(class string) {
	sub, stamp := figureHead(d.scene)
	for i, line := range slices.Concat(sub, stamp) {
		look := "sub"
		if i >= len(sub) {
			look = class
		}
		d.text(margin, margin+40+headH*i, look, line)
	}
}

// noteLines returns the lines of the notes below a picture.
func (l *Placement) noteLines(s *Scene) []string {
	if l.Detail != DetailFigure {
		return s.Notes
	}
	var out []string
	for _, n := range s.Notes {
		out = append(out, wrap(visible.Text(n), (figureWidth-2*margin)*10/73, 3)...)
	}
	return out
}

// clipped adds text of at most cols cells, all of it as a title.
func (d *drawing) clipped(x, y int, class, s string, cols int) {
	t, cut := clip(visible.Text(s), cols)
	title := ""
	if cut {
		title = s
	}
	d.line(x, y, class, title, display.Start, display.Run{Text: t})
}

// frames draws the functions.
func (d *drawing) frames() {
	for i, r := range d.l.Funcs {
		if r.W == 0 || d.lim.figure && len(d.l.Funcs) == 1 {
			continue
		}
		f := d.scene.Funcs[i]
		name := funcName(f, i)
		d.group(display.Item{ID: fmt.Sprintf("f%d", i), Label: "function " + name}, func() {
			d.rect(r, "frame", 6)
			d.text(r.X+funcPad, r.Y+22, "name", name)
			x := r.X + funcPad + textWidth(columns(name)+2)
			if f.Note != "" {
				note, _ := clip(visible.Text(f.Note), 40)
				d.text(x, r.Y+22, "note", note)
				x += textWidth(columns(note) + 2)
			}
			d.callersOf(i, x, r)
		})
	}
}

// callersOf names the blocks that call a function.
func (d *drawing) callersOf(f, x int, r Rect) {
	const most = 6
	callers := d.callers[f]
	if len(callers) == 0 {
		return
	}
	names := make([]string, 0, most+1)
	for i, b := range callers {
		if i == most {
			names = append(names, fmt.Sprintf("… %d more", len(callers)-most))
			break
		}
		names = append(names, d.scene.Blocks[b].Name)
	}
	room := (r.X + r.W - x) * 10 / 73
	if room < 12 {
		return
	}
	d.clipped(x, r.Y+22, "note", "called from "+strings.Join(names, ", "), room)
}

// loops draws the areas of loops, outer ones first.
func (d *drawing) loops() {
	for i := range d.l.Loops {
		l := &d.l.Loops[i]
		if len(l.Bands) == 0 {
			continue
		}
		d.group(display.Item{Part: display.Loop, Index: i}, func() {
			d.path("loop", l.outline(), "")
			// Of an irreducible loop the layout may know another header.
			name := "loop"
			if l.Header >= 0 && d.scene.Blocks[l.Header].LoopHeader {
				name += " " + d.scene.Blocks[l.Header].Name
			}
			d.text(l.Bands[0].X+4, l.Bands[0].Y+9, "loopname", name)
		})
	}
}

// outline returns the border of a loop's area: down its right side and up its
// left one.
func (l *Loop) outline() *display.Path {
	p := at(l.Bands[0].X, l.Bands[0].Y)
	for _, b := range l.Bands {
		p.H(b.X + b.W).V(b.Y + b.H)
	}
	for i := len(l.Bands) - 1; i >= 0; i-- {
		p.H(l.Bands[i].X).V(l.Bands[i].Y)
	}
	p.Close()
	for _, b := range l.Holes { // outlines run the other way round
		p.At(b.X, b.Y).V(b.Y + b.H).H(b.X + b.W).V(b.Y).Close()
	}
	return p
}

func (d *drawing) notes() {
	for i, n := range d.l.noteLines(d.scene) {
		d.clipped(d.l.Notes.X, d.l.Notes.Y+14+noteH*i, "note", n, (d.l.W-2*margin)*10/73)
	}
}
