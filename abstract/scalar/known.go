package scalar

import (
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// operand is an operand at the width of the operation, 32 or 64 bits.
type operand[T uint32 | uint64] struct {
	arc.Arc[T]
	tnum.T
	width uint
}

func operandOf[T uint32 | uint64](a arc.Arc[T], t tnum.T, width uint) operand[T] {
	return operand[T]{Arc: a, T: t, width: width}
}

// known returns, for an operation on both operands, an arc and bits that hold all results, more
// precise than the kernel's rules. The code is the same for both widths.
func known[T uint32 | uint64](op Op, x, y operand[T]) (arc.Arc[T], tnum.T) {
	switch op {
	case Mul:
		return product(x, y), tnum.Unknown()
	case Lsh, Rsh, Arsh:
		return shifted(op, x, y)
	case Div:
		return quotient(x, y)
	case Mod:
		return remainder(x, y)
	case SDiv:
		return signedQuotient(x, y), tnum.Unknown()
	case SMod:
		return signedRemainder(x, y), tnum.Unknown()
	case Or, Xor:
		if x.T.Max()&y.T.Max() == 0 { // no carries: the same as addition
			return x.Arc.Add(y.Arc), x.T.Add(y.T)
		}
	case And:
		return masked(x, y), tnum.Unknown()
	}
	return arc.Full[T](), tnum.Unknown()
}

// product: an arc times a constant is an arc, wherever it lies.
func product[T uint32 | uint64](x, y operand[T]) arc.Arc[T] {
	switch {
	case y.Arc.IsConst():
		return x.Scale(y.Base)
	case x.Arc.IsConst():
		return y.Scale(x.Base)
	}
	return arc.Full[T]()
}

// masked is x & y, where y keeps the low bits: x modulo a power of two.
func masked[T uint32 | uint64](x, y operand[T]) arc.Arc[T] {
	if !y.T.IsConst() {
		x, y = y, x
	}
	m := y.Value
	if !y.T.IsConst() || m == 0 || m&(m+1) != 0 || m == uint64(^T(0)) {
		return arc.Full[T]()
	}
	lo, hi, _ := arc.Truncate(arc.U64{Base: uint64(x.Base), Size: uint64(x.Size)}, uint(bits.Len64(m)))
	return arc.URange(T(lo), T(hi))
}

// shifts returns the set of possible shifts, bit k for a shift by k: the
// shift operand modulo the width.
func (y operand[T]) shifts() (set uint64) {
	width := uint64(y.width)
	t := y.T.And(tnum.Const(width - 1))
	lo, hi := uint64(0), width-1
	if uint64(y.Umax()) < width {
		lo, hi = uint64(y.Umin()), uint64(y.Umax())
	}
	for k := lo; k <= hi; k++ {
		if t.Contains(k) {
			set |= 1 << k
		}
	}
	return set
}

// shifted joins the results of each possible shift: the bits one by one, at
// most 64, the ranges by the least and the greatest.
func shifted[T uint32 | uint64](op Op, x, y operand[T]) (arc.Arc[T], tnum.T) {
	set := y.shifts()
	if set == 0 {
		return arc.Empty[T](), tnum.Unknown()
	}
	least := uint(bits.TrailingZeros64(set))
	most := uint(bits.Len64(set)) - 1
	t := x.shiftBits(op, least)
	for rest := set & (set - 1); rest != 0; rest &= rest - 1 {
		t = t.Union(x.shiftBits(op, uint(bits.TrailingZeros64(rest))))
	}
	switch op {
	case Rsh:
		return arc.URange(x.Umin()>>most, x.Umax()>>least), t
	case Arsh:
		lo, hi := x.Smin(), x.Smax()
		return arc.SRange[T](min(lo>>least, lo>>most), max(hi>>least, hi>>most)), t
	case Lsh:
		if least == most {
			return x.Scale(1 << least), t
		}
		if x.Umax() <= ^T(0)>>most {
			return arc.URange(x.Umin()<<least, x.Umax()<<most), t
		}
	}
	return arc.Full[T](), t
}

// shiftBits shifts the known bits by k, below the width.
func (x operand[T]) shiftBits(op Op, k uint) tnum.T {
	switch {
	case op == Lsh && x.width == 32:
		return x.T.Lsh(k).Low()
	case op == Lsh:
		return x.T.Lsh(k)
	case op == Rsh:
		return x.T.Rsh(k)
	case x.width == 32:
		return x.T.Arsh32(k)
	}
	return x.T.Arsh(k)
}

// quotient: the least dividend by the greatest divisor and the other way
// round; division by 0 adds 0.
func quotient[T uint32 | uint64](x, y operand[T]) (arc.Arc[T], tnum.T) {
	t := tnum.Unknown()
	if c := y.Base; y.Arc.IsConst() && c&(c-1) == 0 && c != 0 {
		t = x.T.Rsh(uint(bits.TrailingZeros64(uint64(c))))
	}
	least, most := y.Umin(), y.Umax()
	if most == 0 {
		return arc.Const(T(0)), t
	}
	lo, hi := x.Umin()/most, x.Umax()/max(least, 1)
	if least == 0 {
		lo = 0
	}
	return arc.URange(lo, hi), t
}

// remainder: below the divisor, and not above the dividend, which remains as
// it is when smaller than the divisor or divided by 0.
func remainder[T uint32 | uint64](x, y operand[T]) (arc.Arc[T], tnum.T) {
	least, most := y.Umin(), y.Umax()
	switch c := y.Base; {
	case most == 0 || x.Umax() < least:
		return x.Arc, x.T
	case least == 0:
		return arc.URange(0, x.Umax()), tnum.Unknown()
	case y.Arc.IsConst() && c&(c-1) == 0:
		mask := operand[T]{Arc: arc.Const(c - 1), T: tnum.Const(uint64(c - 1)), width: x.width}
		return masked(x, mask), x.T.And(mask.T)
	case y.Arc.IsConst() && x.Umin()/c == x.Umax()/c:
		return arc.URange(x.Umin()%c, x.Umax()%c), tnum.Unknown()
	}
	return arc.URange(0, min(x.Umax(), most-1)), tnum.Unknown()
}

// signedQuotient takes the quotients at the ends of the dividend and at the
// ends of the divisor left and right of 0: between them the quotient is
// monotone. Smallest / -1 wraps, so that nothing is known.
func signedQuotient[T uint32 | uint64](x, y operand[T]) arc.Arc[T] {
	xlo, xhi := x.Smin(), x.Smax()
	if y.Smin() <= -1 && y.Smax() >= -1 && xlo == arc.Full[T]().Smin() {
		return arc.Full[T]()
	}
	lo, hi := int64(0), int64(0)
	first := true
	include := func(c int64) {
		for _, q := range [2]int64{xlo / c, xhi / c} {
			if first {
				lo, hi, first = q, q, false
			}
			lo, hi = min(lo, q), max(hi, q)
		}
	}
	if ylo, yhi := y.Smin(), min(y.Smax(), -1); ylo <= yhi {
		include(ylo)
		include(yhi)
	}
	if ylo, yhi := max(y.Smin(), 1), y.Smax(); ylo <= yhi {
		include(ylo)
		include(yhi)
	}
	if y.Smin() <= 0 && y.Smax() >= 0 {
		lo, hi = min(lo, 0), max(hi, 0)
	}
	return arc.SRange[T](lo, hi)
}

// has reports whether v is in the arc and fits the bits.
func (x operand[T]) has(v T) bool { return x.Arc.Contains(v) && x.T.Contains(uint64(v)) }

// signedRemainder: it has the sign of the dividend, is not longer, and shorter
// than the divisor, unless that is 0.
func signedRemainder[T uint32 | uint64](x, y operand[T]) arc.Arc[T] {
	lo, hi := min(x.Smin(), 0), max(x.Smax(), 0)
	if y.has(0) {
		return arc.SRange[T](lo, hi)
	}
	// -m is the magnitude of the longest divisor as a negative number, which
	// does not overflow.
	m := min(y.Smin(), -max(y.Smax(), 0)) + 1
	return arc.SRange[T](max(lo, m), min(hi, -m))
}
