package rendertest

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// Drawing makes a drawing of any bytes, for fuzzing what writes drawings: paths
// begin with a move, and coordinates and widths may be far outside. The same bytes
// give the same drawing.
func Drawing(data []byte) *display.Drawing {
	r := &drawingReader{bytes.NewBuffer(data)}
	d := &display.Drawing{W: 1 + math.Abs(r.number()), H: 1 + math.Abs(r.number()), Title: r.text()}
	for r.Len() > 0 && len(d.Items) < 200 {
		d.Items = append(d.Items, r.item())
	}
	return d
}

// DrawingSeeds returns bytes that Drawing makes something of.
func DrawingSeeds() [][]byte {
	return [][]byte{
		{40, 0, 30, 0, 1, 'a', 1, 3, 0, 5, 0, 5, 0, 1, 20, 0, 9, 0, 3, 1, 0, 2, 0, 9, 0, 8, 0, 7, 0, 6, 0, 4},
		{200, 3, 7, 9, 4, 0xe7, 0x95, 0x8c, 'b', 0, 255, 200, 1, 7, 255, 255, 0, 0, 9, 9, 9, 1, 255, 255, 128},
		[]byte("a long text of letters that become shapes, texts and numbers: 0123456789"),
	}
}

type drawingReader struct{ *bytes.Buffer }

func (r *drawingReader) byte() byte {
	b, _ := r.ReadByte() // 0 at the end
	return b
}

// number is mostly small, and sometimes huge or a fraction.
func (r *drawingReader) number() float64 {
	v := float64(int16(binary.LittleEndian.Uint16([]byte{r.byte(), r.byte()})))
	switch math.Mod(math.Abs(v), 17) {
	case 13:
		return v * 1e15
	case 14:
		return v / 1000
	}
	return v
}

func (r *drawingReader) point() display.Pt { return display.Pt{X: r.number(), Y: r.number()} }

func (r *drawingReader) text() string {
	return string(bytes.ToValidUTF8(r.Next(int(r.byte()%8)), []byte("?")))
}

func (r *drawingReader) style() *display.Style {
	s := &display.Style{Size: 1 + float64(r.byte()%40), Width: math.Abs(r.number())}
	bits := r.byte()
	s.Bold, s.Italic, s.StrokeFirst, s.Hidden = bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&24 == 24
	s.Fill = display.Fill{On: bits&32 > 0, Colour: display.Colour{R: r.byte()}, Opacity: r.byte()}
	s.Stroke = display.Fill{On: bits&64 > 0, Colour: display.Colour{B: r.byte()}, Opacity: r.byte()}
	if bits&128 > 0 {
		s.Dash = []float64{1 + float64(r.byte()), 1 + float64(r.byte())}
	}
	return s
}

func (r *drawingReader) item() display.Painted {
	it := display.Painted{Style: r.style()}
	if r.byte()&1 > 0 {
		it.Text = &display.Text{At: r.point(), Anchor: display.Anchor(r.byte() % 3)}
		it.Text.Runs = []display.StyledRun{{Text: r.text(), Style: it.Style}, {Text: r.text(), Style: r.style()}}
		return it
	}
	it.Path.Add(display.Move, r.point())
	for n := r.byte() % 8; n > 0; n-- {
		op := display.Op(r.byte() % 5)
		pts := make([]display.Pt, op.Points())
		for i := range pts {
			pts[i] = r.point()
		}
		it.Path.Add(op, pts...)
	}
	return it
}
