package arc

import (
	"math/bits"
	"testing"
)

// The circle of 32 points: all of its arcs are tried. A set of points is a
// word, bit v for the point v.
var small = circle[uint8]{max: 31}

const (
	points = 32
	all    = ^uint32(0)
)

// arcs returns every normal arc of the circle: 31 sizes at each point, the full
// one and the empty one.
func arcs() []Arc[uint8] {
	list := []Arc[uint8]{small.full(), small.empty()}
	for base := range uint8(points) {
		for size := range uint8(points - 1) {
			list = append(list, Arc[uint8]{base, size})
		}
	}
	return list
}

// set returns the members, found by walking.
func set(a Arc[uint8]) (s uint32) {
	if a == small.empty() {
		return 0
	}
	for i := range int(a.Size) + 1 {
		s |= 1 << ((int(a.Base) + i) % points)
	}
	return s
}

// signed5 returns the 5-bit number v with its sign.
func signed5(v int) int64 { return int64((v+16)%32 - 16) }

// hull returns the size, less one, of the smallest arc that holds the set.
func hull(s uint32) int {
	best := points
	for base := range points {
		if s>>base&1 != 0 {
			turned := bits.RotateLeft32(s, -base)
			best = min(best, bits.Len32(turned)-1)
		}
	}
	return best
}

func TestQueries(t *testing.T) {
	for _, a := range arcs() {
		s := set(a)
		for v := range points {
			if small.contains(a, uint8(v)) != (s>>v&1 != 0) {
				t.Fatalf("%v contains %d is wrong", a, v)
			}
		}
		if a == small.empty() {
			continue
		}
		lo, hi := int64(99), int64(-99)
		for v := range points {
			if s>>v&1 != 0 {
				lo, hi = min(lo, signed5(v)), max(hi, signed5(v))
			}
		}
		if small.smin(a) != lo || small.smax(a) != hi {
			t.Fatalf("%v: signed range [%d, %d], want [%d, %d]", a, small.smin(a), small.smax(a), lo, hi)
		}
	}
}

// TestUnsigned tries every arc of 8 bits, for which Umin and Umax are written.
func TestUnsigned(t *testing.T) {
	for base := range 256 {
		for size := range 255 {
			a := Arc[uint8]{uint8(base), uint8(size)}
			lo, hi := 255, 0
			for i := range size + 1 {
				v := (base + i) % 256
				lo, hi = min(lo, v), max(hi, v)
			}
			if int(a.Umin()) != lo || int(a.Umax()) != hi {
				t.Fatalf("%v: unsigned range [%d, %d], want [%d, %d]", a, a.Umin(), a.Umax(), lo, hi)
			}
		}
	}
}

func TestAddNeg(t *testing.T) {
	list := arcs()
	for _, a := range list {
		if got, want := set(small.neg(a)), negSet(set(a)); got != want {
			t.Fatalf("-%v: %032b, want %032b", a, got, want)
		}
		sa := set(a)
		for _, b := range list {
			// Exact: the sums of two arcs are an arc.
			if got, want := set(small.add(a, b)), sumSet(sa, b); got != want {
				t.Fatalf("%v + %v: %032b, want %032b", a, b, got, want)
			}
		}
	}
}

func negSet(s uint32) (out uint32) {
	for v := range points {
		if s>>v&1 != 0 {
			out |= 1 << ((points - v) % points)
		}
	}
	return out
}

func sumSet(s uint32, b Arc[uint8]) (out uint32) {
	if b == small.empty() {
		return 0
	}
	for i := range int(b.Size) + 1 {
		out |= bits.RotateLeft32(s, (int(b.Base)+i)%points)
	}
	return out
}

func TestScale(t *testing.T) {
	for _, a := range arcs() {
		for f := range uint8(points) {
			var want uint32
			for v := range points {
				if set(a)>>v&1 != 0 {
					want |= 1 << (v * int(f) % points)
				}
			}
			if got := set(small.scale(a, f)); got&want != want {
				t.Fatalf("%v * %d: %032b lacks members of %032b", a, f, got, want)
			}
		}
	}
}

