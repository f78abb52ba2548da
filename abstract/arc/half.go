package arc

// Low returns the low halves of the members: full if they run through all.
func Low(a U64) U32 {
	switch {
	case a.IsEmpty():
		return Empty[uint32]()
	case a.Size >= 1<<32-1:
		return Full[uint32]()
	}
	return U32{Base: uint32(a.Base), Size: uint32(a.Size)}
}

// MeetLow returns the smallest arc inside a that holds every member whose low
// half is in b. This is the kernel's rule by which knowledge of the low half
// reaches the whole register.
func MeetLow(a U64, b U32) U64 {
	if b.IsEmpty() {
		return Empty[uint64]()
	}
	return meetLow(1<<32-1, a, U64{Base: uint64(b.Base), Size: uint64(b.Size)})
}

// meetLow is MeetLow for a low part of low+1 points. b is an arc of the low
// part. Seen from the low part of a.Base, where
//
//	0        al      low         al: low part of a's last member
//	|---------|-------|
//	==m    b.Base======          b may wrap, ending at m,
//	   b.Base=====m              or not
//
// the beginning of a moves up to the next member of b, and its end moves down
// to the one before.
func meetLow(low uint64, a, b U64) U64 {
	if a.IsEmpty() {
		return a
	}
	start := (b.Base - a.Base) & low
	al := a.Size & low
	m := (start + b.Size) & low
	if start+b.Size > low { // wraps, so that a.Base itself is a member
		if al > m && al < start {
			a.Size -= al - m
		}
		return a
	}
	if a.Size < start {
		return Empty[uint64]()
	}
	a.Base += start
	a.Size -= start
	var excess uint64
	switch {
	case al < start: // the last member of b lies one turn before
		excess = al + low + 1 - m
	case al >= m:
		excess = al - m
	}
	if a.Size < excess {
		return Empty[uint64]()
	}
	a.Size -= excess
	return whole[uint64]().arc(a.Base, a.Size)
}

// Truncate returns the low bits (1 to 63 of them) of the members as unsigned
// numbers lo to hi, and false if they are not one such range.
func Truncate(a U64, bits uint) (lo, hi uint64, ok bool) {
	low := uint64(1)<<bits - 1
	lo = a.Base & low
	if a.IsEmpty() || a.Size > low-lo {
		return 0, low, false
	}
	return lo, lo + a.Size, true
}
