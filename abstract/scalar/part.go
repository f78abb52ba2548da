package scalar

import (
	"math"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// Cuts reports whether left, the facts about old on the edge that is followed when c holds for a
// member and k, has exactly those members for which it does. False means that it may have others.
func Cuts(c Cond, is32 bool, old, left S, k uint64) bool {
	bits := left.Var
	if is32 {
		k, bits = uint64(uint32(k)), bits.Low()
	}
	switch {
	case !left.Leq(old):
		return false // the parts have each been widened
	case c == JNSET:
		return (bits.Value|bits.Mask)&k == 0
	case c == JSET:
		return bits.Value&k != 0
	case c == JNE && !bits.Contains(k):
		return true
	case is32:
		return cuts(condArc(c, uint32(k)), old.R32, left.R32)
	}
	return cuts(condArc(c, k), old.R64, left.R64)
}

// cuts reports whether left has no members of old besides those in what.
func cuts[T arc.Word](what, old, left arc.Arc[T]) bool {
	both := old.Meet(what)
	return what.Includes(both) && both.Includes(left)
}

// condArc returns the words for which a condition that is no bit test holds, compared
// with k.
func condArc[T arc.Word](c Cond, k T) arc.Arc[T] {
	var first T // of the order that c goes by
	switch c {
	case JSGT, JSLE, JSGE, JSLT:
		first = ^(^T(0) >> 1)
	}
	last := first - 1
	switch c {
	case JEQ:
		return arc.Const(k)
	case JNE:
		return arc.URange(k+1, k-1)
	case JGT, JSGT:
		if k == last {
			return arc.Empty[T]()
		}
		return arc.URange(k+1, last)
	case JGE, JSGE:
		return arc.URange(k, last)
	case JLT, JSLT:
		if k == first {
			return arc.Empty[T]()
		}
		return arc.URange(first, k-1)
	}
	return arc.URange(first, k)
}

// Shifts reports whether out, which holds the sums or differences of old and c, holds nothing else,
// because old consists of all words of one arc. False means that it may.
func Shifts(op Op, is32 bool, old, out S, c uint64) bool {
	switch op {
	case Sub:
		c = -c
	case Add:
	default:
		return false
	}
	if !is32 {
		return old == reduce(S{Var: tnum.Unknown(), R64: old.R64, R32: arc.Full[uint32]()}) &&
			old.R64.Add(arc.Const(c)).Includes(out.R64)
	}
	if out.Umax() > math.MaxUint32 || !old.R32.Add(arc.Const(uint32(c))).Includes(out.R32) {
		return false
	}
	halves := S{Var: tnum.Unknown(), R64: arc.Full[uint64](), R32: old.R32}
	if old.Umax() <= math.MaxUint32 {
		halves.Var, halves.R64 = tnum.T{Mask: math.MaxUint32}, arc.URange[uint64](0, math.MaxUint32)
	}
	return old == reduce(halves)
}

// Free reports whether s is all words with the bits that are known of it.
func (s S) Free() bool {
	lo, hi := s.Var.Value, s.Var.Max()
	return s == Bits(s.Var) || s.R64.Includes(arc.URange(lo, hi)) && s.R32.Includes(arc.URange(uint32(lo), uint32(hi)))
}

// Moves reports whether the result of a narrow move of s holds nothing but the results for members
// of s. False means that it may.
func Moves(op Op, s S) bool {
	const high = math.MaxUint32 << 32
	halves := s.Umax() <= math.MaxUint32 && (s.IsRange() || s.Free()) ||
		s.Var.Mask&high == high && s.R64.Size >= math.MaxUint32
	width := 32
	switch op {
	case Mov:
		return halves
	case MovSX8:
		width = 8
	case MovSX16:
		width = 16
	}
	all := uint64(1)<<width - 1
	return halves && s.Var.Mask&all == all && uint64(s.R32.Size) >= all // each sign-extended word
}

// Sums reports whether each member of out is the sum, or the difference, of some member of a and
// some member of b, where out is the result of the operation on both. False means that some may not
// be.
func Sums(op Op, is32 bool, a, b, out S) bool {
	wide, half := b.R64, b.R32
	if op == Sub {
		wide, half = wide.Neg(), half.Neg()
	}
	switch {
	case op != Add && op != Sub:
		return false
	case is32:
		return out.Umax() <= math.MaxUint32 && a.lowRange() && b.lowRange() && a.R32.Add(half).Includes(out.R32)
	}
	return a.IsRange() && b.IsRange() && a.R64.Add(wide).Includes(out.R64)
}

// lowRange reports whether R32 holds nothing but low halves of members.
func (s S) lowRange() bool {
	if s.IsRange() {
		return s.R64.Size >= math.MaxUint32 || uint64(s.R32.Size) == s.R64.Size
	}
	halves := S{Var: tnum.T{Mask: math.MaxUint32}, R64: arc.URange[uint64](0, math.MaxUint32), R32: s.R32}
	return s == reduce(halves)
}

// End returns a word so that c holds for a word x and some member of s exactly if it holds for x
// and that word: the only member, or for an ordering an end of s. ok is false if there is none.
func (s S) End(c Cond, is32 bool) (k uint64, ok bool) {
	if k, ok := s.IsConst(); ok {
		return k, true
	}
	if is32 && s.R64.Umax() > 1<<32-1 {
		return 0, false
	}
	v := viewOf(s, is32)
	switch c {
	case JGT, JGE:
		k = v.umin
	case JLT, JLE:
		k = v.umax
	case JSGT, JSGE:
		k = uint64(v.smin)
	case JSLT, JSLE:
		k = uint64(v.smax)
	default:
		return 0, false
	}
	if is32 {
		k = uint64(uint32(k))
	}
	return k, s.Contains(k)
}
