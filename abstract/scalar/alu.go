package scalar

import (
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// ALU returns a set that holds Eval(op, is32, x, y) for every x in dst and y
// in src. For a unary op src has no part, but must not be empty. Each part of
// the result is the kernel's, intersected with bounds that the kernel does not
// compute: the methods of operand, one for a group of operations, return these.
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

// Narrow returns the result of loading so many bytes, 1 to 8, of a value s: its
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
	return S{Var: t, R64: r.Meet(fromLow(op, dst, src)), R32: arc.Full[uint32]()}
}

// fromLow returns what the low half of dst shows about a 64-bit operation by a
// constant that keeps nothing else: compilers zero-extend by a mask, or by
// shifting up and down again.
func fromLow(op Op, dst, src S) arc.U64 {
	c, ok := src.IsConst()
	switch {
	case !ok:
	case op == And && c != 0 && c&(c+1) == 0 && c < 1<<32:
		lo, hi := lowRange(dst, uint(bits.Len64(c)))
		return arc.URange(lo, hi)
	case op == Lsh && c&63 >= 32:
		// A low half that wraps is right, too: 2^32 << 32 is 0.
		return arc.U64{Base: uint64(dst.R32.Base), Size: uint64(dst.R32.Size)}.Scale(1 << (c & 63))
	}
	return arc.Full[uint64]()
}

// lowRange returns the range of the low bits (1 to 32 of them) of the members
// of s, by whichever arc tells one.
func lowRange(s S, bits uint) (lo, hi uint64) {
	lo, hi, ok := arc.Truncate(s.R64, bits)
	if !ok && s.R32.Size != ^uint32(0) {
		lo, hi, _ = arc.Truncate(arc.U64{Base: uint64(s.R32.Base), Size: uint64(s.R32.Size)}, bits)
	}
	return lo, hi
}

// lowOnly is a 32-bit result, zero-extended.
func lowOnly(a arc.U32, t tnum.T) S {
	return zeroExtend32(S{Var: t, R32: a})
}

// truncate is Narrow by the ends of an arc: exact, if the low bytes of its
// members are one range.
func truncate(s S, bytes int, signed bool) S {
	width := uint(8 * bytes)
	r := Unknown()
	if !signed {
		r.Var = s.Var.Cast(bytes)
		r.R64 = arc.URange(lowRange(s, width))
		return r
	}
	r.Var = s.Var.SignExtend(bytes)
	// Adding half the range turns the order of signed numbers into that of
	// unsigned ones.
	half := uint64(1) << (width - 1)
	s.R64 = s.R64.Add(arc.Const(half))
	s.R32 = s.R32.Add(arc.Const(uint32(half)))
	lo, hi := lowRange(s, width)
	r.R64 = arc.URange(lo-half, hi-half)
	r.R32 = arc.Low(r.R64)
	return r
}
