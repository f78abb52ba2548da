package render

import (
	"cmp"
	"slices"
)

// occupied records where lines run, level and upright, and where the labels of the current block
// are.
type occupied struct {
	level, upright []stretch // by place and start, disjoint
	labels         []Rect
}

// stretch is a part of a level or upright line: its y or x, and from where to where.
type stretch struct{ at, lo, hi int }

func newOccupied(lines []Wire) *occupied {
	o := &occupied{}
	for i := range lines {
		pts := lines[i].Points
		if lines[i].Curve {
			continue
		}
		for k := 1; k < len(pts); k++ {
			if a, b := pts[k-1], pts[k]; a.X == b.X {
				o.upright = append(o.upright, stretch{a.X, min(a.Y, b.Y), max(a.Y, b.Y)})
			} else {
				o.level = append(o.level, stretch{a.Y, min(a.X, b.X), max(a.X, b.X)})
			}
		}
	}
	o.level, o.upright = joined(o.level), joined(o.upright)
	return o
}

// joined sorts stretches and makes one of those that meet.
func joined(s []stretch) []stretch {
	slices.SortFunc(s, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.lo, b.lo)) })
	out := s[:0]
	for _, n := range s {
		if k := len(out) - 1; k >= 0 && out[k].at == n.at && out[k].hi >= n.lo {
			out[k].hi = max(out[k].hi, n.hi)
		} else {
			out = append(out, n)
		}
	}
	return out
}

// touches reports whether one of the stretches at a place in from..to overlaps lo..hi.
func touches(s []stretch, from, to, lo, hi int) bool {
	after := func(s stretch, at int) int { return cmp.Compare(s.at, at) }
	for i, _ := slices.BinarySearchFunc(s, from, after); i < len(s) && s[i].at <= to; {
		at := s[i].at
		next, _ := slices.BinarySearchFunc(s[i:], at+1, after)
		k, _ := slices.BinarySearchFunc(s[i:i+next], lo, func(s stretch, lo int) int { return cmp.Compare(s.hi, lo) })
		if k < next && s[i+k].lo <= hi {
			return true
		}
		i += next
	}
	return false
}

// clear reports whether no line and no label overlaps or touches a rectangle.
func (o *occupied) clear(r Rect) bool {
	for _, l := range o.labels {
		if r.X <= l.X+l.W && l.X <= r.X+r.W && r.Y <= l.Y+l.H && l.Y <= r.Y+r.H {
			return false
		}
	}
	return !touches(o.level, r.Y, r.Y+r.H, r.X, r.X+r.W) && !touches(o.upright, r.X, r.X+r.W, r.Y, r.Y+r.H)
}

// take records a label of the current block.
func (o *occupied) take(r Rect) { o.labels = append(o.labels, r) }

// next begins another block.
func (o *occupied) next() { o.labels = o.labels[:0] }
