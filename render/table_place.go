package render

import (
	"cmp"
	"slices"
)

// tableGrid is how the rows of a table are drawn: in columns beside each other, where they
// would be much higher than the machine code.
type tableGrid struct {
	columns int
	rows    int // of a column
	high    int // of a row
}

// gridOf returns how a table of so many rows is drawn beside a strip of that height.
func gridOf(rows, stripHeight int) tableGrid {
	g := tableGrid{columns: 1, rows: rows, high: min(15, max(11, (stripHeight-tableHead)/max(rows, 1)))}
	room := max(stripHeight, minStrip) - tableHead - 6
	if rows*g.high <= room {
		return g
	}
	g.high = 15
	g.rows = room / g.high
	g.columns = (rows + g.rows - 1) / g.rows
	g.rows = (rows + g.columns - 1) / g.columns
	return g
}

// height returns the height of the table.
func (g tableGrid) height() int { return tableHead + g.high*g.rows + 6 }

// y returns the middle of a row of a table at the top.
func (g tableGrid) y(top, row int) int { return top + tableHead + g.high*(row%g.rows) + g.high/2 }

// column returns the part of a table's box that has a column.
func (g tableGrid) column(r Rect, i int) Rect {
	w := r.W / g.columns
	return Rect{r.X + i*w, r.Y, w, r.H}
}

// placeTables puts the tables right of the strip, each as near to the code that
// it points to as the others leave room for.
func (l *Placement) placeTables(s *Scene, right, top, bottom int) (int, int) {
	if len(s.Tables) == 0 {
		return right, bottom
	}
	return l.tablesAt(s, right+tableGap, top, bottom)
}

// tablesAt puts the tables at x.
func (l *Placement) tablesAt(s *Scene, x, top, bottom int) (int, int) {
	st, n := l.Strip, len(s.Tables)
	widest := 0
	l.Tables = make([]Rect, n)
	order, want := make([]int, n), make([]int, n)
	for t := range s.Tables {
		rows := tableRows(&s.Tables[t])
		g := gridOf(len(rows), st.H)
		l.Tables[t] = Rect{x, 0, g.columns * l.tableWidth(s, rows), g.height()}
		widest = max(widest, l.Tables[t].W)
		order[t], want[t] = t, st.middle(rows)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(want[a], want[b]) })
	places, gaps := make([]int, n), make([]int, n)
	for i, t := range order {
		places[i] = want[t] - l.Tables[t].H/2
		gaps[i] = l.Tables[t].H + 16
	}
	spread(places, gaps, top, bottom)
	for i, t := range order {
		l.Tables[t].Y = places[i]
		l.Tables[t].W = widest
		bottom = max(bottom, places[i]+gaps[i])
		l.aimTable(s, t)
	}
	return x + widest, bottom
}
