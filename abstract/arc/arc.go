// Package arc represents sets of words as arcs of the number circle: a first member and how many
// steps follow it, wrapping past the largest word to 0.
//
//	     0
//	-5 __|__ 7         arc.SRange[uint64](-5, 7)
//	 /       \         is {Base: -5, Size: 12},
//	|         |        unsigned it wraps,
//	 \_______/         signed it is the range [-5, 7].
//	MIN   MAX
//
// One arc is at least as precise as a pair of signed and unsigned ranges: addition and subtraction
// are exact until an arc covers the circle.
//
// The operations named for kernel rules have the kernel's results, bit for bit
// (kernel/bpf/cnum.c, Linux 7.3, "circular numbers"); Meet, Join, Scale and
// Truncate are our own. Related: Gange, Navas, Schachte, Søndergaard and
// Stuckey, "Interval Analysis and Machine Arithmetic: Why Signedness Ignorance
// Is Bliss", TOPLAS 2014, https://doi.org/10.1145/2651360, who call them
// wrapped intervals. The package knows nothing of single bits: see
// abstract/tnum.
package arc

import "fmt"

// Word is a machine word. Programs use 32 and 64 bits; tests run the same code
// on circles of a few points.
type Word interface{ uint8 | uint32 | uint64 }

// Arc is the set {Base, Base+1, …, Base+Size}, modulo the word size. All arcs
// that the package makes are normal: the full arc is {0, MAX} and the empty one
// {MAX, MAX}. The zero Arc is the constant 0. Arcs are comparable with ==.
type Arc[T Word] struct {
	Base T // first member
	Size T // number of members, less one
}

// U64 and U32 are the arcs of a whole register and of its low half.
type (
	U64 = Arc[uint64]
	U32 = Arc[uint32]
)

// Full returns the arc of all words.
func Full[T Word]() Arc[T] { return whole[T]().full() }

// Empty returns the arc without members.
func Empty[T Word]() Arc[T] { return whole[T]().empty() }

// Const returns the arc that holds v alone.
func Const[T Word](v T) Arc[T] { return Arc[T]{Base: v} }

// URange returns the arc from lo up to hi; for lo > hi it wraps.
func URange[T Word](lo, hi T) Arc[T] { return whole[T]().arc(lo, hi-lo) }

// SRange returns the arc from lo up to hi, signed numbers of the word's width.
func SRange[T Word](lo, hi int64) Arc[T] { return URange(T(lo), T(hi)) }

// IsEmpty reports whether the arc has no members.
func (a Arc[T]) IsEmpty() bool { return a == Empty[T]() }

// IsFull reports whether every word is a member.
func (a Arc[T]) IsFull() bool { return a.Size == ^T(0) && !a.IsEmpty() }

// IsConst reports whether the arc has one member, which is then Base.
func (a Arc[T]) IsConst() bool { return a.Size == 0 }

// Last returns the last member, Base + Size. It has no meaning for the empty
// arc.
func (a Arc[T]) Last() T { return a.Base + a.Size }

// Contains reports whether v is a member.
func (a Arc[T]) Contains(v T) bool { return whole[T]().contains(a, v) }

// Umin returns the smallest member as an unsigned number: 0 if the arc wraps
// past MAX, or is empty.
func (a Arc[T]) Umin() T {
	if a.Size > ^T(0)-a.Base {
		return 0
	}
	return a.Base
}

// Umax returns the largest member as an unsigned number: MAX if the arc wraps
// past MAX, or is empty.
func (a Arc[T]) Umax() T {
	if a.Size > ^T(0)-a.Base {
		return ^T(0)
	}
	return a.Base + a.Size
}

// Smin returns the smallest member as a signed number: the smallest one of the
// width if the arc passes from the largest to it.
func (a Arc[T]) Smin() int64 { return whole[T]().smin(a) }

// Smax returns the largest member as a signed number: the largest one of the
// width if the arc passes from it to the smallest.
func (a Arc[T]) Smax() int64 { return whole[T]().smax(a) }

// Includes reports whether every member of b is one of a.
func (a Arc[T]) Includes(b Arc[T]) bool { return whole[T]().includes(a, b) }

// Add returns the sums.
func (a Arc[T]) Add(b Arc[T]) Arc[T] { return whole[T]().add(a, b) }

// Neg returns the negations.
func (a Arc[T]) Neg() Arc[T] { return whole[T]().neg(a) }

// Sub returns the differences a - b.
func (a Arc[T]) Sub(b Arc[T]) Arc[T] { return a.Add(b.Neg()) }

// Scale returns a superset of the products with c: full if the arc would cover
// the circle. For c a power of two it is a shift to the left.
func (a Arc[T]) Scale(c T) Arc[T] { return whole[T]().scale(a, c) }

// Intersect returns the common members if they are one arc. If they are two,
// it returns the smaller of a and b, as the kernel does; so the result always
// includes the common members, but may not lie inside both operands.
func (a Arc[T]) Intersect(b Arc[T]) Arc[T] {
	c, one := whole[T]().intersect(a, b)
	if one {
		return c
	}
	if b.Size < a.Size || b.Size == a.Size && b.Base < a.Base {
		return b
	}
	return a
}

// Meet returns the common members if they are one arc, and else a. The result
// always lies inside a.
func (a Arc[T]) Meet(b Arc[T]) Arc[T] {
	c, one := whole[T]().intersect(a, b)
	if one {
		return c
	}
	return a
}

// Join returns the smallest arc that includes a and b; of two, the one that
// does not wrap.
func (a Arc[T]) Join(b Arc[T]) Arc[T] { return whole[T]().join(a, b) }

// String returns the arc as "[base +size]", "empty" or "full".
func (a Arc[T]) String() string {
	switch {
	case a.IsEmpty():
		return "empty"
	case a.IsFull():
		return "full"
	}
	return fmt.Sprintf("[%#x +%#x]", a.Base, a.Size)
}
