package scalar

import (
	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// KernelSync returns s with each part refined by the others, as the verifier does after every
// operation (kernel/bpf/verifier.c, reg_bounds_sync, Linux 7.3). A set with an empty arc is
// returned as it is. It is sound for sets that have a member; of others it may make one that has.
func KernelSync(s S) S { return syncParts(s, false) }

// syncParts is KernelSync, or with cover what covers it: see CoverRefine.
func syncParts(s S, cover bool) S {
	if s.Empty() || s.Var.IsConst() && s == Const(s.Var.Value) {
		return s // a constant that all parts know: the rules below leave it
	}
	s = updateBounds(s, cover)
	for range 2 {
		s.R32 = meet(s.R32, arc.Low(s.R64), cover, false)
		s.R64 = arc.MeetLow(s.R64, s.R32)
	}
	s.Var = s.Var.Intersect(tnum.Range(s.Umin(), s.Umax()))
	low := tnum.Range(uint64(s.U32min()), uint64(s.U32max()))
	s.Var = s.Var.WithLow(s.Var.Low().Intersect(low))
	return updateBounds(s, cover)
}

// updateBounds refines the arcs by the known bits (__update_reg_bounds), and detects whether only
// one member of Var lies between Umin and Umax. The test for last does not look at Umax; on a set
// without members it may be wrong. With cover it finds out nothing.
func updateBounds(s S, cover bool) S {
	s.R32 = meet(s.R32, lowArc(s.Var), cover, false)
	s.R64 = meet(s.R64, wholeArc(s.Var), cover, false)
	if cover {
		return s // a part of s may have one member that goes unnoticed
	}
	lo, hi := s.Umin(), s.Umax()
	next, last := s.Var.Step(lo), s.Var.Max()
	switch in := s.Var.Contains(lo); {
	case in && next > hi:
		return Const(lo)
	case !in && next == last:
		return Const(last)
	case !in && next <= hi && s.Var.Step(next) > hi:
		return Const(next)
	}
	return s
}

// KernelSanity returns s as the verifier keeps it after an ALU operation or
// before it forks at a branch (reg_bounds_sanity_check): if the parts
// contradict one another, both arcs are forgotten, and ok is false. With
// BPF_F_TEST_REG_INVARIANTS the kernel then refuses the program.
func KernelSanity(s S) (_ S, ok bool) {
	low := s.Var.Low()
	switch {
	case s.Empty():
	case s.Var.IsConst() && s.R64 != arc.Const(s.Var.Value):
	case low.IsConst() && s.R32 != arc.Const(uint32(low.Value)):
	default:
		return s, true
	}
	return S{Var: s.Var, R64: arc.Full[uint64](), R32: arc.Full[uint32]()}, false
}

// zeroExtend32 makes the low half the whole register (zext_32_to_64).
func zeroExtend32(s S) S {
	s.Var = s.Var.Low()
	s.R64 = arc.URange(uint64(s.U32min()), uint64(s.U32max()))
	return s
}

// KernelNarrow returns what the verifier knows after a load of so many bytes, 1 to 8, or of s after
// a partial fill from the stack (coerce_reg_to_size, coerce_reg_to_size_sx).
func KernelNarrow(s S, bytes int, signed bool) S {
	switch {
	case bytes >= 8:
		return s
	case signed:
		return signExtend64(s, bytes)
	}
	s.Var = s.Var.Cast(bytes)
	keep := uint64(1)<<(8*bytes) - 1
	if s.Umin()&^keep == s.Umax()&^keep {
		s.R64 = arc.URange(s.Umin()&keep, s.Umax()&keep)
	} else {
		s.R64 = arc.URange(0, keep)
	}
	if bytes < 4 {
		s.R32 = arc.Full[uint32]()
	}
	return KernelSync(s)
}

// signExtend64 is coerce_reg_to_size_sx: ranges survive if their ends share
// the bits above the width, and the sign after. It ends without KernelSync.
func signExtend64(s S, bytes int) S {
	k := 64 - 8*bytes
	sext := func(v uint64) int64 { return int64(v<<k) >> k }
	if s.Var.IsConst() {
		return Const(uint64(sext(s.Var.Value)))
	}
	lo, hi := uint64(s.Smin()), uint64(s.Smax())
	if lo>>(8*bytes) == hi>>(8*bytes) {
		a, b := sext(lo), sext(hi)
		if a, b = min(a, b), max(a, b); a >= 0 == (b >= 0) {
			return S{
				Var: tnum.Range(uint64(a), uint64(b)),
				R64: arc.SRange[uint64](a, b),
				R32: arc.SRange[uint32](a, b),
			}
		}
	}
	least := int64(-1) << (8*bytes - 1)
	return S{
		Var: tnum.Unknown(),
		R64: arc.SRange[uint64](least, ^least),
		R32: arc.SRange[uint32](least, ^least),
	}
}

// signExtend32 is coerce_subreg_to_size_sx, for sign-extending moves of 32 bits.
// The high half of its result means nothing until it is zero-extended.
func signExtend32(s S, bytes int) S {
	if bytes >= 4 {
		return s
	}
	k := 32 - 8*bytes
	sext := func(v uint32) int32 { return int32(v<<k) >> k }
	if s.Var.IsConst() {
		return Const(uint64(uint32(sext(uint32(s.Var.Value)))))
	}
	s.R64 = arc.Full[uint64]()
	lo, hi := uint32(s.S32min()), uint32(s.S32max())
	if lo>>(8*bytes) == hi>>(8*bytes) {
		a, b := sext(lo), sext(hi)
		if a, b = min(a, b), max(a, b); a >= 0 == (b >= 0) {
			s.Var = tnum.Range(uint64(int64(a)), uint64(int64(b))).Low()
			s.R32 = arc.SRange[uint32](int64(a), int64(b))
			return s
		}
	}
	least := int64(-1) << (8*bytes - 1)
	s.Var = tnum.Unknown().Low()
	s.R32 = arc.SRange[uint32](least, ^least)
	return s
}
