package layered

import "testing"

// TestColumnHeight: a drawing 31,000 high and 3,000 wide is cut so that columns as high as the
// root of two thirds of its area are about as wide together; one that is not tall is not cut.
func TestColumnHeight(t *testing.T) {
	for _, c := range []struct{ most, rows, want int }{
		{0, 31, 7874}, // √(31,000 · 3,000 · 2/3)
		{0, 9, far}, {0, 8, far}, {500, 31, 500}, {-1, 31, far},
	} {
		ch := &channels{c: &cells{cell: []cell{{x: 2800, w: 400}}}, opt: Options{MaxHeight: c.most},
			rowY: []int{0, 1000 * (c.rows - 1)}, rowH: []int{1000, 1000}}
		if got := ch.columnHeight(); got != c.want {
			t.Errorf("%d rows, limit %d: columns of %d, want %d", c.rows, c.most, got, c.want)
		}
	}
}

// TestDefaultWidth: rows as wide as a drawing of the boxes' area, two and a half times as wide as
// high; of few boxes at least five fit.
func TestDefaultWidth(t *testing.T) {
	of := func(n int) Graph {
		g := Graph{Nodes: make([]Node, n)}
		for i := range g.Nodes {
			g.Nodes[i] = Node{W: 100, H: 100}
		}
		return g
	}
	// Each box takes (100+32)·(100+64) pixels, and √(2.5·100·21,648) is 2,326.
	if got := defaultWidth(of(100), 32); got != 2326 {
		t.Errorf("100 boxes: %d", got)
	}
	if got := defaultWidth(of(1), 32); got != 5*132 {
		t.Errorf("one box: %d", got)
	}
	fan := of(100)
	for i := 1; i < 100; i++ {
		fan.Edges = append(fan.Edges, Edge{From: 0, To: i, Fan: true})
	}
	if got := defaultWidth(fan, 32); got != 1801 { // √(1.5·100·21,648): rows of cases are full
		t.Errorf("99 cases: %d", got)
	}
}
