package arc

import (
	"math"
	"testing"
)

// TestIntersectKernel: where the common members are two arcs, the kernel keeps
// the smaller operand; Meet keeps the receiver.
func TestIntersectKernel(t *testing.T) {
	a := URange[uint64](0, 100)
	b := URange[uint64](90, 10) // wraps: nearly everything
	if got := a.Intersect(b); got != a {
		t.Errorf("a with b: %v", got)
	}
	if got := b.Intersect(a); got != a {
		t.Errorf("b with a: %v", got)
	}
	if got := b.Meet(a); got != b {
		t.Errorf("b meets a: %v", got)
	}
	// Equal sizes, two arcs in common: the one with the smaller base.
	c := U32{Base: 0, Size: 1<<31 + 5}
	d := U32{Base: 1 << 31, Size: 1<<31 + 5}
	if c.Intersect(d) != c || d.Intersect(c) != c {
		t.Errorf("tie: %v and %v", c.Intersect(d), d.Intersect(c))
	}
}

// TestIntersectSymmetric: the kernel's rule does not depend on the order.
func TestIntersectSymmetric(t *testing.T) {
	ends := []uint8{0, 1, 2, 5, 63, 126, 127, 128, 129, 200, 253, 254}
	for _, b := range ends {
		for _, s := range ends {
			for _, d := range ends {
				for _, u := range ends {
					x, y := Arc[uint8]{b, s}, Arc[uint8]{d, u}
					if x.Intersect(y) != y.Intersect(x) {
						t.Fatalf("%v and %v", x, y)
					}
				}
			}
		}
	}
}

func TestRanges(t *testing.T) {
	a := SRange[uint64](-5, 7)
	if a != (U64{^uint64(4), 12}) || a.Umin() != 0 || a.Umax() != math.MaxUint64 || a.Smin() != -5 || a.Smax() != 7 {
		t.Errorf("[-5, 7]: %v", a)
	}
	b := URange[uint64](1<<63-1, 1<<63+1)
	if b.Umin() != 1<<63-1 || b.Umax() != 1<<63+1 || b.Smin() != math.MinInt64 || b.Smax() != math.MaxInt64 {
		t.Errorf("around the sign: %v", b)
	}
	if SRange[uint32](math.MinInt32, math.MaxInt32) != Full[uint32]() {
		t.Error("the whole signed range is not the full arc")
	}
	if got := URange[uint64](5, 4); got != Full[uint64]() {
		t.Errorf("5 up to 4: %v", got)
	}
	var e = Empty[uint64]()
	if !e.IsEmpty() || e.IsFull() || e.Contains(math.MaxUint64) || e.Umin() != 0 || e.Umax() != math.MaxUint64 {
		t.Errorf("empty: %v", e)
	}
	if Low(U64{7, 1<<32 - 2}) != (U32{7, 1<<32 - 2}) || Low(U64{7, 1<<32 - 1}) != Full[uint32]() || !Low(e).IsEmpty() {
		t.Error("low halves")
	}
	for want, s := range map[string]U32{"empty": Empty[uint32](), "full": Full[uint32](), "[0x8 +0x20]": {8, 32}} {
		if s.String() != want {
			t.Errorf("%v, want %s", s, want)
		}
	}
}

// TestWords: the methods on real words, of which the rules are tested on small
// circles.
func TestWords(t *testing.T) {
	a, b := SRange[uint64](-5, 7), URange[uint64](10, 20)
	for _, c := range []struct {
		name      string
		got, want U64
	}{
		{"add", a.Add(b), URange[uint64](5, 27)},
		{"sub", b.Sub(a), URange[uint64](3, 25)},
		{"neg", a.Neg(), SRange[uint64](-7, 5)},
		{"scale", a.Scale(8), SRange[uint64](-40, 56)},
		{"scale too far", a.Scale(1 << 62), Full[uint64]()},
		{"join", a.Join(b), SRange[uint64](-5, 20)},
		{"join around", SRange[uint64](-9, -7).Join(Const[uint64](3)), SRange[uint64](-9, 3)},
		{"meet", URange[uint64](0, 12).Meet(b), URange[uint64](10, 12)},
		{"meet nothing", a.Meet(b), Empty[uint64]()},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if !a.Includes(Const[uint64](0)) || a.Includes(b) || !Const[uint32](3).IsConst() || a.Last() != 7 {
		t.Error("queries")
	}
}

func BenchmarkIntersect(b *testing.B) {
	x, y := SRange[uint64](-5, 70), URange[uint64](3, 1000)
	for b.Loop() {
		x.Intersect(y)
	}
}

func BenchmarkMeetLow(b *testing.B) {
	x, y := URange[uint64](3, 1<<40), URange[uint32](8, 64)
	for b.Loop() {
		MeetLow(x, y)
	}
}
