package tnum

import "math/bits"

// Step returns the smallest member above z, or the largest member if there is
// none above. This is the kernel's tnum_step.
func (t T) Step(z uint64) uint64 {
	if z >= t.Max() {
		return t.Max()
	}
	next, _ := t.Next(z + 1)
	return next
}

// Next returns the smallest member that is at least x, and whether there is
// one. It takes constant time:
//
//	        p        h      0
//	x   …   0   …    1 ......     h: highest bit in which x breaks a known bit
//	t   …   ?   …    0 ......
//	out …   1  min  min  min      p: lowest unknown bit above h that is 0 in x
//
// If the known bit at h is 1 and x has 0, setting it is enough.
func (t T) Next(x uint64) (uint64, bool) {
	wrong := (x ^ t.Value) &^ t.Mask
	if wrong == 0 {
		return x, true
	}
	h := bits.Len64(wrong) - 1
	below := uint64(1)<<h<<1 - 1 // bits h and lower
	if t.Value>>h&1 != 0 {
		return x&^below | t.Value&below, true
	}
	raise := t.Mask &^ x &^ below
	if raise == 0 {
		return 0, false
	}
	bit := raise & -raise
	below = bit - 1
	return (x|bit)&^below | t.Value&below, true
}

// Prev returns the largest member that is at most x, and whether there is one.
func (t T) Prev(x uint64) (uint64, bool) {
	// Complement turns the order around.
	v, ok := T{Value: ^(t.Value | t.Mask), Mask: t.Mask}.Next(^x)
	return ^v, ok
}

// Count returns the number of members, and false if that is 2^64.
func (t T) Count() (uint64, bool) {
	n := bits.OnesCount64(t.Mask)
	return 1 << n, n < 64
}
