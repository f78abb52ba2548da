package scalar

import "math"

// ComputeRanges is KernelALU of kernels that refine ranges in this way, for moves of 32 bits, additions,
// subtractions, AND, OR, XOR, and shifts by a constant. Of other operations ok is false.
//
// Source: kernel/bpf/verifier.c adjust_scalar_min_max_vals and what it calls, Linux 6.12.117, 6.18.15
// and 7.1.13.
func ComputeRanges(how Sync, op Op, is32 bool, dst, src Ranges) (out Ranges, ok bool) {
	r, shift := dst, src.bits.Value
	switch op {
	case Mov:
		if r = src; !is32 {
			return r, true
		}
	case Add, Sub:
		r.sum(how, &src, op == Sub)
	case And, Or, Xor:
		r.combine(op, &src)
	case Lsh, Rsh, Arsh:
		if !src.bits.IsConst() || shift >= 64 || is32 && shift >= 32 {
			return r, false
		}
		r.shift(op, is32, uint(shift))
		if op == Lsh && shift == 32 && !r.top(how, dst.s32) {
			return r, false
		}
	default:
		return r, false
	}
	if is32 {
		r.zeroExtend()
	}
	r.sync(how)
	return r, true
}

// Link returns the ranges of a number that is linked to one with these, as the number plus a constant.
// Only kernels that also link 32 bits refine the result.
//
// Source: kernel/bpf/verifier.c sync_linked_regs, Linux 6.18.15, 6.19.11 and 7.1.13.
func (r Ranges) Link(how Sync, is32 bool, delta int64, refines bool) Ranges {
	by := RangesOf(Const(uint64(delta)))
	r.sum(how, &by, false)
	if is32 {
		r.zeroExtend()
	}
	if refines {
		r.sync(how)
	}
	return r
}

// sum adds or subtracts.
func (r *Ranges) sum(how Sync, o *Ranges, sub bool) {
	r.s64 = signedSum(r.s64, o.s64, sub)
	r.s32 = signedSum(r.s32, o.s32, sub)
	r.u64 = unsignedSum(how, r.u64, o.u64, sub, math.MaxUint64)
	r.u32 = unsignedSum(how, r.u32, o.u32, sub, math.MaxUint32)
	if sub {
		r.bits = r.bits.Sub(o.bits)
	} else {
		r.bits = r.bits.Add(o.bits)
	}
}

// signedSum adds or subtracts ranges with a sign, which are unbounded after an overflow.
func signedSum[T int64 | int32](a, b span[T], sub bool) span[T] {
	lo, hi := a.lo+b.lo, a.hi+b.hi
	over := b.lo > 0 && lo < a.lo || b.lo < 0 && lo > a.lo || b.hi > 0 && hi < a.hi || b.hi < 0 && hi > a.hi
	if sub {
		lo, hi = a.lo-b.hi, a.hi-b.lo
		over = b.hi > 0 && lo > a.lo || b.hi < 0 && lo < a.lo || b.lo > 0 && hi > a.hi || b.lo < 0 && hi < a.hi
	}
	if over {
		least := ^T(0)
		for least<<1 != 0 {
			least <<= 1
		}
		return span[T]{least, ^least}
	}
	return span[T]{lo, hi}
}

// unsignedSum adds or subtracts ranges without a sign, which are unbounded unless both ends or none
// overflow, or in older kernels none.
func unsignedSum[T uint64 | uint32](how Sync, a, b span[T], sub bool, most T) span[T] {
	lo, hi := a.lo+b.lo, a.hi+b.hi
	low, high := lo < a.lo, hi < a.hi
	if sub {
		lo, hi = a.lo-b.hi, a.hi-b.lo
		low, high = lo > a.lo, hi > a.hi
	}
	if low != high || low && how <= SyncFew {
		return span[T]{0, most}
	}
	return span[T]{lo, hi}
}

// combineBits is AND, OR and XOR of the known bits.
func (r *Ranges) combineBits(op Op, o *Ranges) {
	switch op {
	case And:
		r.bits = r.bits.And(o.bits)
	case Or:
		r.bits = r.bits.Or(o.bits)
	default:
		r.bits = r.bits.Xor(o.bits)
	}
}

