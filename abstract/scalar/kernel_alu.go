package scalar

import (
	"math"
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// KernelALU returns what the verifier knows of the result of op on the scalars dst and src
// (kernel/bpf/verifier.c, check_alu_op and adjust_scalar_min_max_vals, Linux 7.3). An immediate
// operand is Const(sign-extended imm). The caller must refuse what the kernel refuses: an immediate
// divisor 0, or a shift by the width or more. Here the result is that of a register with this
// value.
//
// When the result is "not computable", a shift or division by a variable, the
// register becomes wholly unknown, also for a 32-bit operation.
//
// AND and OR with a constant may fork the path before: see KernelFork.
func KernelALU(op Op, is32 bool, dst, src S) S {
	switch op {
	case Mov:
		if is32 {
			return KernelSync(zeroExtend32(src))
		}
		return src
	case MovSX8, MovSX16, MovSX32:
		if is32 {
			return KernelSync(zeroExtend32(signExtend32(src, op.sxBytes())))
		}
		return signExtend64(src, op.sxBytes())
	}
	if n, swap := op.endBytes(); n != 0 {
		return kernelEnd(dst, n, swap)
	}
	if !computable(op, is32, src) {
		return Unknown()
	}
	s := compute(op, is32, dst, src)
	if is32 {
		s = zeroExtend32(s)
	}
	return KernelSync(s)
}

// kernelEnd is KernelALU for the byte order operations.
func kernelEnd(s S, bytes int, swap bool) S {
	if swap {
		s = S{Var: s.Var.Swap(bytes), R64: arc.Full[uint64](), R32: arc.Full[uint32]()}
	}
	if bytes < 8 {
		s = KernelNarrow(s, bytes, false)
	}
	return KernelSync(s)
}

// computable is is_safe_to_compute_dst_reg_range: divisors must be constants
// at the operation's width, shifts constants whose 64 bits are below it.
func computable(op Op, is32 bool, src S) bool {
	isConst := src.Var.IsConst() && src.R64.IsConst()
	width := uint64(64)
	if is32 {
		isConst = src.Var.Low().IsConst() && src.R32.IsConst()
		width = 32
	}
	switch op {
	case Div, SDiv, Mod, SMod:
		return isConst
	case Lsh, Rsh, Arsh:
		return isConst && src.Umax() < width
	}
	return true
}

// compute is the operation on all three parts; those of the other width that
// it does not keep become unknown.
func compute(op Op, is32 bool, d, s S) S {
	switch op {
	case Add:
		return S{d.Var.Add(s.Var), d.R64.Add(s.R64), d.R32.Add(s.R32)}
	case Sub:
		return S{d.Var.Sub(s.Var), d.R64.Sub(s.R64), d.R32.Sub(s.R32)}
	case Neg:
		return S{d.Var.Neg(), d.R64.Neg(), d.R32.Neg()}
	case Mul:
		return S{d.Var.Mul(s.Var), mulRange64(d, s), mulRange32(d, s)}
	case And, Or, Xor:
		return bitwise(op, d, s)
	case Lsh, Rsh, Arsh:
		k := uint(s.Var.Value & 63)
		if is32 {
			return shift32(op, d, k)
		}
		return shift64(op, d, k)
	}
	if is32 {
		return divide32(op, d, uint32(s.Var.Value))
	}
	return divide64(op, d, s.Var.Value)
}

// mulRange64 bounds the products as unsigned numbers, as signed ones, and
// takes both; a bound that overflows is none.
func mulRange64(d, s S) arc.U64 {
	u := arc.Full[uint64]()
	hi, low := bits.Mul64(d.Umin(), s.Umin())
	hi2, high := bits.Mul64(d.Umax(), s.Umax())
	if hi == 0 && hi2 == 0 {
		u = arc.URange(low, high)
	}
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for _, x := range [2]int64{d.Smin(), d.Smax()} {
		for _, y := range [2]int64{s.Smin(), s.Smax()} {
			p, ok := mulSigned(x, y)
			if !ok {
				return u
			}
			least, most = min(least, p), max(most, p)
		}
	}
	return u.Intersect(arc.SRange[uint64](least, most))
}

// mulSigned returns x*y, and whether that did not overflow.
func mulSigned(x, y int64) (int64, bool) {
	p := x * y
	if x == 0 {
		return 0, true
	}
	overflow := p/x != y || x == -1 && y == math.MinInt64
	return p, !overflow
}

func mulRange32(d, s S) arc.U32 {
	u := arc.Full[uint32]()
	if high := uint64(d.U32max()) * uint64(s.U32max()); high <= math.MaxUint32 {
		u = arc.URange(d.U32min()*s.U32min(), uint32(high))
	}
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for _, x := range [2]int32{d.S32min(), d.S32max()} {
		for _, y := range [2]int32{s.S32min(), s.S32max()} {
			p := int64(x) * int64(y)
			least, most = min(least, p), max(most, p)
		}
	}
	if least < math.MinInt32 || most > math.MaxInt32 {
		return u
	}
	return u.Intersect(arc.SRange[uint32](least, most))
}

// bitwise is scalar_min_max_and, _or and _xor with their 32-bit forms.
func bitwise(op Op, d, s S) S {
	var t tnum.T
	switch op {
	case And:
		t = d.Var.And(s.Var)
	case Or:
		t = d.Var.Or(s.Var)
	default:
		t = d.Var.Xor(s.Var)
	}
	lo, hi := t.Min(), t.Max()
	lo32, hi32 := uint32(t.Min()), uint32(t.Max())
	switch op {
	case And:
		hi, hi32 = min(d.Umax(), s.Umax()), min(d.U32max(), s.U32max())
	case Or:
		lo, lo32 = max(d.Umin(), s.Umin()), max(d.U32min(), s.U32min())
	}
	r := S{Var: t, R64: arc.URange(lo, hi), R32: arc.URange(lo32, hi32)}
	if d.Var.Low().IsConst() && s.Var.Low().IsConst() {
		r.R32 = arc.Const(uint32(t.Value))
	}
	if d.Var.IsConst() && s.Var.IsConst() {
		return Const(t.Value)
	}
	return updateBounds(r, false)
}

// lshRange32 is the low half shifted left, if no bit falls out of its range.
func lshRange32(d S, k uint) arc.U32 {
	if k > 31 || d.U32max() > 1<<(31-k) {
		return arc.Full[uint32]()
	}
	return arc.URange(d.U32min()<<k, d.U32max()<<k)
}

// shift64 shifts by k, 0 to 63.
func shift64(op Op, d S, k uint) S {
	r := Unknown()
	switch op {
	case Lsh:
		signed := arc.Full[uint64]()
		if k == 32 { // the compiler's way to sign-extend: shift up and down again
			signed = arc.SRange[uint64](int64(d.S32min())<<32, int64(d.S32max())<<32)
		}
		unsigned := arc.Full[uint64]()
		if d.Umax() <= 1<<(63-k) {
			unsigned = arc.URange(d.Umin()<<k, d.Umax()<<k)
		}
		r = S{Var: d.Var.Lsh(k), R64: signed.Intersect(unsigned), R32: lshRange32(d, k)}
	case Rsh:
		r.Var, r.R64 = d.Var.Rsh(k), arc.URange(d.Umin()>>k, d.Umax()>>k)
	case Arsh:
		r.Var, r.R64 = d.Var.Arsh(k), arc.SRange[uint64](d.Smin()>>k, d.Smax()>>k)
	}
	return updateBounds(r, false)
}

// shift32 shifts the low half by k, 0 to 31.
func shift32(op Op, d S, k uint) S {
	r := Unknown()
	switch low := d.Var.Low(); op {
	case Lsh:
		r.Var, r.R32 = low.Lsh(k).Low(), lshRange32(d, k)
	case Rsh:
		r.Var, r.R32 = low.Rsh(k), arc.URange(d.U32min()>>k, d.U32max()>>k)
	case Arsh:
		r.Var, r.R32 = low.Arsh32(k), arc.SRange[uint32](int64(d.S32min()>>k), int64(d.S32max()>>k))
	}
	r.R32 = r.R32.Intersect(lowArc(r.Var))
	return r
}

// KernelFork reports whether the verifier splits the path at dst & src or
// dst | src, and if so the two values of dst with which it goes on: src must be
// constant and dst be exactly 0 or -1 (maybe_fork_scalars). The first is that
// of the path it follows, the second is pushed and executes the instruction
// again.
func KernelFork(op Op, dst, src S) (now, later S, forks bool) {
	if op != And && op != Or || !src.Var.IsConst() {
		return dst, dst, false
	}
	switch {
	case dst.Smin() == -1 && dst.Smax() == 0:
		return Const(math.MaxUint64), Const(0), true
	case dst.S32min() == -1 && dst.S32max() == 0:
		return kernelSet32(dst, math.MaxUint32), kernelSet32(dst, 0), true
	}
	return dst, dst, false
}

// kernelSet32 makes the low half a constant and leaves R64, as the kernel does
// (__mark_reg32_known).
func kernelSet32(s S, v uint32) S {
	s.Var = s.Var.WithLow(tnum.Const(uint64(v)))
	s.R32 = arc.Const(v)
	return s
}

// KernelPtrOffset returns the offset of a pointer after adding to it the scalar v, or with sub
// subtracting it (adjust_ptr_min_max_vals): as for a scalar, but the low half is computed again. The
// caller must know what the kernel refuses, and that it omits the final KernelSync for packet
// pointers that keep their range.
func KernelPtrOffset(off, v S, sub bool) S {
	r := S{R32: arc.Full[uint32]()}
	if sub {
		r.Var, r.R64 = off.Var.Sub(v.Var), off.R64.Sub(v.R64)
	} else {
		r.Var, r.R64 = off.Var.Add(v.Var), off.R64.Add(v.R64)
	}
	return KernelSync(r)
}
