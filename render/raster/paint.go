package raster

import (
	"math"
	"slices"

	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/typeface"
)

// painter paints the bands of a drawing.
type painter struct {
	d     *display.Drawing
	scale float64
	w     int
	reach [][2]float64 // of each item: lowest and highest y, in pixels of the drawing

	fonts   [3]*typeface.Font // regular, bold, italic
	glyphs  map[glyphKey]*outline
	noGlyph map[rune]bool

	top, rows int
	pix       []byte // of the band, three bytes a pixel
	scan      *scan
	mask      []uint8 // of the band, for patterns
}

// glyphKey identifies a letter at a size.
type glyphKey struct {
	font int
	size float64
	r    rune
}

// outline is a letter in 1/256 of a pixel, its base line at 0.
type outline struct {
	polygons [][]pt
	lines    []line // the same in pixels of the drawing
	advance  float64
}

func newPainter(d *display.Drawing, scale float64, w int) *painter {
	p := &painter{d: d, scale: scale, w: w, glyphs: map[glyphKey]*outline{}, noGlyph: map[rune]bool{}, scan: newScan(w)}
	p.reach = make([][2]float64, len(d.Items))
	for i := range d.Items {
		p.reach[i] = reach(&d.Items[i])
	}
	return p
}

// reach returns the rows that an item may touch, or more.
func reach(it *display.Painted) [2]float64 {
	if it.Text != nil {
		size := it.Style.Size
		for _, r := range it.Text.Runs {
			size = max(size, r.Style.Size)
		}
		return [2]float64{it.Text.At.Y - 2*size, it.Text.At.Y + size}
	}
	lo, hi := it.Path.Bounds()
	wide := 0.0
	if it.Style.Stroke.On {
		wide = it.Style.Width * miterLimit / 2
	}
	return [2]float64{lo.Y - wide - 1, hi.Y + wide + 1}
}

// paint paints a band of rows into pix.
func (p *painter) paint(top, rows int) {
	p.top, p.rows = top, rows
	p.scan.band(top, rows)
	if p.pix == nil {
		p.pix = make([]byte, 3*p.w*rows)
	}
	for i := range p.pix {
		p.pix[i] = 0xff
	}
	lo, hi := float64(top)/p.scale, float64(top+rows)/p.scale
	for i := range p.d.Items {
		if p.reach[i][0] > hi || p.reach[i][1] < lo {
			continue
		}
		it := &p.d.Items[i]
		if it.Text != nil {
			p.text(it.Text)
		} else {
			p.shape(&it.Path, it.Style)
		}
	}
}

// shape paints a shape.
func (p *painter) shape(path *display.Path, s *display.Style) {
	lines := flatten(path, p.scale)
	if s.StrokeFirst {
		p.strokeLines(lines, s)
	}
	if s.Fill.On {
		for _, l := range lines {
			p.scan.polygon(p.fixed(l.pts))
		}
		p.fill(&s.Fill)
	}
	if !s.StrokeFirst {
		p.strokeLines(lines, s)
	}
}

func (p *painter) strokeLines(lines []line, s *display.Style) {
	if !s.Stroke.On || s.Width <= 0 {
		return
	}
	pen := p.pen(s, func(poly []vec) { p.scan.polygon(p.fixed(poly)) })
	for _, l := range lines {
		pen.stroke(l)
	}
	p.fill(&s.Stroke)
}

func (p *painter) pen(s *display.Style, emit func([]vec)) pen {
	return pen{half: s.Width / 2, dash: s.Dash, lo: float64(p.top) / p.scale, hi: float64(p.top+p.rows) / p.scale,
		emit: emit}
}

// fixed returns points of the drawing as points of the scan converter.
func (p *painter) fixed(pts []vec) []pt {
	out := make([]pt, len(pts))
	for i, q := range pts {
		out[i] = p.point(q)
	}
	return out
}

func (p *painter) point(q vec) pt {
	return pt{int64(math.Round(snap(q.X * p.scale * unit))), int64(math.Round(snap(q.Y * p.scale * unit)))}
}

// fill paints what the scan converter holds.
func (p *painter) fill(paint *display.Fill) {
	if paint.Pattern != nil {
		p.fillPattern(paint)
		return
	}
	c := paint.Colour
	p.scan.sweep(func(row, x, n int, cover uint8) {
		p.blend(row, x, n, c, mul(cover, paint.Opacity))
	})
}

// mul multiplies two parts of 255.
func mul(a, b uint8) uint8 { return uint8((uint32(a)*uint32(b) + 127) / 255) }

