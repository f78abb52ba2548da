package scalar

import (
	"testing"
)

// rounds is the number of random cases of each property.
const rounds = 100_000

// TestALUSound: a result holds what the operation makes of any two members,
// and ours lies inside the kernel's.
func TestALUSound(t *testing.T) {
	g := newGen(1)
	for range rounds {
		x, y := g.word(), g.word()
		if g.IntN(3) == 0 {
			y = uint64(g.IntN(70))
		}
		a, b := g.set(x), g.set(y)
		op, is32 := Op(1+g.IntN(int(opsCount)-1)), g.IntN(2) == 0
		kernel, ours := KernelALU(op, is32, a, b), ALU(op, is32, a, b)
		for range 3 {
			want := Eval(op, is32, x, y)
			if !kernel.Contains(want) {
				t.Fatalf("kernel: %v %v (32: %v) %v: %v lacks %#x of %#x, %#x", a, op, is32, b, kernel, want, x, y)
			}
			if !ours.Contains(want) {
				t.Fatalf("ours: %v %v (32: %v) %v: %v lacks %#x of %#x, %#x", a, op, is32, b, ours, want, x, y)
			}
			x, y = g.member(a, x), g.member(b, y)
		}
		if !ours.Leq(kernel) {
			t.Fatalf("%v %v (32: %v) %v: ours %v, kernel's %v", a, op, is32, b, ours, kernel)
		}
	}
}

// TestALUSmall: all members of small arcs around 0 and the sign, of all
// pairs; so that holes in the middle of a result are found.
func TestALUSmall(t *testing.T) {
	starts := []uint64{0, 3, 29, 61, 1<<31 - 2, 1<<32 - 2, 1<<63 - 2, ^uint64(0), ^uint64(5)}
	for op := OpInvalid + 1; op < opsCount; op++ {
		for _, is32 := range []bool{false, true} {
			for _, p := range starts {
				for _, q := range starts {
					for _, n := range []uint64{0, 1, 4} {
						for _, m := range []uint64{0, 2, 5} {
							aluSmall(t, op, is32, Range(p, p+n), Range(q, q+m))
						}
					}
				}
			}
		}
	}
}

func aluSmall(t *testing.T, op Op, is32 bool, a, b S) {
	t.Helper()
	got := ALU(op, is32, a, b)
	for x := a.R64.Base; x != a.R64.Last()+1; x++ {
		for y := b.R64.Base; y != b.R64.Last()+1; y++ {
			if want := Eval(op, is32, x, y); !got.Contains(want) {
				t.Fatalf("%v %v (32: %v) %v: %v lacks %#x of %#x, %#x", a, op, is32, b, got, want, x, y)
			}
		}
	}
}

// TestNarrowSound: as TestALUSound, for loads.
func TestNarrowSound(t *testing.T) {
	g := newGen(2)
	for range rounds {
		x := g.word()
		s := g.set(x)
		bytes, signed := 1<<g.IntN(4), g.IntN(2) == 0
		kernel, ours := KernelNarrow(s, bytes, signed), s.Narrow(bytes, signed)
		for range 3 {
			want := x << (64 - 8*bytes)
			if signed {
				want = uint64(int64(want) >> (64 - 8*bytes))
			} else {
				want >>= 64 - 8*bytes
			}
			if !kernel.Contains(want) || !ours.Contains(want) {
				t.Fatalf("%d bytes of %v (signed: %v): %v, %v lack %#x", bytes, s, signed, kernel, ours, want)
			}
			x = g.member(s, x)
		}
		if !ours.Leq(kernel) {
			t.Fatalf("%d bytes of %v (signed: %v): ours %v, kernel's %v", bytes, s, signed, ours, kernel)
		}
	}
}

// TestCondSound: no pair of members is on an edge that is called impossible,
// or outside the facts of its edge.
func TestCondSound(t *testing.T) {
	g := newGen(3)
	for range rounds {
		x, y := g.word(), g.word()
		if g.IntN(4) == 0 {
			y = x
		}
		a, b := g.set(x), g.set(y)
		c, is32 := Cond(g.IntN(int(condsCount))), g.IntN(2) == 0
		for range 3 {
			testCond(t, c, is32, a, b, x, y)
			x, y = g.member(a, x), g.member(b, y)
		}
		testEdges(t, c, is32, a, b)
	}
}

