package raster

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
)

// encoder writes a PNG file row by row (ISO/IEC 15948). The standard library's
// wants the whole picture, which here may have 400 MB.
type encoder struct {
	w    io.Writer
	err  error
	z    *zlib.Writer
	data bytes.Buffer // compressed, not yet written

	above    []byte    // the row before
	filtered [3][]byte // tries of a row, with the filter's number in front
}

// filters tried for each row: 0 none, 1 less the pixel to the left, 2 less the
// pixel above. The two others never won by more than some percent on drawings.
var filters = [3]byte{0, 1, 2}

func newEncoder(w io.Writer, width, height int, scale float64) *encoder {
	e := &encoder{w: w, above: make([]byte, 3*width)}
	for i := range e.filtered {
		e.filtered[i] = make([]byte, 1+3*width)
		e.filtered[i][0] = filters[i]
	}
	e.z = zlib.NewWriter(&e.data)
	e.bytes([]byte("\x89PNG\r\n\x1a\n"))
	head := binary.BigEndian.AppendUint32(nil, uint32(width))
	head = binary.BigEndian.AppendUint32(head, uint32(height))
	e.chunk("IHDR", append(head, 8, 2, 0, 0, 0)) // 8 bits, RGB
	// A pixel of a drawing is 1/96 inch, as in CSS.
	density := uint32(math.Round(96 * scale / 0.0254))
	phys := binary.BigEndian.AppendUint32(nil, density)
	e.chunk("pHYs", append(binary.BigEndian.AppendUint32(phys, density), 1)) // per metre
	return e
}

func (e *encoder) bytes(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
}

func (e *encoder) chunk(kind string, data []byte) {
	head := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), kind...)
	sum := crc32.Update(crc32.ChecksumIEEE(head[4:]), crc32.IEEETable, data)
	e.bytes(head)
	e.bytes(data)
	e.bytes(binary.BigEndian.AppendUint32(nil, sum))
}

// row writes a row of pixels, three bytes each.
func (e *encoder) row(pix []byte) {
	best, least := 0, math.MaxInt
	if bytes.Equal(pix, e.above) { // most rows of a drawing are like the one above
		best, least = 2, 0
		clear(e.filtered[2][1:])
	}
	for f := range filters {
		if least == 0 {
			break
		}
		if sum := filter(f, e.filtered[f][1:], pix, e.above); sum < least {
			best, least = f, sum
		}
	}
	if _, err := e.z.Write(e.filtered[best]); err != nil && e.err == nil {
		e.err = err
	}
	copy(e.above, pix)
	if e.data.Len() > 64<<10 {
		e.chunk("IDAT", e.data.Bytes())
		e.data.Reset()
	}
}

// filter writes the row as differences and returns how large they are. To has the
// length of pix, as above has.
func filter(f int, to, pix, above []byte) int {
	to, above = to[:len(pix)], above[:len(pix)]
	sum := 0
	switch filters[f] {
	case 0:
		copy(to, pix)
	case 1:
		copy(to, pix[:3])
		left := pix[:len(pix)-3]
		for i, v := range pix[3:] {
			to[i+3] = v - left[i]
		}
	case 2:
		for i, v := range pix {
			to[i] = v - above[i]
		}
	}
	for _, v := range to {
		sum += max(int(int8(v)), -int(int8(v)))
	}
	return sum
}

// end writes what is left.
func (e *encoder) end() error {
	if err := e.z.Close(); err != nil && e.err == nil {
		e.err = err
	}
	e.chunk("IDAT", e.data.Bytes())
	e.chunk("IEND", nil)
	return e.err
}
