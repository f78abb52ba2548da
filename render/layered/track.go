package layered

import "slices"

// Tracks gives extents parallel tracks, in logarithmic time for each: a segment tree
// with the greatest track so far.
type Tracks struct {
	size int
	full []int // greatest track that covers the whole segment
	best []int // greatest track anywhere in the segment
}

// NewTracks returns free tracks over the places 0 to n-1.
func NewTracks(n int) *Tracks {
	t := &Tracks{size: 1}
	for t.size < n {
		t.size *= 2
	}
	t.full, t.best = make([]int, 2*t.size), make([]int, 2*t.size)
	return t
}

// Place takes the first track, from 1 on, above all that are taken from place lo to
// hi, and returns it.
func (t *Tracks) Place(lo, hi int) int {
	track := 1 + t.query(1, 0, t.size-1, lo, hi)
	t.take(1, 0, t.size-1, lo, hi, track)
	return track
}

// query and take recurse to the depth of the tree, the logarithm of its size.
func (t *Tracks) query(i, a, b, lo, hi int) int {
	switch {
	case hi < a || b < lo:
		return 0
	case lo <= a && b <= hi:
		return t.best[i]
	}
	mid := (a + b) / 2
	return max(t.full[i], t.query(2*i, a, mid, lo, hi), t.query(2*i+1, mid+1, b, lo, hi))
}

func (t *Tracks) take(i, a, b, lo, hi, track int) {
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

// extentTracks are tracks over the ends of pieces.
type extentTracks struct {
	*Tracks
	xs []int
}

func newExtentTracks(pieces []piece, bent []int) extentTracks {
	var xs []int
	for _, i := range bent {
		xs = append(xs, pieces[i].l-grid/2, pieces[i].r+grid/2)
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	return extentTracks{NewTracks(len(xs)), xs}
}

// place takes the first track above all that are taken from l to r.
func (t extentTracks) place(l, r int) int {
	lo, _ := slices.BinarySearch(t.xs, l)
	hi, _ := slices.BinarySearch(t.xs, r)
	return t.Place(lo, hi)
}
