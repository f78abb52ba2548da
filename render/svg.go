package render

import (
	"bytes"
	_ "embed" // for the style sheet
	"fmt"
	"strings"
)

// pictureCSS is the style sheet of every drawing.
//
//go:embed assets/picture.css
var pictureCSS string

// SVG draws a scene in the places of its layout: one file without scripts,
// fonts or other references to the outside. It shows as it is in browsers and
// README files; librsvg and Inkscape, which know less CSS, show the light
// colours. Numbers are integers.
//
// Everything of a block, its box, its lines, its pieces of the strip and the
// link between them, is one group with the id "b" and the block's index, so
// that a style sheet alone can light up the whole and "#b7" in an address leads
// to it.
func SVG(s *Scene, l *Layout) []byte {
	d := &drawing{viewer: newViewer(s, l.Detail, l.Given), l: l, hottest: s.hottest()}
	d.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"`+
		` xml:space="preserve" role="graphics-document">`,
		l.W, l.H, l.W, l.H)
	d.f("\n<title>%s</title>\n<desc>%s</desc>\n<style>%s</style>\n", xmlText(s.Title), xmlText(s.describe(l)),
		strings.TrimSpace(shrinkCSS(pictureCSS)))
	d.s(`<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">` +
		`<path class="hatchline" d="M0 0V6"/></pattern></defs>` + "\n")
	d.f(`<rect class="page" width="%d" height="%d"/>`+"\n", l.W, l.H)
	d.titles()
	d.frames()
	d.loops()
	d.stripBack()
	d.prepareLines()
	for b := range s.Blocks {
		d.block(b)
	}
	d.hubs()
	d.stripFront()
	d.tables()
	d.legend()
	d.notes()
	d.s("</svg>\n")
	return d.Bytes()
}

// describe says in a sentence what the picture shows, for those who do not see it.
func (s *Scene) describe(l *Layout) string {
	n := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	var parts []string
	if len(l.Blocks) > 0 {
		parts = append(parts, fmt.Sprintf("control flow graph of %s with %s and %s", n(len(s.Funcs), "function"),
			n(len(s.Blocks), "block"), n(len(s.Edges), "edge")))
	}
	if l.Strip != nil {
		parts = append(parts, fmt.Sprintf("x86-64 code of %s", n(s.Image.Len, "byte")))
	}
	if len(s.Tables) > 0 {
		parts = append(parts, n(len(s.Tables), "table"))
	}
	if len(s.Mismatches) > 0 {
		parts = append(parts, n(len(s.Mismatches), "difference")+", listed at the top")
	} else if s.Checked != "" {
		parts = append(parts, "verified: "+s.Checked)
	}
	return strings.Join(parts, "; ")
}

// shrinkCSS drops comments and line ends.
func shrinkCSS(css string) string {
	for {
		a, rest, ok := strings.Cut(css, "/*")
		if !ok {
			break
		}
		_, b, _ := strings.Cut(rest, "*/")
		css = a + b
	}
	return "\n" + strings.TrimSpace(css) + "\n"
}

// drawing is an SVG file under construction.
type drawing struct {
	bytes.Buffer
	*viewer
	l     *Layout
	wires [][]int // lines drawn in each block's group
	whole [][]int // lines of each block to light up as a whole
	links []int   // link of each block, -1
	parts [][]int // pieces of each block
	jumps [][]int // jumps of the strip drawn in each block's group

	partsBefore [][]int // pieces of each block in Scene.Before
	ins         [][]int // x of the lines that end at each block, ascending

	hottest uint64 // greatest count
}

func (d *drawing) f(format string, args ...any) { fmt.Fprintf(&d.Buffer, format, args...) }
func (d *drawing) s(s string)                   { d.WriteString(s) }

// text writes a line of text; classes and text are plain.
func (d *drawing) text(x, y int, class, s string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	d.f(`<text x="%d" y="%d"%s>%s</text>`, x, y, class, xmlText(s))
}

func (d *drawing) rect(r Rect, class string, round int) {
	rx := ""
	if round > 0 {
		rx = fmt.Sprintf(` rx="%d"`, round)
	}
	d.f(`<rect class="%s" x="%d" y="%d" width="%d" height="%d"%s/>`, class, r.X, r.Y, r.W, r.H, rx)
}

