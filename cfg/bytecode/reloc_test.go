package bytecode

import "testing"

// TestUnknownAt checks which variable a load touches that has no known value.
func TestUnknownAt(t *testing.T) {
	m := Map{Value: make([]byte, 16), Unknown: []DataSymbol{{Name: "a", Off: 4, Size: 4}, {Name: "b", Off: 8, Size: 1}}}
	for _, tt := range []struct {
		off  int64
		size int
		want string
	}{{0, 4, ""}, {0, 8, "a"}, {7, 1, "a"}, {7, 2, "a"}, {8, 8, "b"}, {9, 1, ""}, {12, 4, ""}} {
		if got, _ := m.UnknownAt(tt.off, tt.size); got.Name != tt.want {
			t.Errorf("%d bytes at %d: %q, want %q", tt.size, tt.off, got.Name, tt.want)
		}
	}
}
