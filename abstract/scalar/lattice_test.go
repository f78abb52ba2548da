package scalar

import (
	"math"
	"slices"
	"testing"
)

// TestIntervals: for intervals of a few numbers, at 0, at the ends of the
// number lines and elsewhere, at both widths, Decide is exact and Refine gives
// the smallest intervals; except where an interval runs over the end of the
// number line that the condition compares on.
func TestIntervals(t *testing.T) {
	compared := 0
	for _, origin := range []int64{0, 100, math.MaxInt32 - 2, math.MaxUint32 - 2, math.MinInt64, math.MaxInt64 - 2, -3} {
		for _, is32 := range []bool{false, true} {
			for c := range JSET {
				for i := range 5 * 5 * 5 * 5 {
					lo, n, lo2, n2 := i%5, i/5%5, i/25%5, i/125
					iv := intervals{c, is32, origin, [2]int{lo, lo + n}, [2]int{lo2, lo2 + n2}}
					if iv.compares() {
						iv.test(t)
						compared++
					}
				}
			}
		}
	}
	if compared < 50_000 {
		t.Errorf("only %d cases", compared)
	}
}

// intervals is a comparison of origin+a[0] … origin+a[1] with the same of b.
type intervals struct {
	c      Cond
	is32   bool
	origin int64
	a, b   [2]int
}

func (iv intervals) word(i int) uint64 {
	if iv.is32 {
		return uint64(uint32(iv.origin) + uint32(i))
	}
	return uint64(iv.origin) + uint64(i)
}

func (iv intervals) set(ends [2]int) S {
	if !iv.is32 {
		return Range(iv.word(ends[0]), iv.word(ends[1]))
	}
	s := Unknown()
	s.R32.Base, s.R32.Size = uint32(iv.word(ends[0])), uint32(ends[1]-ends[0])
	return reduce(zeroExtend32(s))
}

// compares reports whether each number is above the one before, in the order
// of the condition.
func (iv intervals) compares() bool {
	order := map[Cond]Cond{JEQ: JEQ, JNE: JEQ, JSGT: JSLT, JSLE: JSLT, JSGE: JSLT, JSLT: JSLT}
	less, ok := order[iv.c]
	if !ok {
		less = JLT
	}
	for _, ends := range [][2]int{iv.a, iv.b} {
		for i := ends[0]; i < ends[1]; i++ {
			if less != JEQ && !Holds(less, iv.is32, iv.word(i), iv.word(i+1)) {
				return false
			}
		}
	}
	return true
}

func (iv intervals) test(t *testing.T) {
	t.Helper()
	a, b := iv.set(iv.a), iv.set(iv.b)
	var xs, ys []int
	fails := 0
	for x := iv.a[0]; x <= iv.a[1]; x++ {
		for y := iv.b[0]; y <= iv.b[1]; y++ {
			if Holds(iv.c, iv.is32, iv.word(x), iv.word(y)) {
				xs, ys = append(xs, x), append(ys, y)
			} else {
				fails++
			}
		}
	}
	want := Both
	switch {
	case len(xs) == 0:
		want = Never
	case fails == 0:
		want = Always
	}
	if got := Decide(iv.c, iv.is32, a, b, false); got != want {
		t.Fatalf("%v %v (32: %v) %v: %v, want %v", a, iv.c, iv.is32, b, got, want)
	}
	x, y, ok := Refine(iv.c, iv.is32, a, b)
	if ok != (want != Never) || ok && (!iv.hull(x, xs) || !iv.hull(y, ys)) {
		t.Fatalf("%v %v (32: %v) %v: %v, %v %v, for %v and %v", a, iv.c, iv.is32, b, x, y, ok, xs, ys)
	}
}

// hull reports whether the arc of s at the width goes from the first to the
// last of the numbers.
func (iv intervals) hull(s S, numbers []int) bool {
	first, last := iv.word(slices.Min(numbers)), iv.word(slices.Max(numbers))
	if iv.is32 {
		return s.R32.Base == uint32(first) && s.R32.Last() == uint32(last)
	}
	return s.R64.Base == first && s.R64.Last() == last
}

