package render

import (
	"cmp"
	"slices"
)

// A strip that is much higher than the graph goes on at the top, like the text of a newspaper.
// Columns end between pieces. A jump into another column runs to the edge of its own, and enters at
// the edge of the other.

const (
	cellLeast   = 12   // height of a piece that has room for its name
	minStrip    = 4000 // least height of a column: what fits on a few screens needs none
	maxLabelled = 2000 // pieces that get room for their names
	edgeRoom    = 12   // above and below a column, for jumps that leave it
)

// foldStrip divides the strip into columns of about the height of r, if it is to be much
// higher, and reports whether it is.
func (l *Placement) foldStrip(s *Scene, r Rect) bool {
	m := s.Image
	total := min(cellLeast*len(m.Pieces), 8*m.Len)
	limit := max(r.H, minStrip)
	if total <= limit*5/4 || len(m.Pieces) >= maxLabelled && len(l.Funcs) > 0 {
		return false
	}
	n := (total + limit - 1) / limit
	st := &Strip{Len: m.Len, Rect: r}
	st.H = 0
	from := 0
	for k := 1; k <= n; k++ {
		to := m.Len
		if k < n {
			to = m.cut(int(int64(m.Len) * int64(k) / int64(n)))
		}
		if to <= from {
			continue
		}
		c := Column{Rect: r, Offset: from, Len: to - from}
		c.H = int(int64(total) * int64(c.Len) / int64(m.Len))
		st.Columns = append(st.Columns, c)
		st.H = max(st.H, c.H)
		from = to
	}
	l.Strip = st
	return true
}

// cut returns the start of the piece in which an offset is.
func (m *Image) cut(offset int) int {
	i, ok := slices.BinarySearchFunc(m.Pieces, offset, func(p Piece, o int) int { return cmp.Compare(p.Offset, o) })
	if !ok {
		i = max(0, i-1)
	}
	return m.Pieces[i].Offset
}

// columnOf returns the index of the column with a byte, 0 for a strip without columns.
func (st *Strip) columnOf(offset int) int {
	i, ok := slices.BinarySearchFunc(st.Columns, offset, func(c Column, o int) int { return cmp.Compare(c.Offset, o) })
	if !ok {
		i--
	}
	return max(i, 0)
}

// column returns the column with a byte, nil for a strip without columns.
func (st *Strip) column(offset int) *Column {
	if len(st.Columns) == 0 {
		return nil
	}
	return &st.Columns[st.columnOf(offset)]
}

// at returns the y of a byte offset, which may be the end of the column.
func (c *Column) at(offset int) int {
	return c.Y + int(int64(offset-c.Offset)*int64(c.H)/int64(max(c.Len, 1)))
}

// span returns the place of some bytes, as far as they are in one column.
func (st *Strip) span(offset, n int) Rect {
	c := st.column(offset)
	if c == nil {
		y := st.at(offset)
		return Rect{st.X, y, st.W, st.at(offset+n) - y}
	}
	y := c.at(offset)
	return Rect{c.X, y, c.W, c.at(min(offset+n, c.Offset+c.Len)) - y}
}

// edge returns the y at which a line in a column ends that leads to an offset in another,
// or in the same one.
func (st *Strip) edge(column, other, offset int) int {
	switch {
	case other > column:
		return st.Columns[column].Y + st.Columns[column].H + edgeRoom
	case other < column:
		return st.Columns[column].Y - edgeRoom
	}
	return st.at(offset)
}