// combine is sum for AND, OR and XOR.
func (r *Ranges) combine(op Op, o *Ranges) {
	r.combineBits(op, o)
	low := r.bits.Low()
	r.u32 = combined(op, r.u32, o.u32, uint32(low.Value), uint32(low.Max()))
	r.u64 = combined(op, r.u64, o.u64, r.bits.Value, r.bits.Max())
	r.s32 = signed[uint32, int32](r.u32, math.MinInt32, math.MaxInt32)
	r.s64 = signed[uint64, int64](r.u64, math.MinInt64, math.MaxInt64)
	c := RangesOf(Const(r.bits.Value))
	if low.IsConst() && o.bits.Low().IsConst() {
		r.u32, r.s32 = c.u32, c.s32
	}
	if r.bits.IsConst() && o.bits.IsConst() {
		*r = c
	}
}

// combined returns the range without a sign of a combination, given its least and its largest bits.
func combined[T uint64 | uint32](op Op, a, b span[T], least, most T) span[T] {
	switch op {
	case And:
		return span[T]{least, min(a.hi, b.hi)}
	case Or:
		return span[T]{max(a.lo, b.lo), most}
	}
	return span[T]{least, most}
}

// signed returns a range without a sign as one with a sign, unbounded if it crosses the sign.
func signed[U uint64 | uint32, I int64 | int32](u span[U], least, most I) span[I] {
	if I(u.lo) <= I(u.hi) {
		return span[I]{I(u.lo), I(u.hi)}
	}
	return span[I]{least, most}
}

// shift shifts by a constant; what is then known of the sign follows from the rest.
func (r *Ranges) shift(op Op, is32 bool, by uint) {
	all := RangesOf(Unknown())
	switch {
	case op == Arsh && is32:
		r.bits, r.s32 = r.bits.Arsh32(by), span[int32]{r.s32.lo >> by, r.s32.hi >> by}
		r.u32, r.u64, r.s64 = all.u32, all.u64, all.s64
		return
	case op == Arsh:
		r.bits, r.s64 = r.bits.Arsh(by), span[int64]{r.s64.lo >> by, r.s64.hi >> by}
		r.u64, r.u32, r.s32 = all.u64, all.u32, all.s32
		return
	}
	if is32 {
		low := r.bits.Low()
		switch {
		case op == Rsh:
			r.bits = low.Rsh(by)
			r.u32 = span[uint32]{r.u32.lo >> by, r.u32.hi >> by}
		case uint64(r.u32.hi) > 1<<(31-by):
			r.bits, r.u32 = low.Lsh(by).Low(), all.u32
		default:
			r.bits = low.Lsh(by).Low()
			r.u32 = span[uint32]{r.u32.lo << by, r.u32.hi << by}
		}
		r.s32, r.u64, r.s64 = all.s32, all.u64, all.s64
		return
	}
	if op == Rsh {
		r.bits = r.bits.Rsh(by)
		r.u64 = span[uint64]{r.u64.lo >> by, r.u64.hi >> by}
		r.s64, r.u32, r.s32 = all.s64, all.u32, all.s32
		return
	}
	if r.s64 = all.s64; r.u64.hi > 1<<(63-by) {
		r.u64 = all.u64
	} else {
		r.u64 = span[uint64]{r.u64.lo << by, r.u64.hi << by}
	}
	if r.s32 = all.s32; by > 31 || uint64(r.u32.hi) > 1<<(31-by) {
		r.u32 = all.u32
	} else {
		r.u32 = span[uint32]{r.u32.lo << by, r.u32.hi << by}
	}
	r.bits = r.bits.Lsh(by)
}

// top records what a shift of the lower half to the upper one tells of the sign, and reports whether that
// is known: from Linux 7.1 on all, before of numbers that are not negative. When it began is not known.
func (r *Ranges) top(how Sync, low span[int32]) bool {
	if low.lo >= 0 || how == SyncTwice {
		r.s64.lo = int64(low.lo) << 32
	}
	if low.hi >= 0 || how == SyncTwice {
		r.s64.hi = int64(low.hi) << 32
	}
	return how != SyncMember || low.hi >= 0 && (low.lo >= 0 || low.lo == math.MinInt32)
}

// zeroExtend makes the low half the whole register (zext_32_to_64).
func (r *Ranges) zeroExtend() {
	r.bits = r.bits.Low()
	r.u64 = span[uint64]{uint64(r.u32.lo), uint64(r.u32.hi)}
	r.s64 = span[int64]{0, math.MaxUint32}
	if r.s32.lo >= 0 {
		r.s64 = span[int64]{int64(r.s32.lo), int64(r.s32.hi)}
	}
}
