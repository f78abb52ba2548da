package scalar

import (
	"math"
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// Sync is how a verifier with ranges refines the parts of a number by each other (reg_bounds_sync).
type Sync int8

// The ways of kernels with ranges.
const (
	SyncOld    Sync = iota // 6.12.117
	SyncFew                // 6.16.12
	SyncThrice             // 6.17.13 and 6.18.15
	SyncMember             // 6.19.14 and 7.0.13, which find the only member of Var in the range
	SyncTwice              // Linux 7.1
)

// SyncFirst is the way of 6.1.192, see first.go.
const SyncFirst Sync = -1

// Syncs returns the ways of kernels from Linux 6.12 on.
func Syncs() []Sync { return []Sync{SyncOld, SyncFew, SyncThrice, SyncMember, SyncTwice} }

// Ranges is a number as the verifier keeps it before Linux 7.2: in place of an arc of each
// width it has one range of the number with a sign and one without.
type Ranges struct {
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

// RangesOf returns the ranges of a set, which may be larger.
func RangesOf(s S) Ranges {
	r := Ranges{
		bits: s.Var,
		u64:  span[uint64]{s.Umin(), s.Umax()}, s64: span[int64]{s.Smin(), s.Smax()},
		u32: span[uint32]{s.U32min(), s.U32max()}, s32: span[int32]{s.S32min(), s.S32max()},
	}
	r.fromBits(SyncOld)
	return r
}

// rangesOfWord returns the ranges of one number.
func rangesOfWord(v uint64) Ranges {
	low := uint32(v)
	return Ranges{tnum.Const(v), span[uint64]{v, v}, span[int64]{int64(v), int64(v)}, span[uint32]{low, low},
		span[int32]{int32(low), int32(low)}}
}

// set returns the numbers, none if a range has none.
func (r *Ranges) set() S {
	if r.empty() {
		return S{Var: r.bits, R64: arc.Empty[uint64](), R32: arc.Empty[uint32]()}
	}
	return S{
		Var: r.bits,
		R64: both(arc.URange(r.u64.lo, r.u64.hi), arc.SRange[uint64](r.s64.lo, r.s64.hi)),
		R32: both(arc.URange(r.u32.lo, r.u32.hi), arc.SRange[uint32](int64(r.s32.lo), int64(r.s32.hi))),
	}
}

// empty reports whether a range has no number (range_bounds_violation).
func (r *Ranges) empty() bool {
	return r.u64.lo > r.u64.hi || r.s64.lo > r.s64.hi || r.u32.lo > r.u32.hi || r.s32.lo > r.s32.hi
}

// Set returns the numbers, and reports whether a set can hold the ranges as they are. Otherwise it has
// others, too.
func (r *Ranges) Set() (S, bool) {
	s := r.set()
	return s, r.empty() || RangesOf(s) == *r
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
func (r *Ranges) leq(s S) bool {
	return r.empty() ||
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

// RangesRefine is KernelRefine of kernels that refine ranges in this way, and reports whether it gives
// less precise results for either number.
func RangesRefine(how Sync, c Cond, is32 bool, a, b S) (x, y S, less bool) {
	u, v := KernelRefine(c, is32, a, b)
	p, q := RefineRanges(how, c, is32, RangesOf(a), RangesOf(b))
	return p.set(), q.set(), !p.leq(u) || !q.leq(v)
}

// RefineRanges is KernelRefine of kernels that refine ranges in this way.
//
// Source: kernel/bpf/verifier.c regs_refine_cond_op and reg_bounds_sync, Linux 6.12.117, 6.18.15,
// 6.19.11 and 7.1.13.
func RefineRanges(how Sync, c Cond, is32 bool, a, b Ranges) (x, y Ranges) {
	if c == JGE || c == JGT || c == JSGE || c == JSGT { // a > b is b < a
		y, x = lessRanges(how, flip(c), is32, b, a)
		return x, y
	}
	return lessRanges(how, c, is32, a, b)
}

// lessRanges is RefineRanges for conditions that do not require a greater a.
func lessRanges(how Sync, c Cond, is32 bool, a, b Ranges) (x, y Ranges) {
	x, y = a, b
	switch {
	case c == JSET || c == JNSET:
		testBits(&x, &y, c, is32)
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
	x.sync(how)
	y.sync(how)
	return x, y
}

// Deciding is how a verifier with ranges decides a conditional jump (is_branch_taken).
type Deciding struct {
	Try    bool // both edges are tried by ranges (simulate_both_branches_taken): from Linux 7.1 on
	NoBits bool // == and != of numbers that are not both known are decided without known bits
}

// DecideRanges is KernelDecide of kernels with ranges, for two registers.
func DecideRanges(c Cond, is32 bool, a, b Ranges, how Deciding) Outcome {
	x, y, low, other := a.view(is32), b.view(is32), a.view(true), b.view(true)
	if how.NoBits && (c == JEQ || c == JNE) && (!a.known(is32) || !b.known(is32)) {
		for _, v := range []*view{&x, &y, &low, &other} {
			v.bits = tnum.Unknown()
		}
	}
	out := compare(c, x, y, low, other)
	if out != Both || !how.Try || (c == JSET || c == JNSET) && !a.known(is32) && !b.known(is32) {
		return out
	}
	if x, y := RefineRanges(SyncTwice, c.Negate(), is32, a, b); x.empty() || y.empty() {
		return Always
	}
	if x, y := RefineRanges(SyncTwice, c, is32, a, b); x.empty() || y.empty() {
		return Never
	}
	return Both
}

// Sane returns the ranges as the verifier keeps them: if they contradict each other or known bits, all
// are forgotten (reg_bounds_sanity_check).
func (r Ranges) Sane() Ranges {
	low := r.bits.Low()
	all := RangesOf(Unknown())
	all.bits = r.bits
	switch {
	case r.empty():
	case r.bits.IsConst() && (r.u64 != span[uint64]{r.bits.Value, r.bits.Value} ||
		r.s64 != span[int64]{int64(r.bits.Value), int64(r.bits.Value)}):
	case low.IsConst() && (r.u32 != span[uint32]{uint32(low.Value), uint32(low.Value)} ||
		r.s32 != span[int32]{int32(uint32(low.Value)), int32(uint32(low.Value))}):
	default:
		return r
	}
	return all
}

// Within reports whether every part of the ranges lies in that of others (range_within and tnum_in).
func (r *Ranges) Within(o *Ranges) bool {
	return r.u64.lo >= o.u64.lo && r.u64.hi <= o.u64.hi && r.s64.lo >= o.s64.lo && r.s64.hi <= o.s64.hi &&
		r.u32.lo >= o.u32.lo && r.u32.hi <= o.u32.hi && r.s32.lo >= o.s32.lo && r.s32.hi <= o.s32.hi &&
		o.bits.Includes(r.bits)
}

// Umax returns the largest number without a sign.
func (r *Ranges) Umax() uint64 { return r.u64.hi }

// view returns the ranges at the width of a comparison.
func (r *Ranges) view(is32 bool) view {
	if is32 {
		return view{r.bits.Low(), uint64(r.u32.lo), uint64(r.u32.hi), int64(r.s32.lo), int64(r.s32.hi)}
	}
	return view{r.bits, r.u64.lo, r.u64.hi, r.s64.lo, r.s64.hi}
}

// known reports whether the bits at the width of a comparison are all known (is_reg_const).
func (r *Ranges) known(is32 bool) bool {
	return is32 && r.bits.Low().IsConst() || !is32 && r.bits.IsConst()
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

func equal(x, y *Ranges, is32 bool) {
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

func notEqual(x, y *Ranges, is32 bool) {
	if !y.known(is32) {
		x, y = y, x
	}
	switch v := y.bits.Value; {
	case !y.known(is32):
	case is32:
		x.u32.without(uint32(v))
		x.s32.without(int32(uint32(v)))
	default:
		x.u64.without(v)
		x.s64.without(int64(v))
	}
}

// testBits records which bits of a known number x has, or that it has none of them.
func testBits(x, y *Ranges, c Cond, is32 bool) {
	if !y.known(is32) {
		x, y = y, x
	}
	v := y.bits.Value
	if is32 {
		v = uint64(uint32(v))
	}
	switch {
	case !y.known(is32):
	case c == JNSET:
		t := x.bits.And(tnum.Const(^v))
		*x = RangesOf(Unknown())
		x.bits = t
	case bits.OnesCount64(v) == 1:
		x.bits = x.bits.Or(tnum.Const(v))
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
func (r *Ranges) sync(how Sync) {
	if how == SyncTwice && r.empty() {
		return
	}
	r.fromBits(how)
	if how == SyncTwice {
		for range 2 {
			deduce(&r.u64, &r.s64, true)
			r.to32()
			deduce(&r.u32, &r.s32, true)
			r.from32(how)
		}
	} else {
		for range 3 { // a third one tells SyncFew nothing new
			r.to32()
			deduce(&r.u32, &r.s32, how != SyncFew && how != SyncThrice)
			deduce(&r.u64, &r.s64, how != SyncFew)
			r.from32(how)
		}
	}
	r.bits = r.bits.Intersect(tnum.Range(r.u64.lo, r.u64.hi))
	low := tnum.Range(uint64(r.u32.lo), uint64(r.u32.hi))
	r.bits = r.bits.WithLow(r.bits.Low().Intersect(low))
	r.fromBits(how)
}

// fromBits is __update_reg_bounds. Newer kernels detect whether only one member of the bits lies in
// the range, as updateBounds does.
func (r *Ranges) fromBits(how Sync) {
	low := r.bits.Low()
	r.s32.within(int32(uint32(low.Value|low.Mask&(1<<31))), int32(uint32(low.Value|low.Mask&math.MaxInt32)))
	r.u32.within(uint32(low.Value), uint32(low.Value|low.Mask))
	r.s64.within(int64(r.bits.Value|r.bits.Mask&(1<<63)), int64(r.bits.Value|r.bits.Mask&math.MaxInt64))
	r.u64.within(r.bits.Value, r.bits.Value|r.bits.Mask)
	if how < SyncMember {
		return
	}
	lo, hi := r.u64.lo, r.u64.hi
	next, last := r.bits.Step(lo), r.bits.Max()
	switch in := r.bits.Contains(lo); {
	case in && next > hi:
		*r = rangesOfWord(lo)
	case !in && next == last:
		*r = rangesOfWord(last)
	case !in && next <= hi && r.bits.Step(next) > hi:
		*r = rangesOfWord(next)
	}
}

// to32 is the first part of __reg32_deduce_bounds.
func (r *Ranges) to32() {
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
// part of __reg32_deduce_bounds), across the sign if both can.
func deduce[U uint64 | uint32, I int64 | int32](u *span[U], s *span[I], across bool) {
	if I(u.lo) <= I(u.hi) {
		s.within(I(u.lo), I(u.hi))
	}
	switch {
	case U(s.lo) <= U(s.hi):
		u.within(U(s.lo), U(s.hi))
	case !across:
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
func (r *Ranges) from32(how Sync) {
	const high = uint64(math.MaxUint32) << 32
	tell := func(lo, hi uint32) {
		r.u64.within(r.u64.lo&high|uint64(lo), r.u64.hi&high|uint64(hi))
		r.s64.within(int64(uint64(r.s64.lo)&high|uint64(lo)), int64(uint64(r.s64.hi)&high|uint64(hi)))
	}
	tell(r.u32.lo, r.u32.hi)
	if how == SyncOld && uint32(r.s32.lo) <= uint32(r.s32.hi) {
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
