package scalar

import (
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// Decide returns what is known of a conditional jump on a (dst) and b (src, or Const(sign-extended
// imm)); same reports that they are one register. It decides whenever KernelDecide does. For empty
// operands it returns Never.
func Decide(c Cond, is32 bool, a, b S, same bool) Outcome {
	if a.Empty() || b.Empty() {
		return Never
	}
	if same {
		if out := decideSame(c, is32, a); out != Both {
			return out
		}
		switch c { // a & a is a
		case JSET:
			return Decide(JNE, is32, a, Const(0), false)
		case JNSET:
			return Decide(JEQ, is32, a, Const(0), false)
		}
		return Both
	}
	if _, _, ok := Refine(c, is32, a, b); !ok {
		return Never
	}
	if _, _, ok := Refine(c.Negate(), is32, a, b); !ok {
		return Always
	}
	return Both
}

// Refine returns the facts about a and b on the edge that is followed when c
// holds: the pairs x in a and y in b for which Holds(c, is32, x, y) stay in the
// results. ok is false if there are none, so that the edge is impossible. The
// facts of the fall-through edge are Refine(c.Negate(), …). Each part of the
// results lies inside that of KernelRefine, or if the kernel decides the jump
// inside that of a or b, provided that KernelSync has nothing to add to them.
//
// When a and b are one register, a jump that Decide leaves open is JSET or
// JNSET, and its facts are those of JNE or JEQ with Const(0).
func Refine(c Cond, is32 bool, a, b S) (a2, b2 S, ok bool) {
	if a.Empty() || b.Empty() {
		return Bottom(), Bottom(), false
	}
	v, w := viewOf(a, is32), viewOf(b, is32)
	if ruledOut(c, v.bits, w.bits) {
		return Bottom(), Bottom(), false
	}
	x, y := a, b
	switch compare(c, v, w, viewOf(a, true), viewOf(b, true)) {
	case Never:
		return Bottom(), Bottom(), false
	case Both:
		x, y = KernelRefine(c, is32, a, b)
		if x.Empty() || y.Empty() {
			return Bottom(), Bottom(), false
		}
		if (!x.Leq(a) || !y.Leq(b)) && KernelDecide(c, is32, a, b, false) != Both {
			x, y = a, b // the kernel does not refine what it has decided
		}
	}
	switch c {
	case JSET, JNSET:
		x, y = meetBits(c, is32, a, b, x, y)
	case JNE:
		x, y = cutEqual(is32, Meet(x, a), Meet(y, b))
	default:
		x, y = Meet(x, a), Meet(y, b)
	}
	if x.Empty() || y.Empty() {
		return Bottom(), Bottom(), false
	}
	return x, y, true
}

// ruledOut reports whether the known bits contradict a bit test, even of two variables, which the
// kernel never decides.
func ruledOut(c Cond, x, y tnum.T) bool {
	switch c {
	case JSET:
		return x.Max()&y.Max() == 0
	case JNSET:
		return x.Value&y.Value != 0
	}
	return false
}

// cutEqual cuts a known operand out of the other, after the ends of both have
// become members: {0, 8} != 8 leaves 0.
func cutEqual(is32 bool, a, b S) (S, S) {
	v, w := viewOf(a, is32), viewOf(b, is32)
	if w.bits.IsConst() {
		a = cut(a, is32, w.bits.Value)
	}
	if v.bits.IsConst() {
		b = cut(b, is32, v.bits.Value)
	}
	return a, b
}

// cut returns the members of s that are not v, at the width, if v is at an end
// of their arc.
func cut(s S, is32 bool, v uint64) S {
	if s.Empty() {
		return s
	}
	if is32 {
		s.R32 = s.R32.Meet(without(uint32(v)))
	} else {
		s.R64 = s.R64.Meet(without(v))
	}
	return reduce(s)
}

// meetBits refines by a bit test. Unlike the kernel it keeps the ranges, and
// looks at the known bits of both operands:
//
//   - a & b == 0: a bit known to be 1 in one is 0 in the other;
//   - a & b != 0: if one bit alone may be 1 in both, it is; and neither is 0.
func meetBits(c Cond, is32 bool, a, b, x, y S) (S, S) {
	t, u := a.Var, b.Var
	if is32 {
		t, u = t.Low(), u.Low()
	}
	if c == JNSET {
		x = Meet(x, clearBits(a, u.Value))
		y = Meet(y, clearBits(b, t.Value))
		return x, y
	}
	x, y = Meet(x, a), Meet(y, b)
	if both := t.Max() & u.Max(); bits.OnesCount64(both) == 1 {
		one := Unknown()
		one.Var = tnum.T{Value: both, Mask: ^both}
		x, y = Meet(x, one), Meet(y, one)
	}
	return cut(x, is32, 0), cut(y, is32, 0)
}

// clearBits returns the members of s without any of the bits in v.
func clearBits(s S, v uint64) S {
	return Meet(s, S{Var: tnum.T{Mask: ^v}, R64: arc.Full[uint64](), R32: arc.Full[uint32]()})
}
