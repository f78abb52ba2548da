package pdf

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/typeface"
)

// content is the program that paints the page, in pixels of the drawing with y
// downwards.
type content struct {
	bytes.Buffer
	d           *display.Drawing
	scale, high float64

	fonts    [3]*font
	alphas   []([2]uint8)       // opacities of fills and strokes, as /G0, /G1, …
	patterns []*display.Pattern // as /P0, /P1, …
	noGlyph  map[rune]bool
	now      state
}

// state is what the page's operators have already set.
type state struct {
	fill, stroke string
	width        float64
	dash         string
	alpha        [2]uint8
}

// initial is the state at the start of a page.
var initial = state{width: 1, dash: "[]", alpha: [2]uint8{255, 255}}

func newContent(d *display.Drawing, scale, high float64) *content {
	c := &content{d: d, scale: scale, high: high, noGlyph: map[rune]bool{}}
	c.now = initial
	fmt.Fprintf(c, "%s 0 0 %s 0 %s cm 4 M\n", num(scale), num(-scale), num(high)) // 4: miter limit of SVG
	return c
}

// paint paints all items.
func (c *content) paint() {
	for i := range c.d.Items {
		it := &c.d.Items[i]
		if it.Text != nil {
			c.text(it.Text)
		} else {
			c.shape(&it.Path, it.Style)
		}
	}
}

// set writes what changes for a style.
func (c *content) set(s *display.Style) {
	if s.Fill.On {
		want := rgb(s.Fill.Colour) + "rg"
		if s.Fill.Pattern != nil {
			want = "/Pattern cs/" + c.pattern(s.Fill.Pattern) + " scn"
		}
		c.change(&c.now.fill, want, want)
	}
	if s.Stroke.On {
		want := rgb(s.Stroke.Colour) + "RG"
		c.change(&c.now.stroke, want, want)
		if s.Width != c.now.width {
			c.now.width = s.Width
			fmt.Fprintf(c, "%s w\n", num(s.Width))
		}
		dash := make([]string, len(s.Dash))
		for i, d := range s.Dash {
			dash[i] = num(d)
		}
		want = "[" + strings.Join(dash, " ") + "]"
		c.change(&c.now.dash, want, want+"0 d")
	}
	alpha := [2]uint8{s.Fill.Opacity, s.Stroke.Opacity}
	if alpha != c.now.alpha {
		c.now.alpha = alpha
		i := slices.Index(c.alphas, alpha)
		if i < 0 {
			i = len(c.alphas)
			c.alphas = append(c.alphas, alpha)
		}
		fmt.Fprintf(c, "/G%d gs\n", i)
	}
}

func (c *content) change(now *string, want, op string) {
	if *now != want {
		*now = want
		c.WriteString(op + "\n")
	}
}

func rgb(k display.Colour) string {
	return num(float64(k.R)/255) + " " + num(float64(k.G)/255) + " " + num(float64(k.B)/255) + " "
}

func (c *content) pattern(p *display.Pattern) string {
	i := slices.Index(c.patterns, p)
	if i < 0 {
		i = len(c.patterns)
		c.patterns = append(c.patterns, p)
	}
	return fmt.Sprintf("P%d", i)
}

// shape paints a shape.
func (c *content) shape(p *display.Path, s *display.Style) {
	c.set(s)
	both := s.Fill.On && s.Stroke.On
	switch {
	case both && s.Fill.Opacity == 255 && s.Stroke.Opacity == 255:
		writePath(&c.Buffer, p, 1, display.Pt{})
		c.WriteString("B\n")
		return
	case both: // as one, readers disagree on what is seen through (ISO 32000-1, 11.7.4.4)
		writePath(&c.Buffer, p, 1, display.Pt{})
		c.WriteString("f\n")
	}
	writePath(&c.Buffer, p, 1, display.Pt{})
	if s.Stroke.On {
		c.WriteString("S\n")
	} else {
		c.WriteString("f\n")
	}
}

// writePath writes a path, scaled and moved.
func writePath(b *bytes.Buffer, p *display.Path, scale float64, by display.Pt) {
	pts := p.Pts
	var at display.Pt
	xy := func(q display.Pt) string { return num(q.X*scale+by.X) + " " + num(q.Y*scale+by.Y) + " " }
	for _, op := range p.Ops {
		a := pts[:op.Points()]
		pts = pts[op.Points():]
		switch op {
		case display.Move:
			b.WriteString(xy(a[0]) + "m ")
		case display.Line:
			b.WriteString(xy(a[0]) + "l ")
		case display.Quad: // a cubic with controls two thirds of the way
			third := func(q display.Pt) display.Pt {
				return display.Pt{X: q.X + (a[0].X-q.X)*2/3, Y: q.Y + (a[0].Y-q.Y)*2/3}
			}
			b.WriteString(xy(third(at)) + xy(third(a[1])) + xy(a[1]) + "c ")
		case display.Cube:
			b.WriteString(xy(a[0]) + xy(a[1]) + xy(a[2]) + "c ")
		case display.Close:
			b.WriteString("h ")
		}
		if len(a) > 0 {
			at = a[len(a)-1]
		}
	}
}

