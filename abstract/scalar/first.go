package scalar

import (
	"math"
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// Linux 6.1 keeps ranges, too, but learns less of them: the two halves of a number inform each other
// only at comparisons and narrow loads, no range is checked for sanity, and only comparisons with a
// constant are decided.

// Known reports whether the number is one constant for the verifier: by known bits alone.
func (r *Ranges) Known() bool { return r.bits.IsConst() }

// Consistent reports whether no two parts of the ranges contradict each other.
func (r *Ranges) Consistent() bool {
	if r.empty() {
		return false
	}
	s := *r
	s.fromBits(SyncFirst)
	deduceFirst(&s.u64, &s.s64)
	deduceFirst(&s.u32, &s.s32)
	return !s.empty()
}

// syncFirst is sync of Linux 6.1.
//
// Source: kernel/bpf/verifier.c reg_bounds_sync, Linux 6.1.
func (r *Ranges) syncFirst() {
	r.fromBits(SyncFirst)
	deduceFirst(&r.u32, &r.s32)
	deduceFirst(&r.u64, &r.s64)
	r.bits = r.bits.Intersect(tnum.Range(r.u64.lo, r.u64.hi))
	low := tnum.Range(uint64(r.u32.lo), uint64(r.u32.hi))
	r.bits = r.bits.WithLow(r.bits.Low().Intersect(low))
	r.fromBits(SyncFirst)
}

// deduceFirst refines the two ranges of one width by each other (__reg64_deduce_bounds and
// __reg32_deduce_bounds): by the sign, if one of them has but one.
func deduceFirst[U uint64 | uint32, I int64 | int32](u *span[U], s *span[I]) {
	switch {
	case s.lo >= 0 || s.hi < 0:
		u.lo, u.hi = max(U(s.lo), u.lo), min(U(s.hi), u.hi)
		s.lo, s.hi = I(u.lo), I(u.hi)
	case I(u.hi) >= 0:
		s.lo = I(u.lo)
		u.hi = min(U(s.hi), u.hi)
		s.hi = I(u.hi)
	case I(u.lo) < 0:
		u.lo = max(U(s.lo), u.lo)
		s.lo, s.hi = I(u.lo), I(u.hi)
	}
}

// lowerFirst computes the ranges of the lower half again (__reg_combine_64_into_32).
func (r *Ranges) lowerFirst() {
	all := RangesOf(Unknown())
	r.u32, r.s32 = all.u32, all.s32
	if r.s64.lo >= math.MinInt32 && r.s64.lo <= math.MaxInt32 && r.s64.hi >= math.MinInt32 && r.s64.hi <= math.MaxInt32 {
		r.s32 = span[int32]{int32(r.s64.lo), int32(r.s64.hi)}
	}
	if r.u64.lo <= math.MaxUint32 && r.u64.hi <= math.MaxUint32 {
		r.u32 = span[uint32]{uint32(r.u64.lo), uint32(r.u64.hi)}
	}
	r.syncFirst()
}

// wholeFirst computes the ranges of the whole number again, after a comparison of its lower half
// (__reg_combine_32_into_64).
func (r *Ranges) wholeFirst() {
	if r.bits.Value>>32 == 0 && r.bits.Mask>>32 == 0 {
		r.assignFirst()
	} else {
		all := RangesOf(Unknown())
		r.u64, r.s64 = all.u64, all.s64
	}
	r.syncFirst()
}

// assignFirst makes the ranges of the lower half those of the whole number (__reg_assign_32_into_64).
func (r *Ranges) assignFirst() {
	r.u64 = span[uint64]{uint64(r.u32.lo), uint64(r.u32.hi)}
	r.s64 = span[int64]{0, math.MaxUint32}
	if r.s32.lo >= 0 && r.s32.hi >= 0 {
		r.s64 = span[int64]{int64(r.s32.lo), int64(r.s32.hi)}
	}
}

// extendFirst makes the lower half the whole number (zext_32_to_64).
func (r *Ranges) extendFirst() {
	r.bits = r.bits.Low()
	r.assignFirst()
}

// NarrowFirst returns what Linux 6.1 knows after a load of so many bytes of a number from the stack.
//
// Source: kernel/bpf/verifier.c coerce_reg_to_size, Linux 6.1.
func (r Ranges) NarrowFirst(bytes int) Ranges {
	if bytes >= 8 {
		return r
	}
	r.bits = r.bits.Cast(bytes)
	mask := uint64(1)<<(8*bytes) - 1
	if r.u64.lo&^mask == r.u64.hi&^mask {
		r.u64 = span[uint64]{r.u64.lo & mask, r.u64.hi & mask}
	} else {
		r.u64 = span[uint64]{0, mask}
	}
	r.s64 = span[int64]{int64(r.u64.lo), int64(r.u64.hi)}
	if bytes < 4 {
		r.lowerFirst()
	}
	return r
}

// DecideFirst returns how Linux 6.1 decides a conditional jump: only if b is a constant, and == and !=
// only if a is one, too.
//
// Source: kernel/bpf/verifier.c check_cond_jmp_op and is_branch_taken, Linux 6.1.
func DecideFirst(c Cond, is32 bool, a, b Ranges) Outcome {
	if !b.known(is32) {
		return Both
	}
	x, v := a.view(is32), b.bits.Value
	sv := int64(v)
	if is32 {
		v = uint64(uint32(v))
		sv = int64(int32(uint32(v)))
	}
	switch c {
	case JEQ:
		return byOrder(x.bits.IsConst() && x.bits.Value == v, x.bits.IsConst())
	case JNE:
		return byOrder(x.bits.IsConst() && x.bits.Value != v, x.bits.IsConst())
	case JSET:
		return byOrder(x.bits.Value&v != 0, x.bits.Max()&v == 0)
	case JNSET:
		return byOrder(x.bits.Max()&v == 0, x.bits.Value&v != 0)
	case JGT:
		return byOrder(x.umin > v, x.umax <= v)
	case JLE:
		return byOrder(x.umax <= v, x.umin > v)
	case JGE:
		return byOrder(x.umin >= v, x.umax < v)
	case JLT:
		return byOrder(x.umax < v, x.umin >= v)
	case JSGT:
		return byOrder(x.smin > sv, x.smax <= sv)
	case JSLE:
		return byOrder(x.smax <= sv, x.smin > sv)
	case JSGE:
		return byOrder(x.smin >= sv, x.smax < sv)
	case JSLT:
		return byOrder(x.smax < sv, x.smin >= sv)
	}
	return Both
}

// RefineFirst returns what Linux 6.1 knows of two numbers where c holds; b is an immediate if fixed.
//
// Source: kernel/bpf/verifier.c check_cond_jmp_op, reg_set_min_max and reg_combine_min_max, Linux 6.1.
func RefineFirst(c Cond, is32 bool, a, b Ranges) (x, y Ranges) {
	switch {
	case b.known(is32):
		a.refineFirst(c, is32, b.bits.Value)
	case a.known(is32):
		b.refineFirst(c.Flip(), is32, a.bits.Value)
	case !is32 && c == JEQ:
		a.u64.within(b.u64.lo, b.u64.hi)
		a.s64.within(b.s64.lo, b.s64.hi)
		a.bits = a.bits.Intersect(b.bits)
		b.u64, b.s64, b.bits = a.u64, a.s64, a.bits
		a.syncFirst()
		b.syncFirst()
	}
	return a, b
}

// refineFirst is RefineFirst for a comparison with a constant.
func (r *Ranges) refineFirst(c Cond, is32 bool, v uint64) {
	low := uint32(v)
	all := RangesOf(Unknown())
	switch {
	case c == JEQ && is32:
		r.bits = r.bits.WithLow(tnum.Const(uint64(low)))
		r.u32, r.s32 = span[uint32]{low, low}, span[int32]{int32(low), int32(low)}
	case c == JEQ:
		*r = rangesOfWord(v)
	case c == JSET && is32 && bits.OnesCount32(low) == 1:
		r.bits = r.bits.WithLow(r.bits.Low().Or(tnum.Const(uint64(low))))
	case c == JSET && !is32 && bits.OnesCount64(v) == 1:
		r.bits = r.bits.Or(tnum.Const(v))
	case c == JNSET && is32:
		all.bits = r.bits.WithLow(r.bits.Low().And(tnum.Const(uint64(^low))))
		*r = all
	case c == JNSET:
		all.bits = r.bits.And(tnum.Const(^v))
		*r = all
	case is32:
		boundFirst(&r.u32, &r.s32, c, low)
	default:
		boundFirst(&r.u64, &r.s64, c, v)
	}
	if is32 {
		r.wholeFirst()
	} else {
		r.lowerFirst()
	}
}

// boundFirst moves an end of a range to a constant.
func boundFirst[U uint64 | uint32, I int64 | int32](u *span[U], s *span[I], c Cond, v U) {
	switch c {
	case JGT:
		u.lo = max(u.lo, v+1)
	case JGE:
		u.lo = max(u.lo, v)
	case JLT:
		u.hi = min(u.hi, v-1)
	case JLE:
		u.hi = min(u.hi, v)
	case JSGT:
		s.lo = max(s.lo, I(v)+1)
	case JSGE:
		s.lo = max(s.lo, I(v))
	case JSLT:
		s.hi = min(s.hi, I(v)-1)
	case JSLE:
		s.hi = min(s.hi, I(v))
	}
}

// ComputeFirst returns what Linux 6.1 knows of the result of an operation.
//
// Source: kernel/bpf/verifier.c check_alu_op and adjust_scalar_min_max_vals, Linux 6.1.
func ComputeFirst(op Op, is32 bool, dst, src Ranges) Ranges {
	r, all := dst, RangesOf(Unknown())
	switch op {
	case Mov:
		if r = src; is32 {
			r.extendFirst()
			r.syncFirst()
		}
		return r
	case Add, Sub, And, Or, Xor, Mul, Lsh, Rsh, Arsh, Div, Mod:
	default: // the others have one operand, or no place in Linux 6.1
		return all
	}
	known, one := src.known(is32), src.u64.lo == src.u64.hi && src.s64.lo == src.s64.hi
	if is32 {
		one = src.u32.lo == src.u32.hi && src.s32.lo == src.s32.hi
	}
	if known && !one || src.empty() || !known && op != Add && op != Sub && op != And {
		return all
	}
	switch op {
	case Add, Sub:
		r.sum(SyncFirst, &src, op == Sub)
	case Mul:
		r.productFirst(&src)
	case And, Or, Xor:
		r.combineFirst(op, &src)
	case Lsh, Rsh, Arsh:
		if width := uint64(64); src.u64.hi >= width || is32 && src.u64.hi >= width/2 {
			r = all
		} else {
			r.shiftFirst(op, is32, uint(src.u64.lo))
		}
	default:
		r = all
	}
	if is32 {
		r.extendFirst()
	}
	r.syncFirst()
	return r
}

// productFirst is the product of numbers (scalar_min_max_mul and scalar32_min_max_mul).
func (r *Ranges) productFirst(o *Ranges) {
	all := RangesOf(Unknown())
	r.bits = r.bits.MulFirst(o.bits)
	if o.s32.lo < 0 || r.s32.lo < 0 || o.u32.hi > math.MaxUint16 || r.u32.hi > math.MaxUint16 {
		r.u32, r.s32 = all.u32, all.s32
	} else {
		r.u32 = span[uint32]{r.u32.lo * o.u32.lo, r.u32.hi * o.u32.hi}
		r.s32 = signedBelow[uint32, int32](r.u32, math.MinInt32, math.MaxInt32)
	}
	if o.s64.lo < 0 || r.s64.lo < 0 || o.u64.hi > math.MaxUint32 || r.u64.hi > math.MaxUint32 {
		r.u64, r.s64 = all.u64, all.s64
		return
	}
	r.u64 = span[uint64]{r.u64.lo * o.u64.lo, r.u64.hi * o.u64.hi}
	r.s64 = signedBelow[uint64, int64](r.u64, math.MinInt64, math.MaxInt64)
}

// signedBelow returns a range without a sign as one with a sign, unbounded if it does not fit.
func signedBelow[U uint64 | uint32, I int64 | int32](u span[U], least, most I) span[I] {
	if I(u.hi) < 0 {
		return span[I]{least, most}
	}
	return span[I]{I(u.lo), I(u.hi)}
}

// combineFirst is AND, OR and XOR: a range with a sign survives if neither operand may be negative.
func (r *Ranges) combineFirst(op Op, o *Ranges) {
	positive, positive32 := r.s64.lo >= 0 && o.s64.lo >= 0, r.s32.lo >= 0 && o.s32.lo >= 0
	r.combineBits(op, o)
	all, low := RangesOf(Unknown()), r.bits.Low()
	if c := uint32(low.Value); o.bits.Low().IsConst() && low.IsConst() {
		r.u32, r.s32 = span[uint32]{c, c}, span[int32]{int32(c), int32(c)}
	} else {
		r.u32 = combined(op, r.u32, o.u32, uint32(low.Value), uint32(low.Max()))
		if r.s32 = all.s32; positive32 {
			r.s32 = span[int32]{int32(r.u32.lo), int32(r.u32.hi)}
		}
	}
	if o.bits.IsConst() && r.bits.IsConst() {
		*r = rangesOfWord(r.bits.Value)
		return
	}
	r.u64 = combined(op, r.u64, o.u64, r.bits.Value, r.bits.Max())
	if r.s64 = all.s64; positive {
		r.s64 = span[int64]{int64(r.u64.lo), int64(r.u64.hi)}
	}
	r.fromBits(SyncFirst)
}

// shiftFirst shifts by a constant: as later kernels, but for the sign of what leaves the lower half.
func (r *Ranges) shiftFirst(op Op, is32 bool, by uint) {
	low := r.s32
	r.shift(op, is32, by)
	switch {
	case is32:
		r.fromBits(SyncFirst)
	case op == Lsh && by == 32:
		r.s64 = span[int64]{int64(low.lo) << 32, int64(low.hi) << 32}
	}
}
