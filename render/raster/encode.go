package raster

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"math"
)

// rows is a picture for the standard library's encoder, which reads it row by row from the top:
// each band is painted when its first pixel is read.
type rows struct {
	p        *painter
	w, h     int
	band     int // rows of a band
	top, n   int // the band that is painted
	progress func(done, total int)
	at       pixel // the last one read
}

// pixel is a colour that is used before the next one is read.
type pixel struct{ r, g, b uint8 }

// RGBA implements color.Color.
func (p *pixel) RGBA() (r, g, b, a uint32) {
	return uint32(p.r) * 0x101, uint32(p.g) * 0x101, uint32(p.b) * 0x101, 0xffff
}

// ColorModel implements image.Image.
func (*rows) ColorModel() color.Model { return color.RGBAModel }

// Bounds implements image.Image.
func (m *rows) Bounds() image.Rectangle { return image.Rect(0, 0, m.w, m.h) }

// Opaque tells the encoder that there is no alpha.
func (*rows) Opaque() bool { return true }

// At returns the colour of a pixel, valid until the next call. Rows must be read in order.
func (m *rows) At(x, y int) color.Color {
	if y >= m.top+m.n {
		if m.progress != nil {
			m.progress(y, m.h)
		}
		m.top, m.n = y, min(m.band, m.h-y)
		m.p.paint(m.top, m.n)
	}
	px := m.p.pix[3*((y-m.top)*m.w+x):]
	m.at = pixel{px[0], px[1], px[2]}
	return &m.at
}

// headLen is the length of a PNG file's signature and first chunk (ISO/IEC 15948,
// 5.2 and 11.2.2).
const headLen = 8 + 4 + 4 + 13 + 4

// densityWriter puts a chunk with the density of the pixels after the first chunk
// of a PNG file, and stops when the context ends.
type densityWriter struct {
	ctx   context.Context
	w     io.Writer
	scale float64
	n     int // bytes of the head that are written
}

// Write writes bytes of the file.
func (d *densityWriter) Write(b []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	if d.n == headLen {
		return d.w.Write(b)
	}
	k := min(len(b), headLen-d.n)
	n, err := d.w.Write(b[:k])
	d.n += n
	if err != nil || d.n < headLen {
		return n, err
	}
	if _, err := d.w.Write(density(d.scale)); err != nil {
		return n, err
	}
	m, err := d.w.Write(b[k:])
	return n + m, err
}

// density returns the chunk pHYs. A pixel of a drawing is 1/96 inch, as in CSS.
func density(scale float64) []byte {
	perMetre := uint32(math.Round(96 * scale / 0.0254))
	chunk := binary.BigEndian.AppendUint32(nil, 9)
	chunk = append(chunk, "pHYs"...)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1) // the unit is the metre
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}
