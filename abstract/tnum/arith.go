package tnum

import "math/bits"

// Add returns the sums, modulo 2^64. A result bit is unknown if the operand
// bits are, or if the carry into it differs between the smallest and the
// largest sum.
func (t T) Add(u T) T {
	masks := t.Mask + u.Mask
	values := t.Value + u.Value
	mask := ((masks + values) ^ values) | t.Mask | u.Mask
	return T{Value: values &^ mask, Mask: mask}
}

// Sub returns the differences t - u, modulo 2^64.
func (t T) Sub(u T) T {
	diff := t.Value - u.Value
	mask := ((diff + t.Mask) ^ (diff - u.Mask)) | t.Mask | u.Mask
	return T{Value: diff &^ mask, Mask: mask}
}

// Neg returns the negations, modulo 2^64.
func (t T) Neg() T { return Const(0).Sub(t) }

// And returns the bitwise conjunctions.
func (t T) And(u T) T {
	value := t.Value & u.Value
	return T{Value: value, Mask: (t.Value | t.Mask) & (u.Value | u.Mask) &^ value}
}

// Or returns the bitwise disjunctions.
func (t T) Or(u T) T {
	value := t.Value | u.Value
	return T{Value: value, Mask: (t.Mask | u.Mask) &^ value}
}

// Xor returns the bitwise exclusive disjunctions.
func (t T) Xor(u T) T {
	mask := t.Mask | u.Mask
	return T{Value: (t.Value ^ u.Value) &^ mask, Mask: mask}
}

// Mul returns a superset of the products, modulo 2^64. It is long
// multiplication by the bits of t, where an unknown bit may or may not add: at
// most 64 additions. The operands are not exchangeable; the destination
// register is t.
func (t T) Mul(u T) T {
	sum := Const(0)
	for t != (T{}) {
		switch {
		case t.Value&1 != 0:
			sum = sum.Add(u)
		case t.Mask&1 != 0:
			sum = sum.Union(sum.Add(u))
		}
		t, u = t.Rsh(1), u.Lsh(1)
	}
	return sum
}

// MulFirst is Mul of Linux 6.1, which adds the unknown bits of all partial products to the product of
// the known ones.
func (t T) MulFirst(u T) T {
	product, unknown := Const(t.Value*u.Value), Const(0)
	for t != (T{}) {
		switch {
		case t.Value&1 != 0:
			unknown = unknown.Add(T{Mask: u.Mask})
		case t.Mask&1 != 0:
			unknown = unknown.Add(T{Mask: u.Value | u.Mask})
		}
		t, u = t.Rsh(1), u.Lsh(1)
	}
	return product.Add(unknown)
}

// Lsh returns the members shifted left by k, 0 to 63.
func (t T) Lsh(k uint) T { return T{Value: t.Value << k, Mask: t.Mask << k} }

// Rsh returns the members shifted right by k, 0 to 63, filling with zeros.
func (t T) Rsh(k uint) T { return T{Value: t.Value >> k, Mask: t.Mask >> k} }

// Arsh returns the members shifted right by k, filling with copies of the top
// bit.
func (t T) Arsh(k uint) T {
	return T{Value: uint64(int64(t.Value) >> k), Mask: uint64(int64(t.Mask) >> k)}
}

// Arsh32 returns the low 32 bits of the members shifted right by k, 0 to 31,
// filling with copies of bit 31, and zero-extended.
func (t T) Arsh32(k uint) T {
	return T{
		Value: uint64(uint32(int32(uint32(t.Value)) >> k)),
		Mask:  uint64(uint32(int32(uint32(t.Mask)) >> k)),
	}
}

// Swap returns the low bytes of each member in reverse order, zero-extended;
// bytes is 2, 4 or 8.
func (t T) Swap(bytes int) T {
	k := 64 - 8*bytes
	return T{Value: bits.ReverseBytes64(t.Value) >> k, Mask: bits.ReverseBytes64(t.Mask) >> k}
}
