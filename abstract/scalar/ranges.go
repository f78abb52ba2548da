package scalar

import (
	"math"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// ranges is a number as the verifier keeps it before Linux 7.2: in place of an arc of each
// width it has one range of the number with a sign and one without.
type ranges struct {
	bits tnum.T
	u64  span[uint64]
	s64  span[int64]
	u32  span[uint32]
	s32  span[int32]
}

// span is a range of words, from lo to hi.
type span[T uint64 | int64 | uint32 | int32] struct{ lo, hi T }

// within intersects the range with another one.
func (s *span[T]) within(lo, hi T) { s.lo, s.hi = max(s.lo, lo), min(s.hi, hi) }

func rangesOf(s S) ranges {
	return ranges{
		bits: s.Var,
		u64:  span[uint64]{s.Umin(), s.Umax()}, s64: span[int64]{s.Smin(), s.Smax()},
		u32: span[uint32]{s.U32min(), s.U32max()}, s32: span[int32]{s.S32min(), s.S32max()},
	}
}

// set returns the numbers, none if a range has none.
func (r *ranges) set() S {
	if r.u64.lo > r.u64.hi || r.s64.lo > r.s64.hi || r.u32.lo > r.u32.hi || r.s32.lo > r.s32.hi {
		return S{Var: r.bits, R64: arc.Empty[uint64](), R32: arc.Empty[uint32]()}
	}
	return S{
		Var: r.bits,
		R64: both(arc.URange(r.u64.lo, r.u64.hi), arc.SRange[uint64](r.s64.lo, r.s64.hi)),
		R32: both(arc.URange(r.u32.lo, r.u32.hi), arc.SRange[uint32](int64(r.s32.lo), int64(r.s32.hi))),
	}
}

// both returns the arc that covers what two have in common.
func both[T arc.Word](a, b arc.Arc[T]) arc.Arc[T] {
	switch c := a.Intersect(b); {
	case c.Size < a.Size && c.Size < b.Size:
		return c
	case a.Size < b.Size:
		return a
	}
	return b
}

// leq reports whether a number is known as well as s is by arcs, or better.
func (r *ranges) leq(s S) bool {
	return r.u64.lo > r.u64.hi || r.s64.lo > r.s64.hi || r.u32.lo > r.u32.hi || r.s32.lo > r.s32.hi ||
		r.u64.lo >= s.Umin() && r.u64.hi <= s.Umax() && r.s64.lo >= s.Smin() && r.s64.hi <= s.Smax() &&
			r.u32.lo >= s.U32min() && r.u32.hi <= s.U32max() && r.s32.lo >= s.S32min() && r.s32.hi <= s.S32max() &&
			s.Var.Includes(r.bits)
}

// Plain reports whether a comparison of two numbers has the same result in all kernels: ranges that
// are small and not negative, and numbers of which nothing is known.
func Plain(c Cond, a, b S) bool { return c != JSET && c != JNSET && a.plain() && b.plain() }

func (s S) plain() bool { return s == Unknown() || s.small() && s.IsRange() }

// small reports whether all members are numbers that no sign extension changes.
func (s S) small() bool { return s.Umax() <= math.MaxInt32 }

// RangesRefine is KernelRefine of kernels before Linux 7.2, and reports whether it gives less
// precise results for either number (kernel/bpf/verifier.c regs_refine_cond_op and reg_bounds_sync,
// Linux 6.12).
func RangesRefine(c Cond, is32 bool, a, b S) (x, y S, less bool) {
	if c == JGE || c == JGT || c == JSGE || c == JSGT { // a > b is b < a
		y, x, less = lessRanges(flip(c), is32, b, a)
		return x, y, less
	}
	return lessRanges(c, is32, a, b)
}

// lessRanges is RangesRefine for conditions that do not require a greater a.
func lessRanges(c Cond, is32 bool, a, b S) (S, S, bool) {
	u, v := KernelRefine(c, is32, a, b)
	p, q := refineRanges(c, is32, a, b)
	return p.set(), q.set(), !p.leq(u) || !q.leq(v)
}

func refineRanges(c Cond, is32 bool, a, b S) (x, y ranges) {
	if c == JSET || c == JNSET { // of these the ends do not matter
		a, b = refineRaw(c, is32, a, b, false)
	}
	x, y = rangesOf(a), rangesOf(b)
	switch {
	case c == JSET || c == JNSET:
	case c == JNE:
		notEqual(&x, &y, is32)
	case c == JEQ:
		equal(&x, &y, is32)
	case c == JLE || c == JLT:
		if is32 {
			below(&x.u32, &y.u32, c == JLT)
		} else {
			below(&x.u64, &y.u64, c == JLT)
		}
	case is32:
		below(&x.s32, &y.s32, c == JSLT)
	default:
		below(&x.s64, &y.s64, c == JSLT)
	}
	x.sync()
	y.sync()
	return x, y
}

// below records that a number of x is at most one of y, or less.
func below[T uint64 | int64 | uint32 | int32](x, y *span[T], less bool) {
	if !less {
		x.hi = min(x.hi, y.hi)
		y.lo = max(x.lo, y.lo)
		return
	}
	x.hi = min(x.hi, y.hi-1)
	y.lo = max(x.lo+1, y.lo)
}

func equal(x, y *ranges, is32 bool) {
	if is32 {
		x.u32.within(y.u32.lo, y.u32.hi)
		x.s32.within(y.s32.lo, y.s32.hi)
		low := x.bits.Low().Intersect(y.bits.Low())
		x.bits, y.bits = x.bits.WithLow(low), y.bits.WithLow(low)
		y.u32, y.s32 = x.u32, x.s32
		return
	}
	x.u64.within(y.u64.lo, y.u64.hi)
	x.s64.within(y.s64.lo, y.s64.hi)
	x.bits = x.bits.Intersect(y.bits)
	y.u64, y.s64, y.bits = x.u64, x.s64, x.bits
}

func notEqual(x, y *ranges, is32 bool) {
	known := func(r *ranges) bool { return is32 && r.bits.Low().IsConst() || !is32 && r.bits.IsConst() }
	if !known(y) {
		x, y = y, x
	}
	switch v := y.bits.Value; {
	case !known(y):
	case is32:
		x.u32.without(uint32(v))
		x.s32.without(int32(uint32(v)))
	default:
		x.u64.without(v)
		x.s64.without(int64(v))
	}
}

// without cuts off a number at an end.
func (s *span[T]) without(v T) {
	if s.lo == v {
		s.lo++
	}
	if s.hi == v {
		s.hi--
	}
}

// sync refines each part by the others (reg_bounds_sync).
func (r *ranges) sync() {
	r.fromBits()
	for range 3 {
		r.to32()
		deduce(&r.u32, &r.s32)
		deduce(&r.u64, &r.s64)
		r.from32()
	}
	r.bits = r.bits.Intersect(tnum.Range(r.u64.lo, r.u64.hi))
	low := tnum.Range(uint64(r.u32.lo), uint64(r.u32.hi))
	r.bits = r.bits.WithLow(r.bits.Low().Intersect(low))
	r.fromBits()
}

// fromBits is __update_reg_bounds.
func (r *ranges) fromBits() {
	low := r.bits.Low()
	r.s32.within(int32(uint32(low.Value|low.Mask&(1<<31))), int32(uint32(low.Value|low.Mask&math.MaxInt32)))
	r.u32.within(uint32(low.Value), uint32(low.Value|low.Mask))
	r.s64.within(int64(r.bits.Value|r.bits.Mask&(1<<63)), int64(r.bits.Value|r.bits.Mask&math.MaxInt64))
	r.u64.within(r.bits.Value, r.bits.Value|r.bits.Mask)
}

// to32 is the first part of __reg32_deduce_bounds.
func (r *ranges) to32() {
	lo, hi, l, h := r.u64.lo, r.u64.hi, uint64(r.s64.lo), uint64(r.s64.hi)
	if lo>>32 == hi>>32 {
		r.u32.within(uint32(lo), uint32(hi))
		if int32(uint32(lo)) <= int32(uint32(hi)) {
			r.s32.within(int32(uint32(lo)), int32(uint32(hi)))
		}
	}
	if l>>32 == h>>32 {
		if uint32(l) <= uint32(h) {
			r.u32.within(uint32(l), uint32(h))
		}
		if int32(uint32(l)) <= int32(uint32(h)) {
			r.s32.within(int32(uint32(l)), int32(uint32(h)))
		}
	}
	for _, ends := range [...][2]uint64{{lo, hi}, {l, h}} {
		from, to := int32(uint32(ends[0])), int32(uint32(ends[1]))
		if uint32(ends[0]>>32)+1 == uint32(ends[1]>>32) && from < 0 && to >= 0 {
			r.s32.within(from, to)
		}
	}
}

// deduce refines the two ranges of one width by each other (__reg64_deduce_bounds, and the last
// part of __reg32_deduce_bounds).
func deduce[U uint64 | uint32, I int64 | int32](u *span[U], s *span[I]) {
	if I(u.lo) <= I(u.hi) {
		s.within(I(u.lo), I(u.hi))
	}
	switch {
	case U(s.lo) <= U(s.hi):
		u.within(U(s.lo), U(s.hi))
	case u.hi < U(s.lo):
		s.lo = I(u.lo)
		u.hi = min(u.hi, U(s.hi))
	case U(s.hi) < u.lo:
		s.hi = I(u.hi)
		u.lo = max(u.lo, U(s.lo))
	}
}

// from32 is __reg_deduce_mixed_bounds. Its last rule puts the range of the lower half in
// place of a narrower one of the whole.
func (r *ranges) from32() {
	const high = uint64(math.MaxUint32) << 32
	tell := func(lo, hi uint32) {
		r.u64.within(r.u64.lo&high|uint64(lo), r.u64.hi&high|uint64(hi))
		r.s64.within(int64(uint64(r.s64.lo)&high|uint64(lo)), int64(uint64(r.s64.hi)&high|uint64(hi)))
	}
	tell(r.u32.lo, r.u32.hi)
	if uint32(r.s32.lo) <= uint32(r.s32.hi) {
		tell(uint32(r.s32.lo), uint32(r.s32.hi))
	}
	if r.s32.lo >= 0 && r.s64.lo >= math.MinInt32 && r.s64.hi <= math.MaxInt32 {
		r.s64 = span[int64]{int64(r.s32.lo), int64(r.s32.hi)}
		r.u64 = span[uint64]{uint64(r.s32.lo), uint64(r.s32.hi)}
		r.bits = r.bits.Intersect(tnum.Range(r.u64.lo, r.u64.hi))
	}
}

// Flat returns what covers the numbers in kernels that have ranges in place of arcs: one that wraps
// both as signed and as unsigned numbers is unbounded.
func (s S) Flat() S {
	if s.Umin() == 0 && s.Umax() == math.MaxUint64 && s.Smin() == math.MinInt64 && s.Smax() == math.MaxInt64 {
		s.R64 = arc.Full[uint64]()
	}
	if s.U32min() == 0 && s.U32max() == math.MaxUint32 && s.S32min() == math.MinInt32 && s.S32max() == math.MaxInt32 {
		s.R32 = arc.Full[uint32]()
	}
	return s
}
