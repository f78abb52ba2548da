package scalar

import "github.com/bpfcfg/bpfcfg/abstract/arc"

// The verifier's result for a set may not be part of its result for a larger set: see arc.Cover.
// The functions here return for a set a result that covers that of every part of it, the sets whose
// Var, R64 and R32 lie inside those of the set.

// CoverRefine returns sets that KernelRefine(c, is32, x, y) lies inside for all parts x of a and y
// of b that have members for which c holds. The result of other parts is not covered.
func CoverRefine(c Cond, is32 bool, a, b S) (S, S) {
	a, b = refineRaw(c, is32, a, b, true)
	return syncParts(a, true), syncParts(b, true)
}

// CoversItself reports whether CoverRefine(c, is32, a, b) is what KernelRefine returns, if members
// of a and b are left: a is a range of small numbers, and b a small constant. Intersections
// are then one piece each.
func CoversItself(c Cond, a, b S) bool {
	return c != JSET && c != JNSET && b.small() && b.R64.IsConst() && a.small() && a.IsRange()
}

// CoverDecide returns an outcome that also holds for KernelDecide(c, is32, x, y, false), for all
// parts x of a and y of b. It does not look for contradictions between Var and the arcs: those of a
// part may go unnoticed.
func CoverDecide(c Cond, is32 bool, a, b S) Outcome {
	if out := KernelCompare(c, is32, a, b); out != Both {
		return out
	}
	if x, y := refineRaw(c.Negate(), is32, a, b, true); x.Empty() || y.Empty() {
		return Always
	}
	if x, y := refineRaw(c, is32, a, b, true); x.Empty() || y.Empty() {
		return Never
	}
	return Both
}

// meet is arc.Intersect, or with cover arc.Cover.
func meet[T arc.Word](a, b arc.Arc[T], cover, fixed bool) arc.Arc[T] {
	if cover {
		return a.Cover(b, fixed)
	}
	return a.Intersect(b)
}
