package scalar

import (
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// KernelDecide returns what the verifier knows of a conditional jump on the scalars a (dst) and b
// (src, or Const(sign-extended imm)); same reports that they are one register
// (kernel/bpf/verifier.c, is_branch_taken, Linux 7.3). The verifier follows but one edge of a
// decided jump, and refines nothing.
func KernelDecide(c Cond, is32 bool, a, b S, same bool) Outcome {
	if same {
		return decideSame(c, is32, a)
	}
	out := KernelCompare(c, is32, a, b)
	if out != Both || (c == JSET || c == JNSET) && !ConstAt(a, is32) && !ConstAt(b, is32) {
		return out
	}
	// Neither answer is plain: try both edges for a contradiction.
	x, y := KernelRefine(c.Negate(), is32, a, b)
	if x.Empty() || y.Empty() {
		return Always
	}
	x, y = KernelRefine(c, is32, a, b)
	if x.Empty() || y.Empty() {
		return Never
	}
	return Both
}

// KernelCompare is KernelDecide by bits and ranges alone, as kernels before Linux 7.2
// decide (is_scalar_branch_taken, Linux 6.12).
func KernelCompare(c Cond, is32 bool, a, b S) Outcome {
	return compare(c, viewOf(a, is32), viewOf(b, is32), viewOf(a, true), viewOf(b, true))
}

// decideSame is KernelDecide for a register compared with itself.
func decideSame(c Cond, is32 bool, a S) Outcome {
	switch c {
	case JEQ, JGE, JLE, JSGE, JSLE:
		return Always
	case JNE, JGT, JLT, JSGT, JSLT:
		return Never
	}
	v := viewOf(a, is32)
	out := Both
	switch {
	case v.bits.IsConst() && v.bits.Value == 0:
		out = Never
	case v.bits.IsConst(), v.smin > 0, v.smax < 0:
		out = Always
	}
	if c == JNSET {
		return out.not()
	}
	return out
}

// view is a set at the width of a comparison.
type view struct {
	bits       tnum.T
	umin, umax uint64
	smin, smax int64
}

func viewOf(s S, is32 bool) view {
	if is32 {
		return view{
			bits: s.Var.Low(),
			umin: uint64(s.U32min()), umax: uint64(s.U32max()),
			smin: int64(s.S32min()), smax: int64(s.S32max()),
		}
	}
	return view{bits: s.Var, umin: s.Umin(), umax: s.Umax(), smin: s.Smin(), smax: s.Smax()}
}

// ConstAt reports whether the bits at the width of a comparison are all known
// (is_reg_const).
func ConstAt(s S, is32 bool) bool {
	if is32 {
		return s.Var.Low().IsConst()
	}
	return s.Var.IsConst()
}

// compare decides by bits and ranges alone, given the sets at the width of the comparison and at 32
// bits.
func compare(c Cond, x, y, a, b view) Outcome {
	switch c {
	case JEQ:
		return compareEqual(x, y, a, b)
	case JSET:
		return compareBits(x.bits, y.bits)
	case JNE, JNSET:
		return compare(c.Negate(), x, y, a, b).not()
	case JGT:
		return byOrder(x.umin > y.umax, x.umax <= y.umin)
	case JGE:
		return byOrder(x.umin >= y.umax, x.umax < y.umin)
	case JLT:
		return byOrder(x.umax < y.umin, x.umin >= y.umax)
	case JLE:
		return byOrder(x.umax <= y.umin, x.umin > y.umax)
	case JSGT:
		return byOrder(x.smin > y.smax, x.smax <= y.smin)
	case JSGE:
		return byOrder(x.smin >= y.smax, x.smax < y.smin)
	case JSLT:
		return byOrder(x.smax < y.smin, x.smin >= y.smax)
	case JSLE:
		return byOrder(x.smax <= y.smin, x.smin > y.smax)
	}
	return Both
}

func byOrder(always, never bool) Outcome {
	switch {
	case always:
		return Always
	case never:
		return Never
	}
	return Both
}

// compareEqual: the low halves are looked at for both widths, as ranges.
func compareEqual(x, y, a, b view) Outcome {
	switch {
	case x.bits.IsConst() && y.bits.IsConst():
		return byOrder(x.bits == y.bits, x.bits != y.bits)
	case !x.bits.Overlaps(y.bits),
		x.umin > y.umax || x.umax < y.umin,
		x.smin > y.smax || x.smax < y.smin,
		a.umin > b.umax || a.umax < b.umin,
		a.smin > b.smax || a.smax < b.smin:
		return Never
	}
	return Both
}

// compareBits: the kernel asks only if either operand is constant.
func compareBits(x, y tnum.T) Outcome {
	switch {
	case !x.IsConst() && !y.IsConst():
		return Both
	case x.Value&y.Value != 0:
		return Always
	case x.Max()&y.Max() == 0:
		return Never
	}
	return Both
}

// KernelRefine returns what the verifier knows of a and b on the edge that is
// followed when c holds (regs_refine_cond_op and reg_bounds_sync). The edge is
// possible only if neither result is Empty; ask KernelDecide first, since a
// decided edge is not refined.
func KernelRefine(c Cond, is32 bool, a, b S) (S, S) {
	a, b = refineRaw(c, is32, a, b, false)
	return KernelSync(a), KernelSync(b)
}

// flip returns the condition that holds of (b, a) when c, one of the four that
// ask for a greater a, holds of (a, b).
func flip(c Cond) Cond {
	switch c {
	case JGE:
		return JLE
	case JGT:
		return JLT
	case JSGE:
		return JSLE
	}
	return JSLT
}

// refineRaw is KernelRefine before the parts refine each other, or with cover
// what covers it.
func refineRaw(c Cond, is32 bool, a, b S, cover bool) (S, S) {
	switch c {
	case JGE, JGT, JSGE, JSGT: // a > b is b < a
		b, a = refineRaw(flip(c), is32, b, a, cover)
		return a, b
	case JEQ:
		return refineEqual(is32, a, b, cover)
	case JNE:
		return refineNotEqual(is32, a, b, cover)
	case JSET, JNSET:
		return refineBitTest(c, is32, a, b, cover)
	}
	if is32 {
		x, y := refineOrder(c, a.R32, b.R32, cover)
		a.R32, b.R32 = x, y
		return a, b
	}
	a.R64, b.R64 = refineOrder(c, a.R64, b.R64, cover)
	return a, b
}

func refineEqual(is32 bool, a, b S, cover bool) (S, S) {
	if is32 {
		a.R32 = meet(a.R32, b.R32, cover, false)
		low := a.Var.Low().Intersect(b.Var.Low())
		a.Var, b.Var = a.Var.WithLow(low), b.Var.WithLow(low)
		b.R32 = a.R32
		return a, b
	}
	a.R64 = meet(a.R64, b.R64, cover, false)
	a.Var = a.Var.Intersect(b.Var)
	b.R64, b.Var = a.R64, a.Var
	return a, b
}

// refineNotEqual cuts a constant operand out of the other's arc.
func refineNotEqual(is32 bool, a, b S, cover bool) (S, S) {
	x, y := &a, &b
	if !ConstAt(*y, is32) {
		x, y = y, x
	}
	switch {
	case !ConstAt(*y, is32):
	case is32:
		x.R32 = meet(x.R32, without(uint32(y.Var.Value)), cover, true)
	default:
		x.R64 = meet(x.R64, without(y.Var.Value), cover, true)
	}
	return a, b
}

// without returns the arc of all words but v.
func without[T arc.Word](v T) arc.Arc[T] { return arc.Arc[T]{Base: v + 1, Size: ^T(0) - 1} }

// refineOrder refines by a < b or a <= b, signed or not; b by the new a. A
// strict bound at the end of the number line bounds nothing here.
func refineOrder[T arc.Word](c Cond, a, b arc.Arc[T], cover bool) (arc.Arc[T], arc.Arc[T]) {
	strict := T(0)
	if c == JLT || c == JSLT {
		strict = 1
	}
	least, most := T(0), ^T(0)
	if c == JSLE || c == JSLT {
		most = ^T(0) >> 1
		least = most + 1
		a = meet(a, arc.URange(least, T(b.Smax())-strict), cover, b.IsConst())
		b = meet(b, arc.URange(T(a.Smin())+strict, most), cover, a.IsConst())
		return a, b
	}
	a = meet(a, arc.URange(least, b.Umax()-strict), cover, b.IsConst())
	b = meet(b, arc.URange(a.Umin()+strict, most), cover, a.IsConst())
	return a, b
}

// refineBitTest refines by a & b != 0 for a single known bit, and by
// a & b == 0 for any constant. The latter forgets both arcs of the tested
// register, so that all that is left of its ranges is what its bits tell.
func refineBitTest(c Cond, is32 bool, a, b S, cover bool) (S, S) {
	x, y := &a, &b
	if !ConstAt(*y, is32) {
		x, y = y, x
	}
	if !ConstAt(*y, is32) {
		if cover && c == JNSET { // a part of either may be constant
			a, b = S{a.Var, arc.Full[uint64](), arc.Full[uint32]()}, S{b.Var, arc.Full[uint64](), arc.Full[uint32]()}
		}
		return a, b
	}
	v := y.Var.Value
	if is32 {
		v = uint64(uint32(v))
	}
	var t tnum.T
	switch {
	case c == JSET && bits.OnesCount64(v) == 1:
		t = x.Var.Or(tnum.Const(v))
	case c == JSET:
		return a, b
	default:
		t = x.Var.And(tnum.Const(^v))
		x.R64, x.R32 = arc.Full[uint64](), arc.Full[uint32]()
	}
	x.Var = t // v has no high bits for 32 bits, so the high half is kept
	return a, b
}
