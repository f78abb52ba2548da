package scalar

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// TestRangesLog states what Linux 6.12.117 and 6.19.14 have written to their logs: of a
// number of at most so much with a sign, after it was found to be less without one.
func TestRangesLog(t *testing.T) {
	for _, tt := range []struct{ most, less, umax uint64 }{{12, 34, 33}, {40, 34, 33}, {12, 13, 12}, {12, 12, 11}} {
		a := SRange(math.MinInt64, int64(tt.most))
		got, _, _ := RangesRefine(SyncOld, JLT, false, a, Const(tt.less))
		if got.Umin() != 0 || got.Umax() != tt.umax || got.Smax() != int64(tt.umax) || got.U32max() != uint32(tt.umax) {
			t.Errorf("s<= %d, then < %d: %v, want 0 to %d", tt.most, tt.less, got, tt.umax)
		}
		over, _, _ := RangesRefine(SyncOld, JGE, false, a, Const(tt.less))
		if want := tt.most < tt.less; (over.Umin() == 1<<63) != want || (over.Smax() == -1) != want {
			t.Errorf("s<= %d, then >= %d: %v", tt.most, tt.less, over)
		}
	}
}

// TestRangesRefine states that ranges keep the pairs for which a condition holds, that of
// plain numbers they are what arcs are, and that arcs are never wider.
func TestRangesRefine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 31))
	other := 0
	for range 200_000 {
		a, b := someRanges(rnd), someRanges(rnd)
		if rnd.IntN(2) == 0 {
			b = Const(uint64(rnd.Int64N(80)) - 20)
		}
		c, is32 := Cond(rnd.IntN(int(JNSET)+1)), rnd.IntN(4) == 0
		x, y, less := RangesRefine(SyncOld, c, is32, a, b)
		if Plain(c, a, b) && KernelDecide(c, is32, a, b, false) == Both && less {
			u, v := KernelRefine(c, is32, a, b)
			t.Fatalf("%v %v %v (32 bits: %v): %v, %v; by arcs %v, %v", a, c, b, is32, x, y, u, v)
		}
		if less {
			other++
		}
		for range 4 {
			p, q := member(rnd, a), member(rnd, b)
			if a.Contains(p) && b.Contains(q) && Holds(c, is32, p, q) && (!x.Contains(p) || !y.Contains(q)) {
				t.Fatalf("%v %v %v (32 bits: %v): %v, %v, without %d, %d", a, c, b, is32, x, y, p, q)
			}
		}
	}
	if other < 1000 {
		t.Errorf("only %d times another result than by arcs", other)
	}
}

// someRanges makes a number that a verifier may hold.
func someRanges(rnd *rand.Rand) S {
	s := Unknown()
	for range rnd.IntN(3) {
		lo := int64(rnd.IntN(60)) - 20
		hi := lo + int64(rnd.IntN(50))
		switch rnd.IntN(6) {
		case 0:
			s = Meet(s, SRange(math.MinInt64, hi))
		case 1:
			s = Meet(s, SRange(lo, math.MaxInt64))
		case 2:
			s = Meet(s, Range(0, uint64(max(hi, 0))))
		case 3:
			s = Meet(s, SRange(lo, hi))
		case 4:
			s = Meet(s, Range(uint64(max(lo, 0)), math.MaxUint64))
		default:
			s = Meet(s, Bits(tnum.T{Mask: uint64(rnd.IntN(64))}))
		}
	}
	if s.Empty() {
		return Unknown()
	}
	return KernelSync(s)
}

// member returns a number near an end of a set.
func member(rnd *rand.Rand, s S) uint64 {
	d := uint64(rnd.IntN(40))
	return [...]uint64{s.Umin() + d, s.Umax() - d, uint64(s.Smin()) + d, uint64(s.Smax()) - d}[rnd.IntN(4)]
}