// text paints a line of text.
func (c *content) text(t *display.Text) {
	x := t.At.X
	wide := 0.0
	for _, r := range t.Runs {
		wide += advance(r.Style, r.Text)
	}
	switch t.Anchor {
	case display.Middle:
		x -= wide / 2
	case display.End:
		x -= wide
	}
	for _, r := range t.Runs {
		if !r.Style.Hidden && r.Style.Fill.On {
			c.run(r.Style, r.Text, x, t.At.Y)
		}
		x += advance(r.Style, r.Text)
	}
}

func advance(s *display.Style, text string) float64 {
	n := 0
	for _, r := range text {
		n += typeface.Cells(r)
	}
	return s.Size * typeface.Advance * float64(n)
}

// run paints text of one style. The outline around letters is not text, so that a search finds the
// text once.
func (c *content) run(s *display.Style, text string, x, y float64) {
	f := c.font(s)
	if s.Stroke.On && s.Width > 0 {
		c.set(s)
		at := x
		for _, r := range text {
			g := f.face.Glyph(r)
			writePath(&c.Buffer, &g.Path, s.Size, display.Pt{X: at, Y: y})
			at += s.Size * typeface.Advance * float64(g.Cells)
		}
		c.WriteString("S\n")
	}
	plain := *s
	plain.Stroke.On = false
	c.set(&plain)
	from, start := 0, x
	for i, r := range text {
		g := f.face.Glyph(r)
		if g.Index == 0 {
			c.letters(f, s, text[from:i], start, y)
			c.drawn(g, s, r, x, y)
			from, start = i+len(string(r)), x+s.Size*typeface.Advance*float64(g.Cells)
		}
		x += s.Size * typeface.Advance * float64(g.Cells)
	}
	c.letters(f, s, text[from:], start, y)
}

// letters shows text of which the font has every letter.
func (c *content) letters(f *font, s *display.Style, text string, x, y float64) {
	if text == "" {
		return
	}
	fmt.Fprintf(c, "BT/%s %s Tf 1 0 0 -1 %s %s Tm<", f.name, num(s.Size), num(x), num(y))
	for _, r := range text {
		fmt.Fprintf(c, "%04X", f.use(r))
	}
	c.WriteString(">Tj ET\n")
}

// drawn paints a character that the font noGlyph, and says what it stands for.
func (c *content) drawn(g typeface.Glyph, s *display.Style, r rune, x, y float64) {
	if !g.Known {
		c.noGlyph[r] = true
	}
	fmt.Fprintf(c, "/Span<</ActualText%s>>BDC\n", textString(string(r)))
	writePath(&c.Buffer, &g.Path, s.Size, display.Pt{X: x, Y: y})
	c.WriteString("f EMC\n")
}

// font returns the font of a style.
func (c *content) font(s *display.Style) *font {
	i := 0
	if s.Bold {
		i = 1
	} else if s.Italic {
		i = 2
	}
	if c.fonts[i] == nil {
		c.fonts[i] = &font{name: fmt.Sprintf("F%d", i), face: typeface.New(i == 1, i == 2), used: map[int]rune{}}
	}
	return c.fonts[i]
}

// resources adds the page's resources and returns the entries.
func (c *content) resources(f *file) string {
	var b strings.Builder
	b.WriteString("/Font<<")
	for i, ft := range c.fonts {
		if ft != nil {
			fmt.Fprintf(&b, "/%s %d 0 R", ft.name, ft.add(f, i))
		}
	}
	b.WriteString(">>/ExtGState<<")
	for i, a := range c.alphas {
		fmt.Fprintf(&b, "/G%d<</ca %s/CA %s>>", i, num(float64(a[0])/255), num(float64(a[1])/255))
	}
	b.WriteString(">>/Pattern<<")
	for i := range c.patterns {
		fmt.Fprintf(&b, "/P%d %d 0 R", i, c.addPattern(f, c.patterns[i]))
	}
	b.WriteString(">>")
	return b.String()
}

// addPattern adds a pattern, whose matrix leads to the page and not to the
// drawing (ISO 32000-1, 8.7.3.1).
func (c *content) addPattern(f *file, p *display.Pattern) int {
	tile := &content{d: &display.Drawing{Items: p.Items}, noGlyph: c.noGlyph, now: initial}
	tile.paint()
	k := c.scale
	return f.stream(fmt.Sprintf("/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 %s %s]/XStep %s/YStep %s"+
		"/Matrix[%s %s %s %s 0 %s]/Resources<<>>", num(p.W), num(p.H), num(p.W), num(p.H),
		num(k*p.To[0]), num(-k*p.To[1]), num(k*p.To[2]), num(-k*p.To[3]), num(c.high)), tile.Bytes())
}

func (c *content) missing() []rune { return slices.Sorted(maps.Keys(c.noGlyph)) }