// blend paints a run of pixels.
func (p *painter) blend(row, x, n int, c display.Colour, a uint8) {
	px := p.pix[3*(row*p.w+x) : 3*(row*p.w+x+n)]
	if a == 255 {
		for i := 0; i < len(px); i += 3 {
			px[i], px[i+1], px[i+2] = c.R, c.G, c.B
		}
		return
	}
	k, m := uint32(a), uint32(255-a)
	r, g, b := uint32(c.R)*k+127, uint32(c.G)*k+127, uint32(c.B)*k+127
	for i := 0; i < len(px); i += 3 {
		px[i] = uint8((uint32(px[i])*m + r) / 255)
		px[i+1] = uint8((uint32(px[i+1])*m + g) / 255)
		px[i+2] = uint8((uint32(px[i+2])*m + b) / 255)
	}
}

// fillPattern paints the pattern where the scan converter has its shape.
func (p *painter) fillPattern(paint *display.Fill) {
	if p.mask == nil {
		p.mask = make([]uint8, len(p.pix)/3)
	}
	lo, hi := vec{X: math.Inf(1), Y: math.Inf(1)}, vec{X: math.Inf(-1), Y: math.Inf(-1)}
	p.scan.sweep(func(row, x, n int, cover uint8) {
		lo = vec{X: min(lo.X, float64(x)), Y: min(lo.Y, float64(row))}
		hi = vec{X: max(hi.X, float64(x+n)), Y: max(hi.Y, float64(row+1))}
		m := p.mask[row*p.w+x : row*p.w+x+n]
		for i := range m {
			m[i] = mul(cover, paint.Opacity)
		}
	})
	if lo.X > hi.X {
		return
	}
	top := float64(p.top)
	for i := range paint.Pattern.Items {
		it := &paint.Pattern.Items[i]
		p.tiles(paint.Pattern, it, vec{X: lo.X / p.scale, Y: (lo.Y + top) / p.scale},
			vec{X: hi.X / p.scale, Y: (hi.Y + top) / p.scale})
		p.scan.sweep(func(row, x, n int, cover uint8) {
			for i := range n {
				if m := p.mask[row*p.w+x+i]; m > 0 {
					p.blend(row, x+i, 1, it.Style.Stroke.Colour, mul(mul(cover, m), it.Style.Stroke.Opacity))
				}
			}
		})
	}
	for y := int(lo.Y); y < int(hi.Y); y++ {
		clear(p.mask[y*p.w+int(lo.X) : y*p.w+int(hi.X)])
	}
}

// tiles adds the strokes of an item of a pattern in all tiles that touch a
// rectangle of the drawing.
func (p *painter) tiles(pat *display.Pattern, it *display.Painted, lo, hi vec) {
	var polys [][]vec
	pen := pen{half: it.Style.Width / 2, dash: it.Style.Dash, lo: math.Inf(-1), hi: math.Inf(1),
		emit: func(poly []vec) { polys = append(polys, clipTile(poly, pat.W, pat.H)) }}
	for _, l := range flatten(&it.Path, p.scale) {
		pen.stroke(l)
	}
	m := pat.To
	det := m[0]*m[3] - m[1]*m[2]
	from, to := vec{X: math.Inf(1), Y: math.Inf(1)}, vec{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, c := range []vec{lo, hi, {X: lo.X, Y: hi.Y}, {X: hi.X, Y: lo.Y}} {
		q := vec{X: (m[3]*c.X - m[2]*c.Y) / det / pat.W, Y: (m[0]*c.Y - m[1]*c.X) / det / pat.H}
		from, to = vec{X: min(from.X, q.X), Y: min(from.Y, q.Y)}, vec{X: max(to.X, q.X), Y: max(to.Y, q.Y)}
	}
	moved := make([]vec, 0, 16)
	for y := math.Floor(from.Y); y <= to.Y; y++ {
		for x := math.Floor(from.X); x <= to.X; x++ {
			for _, poly := range polys {
				moved = moved[:0]
				for _, v := range poly {
					v.X, v.Y = v.X+x*pat.W, v.Y+y*pat.H
					moved = append(moved, vec{X: m[0]*v.X + m[2]*v.Y, Y: m[1]*v.X + m[3]*v.Y})
				}
				p.scan.polygon(p.fixed(moved))
			}
		}
	}
}

// clipTile returns the part of a convex polygon in the rectangle from 0, 0 to w,
// h (Sutherland and Hodgman 1974).
func clipTile(poly []vec, w, h float64) []vec {
	cut := func(in []vec, depth func(vec) float64) []vec {
		var out []vec
		for i, b := range in {
			a := in[(i+len(in)-1)%len(in)]
			da, db := depth(a), depth(b)
			if (da < 0) != (db < 0) {
				out = append(out, along(a, b, da/(da-db)))
			}
			if db >= 0 {
				out = append(out, b)
			}
		}
		return out
	}
	poly = cut(poly, func(v vec) float64 { return v.X })
	poly = cut(poly, func(v vec) float64 { return w - v.X })
	poly = cut(poly, func(v vec) float64 { return v.Y })
	return cut(poly, func(v vec) float64 { return h - v.Y })
}

// missing returns the characters that the fonts lack.
func (p *painter) missing() []rune {
	var out []rune
	for r := range p.noGlyph {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}
