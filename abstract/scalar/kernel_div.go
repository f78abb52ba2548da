package scalar

import (
	"math"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
)

// divide64 divides by the constant c. All but R64 becomes unknown, unless the
// operation changes nothing.
func divide64(op Op, d S, c uint64) S {
	r := Unknown()
	switch op {
	case Div:
		if c == 0 {
			return Const(0)
		}
		r.R64 = arc.URange(d.Umin()/c, d.Umax()/c)
	case SDiv:
		if c == 0 {
			return Const(0)
		}
		if lo, hi, ok := sdivRange(d.Smin(), d.Smax(), int64(c), math.MinInt64); ok {
			r.R64 = arc.SRange[uint64](lo, hi)
		}
	case Mod:
		if c == 0 || d.Umax() < c {
			return d
		}
		r.R64 = arc.URange(0, min(d.Umax(), c-1))
	case SMod:
		lo, hi, same := smodRange(d.Smin(), d.Smax(), int64(c))
		if same {
			return d
		}
		r.R64 = arc.SRange[uint64](lo, hi)
	}
	return r
}

// divide32 is divide64 for the low half.
func divide32(op Op, d S, c uint32) S {
	r := Unknown()
	switch op {
	case Div:
		if c == 0 {
			return Const(0)
		}
		r.R32 = arc.URange(d.U32min()/c, d.U32max()/c)
	case SDiv:
		if c == 0 {
			return Const(0)
		}
		if lo, hi, ok := sdivRange(int64(d.S32min()), int64(d.S32max()), int64(int32(c)), math.MinInt32); ok {
			r.R32 = arc.SRange[uint32](lo, hi)
		}
	case Mod:
		if c == 0 || d.U32max() < c {
			return d
		}
		r.R32 = arc.URange(0, min(d.U32max(), c-1))
	case SMod:
		lo, hi, same := smodRange(int64(d.S32min()), int64(d.S32max()), int64(int32(c)))
		if same {
			return d
		}
		r.R32 = arc.SRange[uint32](lo, hi)
	}
	return r
}

// sdivRange returns the range of the quotients of lo to hi by c, not 0. It is
// unknown if the smallest number of the width and others are divided by -1,
// since smallest / -1 is the smallest.
func sdivRange(lo, hi, c, smallest int64) (int64, int64, bool) {
	if c == -1 && lo == smallest {
		return lo, lo, hi == smallest
	}
	a, b := lo/c, hi/c
	return min(a, b), max(a, b), true
}

// smodRange returns the range of the remainders of lo to hi by c, and whether
// all numbers remain as they are. For c the smallest number |c|-1 does not
// overflow in this order.
func smodRange(lo, hi, c int64) (int64, int64, bool) {
	if c == 0 {
		return lo, hi, true
	}
	m := c - 1
	if c < 0 {
		m = -(c + 1)
	}
	switch {
	case -m <= lo && hi <= m:
		return lo, hi, true
	case lo >= 0:
		return 0, min(hi, m), false
	case hi <= 0:
		return max(lo, -m), 0, false
	}
	return -m, m, false
}
