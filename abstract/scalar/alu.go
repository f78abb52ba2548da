package scalar

import (
	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// ALU returns a set that holds Eval(op, is32, x, y) for every x in dst and y
// in src. For a unary op src has no part, but must not be empty. Each part of
// X what the kernel knows, met with what it does not try for. The methods
// of operand, one for a group of operations, return the latter.
func ALU(op Op, is32 bool, dst, src S) S {
	if dst.Empty() || src.Empty() {
		return Bottom()
	}
	x, xok := dst.IsConst()
	y, yok := src.IsConst()
	if (xok || op.srcOnly()) && (yok || op.Unary()) {
		return Const(Eval(op, is32, x, y))
	}
	if op == Mov && !is32 {
		return src
	}
	return Meet(KernelALU(op, is32, dst, src), extra(op, is32, dst, src))
}

// srcOnly reports whether the result does not depend on dst.
func (op Op) srcOnly() bool { return op >= Mov && op <= MovSX32 }

// Narrow returns what a load of so many bytes, 1 to 8, yields of a value s: its
// low bytes, extended with zeros or with the sign to 64 bits. Each part of the
// result lies inside that of KernelNarrow.
func (s S) Narrow(bytes int, signed bool) S {
	switch {
	case s.Empty():
		return Bottom()
	case bytes >= 8:
		return s
	}
	return Meet(KernelNarrow(s, bytes, signed), truncate(s, bytes, signed))
}

// extra returns what is known of the result beyond the kernel's rules.
func extra(op Op, is32 bool, dst, src S) S {
	switch op {
	case MovSX8, MovSX16, MovSX32:
		s := truncate(src, op.sxBytes(), true)
		if is32 {
			return lowOnly(s.R32, s.Var)
		}
		return s
	case Neg, Mov:
		return Unknown()
	}
	if bytes, swap := op.endBytes(); bytes != 0 {
		if swap || bytes == 8 {
			return Unknown()
		}
		return truncate(dst, bytes, false)
	}
	if is32 {
		r, t := known(op, operandOf(dst.R32, dst.Var.Low(), 32), operandOf(src.R32, src.Var.Low(), 32))
		return lowOnly(r, t)
	}
	r, t := known(op, operandOf(dst.R64, dst.Var, 64), operandOf(src.R64, src.Var, 64))
	return S{Var: t, R64: r, R32: arc.Full[uint32]()}
}

// lowOnly is a 32-bit result, zero-extended.
func lowOnly(a arc.U32, t tnum.T) S {
	return zeroExtend32(S{Var: t, R32: a})
}

// truncate is Narrow by the ends of an arc: exact, if the low bytes of its
// members are one range.
func truncate(s S, bytes int, signed bool) S {
	bits := uint(8 * bytes)
	r := Unknown()
	a := s.R64
	if bytes == 4 && s.R32.Size != ^uint32(0) {
		a = arc.U64{Base: uint64(s.R32.Base), Size: uint64(s.R32.Size)}
	}
	if !signed {
		r.Var = s.Var.Cast(bytes)
		lo, hi, _ := arc.Truncate(a, bits)
		r.R64 = arc.URange(lo, hi)
		return r
	}
	r.Var = s.Var.SignExtend(bytes)
	// Adding half the range turns the order of signed numbers into that of
	// unsigned ones.
	half := uint64(1) << (bits - 1)
	a.Base += half
	lo, hi, _ := arc.Truncate(a, bits)
	r.R64 = arc.URange(lo-half, hi-half)
	r.R32 = arc.Low(r.R64)
	return r
}
