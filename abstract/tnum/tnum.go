// Package tnum implements tristate numbers: each bit of a 64-bit word is 0, 1 or unknown.
//
//	t := tnum.T{Mask: 7}.Lsh(3)  // an index 0..7, scaled by 8
//	t.Value, t.Mask              // 0, 0x38: a multiple of 8 up to 56
//	t.Contains(12)               // false
//
// Every operation is sound: the result contains op(x, y) for all members x and
// y of the operands. Intersect, Union, And, Or, Xor, Add, Sub, the shifts by a
// constant and the byte swaps are the best tnum there is; Mul is not.
//
// The operations are those of the kernel, bit for bit (kernel/bpf/tnum.c, Linux
// 7.3), since an answer about the verifier must not be better than the
// verifier. Vishwanathan, Shachnai, Narayana and Nagarakatte, "Sound, Precise,
// and Fast Abstract Interpretation with Tristate Numbers", CGO 2022,
// https://doi.org/10.1109/CGO53902.2022.9741267, explains and proves addition
// and subtraction. The package knows nothing of ranges and has no empty value:
// see abstract/scalar for both.
package tnum

import (
	"fmt"
	"math/bits"
)

// T is the set of words v with v &^ Mask == Value. Value & Mask is 0 in every
// T that this package makes, so that equal sets are equal values. The zero T
// is the constant 0.
type T struct {
	Value uint64 // the bits known to be 1
	Mask  uint64 // the bits that are unknown
}

// Const returns the set that holds v alone.
func Const(v uint64) T { return T{Value: v} }

// Unknown returns the set of all words.
func Unknown() T { return T{Mask: ^uint64(0)} }

// Range returns the smallest set that holds every word from lo to hi: the bits
// above the highest one in which they differ are known. For lo > hi it is the
// same set as for hi and lo.
func Range(lo, hi uint64) T {
	n := bits.Len64(lo ^ hi)
	if n > 63 {
		return Unknown()
	}
	mask := uint64(1)<<n - 1
	return T{Value: lo &^ mask, Mask: mask}
}

// IsConst reports whether t has one member, which is then Value.
func (t T) IsConst() bool { return t.Mask == 0 }

// Contains reports whether v is a member.
func (t T) Contains(v uint64) bool { return v&^t.Mask == t.Value }

// Min returns the smallest member.
func (t T) Min() uint64 { return t.Value }

// Max returns the largest member.
func (t T) Max() uint64 { return t.Value | t.Mask }

// Includes reports whether every member of u is one of t.
func (t T) Includes(u T) bool {
	return u.Mask&^t.Mask == 0 && t.Value == u.Value&^t.Mask
}

// Overlaps reports whether t and u have a member in common: they agree on the
// bits that both know.
func (t T) Overlaps(u T) bool {
	return (t.Value^u.Value)&^(t.Mask|u.Mask) == 0
}

// Intersect returns the members that t and u share. When they have none, which
// only Overlaps tells, a bit on which they disagree becomes a known 1.
func (t T) Intersect(u T) T {
	mask := t.Mask & u.Mask
	return T{Value: (t.Value | u.Value) &^ mask, Mask: mask}
}

// Union returns the smallest set that includes t and u.
func (t T) Union(u T) T {
	mask := (t.Value ^ u.Value) | t.Mask | u.Mask
	return T{Value: t.Value & u.Value &^ mask, Mask: mask}
}

// IsAligned reports whether every member is a multiple of size, a power of two in bytes. The
// verifier proves alignment by this, not by a range.
func (t T) IsAligned(size uint64) bool {
	return (t.Value|t.Mask)&(size-1) == 0
}

// Low returns the low 32 bits of each member, zero-extended.
func (t T) Low() T { return t.Cast(4) }

// WithLow returns t with the low 32 bits replaced by those of u.
func (t T) WithLow(u T) T {
	const high = ^uint64(1<<32 - 1)
	u = u.Low()
	return T{Value: t.Value&high | u.Value, Mask: t.Mask&high | u.Mask}
}

// Cast returns each member truncated to the given number of bytes, 1 to 8.
func (t T) Cast(bytes int) T {
	keep := ^uint64(0) >> (64 - 8*bytes)
	return T{Value: t.Value & keep, Mask: t.Mask & keep}
}

// SignExtend returns the low bytes (1 to 8 of them) of each member, extended
// with copies of their top bit; an unknown top bit makes the copies unknown.
func (t T) SignExtend(bytes int) T {
	k := 64 - 8*bytes
	return T{
		Value: uint64(int64(t.Value<<k) >> k),
		Mask:  uint64(int64(t.Mask<<k) >> k),
	}
}

// String returns the set in the notation of the verifier's log, as in
// "(0x8; 0x7)".
func (t T) String() string { return fmt.Sprintf("(%#x; %#x)", t.Value, t.Mask) }
