package scalar

import (
	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// reduce refines each part of s by the others, without losing a member. The ends of both arcs
// become members of what Var (and for R64 also R32) allows, which the kernel's KernelSync does not
// try for; each part of the result lies inside the same part of s. Known emptiness becomes Bottom.
//
// Three rounds are a limit in cost: what a fourth would find (a common prefix
// of ends moved by a bit that the third round found) is rare and small.
func reduce(s S) S {
	if s.Var.IsConst() && s.Contains(s.Var.Value) {
		return Const(s.Var.Value)
	}
	for range 3 {
		old := s
		s.R32 = s.R32.Meet(lowArc(s.Var))
		s.R32 = s.R32.Meet(arc.Low(s.R64))
		s.R64 = s.R64.Meet(wholeArc(s.Var))
		s.R32 = fitLow(s.R32, s.Var)
		if s.Empty() {
			return Bottom()
		}
		s.R64 = fitWhole(s)
		if s.R64.IsEmpty() {
			return Bottom()
		}
		if !refineBits(&s) {
			return Bottom()
		}
		if s == old {
			break
		}
	}
	return s
}

// refineBits refines the known bits by the arcs: the common leading bits of the ends. It reports
// whether they agree with those known before.
func refineBits(s *S) bool {
	whole := tnum.Range(s.R64.Umin(), s.R64.Umax())
	if !s.Var.Overlaps(whole) {
		return false
	}
	s.Var = s.Var.Intersect(whole)
	low := tnum.Range(uint64(s.R32.Umin()), uint64(s.R32.Umax()))
	if !s.Var.Low().Overlaps(low) {
		return false
	}
	s.Var = s.Var.WithLow(s.Var.Low().Intersect(low))
	return true
}

// wholeArc returns an arc that holds the members of t: as signed numbers if
// their sign is unknown, or they are negative.
func wholeArc(t tnum.T) arc.U64 {
	const sign = 1 << 63
	if (t.Value|t.Mask)&sign != 0 {
		return arc.URange(t.Value|t.Mask&sign, t.Value|t.Mask&^sign)
	}
	return arc.URange(t.Min(), t.Max())
}

// lowArc is wholeArc for the low halves.
func lowArc(t tnum.T) arc.U32 {
	const sign = 1 << 31
	value, mask := uint32(t.Value), uint32(t.Mask)
	if (value|mask)&sign != 0 {
		return arc.URange(value|mask&sign, value|mask&^sign)
	}
	return arc.URange(value, value|mask)
}

// fitLow moves the ends of a inwards to the low halves of members of t.
func fitLow(a arc.U32, t tnum.T) arc.U32 {
	if a.IsEmpty() || t.Contains(t.Value&^0xffffffff|uint64(a.Base)) && t.Contains(t.Value&^0xffffffff|uint64(a.Last())) {
		return a
	}
	low := t.Low()
	first, ok := low.Next(uint64(a.Base))
	if !ok || first > 1<<32-1 {
		first = low.Min() // around the circle
	}
	last, ok := low.Prev(uint64(a.Last()))
	if !ok {
		last = low.Max()
	}
	return inside(a, uint32(first), uint32(last))
}

// fitWhole moves the ends of s.R64 inwards to members of s.Var whose low half
// is in s.R32.
func fitWhole(s S) arc.U64 {
	a := s.R64
	first, ok := s.next(a.Base)
	if !ok {
		if first, ok = s.next(0); !ok {
			return arc.Empty[uint64]()
		}
	}
	last, ok := s.prev(a.Last())
	if !ok {
		if last, ok = s.prev(^uint64(0)); !ok {
			return arc.Empty[uint64]()
		}
	}
	return inside(a, first, last)
}

// inside returns the arc from first to last, the next candidates after the
// beginning and before the end of a: empty if they are not in a.
func inside[T uint32 | uint64](a arc.Arc[T], first, last T) arc.Arc[T] {
	d, e := first-a.Base, a.Last()-last
	if d > a.Size || e > a.Size-d {
		return arc.Empty[T]()
	}
	return arc.URange(first, last)
}

// next returns the smallest word of at least v that is in s.Var and whose low
// half is in s.R32, and whether there is one. It takes constant time: the
// candidate halves are looked up apart.
func (s S) next(v uint64) (uint64, bool) {
	high, low := tnum.T{Value: s.Var.Value >> 32, Mask: s.Var.Mask >> 32}, s.Var.Low()
	h := v >> 32
	if high.Contains(h) {
		if l, ok := nextLow(low, s.R32, v&(1<<32-1)); ok {
			return h<<32 | l, true
		}
		if h == 1<<32-1 {
			return 0, false
		}
		h++
	}
	h, ok := high.Next(h)
	if !ok || h > 1<<32-1 {
		return 0, false
	}
	l, ok := nextLow(low, s.R32, 0)
	return h<<32 | l, ok
}

// nextLow returns the smallest member of at least v that is in t and in a.
func nextLow(t tnum.T, a arc.U32, v uint64) (uint64, bool) {
	if a.IsEmpty() {
		return 0, false
	}
	base, last := uint64(a.Base), uint64(a.Last())
	if base <= last {
		n, ok := t.Next(max(v, base))
		return n, ok && n <= last
	}
	if n, ok := t.Next(v); ok && n <= last {
		return n, true
	}
	n, ok := t.Next(max(v, base))
	return n, ok && n < 1<<32
}

// prev returns the largest word of at most v that is in s.Var and whose low
// half is in s.R32, and whether there is one: next, seen in the mirror of
// complement.
func (s S) prev(v uint64) (uint64, bool) {
	mirror := S{
		Var: tnum.T{Value: ^(s.Var.Value | s.Var.Mask), Mask: s.Var.Mask},
		R32: s.R32,
	}
	if !s.R32.IsEmpty() {
		mirror.R32.Base = ^s.R32.Last()
	}
	w, ok := mirror.next(^v)
	return ^w, ok
}

// Meet returns what is known of a word that is in a and in b. Each part of the result lies inside
// the same part of a, even if the common members of two arcs are two arcs.
func Meet(a, b S) S {
	if a.Empty() || b.Empty() || !a.Var.Overlaps(b.Var) {
		return Bottom()
	}
	return reduce(S{
		Var: a.Var.Intersect(b.Var),
		R64: a.R64.Meet(b.R64),
		R32: a.R32.Meet(b.R32),
	})
}

// Join returns a set that includes a and b, part by part: a.Leq(Join(a, b))
// and b.Leq(Join(a, b)) always hold.
func Join(a, b S) S {
	switch {
	case a.Empty():
		return b
	case b.Empty():
		return a
	}
	return S{Var: a.Var.Union(b.Var), R64: a.R64.Join(b.R64), R32: a.R32.Join(b.R32)}
}
