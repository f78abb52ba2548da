package raster

import (
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/typeface"
)

// text paints a line of text.
func (p *painter) text(t *display.Text) {
	x := t.At.X
	if t.Anchor != display.Start {
		wide := Width(t)
		if t.Anchor == display.Middle {
			wide /= 2
		}
		x -= wide
	}
	for _, r := range t.Runs {
		to := p.run(r.Style, r.Text, x, t.At.Y)
		if !r.Style.Hidden {
			p.fill(&r.Style.Fill)
		}
		x = to
	}
}

// Width returns the width of a text in pixels of the drawing.
func Width(t *display.Text) float64 {
	w := 0.0
	for _, r := range t.Runs {
		for _, c := range r.Text {
			w += r.Style.Size * typeface.Advance * float64(typeface.Cells(c))
		}
	}
	return w
}

// run adds the letters of a run to the scan converter, strokes them if the style requires it, and
// returns where the next run begins.
func (p *painter) run(s *display.Style, text string, x, y float64) float64 {
	if s.Stroke.On && s.Width > 0 && !s.Hidden {
		pen := p.pen(s, func(poly []vec) { p.scan.polygon(p.fixed(poly)) })
		at := x
		for _, c := range text {
			g := p.glyph(s, c)
			for _, l := range g.lines {
				moved := line{pts: make([]vec, len(l.pts)), closed: l.closed}
				for i, q := range l.pts {
					moved.pts[i] = vec{X: q.X + at, Y: q.Y + y}
				}
				pen.stroke(moved)
			}
			at += g.advance
		}
		p.fill(&s.Stroke)
	}
	for _, c := range text {
		g := p.glyph(s, c)
		if !s.Hidden {
			p.letter(g, p.point(vec{X: x, Y: y}))
		}
		x += g.advance
	}
	return x
}

// letter adds a letter at a point.
func (p *painter) letter(g *outline, at pt) {
	for _, poly := range g.polygons {
		last := poly[len(poly)-1]
		for _, q := range poly {
			p.scan.edge(last.x+at.x, last.y+at.y, q.x+at.x, q.y+at.y)
			last = q
		}
	}
}

// glyph returns a letter at a style's size.
func (p *painter) glyph(s *display.Style, r rune) *outline {
	k := glyphKey{size: s.Size, r: r}
	if s.Bold {
		k.font = 1
	} else if s.Italic {
		k.font = 2
	}
	if g := p.glyphs[k]; g != nil {
		return g
	}
	if p.fonts[k.font] == nil {
		p.fonts[k.font] = typeface.New(k.font == 1, k.font == 2)
	}
	g := p.fonts[k.font].Glyph(r)
	if !g.Known {
		p.noGlyph[r] = true
	}
	sized := display.Path{Ops: g.Path.Ops, Pts: make([]vec, len(g.Path.Pts))}
	for i, q := range g.Path.Pts {
		sized.Pts[i] = vec{X: q.X * s.Size, Y: q.Y * s.Size}
	}
	out := &outline{advance: s.Size * typeface.Advance * float64(g.Cells), lines: flatten(&sized, p.scale)}
	for _, l := range out.lines {
		out.polygons = append(out.polygons, p.fixed(l.pts))
	}
	p.glyphs[k] = out
	return out
}
