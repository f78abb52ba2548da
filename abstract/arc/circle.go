package arc

// circle is the number circle 0, 1, …, max. All rules about arcs are its
// methods, so that tests can run through every arc of a small circle. T is at
// least as wide as max; results are reduced with & max.
type circle[T Word] struct{ max T }

func whole[T Word]() circle[T] { return circle[T]{max: ^T(0)} }

func (c circle[T]) full() Arc[T]  { return Arc[T]{Base: 0, Size: c.max} }
func (c circle[T]) empty() Arc[T] { return Arc[T]{Base: c.max, Size: c.max} }

// sign returns the word whose top bit alone is set, the smallest signed number.
func (c circle[T]) sign() T { return c.max>>1 + 1 }

// signed returns v as a signed number.
func (c circle[T]) signed(v T) int64 { return int64(v^c.sign()) - int64(c.sign()) }

// arc returns the normal arc of that base and size. The kernel leaves the full
// arc with base MAX/2 as it is; no rule distinguishes it from base 0.
func (c circle[T]) arc(base, size T) Arc[T] {
	size &= c.max
	if size == c.max {
		return c.full()
	}
	return Arc[T]{Base: base & c.max, Size: size}
}

func (c circle[T]) contains(a Arc[T], v T) bool {
	return (v-a.Base)&c.max <= a.Size && a != c.empty()
}

// wrapsSigned reports whether a goes from the largest signed number to the
// smallest; so does the full arc, wherever it begins.
func (c circle[T]) wrapsSigned(a Arc[T]) bool {
	return c.contains(a, c.sign()) && c.contains(a, c.sign()-1)
}

func (c circle[T]) smin(a Arc[T]) int64 {
	if c.wrapsSigned(a) {
		return c.signed(c.sign())
	}
	return min(c.signed(a.Base), c.signed((a.Base+a.Size)&c.max))
}

func (c circle[T]) smax(a Arc[T]) int64 {
	if c.wrapsSigned(a) {
		return c.signed(c.sign() - 1)
	}
	return max(c.signed(a.Base), c.signed((a.Base+a.Size)&c.max))
}

func (c circle[T]) includes(a, b Arc[T]) bool {
	switch c.empty() {
	case b:
		return true
	case a:
		return false
	}
	if a.Size == c.max {
		return true
	}
	// Seen from a.Base, b must begin inside a and end there without wrapping.
	d := (b.Base - a.Base) & c.max
	return d <= a.Size && b.Size <= a.Size-d
}

func (c circle[T]) add(a, b Arc[T]) Arc[T] {
	if a == c.empty() || b == c.empty() {
		return c.empty()
	}
	if a.Size > c.max-b.Size {
		return c.full()
	}
	return c.arc(a.Base+b.Base, a.Size+b.Size)
}

func (c circle[T]) neg(a Arc[T]) Arc[T] {
	if a == c.empty() {
		return a
	}
	return c.arc(-(a.Base + a.Size), a.Size)
}

// scale: consecutive members are f apart, so the products of an arc lie on one
// from Base*f to Last*f, unless that runs around the whole circle.
func (c circle[T]) scale(a Arc[T], f T) Arc[T] {
	switch {
	case a == c.empty():
		return a
	case f == 0:
		return Arc[T]{}
	case a.Size > c.max/f:
		return c.full()
	}
	return c.arc(a.Base*f, a.Size*f)
}

// intersect returns the common members and true if they are one arc, or none.
// With a turned to begin at 0, and b at d, there are four cases:
//
//	0      a       |            0      a       |
//	|==============|            |==============|
//	    |----b---|              |-e|      |----b----->   two arcs if d <= |a|
//	    d                               d     wraps to e
func (c circle[T]) intersect(a, b Arc[T]) (Arc[T], bool) {
	switch {
	case a == c.empty() || b == c.empty():
		return c.empty(), true
	case a.Size == c.max:
		return b, true
	case b.Size == c.max:
		return a, true
	}
	d := (b.Base - a.Base) & c.max
	if b.Size <= c.max-d {
		if d > a.Size {
			return c.empty(), true
		}
		return Arc[T]{Base: b.Base, Size: min(a.Size-d, b.Size)}, true
	}
	if d <= a.Size {
		return Arc[T]{}, false
	}
	return Arc[T]{Base: a.Base, Size: min(a.Size, (d+b.Size)&c.max)}, true
}

// join compares the arc that begins with a and the one that begins with b; the
// gap left out is what follows the other operand.
func (c circle[T]) join(a, b Arc[T]) Arc[T] {
	switch c.empty() {
	case a:
		return b
	case b:
		return a
	}
	x, y := c.cover(a, b), c.cover(b, a)
	switch {
	case x.Size < y.Size:
		return x
	case y.Size < x.Size:
		return y
	case x.Base <= y.Base:
		return x // of two arcs of one size the one that begins lower does not wrap, if any
	}
	return y
}

// cover returns the smallest arc that begins where a does and includes a and b.
func (c circle[T]) cover(a, b Arc[T]) Arc[T] {
	d := (b.Base - a.Base) & c.max
	if b.Size > c.max-d {
		return c.full()
	}
	return c.arc(a.Base, max(a.Size, d+b.Size))
}
