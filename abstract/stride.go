package abstract

import (
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// stride describes numbers at equal distances: v = rem + k * step. Known bits describe that for
// powers of two, but an index into an array of structures may be a multiple of 24. Numbers with a
// stride are below 2^31, so that sums do not wrap. A step of 0 means no stride.
//
// Additions, subtractions, shifts and products with constants keep it; all other operations lose
// it. A congruence domain of its own, reduced with the others, was not worth its cost: strides
// matter where labels are loaded.
type stride struct{ step, rem uint32 }

// strideLimit is what numbers with a stride are below.
const strideLimit = 1 << 31

// congruence returns what the alternative's offsets are congruent to: rem modulo
// step, where step 0 is the number rem alone.
func (a *Alt) congruence() (step, rem uint64, ok bool) {
	if c, isConst := a.Off.IsConst(); isConst {
		return 0, c, c < strideLimit
	}
	return uint64(a.str.step), uint64(a.str.rem), a.str.step != 0
}

// newStride returns the stride of numbers in off that are rem modulo step.
func newStride(step, rem uint64, off scalar.S) stride {
	if _, isConst := off.IsConst(); isConst || step <= 1 || step >= strideLimit || off.Umax() >= strideLimit {
		return stride{}
	}
	return stride{uint32(step), uint32(rem % step)}
}

// strideOf returns the stride of what is computed of a and b, as far as off is.
func strideOf(op scalar.Op, a, b *Alt, off scalar.S) stride {
	sa, ra, okA := a.congruence()
	sb, rb, okB := b.congruence()
	switch op {
	case scalar.Mul, scalar.Lsh:
		if !okB || sb != 0 || off.Umax() >= strideLimit {
			return stride{}
		}
		factor := rb
		if op == scalar.Lsh {
			factor = 1 << min(rb, 63)
		}
		if !okA {
			sa, ra = 1, 0
		}
		// The product of the largest number must not have wrapped.
		if hi, lo := bits.Mul64(a.Off.Umax(), factor); hi != 0 || lo >= strideLimit {
			return stride{}
		}
		return newStride(sa*factor, ra*factor, off)
	case scalar.Add, scalar.Sub:
		if c, isConst := b.Off.IsConst(); isConst && !okB { // negative, perhaps
			sb, rb, okB = 0, c, true
		}
		g := gcd(sa, sb)
		if !okA || !okB || g == 0 {
			return stride{}
		}
		ra, rb = ra%g, signedMod(rb, g)
		if op == scalar.Sub {
			rb = (g - rb) % g
		}
		return newStride(g, ra+rb, off)
	}
	return stride{}
}

// signedMod returns the remainder of a signed number, from 0 up.
func signedMod(v, m uint64) uint64 {
	if s := int64(v); s < 0 {
		return (m - uint64(-s)%m) % m
	}
	return v % m
}

// joinStrides returns the stride that the numbers of both alternatives have.
func joinStrides(a, b *Alt, off scalar.S) stride {
	sa, ra, okA := a.congruence()
	sb, rb, okB := b.congruence()
	if !okA || !okB {
		return stride{}
	}
	g := gcd(gcd(sa, sb), max(ra, rb)-min(ra, rb))
	if _, isConst := off.IsConst(); isConst || g <= 1 {
		return stride{}
	}
	return stride{uint32(g), uint32(ra % g)} // both are below the limit, whatever off has become
}

// leqStride reports whether the numbers of a have the stride of b.
func (a *Alt) leqStride(b *Alt) bool {
	if b.str.step == 0 || a.str == b.str {
		return true
	}
	step, rem, ok := a.congruence()
	m := uint64(b.str.step)
	return ok && step%m == 0 && rem%m == uint64(b.str.rem)
}

// has reports whether v has the stride.
func (s stride) has(v uint64) bool {
	return s.step == 0 || v < strideLimit && v%uint64(s.step) == uint64(s.rem)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
