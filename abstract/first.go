package abstract

import (
	"math"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Numbers of Linux 6.1 are kept as scalar.Ranges, which most sets hold as they are. It links only registers
// that are copied as a whole, and slots into which linked ones are stored; a number of which nothing is
// known, or a 0, leaves but bytes there.

// isFirst reports whether numbers are those of Linux 6.1.
func (r *run) isFirst() bool {
	if r.a.opt.Rules != Verifier {
		return false
	}
	r.a.f.usedQuirks.RangesFirst, r.a.f.usedQuirks.Guessed = true, true
	return r.a.opt.Quirks.RangesFirst
}

// holdFirst makes a number, which must not be shared, what Linux 6.1 has as these ranges. If they
// contradict each other, ok is false: nothing is known of the number.
func (a *Alt) holdFirst(r scalar.Ranges) (ok bool) {
	a.ranges = nil
	if !r.Consistent() {
		a.Off = unknown
		a.flags |= loose
		return false
	}
	var exact bool
	a.Off, exact = r.Set()
	if a.flags &^= loose; !exact {
		a.ranges = new(r)
		a.flags |= loose
	}
	return true
}

// aluFirst computes the result of an operation, and reports whether it is the kernel's.
func (r *run) aluFirst(out *Value, op scalar.Op, is32 bool, dst, src *Alt) bool {
	out.wide = nil
	if vague(dst) && op != scalar.Mov || vague(src) {
		out.Off, out.ranges = unknown, nil
		out.flags |= loose
		return false
	}
	ok := out.holdFirst(scalar.ComputeFirst(op, is32, dst.inRanges(), src.inRanges()))
	if _, fixed := out.Off.IsConst(); fixed && dst.wide == nil && src.wide == nil {
		_, x := dst.Off.IsConst()
		if _, y := src.Off.IsConst(); y && (x || op == scalar.Mov) {
			return ok
		}
	}
	if dst.wide != nil || src.wide != nil || r.a.cover.wants(dst.flags|src.flags) {
		out.cover(coverFirst(op, is32, src))
	}
	return ok
}

// coverFirst returns what covers the result of an operation whatever one of its operands is.
func coverFirst(op scalar.Op, is32 bool, src *Alt) scalar.S {
	c, fixed := src.Off.IsConst()
	if is32 {
		c = uint64(uint32(c))
	}
	switch {
	case src.wide != nil && op != scalar.Mov:
	case op == scalar.And && fixed && c <= math.MaxInt32:
		return scalar.Range(0, c)
	case op == scalar.Rsh && fixed && is32 && c < 32:
		return scalar.Range(0, math.MaxUint32>>c)
	case op == scalar.Rsh && fixed && !is32 && c < 64:
		return scalar.Range(0, math.MaxUint64>>c)
	case op == scalar.Mov && is32:
		return scalar.Range(0, math.MaxUint32)
	}
	return unknown
}

// narrowFirst returns what a load of so many bytes of a number from the stack gives.
func (r *run) narrowFirst(v *Value, size int) *Value {
	w := *v
	w.str = stride{}
	w.wide = nil
	any := scalar.KernelNarrow(unknown, size, false)
	if vague(&v.Alt) {
		w.Off = any
	} else {
		w.holdFirst(v.inRanges().NarrowFirst(size))
	}
	if v.wide != nil || r.a.cover.wants(v.flags) {
		w.cover(any)
	}
	return &w
}

// spillFirst stores a number to the lowest bytes of a slot.
//
// Source: kernel/bpf/verifier.c check_stack_write_fixed_off, Linux 6.1.
func (r *run) spillFirst(f *frame, lo int64, size int, v *Value) {
	num := int16(-lo / 8)
	switch {
	case v.zero():
		f.overwrite(lo, lo+int64(size), byteZero)
		return
	case v.Off == unknown && v.flags&loose == 0:
		f.overwrite(lo, lo+int64(size), byteMisc)
		return
	case vague(&v.Alt):
		v = v.unlinked()
	}
	if !v.fixed() && (v.wide != nil || r.a.cover.wants(v.flags)) {
		w := *v
		w.cover(unknown)
		v = &w
	}
	f.spill(num, size, v, Verifier)
	for b := range f.at(num).bytes {
		if k := &f.at(num).bytes[b]; *k != byteSpill && *k != byteInvalid {
			*k = byteMisc
		}
	}
}

// refineFirst is refine for Linux 6.1.
func (c *compare) refineFirst(s *State, cond scalar.Cond, on side) {
	left, right := *c.a, *c.b
	left.str, right.str = stride{}, stride{}
	x, y := scalar.RefineFirst(cond, c.is32, c.a.inRanges(), c.b.inRanges())
	known := !vague(&c.a.Alt) && !vague(&c.b.Alt)
	c.learnFirst(s, &left, x, c.b, cond, known)
	c.learnFirst(s, &right, y, c.a, cond.Flip(), known)
	left.flags |= c.b.flags & stands
	right.flags |= c.a.flags & stands
	c.update(s, c.dst, c.a, &left, on)
	if c.src != noReg {
		c.update(s, c.src, c.b, &right, on)
	}
	c.sync(s, c.src)
	c.sync(s, c.dst)
}

// learnFirst makes v what is known of an operand; known says that the ranges are the kernel's.
func (c *compare) learnFirst(s *State, v *Value, to scalar.Ranges, other *Value, cond scalar.Cond, known bool) {
	k, fixed := other.Off.IsConst()
	fixed = fixed && !vague(&other.Alt)
	old, wanted := v.held(), v.wide != nil || c.stands()
	switch {
	case v.fixed():
		return
	case fixed && cond == scalar.JEQ && !c.is32:
		v.wide = nil
		v.holdFirst(scalar.RangesOf(scalar.Const(k)))
		return
	case known:
		v.wide = nil
		s.cover = !v.holdFirst(to) || s.cover
	default:
		v.wide, v.ranges, v.Off = nil, nil, unknown
		v.flags |= loose
	}
	if wanted {
		v.cover(c.widestFirst(old, k, fixed && other.wide == nil, cond))
	}
}

// widestFirst returns what covers an operand, which old covered before, after a comparison.
func (c *compare) widestFirst(old scalar.S, k uint64, fixed bool, cond scalar.Cond) scalar.S {
	if c.is32 || cond == scalar.JNSET || old.Umax() > math.MaxInt32 {
		old = unknown
	}
	if !fixed || cond == scalar.JSET || cond == scalar.JNSET || cond == scalar.JNE || k > math.MaxInt32 {
		return old
	}
	x, _ := scalar.KernelRefine(cond, c.is32, old, scalar.Const(k))
	if x.Empty() {
		return old
	}
	return x
}

// sameFirst reports whether a comparison of a register with itself changes what is known of it.
func (c *compare) sameFirst() bool {
	if !c.r.isFirst() || c.is32 {
		return false
	}
	a := c.a.inRanges()
	x, _ := scalar.RefineFirst(scalar.JEQ, false, a, a)
	return vague(&c.a.Alt) || x != a
}

// of returns the quirks for a program. How often Linux 6.1 follows functions that are called back is not
// modelled: then its numbers are guesses.
func (q Quirks) of(p *bytecode.Program) Quirks {
	if !q.RangesFirst {
		return q
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		in := p.Insns[pc]
		if in.Code == bytecode.CodeCall && in.Src != bytecode.CallSubprogram && callsBack(p, pc) {
			q.RangesFirst, q.Guessed = false, true
			break
		}
	}
	return q
}
