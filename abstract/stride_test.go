package abstract

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// strided draws a number of an alternative, and the alternative: a constant, a
// range, or a range that has been multiplied and shifted.
func strided(t *rapid.T, name string) (uint64, Alt) {
	hi := rapid.Uint64Range(0, 40).Draw(t, name+" max")
	v := rapid.Uint64Range(0, hi).Draw(t, name)
	a := Alt{Kind: Number, Off: scalar.Range(0, hi)}
	for range rapid.IntRange(0, 3).Draw(t, name+" steps") {
		op := rapid.SampledFrom([]scalar.Op{scalar.Mul, scalar.Lsh, scalar.Add, scalar.Sub}).Draw(t, name+" op")
		c := rapid.Uint64Range(0, 60).Draw(t, name+" operand")
		v, a = compute(op, v, a, c, Alt{Kind: Number, Off: scalar.Const(c)})
	}
	return v, a
}

// compute carries out an operation on numbers and on what holds them.
func compute(op scalar.Op, v uint64, a Alt, w uint64, b Alt) (uint64, Alt) {
	off := scalar.ALU(op, false, a.Off, b.Off)
	out := Alt{Kind: Number, Off: off, str: strideOf(op, &a, &b, off)}
	switch op {
	case scalar.Mul:
		v *= w
	case scalar.Lsh:
		v <<= w & 63
	case scalar.Add:
		v += w
	case scalar.Sub:
		v -= w
	}
	return v, out
}

// Whatever is computed, joined and compared, numbers stay in what holds them.
func TestStrideSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, a := strided(t, "a")
		w, b := strided(t, "b")
		if !a.contains(v) || !b.contains(w) {
			t.Fatalf("%d not in %+v, or %d not in %+v", v, a, w, b)
		}
		for _, op := range []scalar.Op{scalar.Mul, scalar.Lsh, scalar.Add, scalar.Sub} {
			if op == scalar.Lsh && w > 63 {
				continue
			}
			if x, c := compute(op, v, a, w, b); !c.contains(x) {
				t.Fatalf("%v of %d in %+v and %d in %+v: %d not in %+v", op, v, a, w, b, x, c)
			}
		}
		j := mergeAlts(a, b)
		if !j.contains(v) || !j.contains(w) || !a.leq(&j) || !b.leq(&j) {
			t.Fatalf("%+v and %+v are not in %+v", a, b, j)
		}
		if a.leq(&b) && !b.contains(v) {
			t.Fatalf("%d in %+v, said to be in %+v", v, a, b)
		}
	})
}

// An index into structures of 24 bytes, the field at 8, of the tables at 104.
func TestStride(t *testing.T) {
	_, a := compute(scalar.Mul, 0, Alt{Kind: Number, Off: scalar.Range(0, 3)}, 24, Alt{Kind: Number, Off: scalar.Const(24)})
	_, a = compute(scalar.Add, 0, a, 112, Alt{Kind: Number, Off: scalar.Const(112)})
	if want := (stride{24, 16}); a.str != want {
		t.Errorf("%+v, want %+v", a.str, want)
	}
	if _, b := compute(scalar.Mul, 0, Alt{Kind: Number, Off: scalar.Unknown()}, 24, Alt{Kind: Number, Off: scalar.Const(24)}); b.str.step != 0 {
		t.Errorf("a product that may wrap: %+v", b.str)
	}
}
