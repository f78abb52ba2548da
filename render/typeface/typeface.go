// Package typeface holds the letters of PNG and PDF files: the Go Mono fonts
// (Bigelow & Holmes, 2016), which are compiled in, so that a picture is the same
// on every machine.
//
//	f := typeface.New(false, false)
//	g := f.Glyph('é') // outlines, in ems
//
// A character that the fonts lack is drawn as a box with its number in it, as wide as the place
// that package render leaves for it. There is no shaping, kerning or hinting: the text is from
// listings.
package typeface

import (
	"fmt"

	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/width"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// Advance is the width of a narrow character in ems: 1229 of 2048 units.
const Advance = 1229.0 / 2048

// Font is one of the fonts. It is not safe for concurrent use.
type Font struct {
	data   []byte
	font   *sfnt.Font
	buf    sfnt.Buffer
	glyphs map[rune]Glyph
}

// Glyph is the shape of a character.
type Glyph struct {
	Path  display.Path // in ems, y downwards, the base line at 0
	Index int          // in the font; 0: the font lacks the character
	Known bool         // false: Path is a frame with the character's number
	Cells int          // places that it takes, 1 or 2
}

// New returns the font of a style; there is none that is both bold and italic,
// and bold wins.
func New(bold, italic bool) *Font {
	data := gomono.TTF
	switch {
	case bold:
		data = gomonobold.TTF
	case italic:
		data = gomonoitalic.TTF
	}
	f, err := sfnt.Parse(data)
	if err != nil {
		panic("bug: the font that is compiled in: " + err.Error())
	}
	return &Font{data: data, font: f, glyphs: map[rune]Glyph{}}
}

// Data returns the font as a TrueType file, not to be changed.
func (f *Font) Data() []byte { return f.data }

// Glyph returns the shape of a character.
func (f *Font) Glyph(r rune) Glyph {
	if g, ok := f.glyphs[r]; ok {
		return g
	}
	g := Glyph{Cells: Cells(r)}
	if i, err := f.font.GlyphIndex(&f.buf, r); err == nil {
		g.Index = int(i)
	}
	g.Known = true
	if g.Index != 0 {
		g.Path = f.outline(sfnt.GlyphIndex(g.Index))
	} else if g.Path, g.Known = sign(r); !g.Known {
		g.Path = f.numbered(r, g.Cells)
	}
	f.glyphs[r] = g
	return g
}

// Cells returns how many places a character takes, as package render counts.
func Cells(r rune) int {
	if r >= 0x1100 {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			return 2
		}
	}
	return 1
}

// outline returns the outline of a glyph.
func (f *Font) outline(i sfnt.GlyphIndex) display.Path {
	units := f.font.UnitsPerEm()
	segs, err := f.font.LoadGlyph(&f.buf, i, fixed.I(int(units)), nil)
	if err != nil {
		panic(fmt.Sprintf("bug: glyph %d of the font that is compiled in: %v", i, err))
	}
	pt := func(p fixed.Point26_6) display.Pt {
		return display.Pt{X: float64(p.X) / 64 / float64(units), Y: float64(p.Y) / 64 / float64(units)}
	}
	var out display.Path
	for _, s := range segs {
		var op display.Op
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if len(out.Ops) > 0 {
				out.Ops = append(out.Ops, display.Close)
			}
			op = display.Move
		case sfnt.SegmentOpLineTo:
			op = display.Line
		case sfnt.SegmentOpQuadTo:
			op = display.Quad
		case sfnt.SegmentOpCubeTo:
			op = display.Cube
		}
		out.Ops = append(out.Ops, op)
		for _, p := range s.Args[:op.Points()] {
			out.Pts = append(out.Pts, pt(p))
		}
	}
	if len(out.Ops) > 0 {
		out.Ops = append(out.Ops, display.Close)
	}
	return out
}

// numbered draws a frame with the character's number in hexadecimal, in two
// rows.
func (f *Font) numbered(r rune, cells int) display.Path {
	const line, gap, top = 0.03, 0.05, -0.72
	right := Advance*float64(cells) - gap
	var out display.Path
	ring := func(x0, y0, x1, y1 float64) {
		out.Ops = append(out.Ops, display.Move, display.Line, display.Line, display.Line, display.Close)
		out.Pts = append(out.Pts, display.Pt{X: x0, Y: y0}, display.Pt{X: x1, Y: y0}, display.Pt{X: x1, Y: y1},
			display.Pt{X: x0, Y: y1})
	}
	ring(gap, top, right, 0)
	ring(right-line, top+line, gap+line, -line) // the other way round: a hole
	digits := fmt.Sprintf("%04X", r)
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	half := len(digits) / 2
	room := right - gap - 4*line
	size := min(room/(Advance*float64(half)), 0.42)
	for i, c := range digits {
		g := f.Glyph(c)
		x := gap + 2*line + (room-size*Advance*float64(half))/2 + size*Advance*float64(i%half)
		y := top/2 - 0.02 + float64(i/half)*0.33
		out.Ops = append(out.Ops, g.Path.Ops...)
		for _, p := range g.Path.Pts {
			out.Pts = append(out.Pts, display.Pt{X: x + size*p.X, Y: y + size*p.Y})
		}
	}
	return out
}
