package scalar

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// TestCover: what the verifier makes of a comparison lies inside what Cover makes of it for
// larger sets, which is not so of what the verifier makes of those.
func TestCover(t *testing.T) {
	g := newGen(testSeed)
	var c coverTest
	for range 400_000 {
		c.try(t, g)
	}
	t.Logf("%d pairs; the verifier's own rules: %d outcomes and %d ranges do not cover", c.pairs, c.outcomes, c.ranges)
	if c.pairs < 150_000 || c.outcomes < 5 || c.ranges < 1000 {
		t.Error("too few to tell")
	}
}

const testSeed = 5

// coverTest counts what was compared, and where KernelDecide and KernelRefine do not cover.
type coverTest struct{ pairs, outcomes, ranges int }

func (n *coverTest) try(t *testing.T, g gen) {
	t.Helper()
	c, is32 := Cond(g.IntN(int(condsCount))), g.IntN(2) == 0
	v, w := g.word(), g.word()
	if g.IntN(2) == 0 {
		w = v + g.small() - 5
	}
	if !Holds(c, is32, v, w) {
		return
	}
	a, b := KernelSync(g.set(v)), KernelSync(g.set(w))
	if g.IntN(2) == 0 {
		b = Const(w)
	}
	x, y := g.wider(a), b
	if g.IntN(3) == 0 {
		y = g.wider(b)
	}
	if !a.Leq(x) || !b.Leq(y) {
		return
	}
	n.pairs++
	out := KernelDecide(c, is32, a, b, false)
	if o := CoverDecide(c, is32, x, y); o != Both && o != out {
		t.Errorf("%v, 32 bits %v: %v of %v and %v, but %v of %v and %v", c, is32, o, x, y, out, a, b)
	}
	if o := KernelDecide(c, is32, x, y, false); o != Both && o != out {
		n.outcomes++
	}
	if out != Both {
		return
	}
	a2, b2 := KernelRefine(c, is32, a, b)
	if x2, y2 := CoverRefine(c, is32, x, y); !a2.Leq(x2) || !b2.Leq(y2) {
		t.Errorf("%v, 32 bits %v: %v and %v of %v and %v, but %v and %v of %v and %v",
			c, is32, x2, y2, x, y, a2, b2, a, b)
	}
	if x2, y2 := KernelRefine(c, is32, x, y); !a2.Leq(x2) || !b2.Leq(y2) {
		n.ranges++
	}
}

// wider returns a set that s is a part of.
func (g gen) wider(s S) S {
	t := S{s.Var, widerArc(g, s.R64), widerArc(g, s.R32)}
	if g.IntN(2) == 0 {
		m := g.mask()
		t.Var = tnum.T{Value: s.Var.Value &^ m, Mask: s.Var.Mask | m}
	}
	if k := KernelSync(t); g.IntN(2) == 0 && s.Leq(k) {
		return k
	}
	return t
}

// widerArc returns an arc that a is a part of.
func widerArc[T arc.Word](g gen, a arc.Arc[T]) arc.Arc[T] {
	before, after := T(g.distance()), T(g.distance())
	switch room := ^T(0) - a.Size; {
	case g.IntN(4) == 0 || a.IsEmpty():
		return a
	case g.IntN(3) == 0 || before >= room || after >= room-before:
		return arc.Full[T]()
	}
	return arc.Arc[T]{Base: a.Base - before, Size: a.Size + before + after}
}

// TestCoversItself compares both ways on all small ranges and constants.
func TestCoversItself(t *testing.T) {
	ends := []uint64{0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 31, 33, 1<<31 - 2, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<64 - 1}
	asked := 0
	for _, lo := range ends {
		for _, hi := range ends {
			for _, k := range ends {
				for c := JEQ; c <= JNSET; c++ {
					for _, is32 := range []bool{false, true} {
						a, b := Range(lo, hi), Const(k)
						if lo > hi || !CoversItself(c, a, b) || KernelDecide(c, is32, a, b, false) != Both {
							continue
						}
						asked++
						x, y := KernelRefine(c, is32, a, b)
						if wideX, wideY := CoverRefine(c, is32, a, b); wideX != x || wideY != y {
							t.Errorf("%v, %v with %v (32 bits: %t): %v, %v cover %v, %v", a, c, b, is32, wideX, wideY, x, y)
						}
					}
				}
			}
		}
	}
	if asked < 5000 {
		t.Errorf("only %d comparisons", asked)
	}
}
