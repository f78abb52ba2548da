package scalar

// Enumerate returns all members in ascending order, and true, if there are at
// most limit; otherwise nil and false. It looks from member to member, in
// constant time each, whatever lies between.
func (s S) Enumerate(limit int) ([]uint64, bool) {
	if s.Empty() {
		return nil, true
	}
	var members []uint64
	room := func() bool { return len(members) < limit }
	last := s.R64.Last()
	if s.R64.Base <= last {
		if !s.collect(s.R64.Base, last, room, &members) {
			return nil, false
		}
		return members, true
	}
	if !s.collect(0, last, room, &members) || !s.collect(s.R64.Base, ^uint64(0), room, &members) {
		return nil, false
	}
	return members, true
}

// collect appends the members from lo to hi. It reports whether there was room.
func (s S) collect(lo, hi uint64, room func() bool, members *[]uint64) bool {
	for {
		v, ok := s.next(lo)
		if !ok || v > hi {
			return true
		}
		if !room() {
			return false
		}
		*members = append(*members, v)
		if v == hi {
			return true
		}
		lo = v + 1
	}
}
