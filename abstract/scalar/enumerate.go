package scalar

import (
	"math"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// Enumerate returns all members in ascending order, and true, if there are at
// most limit; otherwise nil and false. It looks from member to member, in
// constant time each, whatever lies between.
func (s S) Enumerate(limit int) ([]uint64, bool) {
	if n, ok := s.interval(limit); ok {
		if n > limit {
			return nil, false
		}
		members := make([]uint64, n)
		for i := range members {
			members[i] = s.Umin() + uint64(i)
		}
		return members, true
	}
	var few [64]uint64 // as many as most have, which need no memory before they are known
	members := few[:0]
	ok := s.each(func(v uint64) bool {
		members = append(members, v)
		return len(members) <= limit
	})
	if !ok {
		return nil, false
	}
	return slices.Clone(members), true
}

// interval returns the number of members, at most limit+1, and true, if s is all
// numbers from its least to its greatest.
func (s S) interval(limit int) (n int, ok bool) {
	if s.Empty() {
		return 0, true
	}
	if s.IsRange() {
		return int(min(s.Umax()-s.Umin(), uint64(limit))) + 1, true
	}
	return 0, false
}

// IsRange reports whether s is all numbers from its least to its greatest.
func (s S) IsRange() bool {
	lo, hi := s.Umin(), s.Umax()
	if hi > math.MaxUint32 {
		return s == Range(lo, hi)
	}
	return s == S{Var: tnum.Range(lo, hi), R64: arc.URange(lo, hi), R32: arc.URange(uint32(lo), uint32(hi))}
}

// Count returns the number of members, and true, if there are at most limit;
// otherwise false. It costs what Enumerate does, without the memory.
func (s S) Count(limit int) (n int, ok bool) {
	if n, ok := s.interval(limit); ok {
		return n, n <= limit
	}
	ok = s.each(func(uint64) bool {
		n++
		return n <= limit
	})
	return n, ok
}

// each calls yield for the members in ascending order, until it returns false.
// It reports whether it never did.
func (s S) each(yield func(uint64) bool) bool {
	if s.Empty() {
		return true
	}
	last := s.R64.Last()
	if s.R64.Base <= last {
		return s.eachIn(s.R64.Base, last, yield)
	}
	return s.eachIn(0, last, yield) && s.eachIn(s.R64.Base, ^uint64(0), yield)
}

// eachIn is each for the members from lo to hi.
func (s S) eachIn(lo, hi uint64, yield func(uint64) bool) bool {
	for {
		v, ok := s.next(lo)
		if !ok || v > hi {
			return true
		}
		if !yield(v) {
			return false
		}
		if v == hi {
			return true
		}
		lo = v + 1
	}
}
