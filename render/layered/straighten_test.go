package layered

import (
	"slices"
	"testing"
)

// rowsOf makes cells of rows: boxes of a width at an x, and trunks of nets, by -1-net.
func rowsOf(rows [][][2]int) *cells {
	c := &cells{gr: &groups{}}
	for r, row := range rows {
		var ids []int
		for i, at := range row {
			x := cell{kind: boxCell, net: -1, row: r, w: at[0], loop: -1, group: -1, x: at[1]}
			if at[0] < 0 {
				x.kind, x.net, x.w = trunkCell, -1-at[0], 8
			}
			ids = append(ids, len(c.cell))
			c.pos = append(c.pos, i)
			c.cell = append(c.cell, x)
		}
		c.rows = append(c.rows, ids)
	}
	for r := range len(rows) - 1 {
		for _, a := range c.rows[r] {
			for _, b := range c.rows[r+1] {
				if c.cell[a].net >= 0 && c.cell[a].net == c.cell[b].net {
					c.links = append(c.links, link{a: a, b: b, weight: weightTrunk})
				}
			}
		}
	}
	c.indexLinks()
	return c
}

// TestStraighten: two trunks between boxes of 64, whose centres are at least 48 from a
// trunk's (32 + 8 + 4, up to a multiple of 16), and 16 from each other.
func TestStraighten(t *testing.T) {
	for _, tt := range []struct {
		name        string
		rows        [][][2]int
		left, right []int
	}{
		// Both have stepped aside with the boxes. The first has room from 96 to 208 in all
		// rows, if the second makes way, and was at 96, 160 and 160; the second follows.
		{"together", [][][2]int{
			{{64, 32}, {-1, 96}, {-2, 112}, {64, 400}},
			{{64, 48}, {-1, 160}, {-2, 176}, {64, 272}},
			{{64, 32}, {-1, 160}, {-2, 240}, {64, 400}},
		}, []int{160, 160, 160}, []int{176, 176, 176}},
		// The boxes of the last row leave no place that the first row has, which is from 80
		// to 112 for the first trunk and from 96 to 128 for the second: one bend.
		{"bend", [][][2]int{
			{{64, 32}, {-1, 80}, {-2, 96}, {64, 176}},
			{{64, 32}, {-1, 112}, {-2, 128}, {64, 400}},
			{{64, 160}, {-1, 256}, {-2, 272}, {64, 400}},
		}, []int{112, 112, 256}, []int{128, 128, 272}},
	} {
		c := rowsOf(tt.rows)
		m := &mover{c: c, opt: Options{NodeGap: 32}}
		m.lookLeft()
		m.straighten()
		var left, right []int
		for _, row := range c.rows {
			left, right = append(left, c.cell[row[1]].x), append(right, c.cell[row[2]].x)
			for i, v := range row[1:] {
				if c.cell[v].x-c.cell[row[i]].x < m.left[v].gap {
					t.Errorf("%s: cells %d and %d are too near", tt.name, row[i], v)
				}
			}
		}
		if !slices.Equal(left, tt.left) || !slices.Equal(right, tt.right) {
			t.Errorf("%s: %v and %v, want %v and %v", tt.name, left, right, tt.left, tt.right)
		}
	}
}

// TestStraightenStays: a shorter trunk would go straight on from a box at the right of a
// longer one, which has its place and keeps it.
func TestStraightenStays(t *testing.T) {
	c := rowsOf([][][2]int{
		{{64, 32}, {64, 400}},
		{{64, 32}, {-1, 96}, {-2, 112}, {64, 600}},
		{{64, 32}, {-1, 96}, {-2, 112}, {64, 600}},
		{{64, 32}, {-2, 112}, {64, 600}},
	})
	c.links = append([]link{{a: 1, b: 3, weight: weightOnly}}, c.links...)
	c.indexLinks()
	m := &mover{c: c, opt: Options{NodeGap: 32}}
	m.lookLeft()
	m.straighten()
	for i, want := range map[int]int{3: 96, 4: 112, 7: 96, 8: 112, 11: 112} {
		if x := c.cell[i].x; x != want {
			t.Errorf("cell %d is at %d, want %d", i, x, want)
		}
	}
}

// TestPortsAlign: a line over a narrow box is straight between two wide ones, and has
// all bends if these are as narrow.
func TestPortsAlign(t *testing.T) {
	for _, tt := range []struct{ wide, points int }{{400, 2}, {120, 6}} {
		p := Layout(Graph{
			Nodes: []Node{{W: tt.wide, H: 64}, {W: 120, H: 64}, {W: tt.wide, H: 64}},
			Edges: []Edge{{From: 0, To: 1, Straight: true}, {From: 1, To: 2, Straight: true}, {From: 0, To: 2, Class: 2}},
		}, Options{})
		if got := len(p.Routes[2].Points); got != tt.points {
			t.Errorf("boxes of %d: %d points, want %d: %v", tt.wide, got, tt.points, p.Routes[2].Points)
		}
	}
}
