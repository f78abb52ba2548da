package raster

import (
	"cmp"
	"slices"
)

// Coordinates of the scan converter count 1/256 of a pixel.
const (
	bits = 8
	unit = 1 << bits
)

// cell is the effect of a shape's edges on one pixel: cover is the height that they cross, area
// twice the area between them and the pixel's left side.
type cell struct{ x, cover, area int32 }

// scan turns polygons into the coverage of the pixels of a band of rows, with exact areas and only
// in integers, so that every machine gets the same result. It is the method of FreeType's smooth
// rasterizer (David Turner), itself after libart (Raph Levien): cells only where edges are, so that
// the cost goes with the length of the outline.
//
// Coverage adds up: where polygons of one shape overlap it is cut off at 1, which
// makes their union when all run the same way round, and holes where they do not.
type scan struct {
	top, rows int // the band, in pixels
	width     int
	cells     [][]cell // by row of the band
	lo, hi    int      // rows that have cells; lo > hi: none
}

func newScan(width int) *scan { return &scan{width: width, lo: 1, hi: 0} }

// band moves the scan to another band.
func (s *scan) band(top, rows int) {
	s.top, s.rows = top, rows
	for len(s.cells) < rows {
		s.cells = append(s.cells, nil)
	}
	s.lo, s.hi = rows, -1
}

// polygon adds a closed polygon.
func (s *scan) polygon(pts []pt) {
	for i, p := range pts {
		q := pts[0]
		if i+1 < len(pts) {
			q = pts[i+1]
		}
		s.edge(p.x, p.y, q.x, q.y)
	}
}

// edge adds a line.
func (s *scan) edge(x0, y0, x1, y1 int64) {
	if y0 == y1 {
		return
	}
	dir := int64(1)
	if y0 > y1 {
		x0, y0, x1, y1 = x1, y1, x0, y0
		dir = -1
	}
	base := int64(s.top) << bits
	y0, y1 = y0-base, y1-base
	from, to := max(y0, 0), min(y1, int64(s.rows)<<bits)
	for y := from; y < to; {
		next := min((y>>bits+1)<<bits, to)
		s.row(int(y>>bits), at(x0, y0, x1, y1, y), at(x0, y0, x1, y1, next), (next-y)*dir)
		y = next
	}
}

// at returns the x of a line at y.
func at(x0, y0, x1, y1, y int64) int64 {
	if y == y1 {
		return x1
	}
	return x0 + floorDiv((x1-x0)*(y-y0), y1-y0)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// row adds the part of a line in one row of pixels: from x0 to x1, over a height
// of dy, which is negative for a line up.
func (s *scan) row(row int, x0, x1, dy int64) {
	s.lo, s.hi = min(s.lo, row), max(s.hi, row)
	if x0 > x1 {
		x0, x1 = x1, x0 // the area is the same
	}
	// Parts left of the picture count at its edge, parts right of it do not.
	limit := int64(s.width) << bits
	if x1 <= 0 {
		x0, x1 = 0, 0
	} else if x0 >= limit {
		return
	}
	done := int64(0)
	x := x0
	for c := x0 >> bits; ; c++ {
		end := min((c+1)<<bits, x1)
		upTo := dy
		if end < x1 {
			upTo = dy * (end - x0) / (x1 - x0)
		}
		h := upTo - done
		done = upTo
		if h != 0 {
			s.add(row, c, h, h*(x-c<<bits+end-c<<bits))
		}
		if x = end; x >= x1 {
			return
		}
	}
}

func (s *scan) add(row int, c, cover, area int64) {
	if c < 0 {
		c, area = 0, 0
	} else if c >= int64(s.width) {
		return
	}
	cs := s.cells[row]
	if n := len(cs); n > 0 && cs[n-1].x == int32(c) {
		cs[n-1].cover += int32(cover)
		cs[n-1].area += int32(area)
		return
	}
	s.cells[row] = append(cs, cell{int32(c), int32(cover), int32(area)})
}

// sweep calls span for each run of pixels with one coverage from 1 to 255, row by
// row from left to right, and forgets the cells.
func (s *scan) sweep(span func(row, x, n int, cover uint8)) {
	for row := s.lo; row <= s.hi; row++ {
		cs := s.cells[row]
		s.cells[row] = cs[:0]
		slices.SortFunc(cs, func(a, b cell) int { return cmp.Compare(a.x, b.x) })
		var sum int64
		for i := 0; i < len(cs); {
			x, cover, area := cs[i].x, int64(0), int64(0)
			for ; i < len(cs) && cs[i].x == x; i++ {
				cover += int64(cs[i].cover)
				area += int64(cs[i].area)
			}
			sum += cover
			if c := coverage(sum*2*unit - area); c > 0 {
				span(row, int(x), 1, c)
			}
			end := int32(s.width)
			if i < len(cs) {
				end = cs[i].x
			}
			if c := coverage(sum * 2 * unit); c > 0 && end > x+1 {
				span(row, int(x)+1, int(end-x)-1, c)
			}
		}
	}
	s.lo, s.hi = s.rows, -1
}

// coverage returns an area in 1/(2·256²) of a pixel as 0 to 255.
func coverage(area int64) uint8 {
	if area < 0 {
		area = -area
	}
	return uint8(min((area*255+unit*unit)/(2*unit*unit), 255))
}
