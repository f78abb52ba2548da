package pdf

import (
	"slices"
	"testing"
)

// TestParts reads composite glyphs that were put together by hand (OpenType, table glyf): the
// length of a component depends on its flags.
func TestParts(t *testing.T) {
	header := []byte{0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0} // -1 contours, then a box
	glyph := func(parts ...[]byte) []byte { return append(slices.Clone(header), slices.Concat(parts...)...) }
	const more = 0x20
	last := []byte{0, 0, 0, 9, 1, 2} // glyph 9, moved by two bytes
	for _, c := range []struct {
		name string
		g    []byte
		want []int
	}{
		{"simple", []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, nil},
		{"empty", nil, nil},
		{"one", glyph(last), []int{9}},
		{"bytes", glyph([]byte{0, more, 0, 5, 1, 2}, last), []int{5, 9}},
		{"words", glyph([]byte{0, more | 1, 0, 5, 0, 1, 0, 2}, last), []int{5, 9}},
		{"a scale", glyph([]byte{0, more | 8, 0, 5, 1, 2, 0x40, 0}, last), []int{5, 9}},
		{"two scales", glyph([]byte{0, more | 0x40, 0, 5, 1, 2, 0x40, 0, 0x40, 0}, last), []int{5, 9}},
		{"a matrix", glyph([]byte{0, more | 0x80, 0, 5, 1, 2, 0x40, 0, 0, 0, 0, 0, 0x40, 0}, last), []int{5, 9}},
	} {
		if got := parts(c.g); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
