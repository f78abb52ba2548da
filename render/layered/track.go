package layered

import "slices"

// trackTree answers in logarithmic time which tracks are taken over an extent:
// a segment tree over the ends of all pieces with the greatest track so far.
type trackTree struct {
	xs   []int
	size int
	full []int // greatest track that covers the whole segment
	best []int // greatest track anywhere in the segment
}

func newTrackTree(pieces []piece, bent []int) *trackTree {
	t := &trackTree{}
	for _, i := range bent {
		t.xs = append(t.xs, pieces[i].l-grid/2, pieces[i].r+grid/2)
	}
	slices.Sort(t.xs)
	t.xs = slices.Compact(t.xs)
	for t.size = 1; t.size < len(t.xs); t.size *= 2 {
	}
	t.full, t.best = make([]int, 2*t.size), make([]int, 2*t.size)
	return t
}

// place returns the first track below all tracks taken between l and r, and
// takes it.
func (t *trackTree) place(l, r int) int {
	lo, _ := slices.BinarySearch(t.xs, l)
	hi, _ := slices.BinarySearch(t.xs, r)
	track := 1 + t.query(1, 0, t.size-1, lo, hi)
	t.take(1, 0, t.size-1, lo, hi, track)
	return track
}

// query and take recurse to the depth of the tree, the logarithm of its size.
func (t *trackTree) query(i, a, b, lo, hi int) int {
	switch {
	case hi < a || b < lo:
		return 0
	case lo <= a && b <= hi:
		return t.best[i]
	}
	mid := (a + b) / 2
	return max(t.full[i], t.query(2*i, a, mid, lo, hi), t.query(2*i+1, mid+1, b, lo, hi))
}

func (t *trackTree) take(i, a, b, lo, hi, track int) {
	if hi < a || b < lo {
		return
	}
	t.best[i] = max(t.best[i], track)
	if lo <= a && b <= hi {
		t.full[i] = max(t.full[i], track)
		return
	}
	mid := (a + b) / 2
	t.take(2*i, a, mid, lo, hi, track)
	t.take(2*i+1, mid+1, b, lo, hi, track)
}
