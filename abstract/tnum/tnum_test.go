package tnum

import (
	"fmt"
	"math/bits"
	"testing"
)

// width is that of the exhaustive model: every tnum of so many bits is tried,
// every pair of them for operations on two. The operations let no bit flow
// downwards, so that the low bits of the 64-bit result are the model's result;
// the shifts to the right are tried at the top of the word.
const (
	width = 4
	words = 1 << width
)

// tnums returns all 3^width tnums.
func tnums() []T {
	var list []T
	for mask := range uint64(words) {
		for value := range uint64(words) {
			if value&mask == 0 {
				list = append(list, T{value, mask})
			}
		}
	}
	return list
}

// members returns the set of members, bit v for v.
func members(t T) (s uint64) {
	for v := range uint64(words) {
		if t.Contains(v) {
			s |= 1 << v
		}
	}
	return s
}

// hull returns the smallest tnum that holds the set.
func hull(set uint64) T {
	and, or := ^uint64(0), uint64(0)
	for ; set != 0; set &= set - 1 {
		v := uint64(bits.TrailingZeros64(set))
		and, or = and&v, or|v
	}
	return T{Value: and, Mask: and ^ or}
}

func low(t T) T { return T{t.Value & (words - 1), t.Mask & (words - 1)} }

func TestBinary(t *testing.T) {
	ops := []struct {
		name    string
		sets    func(a, b T) T
		words   func(x, y uint64) uint64
		optimal bool
	}{
		{"add", T.Add, func(x, y uint64) uint64 { return x + y }, true},
		{"sub", T.Sub, func(x, y uint64) uint64 { return x - y }, true},
		{"and", T.And, func(x, y uint64) uint64 { return x & y }, true},
		{"or", T.Or, func(x, y uint64) uint64 { return x | y }, true},
		{"xor", T.Xor, func(x, y uint64) uint64 { return x ^ y }, true},
		{"mul", T.Mul, func(x, y uint64) uint64 { return x * y }, false},
	}
	for _, op := range ops {
		for _, a := range tnums() {
			for _, b := range tnums() {
				var want uint64
				for x := range uint64(words) {
					for y := range uint64(words) {
						if a.Contains(x) && b.Contains(y) {
							want |= 1 << (op.words(x, y) % words)
						}
					}
				}
				full := op.sets(a, b)
				if full.Value&full.Mask != 0 {
					t.Fatalf("%v %s %v: %v is not normal", a, op.name, b, full)
				}
				got := low(full)
				if want&^members(got) != 0 {
					t.Fatalf("%v %s %v: %v lacks members of %016b", a, op.name, b, got, want)
				}
				if op.optimal && got != hull(want) {
					t.Fatalf("%v %s %v: %v, best is %v", a, op.name, b, got, hull(want))
				}
			}
		}
	}
}

func TestPairs(t *testing.T) {
	for _, a := range tnums() {
		for _, b := range tnums() {
			sa, sb := members(a), members(b)
			if a.Includes(b) != (sb&^sa == 0) {
				t.Fatalf("%v includes %v: %v", a, b, a.Includes(b))
			}
			if a.Overlaps(b) != (sa&sb != 0) {
				t.Fatalf("%v overlaps %v: %v", a, b, a.Overlaps(b))
			}
			if got := a.Union(b); got != hull(sa|sb) {
				t.Fatalf("%v union %v: %v", a, b, got)
			}
			if got := a.Intersect(b); a.Overlaps(b) && members(got) != sa&sb || got.Value&got.Mask != 0 {
				t.Fatalf("%v intersect %v: %v", a, b, got)
			}
		}
	}
}

func TestUnary(t *testing.T) {
	for _, a := range tnums() {
		var neg uint64
		for v := range uint64(words) {
			if a.Contains(v) {
				neg |= 1 << (-v % words)
			}
		}
		if got := low(a.Neg()); got != hull(neg) {
			t.Fatalf("-%v: %v, best is %v", a, got, hull(neg))
		}
		if n, ok := a.Count(); !ok || int(n) != bits.OnesCount64(members(a)) {
			t.Fatalf("%v counts %d", a, n)
		}
		if a.Min() != uint64(bits.TrailingZeros64(members(a))) || a.Max() != uint64(bits.Len64(members(a))-1) {
			t.Fatalf("%v: least %d, greatest %d", a, a.Min(), a.Max())
		}
		if a.IsConst() != (a.Mask == 0) {
			t.Fatalf("%v constant", a)
		}
		for _, size := range []uint64{1, 2, 4, 8} {
			aligned := true
			for v := range uint64(words) {
				aligned = aligned && (!a.Contains(v) || v%size == 0)
			}
			if a.IsAligned(size) != aligned {
				t.Fatalf("%v aligned to %d: %v", a, size, a.IsAligned(size))
			}
		}
	}
	if _, ok := Unknown().Count(); ok {
		t.Error("2^64 fits")
	}
}

// place puts a small tnum at bit pos of the word.
func place(t T, pos uint) T { return t.Lsh(pos) }

// mapped checks that f, on the tnum at bit pos, is the best for the words.
func mapped(t *testing.T, name string, pos uint, f func(T) T, word func(uint64) uint64) {
	t.Helper()
	for _, a := range tnums() {
		and, or := ^uint64(0), uint64(0)
		for v := range uint64(words) {
			if a.Contains(v) {
				w := word(v << pos)
				and, or = and&w, or|w
			}
		}
		want := T{Value: and, Mask: and ^ or}
		if got := f(place(a, pos)); got != want {
			t.Fatalf("%s of %v at bit %d: %v, want %v", name, a, pos, got, want)
		}
	}
}