// TestWidenChain: however new states grow, the chain stops in the stated
// number of steps, and includes all of them.
func TestWidenChain(t *testing.T) {
	g := newGen(6)
	for round := range 600 {
		thresholds := make([]uint64, g.IntN(6))
		for i := range thresholds {
			thresholds[i] = g.word()
		}
		limit := 2*(len(thresholds)+13) + 2 + 64
		s := g.set(g.word())
		changes := 0
		for range 10 * limit {
			v := g.word()
			switch round % 3 {
			case 0: // creep: just outside an end
				v = s.R64.Last() + 1
			case 1: // one more bit
				v = s.Var.Value ^ 1<<g.IntN(64)
			}
			next := Widen(s, g.set(v), thresholds...)
			if !next.Contains(v) || !s.Leq(next) {
				t.Fatalf("%v widened for %#x: %v", s, v, next)
			}
			if next != s {
				changes++
			}
			s = next
		}
		if changes > limit {
			t.Fatalf("%d changes with %d thresholds", changes, len(thresholds))
		}
	}
}

// TestWidenLoop: for i = 0; i < 100; i++, and with a step of 8.
func TestWidenLoop(t *testing.T) {
	for _, c := range []struct{ step, bound, last uint64 }{{1, 100, 99}, {8, 800, 792}} {
		head := Const(0)
		var body S
		rounds := 0
		for {
			rounds++
			body, _, _ = Refine(JLT, false, head, Const(c.bound))
			next := Widen(head, ALU(Add, false, body, Const(c.step)), c.bound)
			if next == head {
				break
			}
			head = next
		}
		if body.Umin() != 0 || body.Umax() != c.last || !body.Var.IsAligned(c.step) || rounds > 5 {
			t.Errorf("step %d: %v in the body after %d rounds", c.step, body, rounds)
		}
		exit, _, _ := Refine(JGE, false, head, Const(c.bound))
		if v, ok := exit.IsConst(); !ok || v != c.bound {
			t.Errorf("step %d: %v after the loop", c.step, exit)
		}
	}
}

// TestEnumerate compares with a search through all candidates.
func TestEnumerate(t *testing.T) {
	g := newGen(7)
	compared := 0
	for range 100_000 {
		s := g.set(g.word())
		want, ok := search(s)
		if !ok {
			continue
		}
		compared++
		got, ok := s.Enumerate(len(want))
		if !ok || !slices.Equal(got, want) {
			t.Fatalf("%v: %x %v, want %x", s, got, ok, want)
		}
		if len(want) > 0 {
			if got, ok := s.Enumerate(len(want) - 1); ok || got != nil {
				t.Fatalf("%v: %x within %d", s, got, len(want)-1)
			}
		}
	}
	if compared < 10_000 {
		t.Errorf("only %d sets", compared)
	}
	if got, ok := Bottom().Enumerate(0); !ok || len(got) != 0 {
		t.Errorf("no members: %v %v", got, ok)
	}
	if _, ok := Unknown().Enumerate(1000); ok {
		t.Error("all words are at most 1000")
	}
}

// search returns the members of s in order, if there are few words in its
// range, or few that fit its bits.
func search(s S) (members []uint64, ok bool) {
	const few = 1 << 10
	if s.R64.Size < few {
		for i := range s.R64.Size + 1 {
			if v := s.R64.Base + i; s.Contains(v) {
				members = append(members, v)
			}
		}
		slices.Sort(members)
		return members, true
	}
	if n, fits := s.Var.Count(); !fits || n > few {
		return nil, false
	}
	for sub := uint64(0); ; sub = (sub - s.Var.Mask) & s.Var.Mask {
		if v := s.Var.Value | sub; s.Contains(v) {
			members = append(members, v)
		}
		if sub == s.Var.Mask {
			return members, true
		}
	}
}