func testCond(t *testing.T, c Cond, is32 bool, a, b S, x, y uint64) {
	t.Helper()
	wrong := Never
	if !Holds(c, is32, x, y) {
		wrong = Always
	}
	kernel, ours := KernelDecide(c, is32, a, b, false), Decide(c, is32, a, b, false)
	if kernel == wrong || ours == wrong {
		t.Fatalf("%v %v (32: %v) %v: kernel %v, ours %v, but not for %#x, %#x", a, c, is32, b, kernel, ours, x, y)
	}
	if kernel != Both && ours != kernel {
		t.Fatalf("%v %v (32: %v) %v: kernel %v, ours %v", a, c, is32, b, kernel, ours)
	}
	edge := c
	if wrong == Always {
		edge = c.Negate()
	}
	p, q, ok := Refine(edge, is32, a, b)
	if !ok || !p.Contains(x) || !q.Contains(y) {
		t.Fatalf("%v %v (32: %v) %v: %v, %v %v lack %#x, %#x", a, edge, is32, b, p, q, ok, x, y)
	}
	if kernel == Both {
		if p, q := KernelRefine(edge, is32, a, b); !p.Contains(x) || !q.Contains(y) {
			t.Fatalf("kernel: %v %v (32: %v) %v: %v, %v lack %#x, %#x", a, edge, is32, b, p, q, x, y)
		}
	}
}

// testEdges: ours says nothing less than the operands and the kernel; one edge
// at least is possible.
func testEdges(t *testing.T, c Cond, is32 bool, a, b S) {
	t.Helper()
	possible := 0
	for _, edge := range []Cond{c, c.Negate()} {
		p, q, ok := Refine(edge, is32, a, b)
		if !ok {
			continue
		}
		possible++
		kp, kq := a, b
		switch {
		case KernelDecide(c, is32, a, b, false) == Both:
			kp, kq = KernelRefine(edge, is32, a, b)
		case KernelSync(a) != a || KernelSync(b) != b:
			continue // the kernel keeps all but such operands as they are
		}
		if !p.Leq(kp) || !q.Leq(kq) {
			t.Fatalf("%v %v (32: %v) %v: ours %v, %v, kernel's %v, %v", a, edge, is32, b, p, q, kp, kq)
		}
	}
	if possible == 0 {
		t.Fatalf("%v %v (32: %v) %v: no edge", a, c, is32, b)
	}
}

// TestSame: a register compared with itself.
func TestSame(t *testing.T) {
	g := newGen(4)
	for range rounds {
		x := g.word()
		s := g.set(x)
		c, is32 := Cond(g.IntN(int(condsCount))), g.IntN(2) == 0
		wrong := Never
		if !Holds(c, is32, x, x) {
			wrong = Always
		}
		kernel, ours := KernelDecide(c, is32, s, s, true), Decide(c, is32, s, s, true)
		if kernel == wrong || ours == wrong || kernel != Both && ours != kernel {
			t.Fatalf("%v %v (32: %v) itself: kernel %v, ours %v, with %#x", s, c, is32, kernel, ours, x)
		}
	}
}

// TestLattice: the order, its bounds, and the reductions.
func TestLattice(t *testing.T) {
	g := newGen(5)
	for range rounds {
		x, y := g.word(), g.word()
		a, b := g.set(x), g.set(y)
		for name, j := range map[string]S{"join": Join(a, b), "widened": Widen(a, b, 7, 100)} {
			if !a.Leq(j) || !b.Leq(j) || !j.Contains(x) || !j.Contains(y) {
				t.Fatalf("%v, %v %s: %v", a, b, name, j)
			}
		}
		c := g.set(x)
		if m := Meet(a, c); !m.Contains(x) || !m.Leq(a) {
			t.Fatalf("%v meet %v: %v lacks %#x or exceeds", a, c, m, x)
		}
		if a.Leq(b) && !b.Contains(x) {
			t.Fatalf("%v in %v, but for %#x", a, b, x)
		}
		testReduce(t, a, x)
	}
}

func testReduce(t *testing.T, a S, x uint64) {
	t.Helper()
	r, k := reduce(a), KernelSync(a)
	if !r.Contains(x) || !r.Leq(a) || !k.Contains(x) {
		t.Fatalf("%v reduced: ours %v, kernel's %v, of %#x", a, r, k, x)
	}
	if r.Empty() || !r.Contains(r.R64.Base) || !r.Contains(r.R64.Last()) {
		t.Fatalf("%v reduced: the ends of %v are no members", a, r)
	}
	if !r.Var.Low().Contains(uint64(r.R32.Base)) || !r.Var.Low().Contains(uint64(r.R32.Last())) {
		t.Fatalf("%v reduced: the ends of the low half of %v do not fit the bits", a, r)
	}
	if v, ok := r.IsConst(); ok && r != Const(v) {
		t.Fatalf("%v reduced: %v is constant, but not equal to it", a, r)
	}
	if sane, ok := KernelSanity(r); !ok || sane != r {
		t.Fatalf("%v reduced: %v is not sane to the kernel", a, r)
	}
}
