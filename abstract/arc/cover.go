package arc

// Cover returns an arc that includes Intersect(x, y) for all x inside a and y inside
// b, and with fixed for y = b alone. Intersect(a, b) does not: where two arcs have two
// pieces in common it returns the smaller one, so that a small arc may keep members
// that a large one loses.
func (a Arc[T]) Cover(b Arc[T], fixed bool) Arc[T] { return whole[T]().covers(a, b, fixed) }

// covers: where neither arc is full and the common members are one arc, so are those of
// all parts. Else two parts have two pieces in common if each runs through the other's
// gap and over both its ends. Then the larger arc's part may be the smaller one of
// both, which only the full arc includes with the other; unless the smaller arc leaves so
// little room that no such part is as small.
func (c circle[T]) covers(a, b Arc[T], fixed bool) Arc[T] {
	common, one := c.intersect(a, b)
	if common == c.empty() || one && a.Size != c.max && b.Size != c.max {
		return common
	}
	small, parts := b, true // parts: those of the larger arc count
	if a.Size < b.Size || a.Size == b.Size && a.Base <= b.Base {
		small, parts = a, !fixed
	}
	if gap := c.max - small.Size; parts && gap < small.Size && gap > 0 {
		return c.full()
	}
	return small
}
