package scalar

import (
	"math"
	"slices"
	"testing"
)

// halfOf returns a member of s with this low half, if one is found: it tries the high
// halves of the range's ends and those next to them.
func halfOf(s S, low uint32) (uint64, bool) {
	for _, end := range []uint64{s.R64.Base, s.R64.Last(), 0, s.Var.Value} {
		for d := range uint64(3) {
			x := (end>>32+d-1)<<32 | uint64(low)
			if s.Contains(x) {
				return x, true
			}
		}
	}
	return 0, false
}

// TestParts checks that what Cuts, Shifts and Moves call complete has no member that no
// member of the operand leads to.
func TestParts(t *testing.T) {
	g := newGen(11)
	var cuts, shifts, moves int
	for range 300_000 {
		v, k, is32 := g.word(), g.word(), g.IntN(2) == 0
		old := g.set(v)
		if old.Empty() || !old.Contains(v) {
			continue
		}
		cond := Cond(g.IntN(int(condsCount)))
		if left, _, ok := Refine(cond, is32, old, Const(k)); ok && Cuts(cond, is32, old, left, k) {
			cuts++
			if m := g.member(left, v); left.Contains(m) && (!old.Contains(m) || !Holds(cond, is32, m, k)) {
				t.Fatalf("%v %v %#x (32 bits %t) leaves %v with %#x", old, cond, k, is32, left, m)
			}
		}
		op := []Op{Add, Sub}[g.IntN(2)]
		if out := ALU(op, is32, old, Const(k)); Shifts(op, is32, old, out, k) {
			shifts++
			m := g.member(out, v)
			x := Eval(map[Op]Op{Add: Sub, Sub: Add}[op], is32, m, k)
			if is32 {
				x, _ = halfOf(old, uint32(x))
			}
			if out.Contains(m) && (!old.Contains(x) || Eval(op, is32, x, k) != m) {
				t.Fatalf("%v %v %#x (32 bits %t) is %v with %#x", old, op, k, is32, out, m)
			}
		}
		if op = []Op{Mov, MovSX8, MovSX16, MovSX32}[g.IntN(4)]; Moves(op, old) && (is32 || op != Mov) && (!is32 || op != MovSX32) {
			moves++
			out := ALU(op, is32, Unknown(), old)
			m := g.member(out, v)
			x, ok := halfOf(old, uint32(m))
			if !ok && old.R64.Size < 1<<33 && op == Mov || Eval(op, is32, 0, m) != m || ok && Eval(op, is32, 0, x) != m {
				t.Fatalf("%v of %v (32 bits %t) is %v with %#x", op, old, is32, out, m)
			}
		}
		if x, ok := old.End(cond, is32); ok && (!old.Contains(x) && x > math.MaxUint32 || Holds(cond, is32, k, v) && !Holds(cond, is32, k, x)) {
			t.Fatalf("%v: %#x %v %#x holds, and not for %#x", old, k, cond, v, x)
		}
		for _, s := range []S{old, Range(k&math.MaxUint32, v&math.MaxUint32)} {
			if s.IsRange() != (s == Range(s.Umin(), s.Umax())) {
				t.Fatalf("%v is a range: %t", s, s.IsRange())
			}
		}
		if m := g.mask(); old.Free() && !old.Contains(old.Var.Value|m&old.Var.Mask) {
			t.Fatalf("%v lacks %#x", old, old.Var.Value|m&old.Var.Mask)
		}
	}
	if t.Logf("%d cuts, %d shifts, %d moves", cuts, shifts, moves); cuts < 10_000 || shifts < 10_000 || moves < 1_000 {
		t.Error("too few are complete")
	}
}

// TestSums checks that what Sums calls complete has no member that is no sum, with one operand
// that has few members.
func TestSums(t *testing.T) {
	g := newGen(7)
	complete := 0
	for range 200_000 {
		lo := g.word()
		few := Range(lo, lo+g.Uint64N(200))
		v := g.word()
		b := g.set(v)
		if g.IntN(2) == 0 {
			b = Range(v, v+g.Uint64N(1<<g.IntN(34)))
		}
		op, is32 := []Op{Add, Sub}[g.IntN(2)], g.IntN(2) == 0
		if g.IntN(3) == 0 {
			few = ALU(Xor, true, few, Const(g.word())) // words with a range of low halves
		}
		out := ALU(op, is32, few, b)
		m := g.member(out, v)
		if !Sums(op, is32, few, b, out) || !out.Contains(m) {
			continue
		}
		complete++
		xs, ok := few.Enumerate(256)
		if !ok {
			continue
		}
		if !slices.ContainsFunc(xs, func(x uint64) bool {
			y := m - x
			if op == Sub {
				y = x - m
			}
			if is32 {
				y, ok = halfOf(b, uint32(y))
			}
			return ok && b.Contains(y) && Eval(op, is32, x, y) == m
		}) {
			t.Fatalf("%v %v %v (32 bits %t) is %v with %#x", few, op, b, is32, out, m)
		}
	}
	if t.Logf("%d complete", complete); complete < 10_000 {
		t.Error("too few are complete")
	}
}
