// Package scalar represents the possible numbers in a register, and computes the effect of each
// instruction on them.
//
//	r1 := scalar.Unknown()
//	r1, _, ok := scalar.Refine(scalar.JGT.Negate(), false, r1, scalar.Const(4)) // if r1 > 4: fall-through
//	r1 = scalar.ALU(scalar.Lsh, false, r1, scalar.Const(3))                     // r1 <<= 3
//	r1.Umax(), r1.Var                                                           // 32, (0x0; 0x38)
//	r1.Enumerate(10)                                                            // 0 8 16 24 32
//
// There are two rule sets. The functions KernelALU, KernelSync, KernelRefine and so on give the
// verifier's own answers, bit for bit (Linux 7.3), because verdicts and "range" answers must be the
// verifier's. ALU, Narrow, Decide and Refine are ours: each result lies inside the kernel's for the
// same operands, and is more precise where the kernel gives up needlessly:
//
//   - an ALU32 operation that the kernel cannot compute still clears the high half;
//   - shifts, division and remainder by a variable; signed division;
//   - all operations on two constants; XOR and OR of disjoint bits as addition;
//   - JSET that is not taken keeps ranges, and clears bits known in a variable;
//   - both edges of every branch are refined, also of one that is decided;
//   - ends of ranges are members (a multiple of 8 below 13 is at most 8).
//
// "Inside" holds for each of the three parts (bits, 64-bit arc, 32-bit arc)
// separately, which costs some precision: if two arcs have
// two pieces in common, ours keeps the kernel's arc even if another is smaller.
//
// Both are sound: the result holds Eval(op, x, y) for all x and y in the
// operands. The package imports only the sets it is made of. It does not know
// pointers, registers, or which scalars are linked.
package scalar

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// S is a set of 64-bit words: those that are in Var and in R64 and whose low
// half is in R32. The kernel's bpf_reg_state holds a scalar the same way
// (var_off, r64, r32). S is plain data, comparable with ==; equal sets may have
// different S. The zero S is the constant 0.
type S struct {
	Var tnum.T  // known bits
	R64 arc.U64 // range of the whole register
	R32 arc.U32 // range of the low half
}

// Unknown returns the set of all words.
func Unknown() S {
	return S{Var: tnum.Unknown(), R64: arc.Full[uint64](), R32: arc.Full[uint32]()}
}

// Bottom returns the set without members, as all functions that are ours
// return it.
func Bottom() S {
	return S{R64: arc.Empty[uint64](), R32: arc.Empty[uint32]()}
}

// Const returns the set that holds v alone.
func Const(v uint64) S {
	return S{Var: tnum.Const(v), R64: arc.Const(v), R32: arc.Const(uint32(v))}
}

// Range returns the set of the words from umin up to umax; for umin > umax it
// wraps past the largest word.
func Range(umin, umax uint64) S {
	s := Unknown()
	s.R64 = arc.URange(umin, umax)
	return reduce(s)
}

// SRange returns the set of the words from smin up to smax as signed numbers.
func SRange(smin, smax int64) S { return Range(uint64(smin), uint64(smax)) }

// Bits returns the set of the members of t.
func Bits(t tnum.T) S {
	s := Unknown()
	s.Var = t
	return reduce(s)
}

// IsConst returns the only member, if it is known to be the only one.
func (s S) IsConst() (uint64, bool) {
	switch {
	case s.Empty():
		return 0, false
	case s.Var.IsConst():
		return s.Var.Value, true
	case s.R64.IsConst():
		return s.R64.Base, true
	}
	return 0, false
}

// Empty reports whether the set is known to have no members: an arc is empty. The functions that
// are ours return Bottom if they find a contradiction between the parts; in other sets it goes
// unnoticed.
func (s S) Empty() bool { return s.R64.IsEmpty() || s.R32.IsEmpty() }

// Umin returns a lower bound of the members as unsigned numbers.
func (s S) Umin() uint64 { return s.R64.Umin() }

// Umax returns an upper bound of the members as unsigned numbers.
func (s S) Umax() uint64 { return s.R64.Umax() }

// Smin returns a lower bound of the members as signed numbers.
func (s S) Smin() int64 { return s.R64.Smin() }

// Smax returns an upper bound of the members as signed numbers.
func (s S) Smax() int64 { return s.R64.Smax() }

// U32min returns a lower bound of the low halves as unsigned numbers.
func (s S) U32min() uint32 { return s.R32.Umin() }

// U32max returns an upper bound of the low halves as unsigned numbers.
func (s S) U32max() uint32 { return s.R32.Umax() }

// S32min returns a lower bound of the low halves as signed numbers.
func (s S) S32min() int32 { return int32(s.R32.Smin()) }

// S32max returns an upper bound of the low halves as signed numbers.
func (s S) S32max() int32 { return int32(s.R32.Smax()) }

// Contains reports whether v is a member.
func (s S) Contains(v uint64) bool {
	return s.Var.Contains(v) && s.R64.Contains(v) && s.R32.Contains(uint32(v))
}

// Leq reports whether every part of s lies inside the same part of t, so that
// every member of s is one of t. It may be false for sets that are included:
// it is the kernel's test for scalars (kernel/bpf/states.c, regsafe).
func (s S) Leq(t S) bool {
	if s.Empty() {
		return true
	}
	return t.Var.Includes(s.Var) && t.R64.Includes(s.R64) && t.R32.Includes(s.R32)
}

// String returns all three parts, as in "[0x0 +0x20] low [0x0 +0x20] bits (0x0; 0x38)".
func (s S) String() string {
	if v, ok := s.IsConst(); ok {
		return fmt.Sprintf("%#x", v)
	}
	if s.Empty() {
		return "empty"
	}
	return fmt.Sprintf("%v low %v bits %v", s.R64, s.R32, s.Var)
}