// TestContradictions: sets that nothing is in.
func TestContradictions(t *testing.T) {
	odd := S{Var: Unknown().Var, R64: Range(4, 4).R64, R32: Range(5, 5).R32}
	aligned := Meet(Range(1, 7), Bits(Const(0).Var.Union(Const(8).Var)))
	for _, s := range []S{Bottom(), reduce(odd), aligned, Meet(Range(0, 4), Range(5, 9)), Meet(Const(1), Const(2))} {
		if !s.Empty() || s != Bottom() {
			t.Errorf("%v is not empty", s)
		}
		if got := ALU(Add, false, s, Const(1)); got != Bottom() {
			t.Errorf("plus 1: %v", got)
		}
		if _, _, ok := Refine(JEQ, false, s, Unknown()); ok {
			t.Error("an edge without states is possible")
		}
		if Join(s, Const(3)) != Const(3) || Join(Const(3), s) != Const(3) || Widen(s, Const(3)) != Const(3) {
			t.Error("joined with nothing is not the same")
		}
		if !s.Leq(Const(3)) || Const(3).Leq(s) {
			t.Error("nothing is in everything")
		}
		if _, ok := s.IsConst(); ok || s.Narrow(1, true) != Bottom() || Decide(JEQ, false, s, s, false) != Never {
			t.Error("nothing is something")
		}
	}
}

// TestContradictoryParts: operands whose parts contradict one another, which
// nothing here makes but a caller may, do no harm.
func TestContradictoryParts(t *testing.T) {
	g := newGen(8)
	for range rounds {
		a := S{g.raw(g.word()).Var, g.raw(g.word()).R64, g.raw(g.word()).R32}
		b := S{g.raw(g.word()).Var, g.raw(g.word()).R64, g.raw(g.word()).R32}
		is32 := g.IntN(2) == 0
		op, c := Op(1+g.IntN(int(opsCount)-1)), Cond(g.IntN(int(condsCount)))
		ALU(op, is32, a, b)
		KernelALU(op, is32, a, b)
		Decide(c, is32, a, b, false)
		KernelDecide(c, is32, a, b, false)
		Refine(c, is32, a, b)
		if m := Meet(a, b); !m.Leq(a) {
			t.Fatalf("%+v meet %+v: %v", a, b, m)
		}
		j, w := Join(a, b), Widen(a, b, 5)
		if !a.Leq(j) || !b.Leq(j) || !j.Leq(w) && !b.Leq(a) {
			t.Fatalf("%+v, %+v joined %v, widened %v", a, b, j, w)
		}
		a.Narrow(1<<g.IntN(4), is32)
		members, ok := a.Enumerate(10)
		n, ok2 := a.Count(10)
		if ok != ok2 || ok && n != len(members) {
			t.Fatalf("%+v: %d counted, %d enumerated", a, n, len(members))
		}
		for _, v := range members {
			if !a.Contains(v) {
				t.Fatalf("%+v: %#x is no member", a, v)
			}
		}
	}
}

// TestKernelFork: only a value known to be 0 or -1, and a constant, fork.
func TestKernelFork(t *testing.T) {
	both := SRange(-1, 0)
	now, later, ok := KernelFork(And, both, Const(42))
	if !ok || now != Const(math.MaxUint64) || later != Const(0) {
		t.Errorf("-1..0 & 42: %v, %v, %v", now, later, ok)
	}
	low := kernelRules.run(t, Unknown(), "w = w; not w s> 0; not w s< -1")
	now, later, ok = KernelFork(Or, low, Const(42))
	if !ok || now.U32min() != math.MaxUint32 || later.U32max() != 0 || now.R64 != low.R64 {
		t.Errorf("low half -1..0 | 42: %v, %v, %v", now, later, ok)
	}
	for _, c := range []struct {
		op       Op
		dst, src S
	}{{Xor, both, Const(42)}, {And, both, Range(0, 1)}, {And, SRange(-1, 1), Const(42)}, {And, Unknown(), Const(42)}} {
		if _, _, ok := KernelFork(c.op, c.dst, c.src); ok {
			t.Errorf("%v %v %v forks", c.dst, c.op, c.src)
		}
	}
}

// TestKernelSanity: contradictions are forgotten, but not bits.
func TestKernelSanity(t *testing.T) {
	s := Const(5)
	s.R64 = Range(6, 7).R64
	got, ok := KernelSanity(s)
	if want := Unknown(); ok || got.Var != s.Var || got.R64 != want.R64 || got.R32 != want.R32 {
		t.Errorf("%v: %v %v", s, got, ok)
	}
	if _, ok := KernelSanity(Bottom()); ok {
		t.Error("empty is sane")
	}
}
