package abstract

import (
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// By rules Exact a number is without slack when some execution has each of its
// members, and loose else. What a program reads from outside may be anything, each
// reading for itself; a computation keeps that as far as the set of its results
// can be stated, and a branch as far as the set of what is left can. Numbers from
// one reading are not free of each other: when a branch tells something of one,
// others that are not linked to it get loose, as what it says of them is lost.

// sources is a set of readings that a number depends on, each as one of 64 bits:
// sets that meet may depend on the same one, others do not.
type sources uint64

// joined is the source of numbers that differ between states that were joined:
// which of them it is decides about all.
const joined sources = 1 << 63

// sourceAt is the source of what the instruction at pc reads.
func sourceAt(pc bytecode.PC) sources { return 1 << (uint(pc) % 55) }

// sourceInCtx is the source of a field of the context, which is the same number
// each time it is read.
func sourceInCtx(off int64) sources { return 1 << (55 + uint64(off)/8%8) }

// fresh notes that the instruction at pc has read the number in a register from
// outside, unless it is known where it comes from.
func (r *run) fresh(pc bytecode.PC, reg bytecode.Reg, from sources, s *State) {
	v := s.get(reg)
	if _, known := v.constant(); known || r.a.opt.Rules != Exact || !v.is(Number) || v.src != 0 || s.regs[reg] == nil {
		return
	}
	w := *v
	if w.src = from; from == 0 {
		w.src = sourceAt(pc)
	} else if s.tested&from != 0 {
		w.flags |= loose // a branch has been decided by it
	}
	s.set(reg, &w)
}

// few is how many members of a number are looked at one by one.
const few = 256

// members returns the alternative's numbers if they are few.
func (a *Alt) members(limit int) ([]uint64, bool) {
	all, ok := a.Off.Enumerate(limit)
	if !ok || a.str.step == 0 {
		return all, ok
	}
	kept := all[:0]
	for _, v := range all {
		if a.str.has(v) {
			kept = append(kept, v)
		}
	}
	return kept, true
}

// slack reports whether out, what an operation makes of the numbers dst and src,
// may have members that no execution computes.
func slack(op scalar.Op, is32 bool, dst, src, out *Alt) bool {
	if op.Unary() {
		src = dst
	}
	c, byConst := src.Off.IsConst()
	_, ofConst := dst.Off.IsConst()
	if !byConst && !ofConst && !op.Unary() && (dst.src&src.src != 0 || dst.src == 0 || src.src == 0) {
		return true
	}
	limit := few
	if !byConst && !ofConst && !op.Unary() {
		limit = 16
	}
	xs, fewX := dst.members(limit)
	ys, fewY := src.members(limit)
	if !fewX || !fewY {
		if op == scalar.Add && ofConst {
			dst, src = src, dst
			c, byConst = src.Off.IsConst()
		}
		return !byConst || !fits(op, is32, dst.Off, c) && !moved(op, dst.Off, out.Off)
	}
	image := make(map[uint64]struct{}, len(xs))
	for _, x := range xs {
		if op.Unary() {
			image[scalar.Eval(op, is32, x, x)] = struct{}{}
			continue
		}
		for _, y := range ys {
			image[scalar.Eval(op, is32, x, y)] = struct{}{}
		}
	}
	stated, ok := out.members(4 * (len(image) + 1))
	return !ok || len(stated) != len(image)
}

// moved reports whether an operation that maps different numbers to different ones
// has as many results as numbers.
func moved(op scalar.Op, from, to scalar.S) bool {
	const limit = 1 << 13
	if op != scalar.Add && op != scalar.Sub && op != scalar.Lsh && op != scalar.Mul {
		return false
	}
	n, countable := from.Count(limit)
	m, ok := to.Count(limit)
	return countable && ok && n == m
}

// fits reports whether the results of an operation with a constant on many numbers
// are a range, or all words with some bits known, which a number can state.
func fits(op scalar.Op, is32 bool, s scalar.S, c uint64) bool {
	if is32 && s == unknown {
		s = scalar.Range(0, 1<<32-1)
	}
	if is32 && s.Umax() >= 1<<32 {
		return false
	}
	interval := s == scalar.Range(s.Umin(), s.Umax())
	free := s == scalar.Bits(s.Var)
	width := s.Umax() - s.Umin()
	switch op {
	case scalar.Add, scalar.Sub:
		return interval
	case scalar.And:
		return free || interval && width >= 1<<bits.Len64(c)-1
	case scalar.Or, scalar.Xor:
		return free
	case scalar.Rsh, scalar.Arsh:
		return interval || free
	case scalar.Lsh:
		return free || interval && c < 64 && s.Umax()<<c>>c == s.Umax()
	case scalar.Mul:
		full := !is32 && s == unknown || is32 && s.Umin() == 0 && s.Umax() == 1<<32-1
		return full && c&1 != 0 || bits.OnesCount64(c) == 1 && fits(scalar.Lsh, is32, s, uint64(bits.TrailingZeros64(c)))
	case scalar.Div:
		return interval
	case scalar.Mod:
		return interval && c != 0 && width >= c-1
	}
	return false
}

// leaves reports whether off, what a branch leaves of a number, may have members
// that no execution has there: those of old for which cond holds, compared with
// the number b.
func leaves(cond scalar.Cond, is32 bool, old, b *Alt, off scalar.S) bool {
	c, ok := b.Off.IsConst()
	if !ok {
		return old.src&b.src != 0 || old.src == 0 || b.src == 0 || cond == scalar.JEQ || cond == scalar.JNE ||
			cond == scalar.JSET || cond == scalar.JSET.Negate()
	}
	if xs, ok := old.members(few); ok {
		n := 0
		for _, x := range xs {
			if scalar.Holds(cond, is32, x, c) {
				n++
			}
		}
		left := Alt{Off: off, str: old.str}
		stated, ok := left.members(2*n + 1)
		return !ok || len(stated) != n
	}
	switch cond {
	case scalar.JNE:
		return off.Contains(c)
	case scalar.JSET:
		return true
	}
	return false
}

// correlate notes that a branch was decided by the numbers a and b: others that
// depend on the same readings, and are not linked to them, may not be all that is
// said of them.
func (c *compare) correlate(s *State) {
	on := c.a.src | c.b.src
	if c.r.a.opt.Rules != Exact || on == 0 {
		return
	}
	s.tested |= on
	for r, v := range s.regs {
		if bytecode.Reg(r) != c.dst && bytecode.Reg(r) != c.src && c.depends(v, on) {
			s.regs[r] = v.loosened()
		}
	}
	for i := range s.frames {
		for num, sl := range s.frames[i].all {
			if c.depends(sl.val, on) {
				s.edit(i).at(num).val = sl.val.loosened()
			}
		}
	}
}

// depends reports whether a value that is not linked to those compared depends on
// one of their readings.
func (c *compare) depends(v *Value, on sources) bool {
	if v == nil || v.id != 0 && (v.id == c.a.id || v.id == c.b.id) {
		return false
	}
	return v.has(func(a *Alt) bool { return a.src&on != 0 && a.flags&loose == 0 })
}