func TestMapped(t *testing.T) {
	for _, pos := range []uint{0, 5, 6, 13, 14, 28, 29, 31, 40, 60} {
		for k := range uint(64) {
			mapped(t, "lsh", pos, func(a T) T { return a.Lsh(k) }, func(v uint64) uint64 { return v << k })
			mapped(t, "rsh", pos, func(a T) T { return a.Rsh(k) }, func(v uint64) uint64 { return v >> k })
			mapped(t, "arsh", pos, func(a T) T { return a.Arsh(k) },
				func(v uint64) uint64 { return uint64(int64(v) >> k) })
		}
		for k := range uint(32) {
			mapped(t, "arsh32", pos, func(a T) T { return a.Arsh32(k) },
				func(v uint64) uint64 { return uint64(uint32(int32(v) >> k)) })
		}
		for bytes := 1; bytes <= 8; bytes++ {
			mapped(t, fmt.Sprint("cast ", bytes), pos, func(a T) T { return a.Cast(bytes) },
				func(v uint64) uint64 { return v << (64 - 8*bytes) >> (64 - 8*bytes) })
			mapped(t, fmt.Sprint("extend ", bytes), pos, func(a T) T { return a.SignExtend(bytes) },
				func(v uint64) uint64 { return uint64(int64(v<<(64-8*bytes)) >> (64 - 8*bytes)) })
		}
		mapped(t, "swap 2", pos, func(a T) T { return a.Swap(2) },
			func(v uint64) uint64 { return uint64(bits.ReverseBytes16(uint16(v))) })
		mapped(t, "swap 4", pos, func(a T) T { return a.Swap(4) },
			func(v uint64) uint64 { return uint64(bits.ReverseBytes32(uint32(v))) })
		mapped(t, "swap 8", pos, func(a T) T { return a.Swap(8) }, bits.ReverseBytes64)
	}
}

func TestRange(t *testing.T) {
	for lo := range uint64(words) {
		for hi := lo; hi < words; hi++ {
			got := Range(lo, hi)
			var want uint64
			for v := lo; v <= hi; v++ {
				want |= 1 << v
			}
			if got != hull(want) {
				// The common leading bits are all that a range tells.
				t.Fatalf("[%d, %d]: %v, best is %v", lo, hi, got, hull(want))
			}
		}
	}
	if Range(0, 1<<63) != Unknown() || Range(1<<63, ^uint64(0)) != (T{1 << 63, 1<<63 - 1}) {
		t.Error("ranges with the top bit")
	}
}

// TestStep tries Next, Prev and Step with every tnum and bound, at several
// places of the word, with known zeros and ones around.
func TestStep(t *testing.T) {
	for _, pos := range []uint{0, 31, 60} {
		for _, outside := range []uint64{0, ^(uint64(words-1) << pos)} {
			for _, a := range tnums() {
				b := place(a, pos)
				b.Value |= outside
				testStep(t, a, b, pos, outside)
			}
		}
	}
}

func testStep(t *testing.T, a, b T, pos uint, outside uint64) {
	t.Helper()
	for x := range uint64(words) {
		for _, around := range []uint64{0, outside} {
			bound := x<<pos | around
			var next, prev uint64
			var hasNext, hasPrev bool
			step := b.Max()
			for v := range uint64(words) {
				w := v<<pos | outside
				if !a.Contains(v) {
					continue
				}
				if w >= bound && !hasNext {
					next, hasNext = w, true
				}
				if w <= bound {
					prev, hasPrev = w, true
				}
				if w > bound {
					step = min(step, w)
				}
			}
			if got, ok := b.Next(bound); ok != hasNext || ok && got != next {
				t.Fatalf("%v from %#x: %#x %v, want %#x %v", b, bound, got, ok, next, hasNext)
			}
			if got, ok := b.Prev(bound); ok != hasPrev || ok && got != prev {
				t.Fatalf("%v down from %#x: %#x %v, want %#x %v", b, bound, got, ok, prev, hasPrev)
			}
			if got := b.Step(bound); got != step {
				t.Fatalf("%v after %#x: %#x, want %#x", b, bound, got, step)
			}
		}
	}
}

func TestLow(t *testing.T) {
	a, b := T{0x1_0000_00f0, 0xf_0000_0f00}, T{0x5, 0xa_0000_000a}
	if got := a.WithLow(b); got != (T{0x1_0000_0005, 0xf_0000_000a}) {
		t.Errorf("with low half: %v", got)
	}
	if got := a.Low(); got != (T{0xf0, 0xf00}) {
		t.Errorf("low half: %v", got)
	}
	if got := a.String(); got != "(0x1000000f0; 0xf00000f00)" {
		t.Errorf("text: %s", got)
	}
}

func BenchmarkMul(b *testing.B) {
	x, y := T{Mask: 0xffff}, Const(24)
	for b.Loop() {
		x.Mul(y)
	}
}

func BenchmarkNext(b *testing.B) {
	x := T{Value: 1 << 40, Mask: 0x7f8}
	for b.Loop() {
		x.Next(1<<40 + 77)
	}
}