func TestPairs(t *testing.T) {
	list := arcs()
	for _, a := range list {
		sa := set(a)
		for _, b := range list {
			sb := set(b)
			if got, want := small.includes(a, b), sb&^sa == 0; got != want {
				t.Fatalf("%v includes %v: %v", a, b, got)
			}
			testIntersect(t, a, b, sa&sb)
			j := small.join(a, b)
			if sj := set(j); sj&(sa|sb) != sa|sb {
				t.Fatalf("%v join %v: %v lacks members", a, b, j)
			}
			if sa|sb != 0 && int(j.Size) != hull(sa|sb) {
				t.Fatalf("%v join %v: %v, but %d is enough", a, b, j, hull(sa|sb))
			}
		}
	}
}

// testIntersect: an intersection of one arc is exact, and one of two is returned as two.
func testIntersect(t *testing.T, a, b Arc[uint8], common uint32) {
	t.Helper()
	c, one := small.intersect(a, b)
	isArc := common == 0 || hull(common)+1 == bits.OnesCount32(common)
	if one != isArc || one && set(c) != common {
		t.Fatalf("%v intersect %v: %v %v, want %032b", a, b, c, one, common)
	}
}

// TestMeetLow: numbers of 6 bits with a low part of 3, embedded in 64 bits by
// arcs that do not pass the middle of the circle; the result is the smallest
// arc in a that holds the members, whether or not a smaller one wraps.
func TestMeetLow(t *testing.T) {
	for _, origin := range []uint64{0, 1 << 40, ^uint64(23), 1<<63 - 20} {
		origin &^= 7
		for start := range uint64(16) {
			for size := range uint64(48) {
				for b := range uint64(8) {
					for bs := range uint64(8) {
						testMeetLow(t, U64{origin + start, size}, U64{b, bs})
					}
				}
			}
		}
	}
}

func testMeetLow(t *testing.T, a, b U64) {
	t.Helper()
	first, last, found := uint64(0), uint64(0), false
	for i := range a.Size + 1 {
		if (a.Base+i-b.Base)&7 <= b.Size {
			if !found {
				first, found = i, true
			}
			last = i
		}
	}
	want := Empty[uint64]()
	if found {
		want = U64{a.Base + first, last - first}
	}
	if got := meetLow(7, a, b); got != want {
		t.Fatalf("meetLow %v with low part %v: %v, want %v", a, b, got, want)
	}
}

// TestMeetLowFull: a full arc is one, too.
func TestMeetLowFull(t *testing.T) {
	full := Full[uint64]()
	if got := MeetLow(full, Full[uint32]()); got != full {
		t.Errorf("with all: %v", got)
	}
	// kernel: after w1 <= 4 the range is up to 2^64-2^32+4
	if got, want := MeetLow(full, U32{0, 4}), (U64{0, 0xffffffff00000004}); got != want {
		t.Errorf("with [0, 4]: %v, want %v", got, want)
	}
	if got := MeetLow(full, Empty[uint32]()); !got.IsEmpty() {
		t.Errorf("with nothing: %v", got)
	}
	if got := MeetLow(Empty[uint64](), Full[uint32]()); !got.IsEmpty() {
		t.Errorf("nothing: %v", got)
	}
}

func TestTruncate(t *testing.T) {
	for base := range uint64(40) {
		for size := range uint64(20) {
			a := U64{base - 20, size}
			seen := uint32(0)
			for i := range size + 1 {
				seen |= 1 << ((a.Base + i) & 7)
			}
			lo, hi, ok := Truncate(a, 3)
			var got uint32
			for v := lo; v <= hi; v++ {
				got |= 1 << v
			}
			oneRange := hi-lo+1 == uint64(bits.OnesCount32(seen))
			if got&seen != seen || ok && got != seen || !ok && (lo != 0 || hi != 7) {
				t.Fatalf("%v: [%d, %d] %v for %08b", a, lo, hi, ok, seen)
			}
			if !ok && oneRange && size < 7 {
				t.Fatalf("%v: gave up on a range", a)
			}
		}
	}
}
