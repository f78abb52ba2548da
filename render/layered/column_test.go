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
