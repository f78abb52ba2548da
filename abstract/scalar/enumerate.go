package scalar

// Enumerate returns all members in ascending order, and true, if there are at
// most limit; otherwise nil and false. It looks from member to member, in
// constant time each, whatever lies between.
func (s S) Enumerate(limit int) ([]uint64, bool) {
	n, ok := s.Count(limit)
	if !ok {
		return nil, false
	}
	members := make([]uint64, 0, n)
	s.each(func(v uint64) bool {
		members = append(members, v)
		return true
	})
	return members, true
}

// Count returns the number of members, and true, if there are at most limit;
// otherwise false. It costs what Enumerate does, without the memory.
func (s S) Count(limit int) (n int, ok bool) {
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