func (d *drawing) title(s string) {
	if s != "" {
		d.f("<title>%s</title>", xmlText(s))
	}
}

func (d *drawing) titles() {
	s := d.scene
	d.text(margin, margin+18, "title", s.Title)
	sub := s.Subtitle
	if s.Profile != "" && d.l.Strip != nil {
		sub += " · " + s.Profile
	}
	d.text(margin, margin+40, "sub", sub)
	if s.Checked != "" && len(s.Mismatches) == 0 {
		d.f(`<text x="%d" y="%d" class="good">✓ verified: %s</text>`, margin+textWidth(columns(Visible(sub))+2), margin+40,
			xmlText(s.Checked))
	}
	d.s("\n")
	if len(s.Mismatches) == 0 {
		return
	}
	y := margin + titleH
	d.rect(Rect{margin, y, max(d.l.Legend.W, 600), mismatchHeight(s) - 12}, "bad", 4)
	n := fmt.Sprintf("%d differences", len(s.Mismatches))
	if len(s.Mismatches) == 1 {
		n = "1 difference"
	}
	d.text(margin+10, y+16, "badtext", n)
	for i, m := range s.Mismatches {
		if i == maxMismatches-1 && len(s.Mismatches) > maxMismatches {
			d.text(margin+10, y+16+noteH*(i+1), "", fmt.Sprintf("… %d more", len(s.Mismatches)-i))
			break
		}
		d.clipped(margin+10, y+16+noteH*(i+1), "", m, (max(d.l.Legend.W, 600)-20)*10/73)
	}
	d.s("\n")
}

// clipped writes text of at most cols cells, all of it as a title.
func (d *drawing) clipped(x, y int, class, s string, cols int) {
	t, cut := clip(Visible(s), cols)
	if !cut {
		d.text(x, y, class, t)
		return
	}
	d.s("<g>")
	d.title(s)
	d.text(x, y, class, t)
	d.s("</g>")
}

// frames draws the functions.
func (d *drawing) frames() {
	for i, r := range d.l.Funcs {
		if r.W == 0 {
			continue
		}
		f := d.scene.Funcs[i]
		d.f(`<g id="f%d" role="group" aria-label="%s">`, i, xmlText("function "+funcName(f, i)))
		d.rect(r, "frame", 6)
		name := funcName(f, i)
		d.text(r.X+funcPad, r.Y+22, "name", name)
		x := r.X + funcPad + textWidth(columns(name)+2)
		if f.Note != "" {
			note, _ := clip(Visible(f.Note), 40)
			d.text(x, r.Y+22, "note", note)
			x += textWidth(columns(note) + 2)
		}
		d.callersOf(i, x, r)
		d.s("</g>\n")
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
	for _, l := range d.l.Loops {
		if len(l.Bands) == 0 {
			continue
		}
		d.f(`<path class="loop" d="M%d %dH%d`, l.Bands[0].X, l.Bands[0].Y, l.Bands[0].X+l.Bands[0].W)
		for i, b := range l.Bands {
			if i > 0 {
				d.f("H%d", b.X+b.W)
			}
			d.f("V%d", b.Y+b.H)
		}
		for i := len(l.Bands) - 1; i >= 0; i-- {
			b := l.Bands[i]
			d.f("H%dV%d", b.X, b.Y)
		}
		d.s("Z")
		for _, b := range l.Holes { // outlines run the other way round
			d.f("M%d %dV%dH%dV%dZ", b.X, b.Y, b.Y+b.H, b.X+b.W, b.Y)
		}
		d.s(`"/>`)
		// Of an irreducible loop the layout may know another header.
		name := "loop"
		if l.Header >= 0 && d.scene.Blocks[l.Header].LoopHeader {
			name += " " + d.scene.Blocks[l.Header].Name
		}
		d.text(l.Bands[0].X+4, l.Bands[0].Y+9, "loopname", name)
		d.s("\n")
	}
}

func (d *drawing) notes() {
	for i, n := range d.scene.Notes {
		d.clipped(d.l.Notes.X, d.l.Notes.Y+14+noteH*i, "note", n, max(60, d.l.Notes.W*10/73))
		d.s("\n")
	}
}
