package abstract

import (
	"math"
	"math/bits"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// By rules Executions a number is without slack if each of its members occurs in some execution;
// otherwise it is loose. What a program reads from outside may be any value, independently for each
// reading. A computation or a branch keeps a number without slack if the exact set of results can
// be represented. Numbers from one reading depend on each other: after a branch on one, others that
// are not linked to it become loose, because what the branch shows about them is lost.

// readings says on which readings a number depends, and which numbers in its range it cannot be.
// Nil stands for no known dependency.
type readings struct {
	// from is a set of readings, each as one of 64 bits: only sets
	// that intersect may have one in common.
	from uint64
	// bits are those bits of what was read that the number depends on.
	bits uint64
	// tested are those bits of what was read that a branch has constrained through another number.
	tested uint64
	// shift is the position of the number's bit 0 in what was read, mixed if the bits are not
	// copies.
	shift int8
	// outcome says that the number is the outcome of a call: see outcome.go.
	outcome bool
	// holes are numbers that a branch has ruled out in the middle of a range.
	holes []uint64
}

const (
	// joined is the reading of numbers that differ between joined states: which state it is decides
	// about all of them.
	joined uint64 = 1 << 63
	mixed  int8   = -128
)

// The numbers of readings: first those of instructions, then those of stack bytes that a helper has
// written, then those of fields of the context.
const (
	manyReadings  = 39
	stackReadings = 16
	ctxReadings   = manyReadings + stackReadings
)

// numberReadings numbers the instructions that may read something, so that those that lie near
// to each other are different readings.
func (a *analyzer) numberReadings() {
	a.readings = make([]uint8, a.p.Len())
	n := uint8(0)
	for pc := range a.p.Insns {
		a.readings[pc] = n
		switch in := a.p.Insns[pc]; in.Class() {
		case asm.LdXClass, asm.LdClass, asm.StXClass:
			n = (n + 1) % manyReadings
		default:
			if in.Code == bytecode.CodeCall || in.IsCallx() {
				n = (n + 1) % manyReadings
			}
		}
	}
}

// readingAt returns the reading of the instruction at pc, or of an argument there.
func (a *analyzer) readingAt(pc bytecode.PC, arg int) uint64 {
	return 1 << ((int(a.readings[pc]) + arg) % manyReadings)
}

// readingOfCtx returns the reading of a field of the context, which is the same
// number each time.
func readingOfCtx(off int64) uint64 { return 1 << (ctxReadings + uint64(off)/8%8) }

// readingOfStack returns the readings of bytes of the stack: the same numbers each time.
func readingOfStack(off int64, size int) (from uint64) {
	for i := range int64(size) {
		from |= 1 << (manyReadings + uint64(off+i)%stackReadings)
	}
	return from
}

// ctxOf returns the fields of the context among readings.
func ctxOf(readings uint64) uint8 { return uint8(readings >> ctxReadings) }

// readingsOfCtx returns the readings of all fields of the context if a value may lead
// there, else none.
func readingsOfCtx(v *Value) uint64 {
	if v.has(func(a *Alt) bool { return a.Kind == Ctx }) {
		return 0xff << ctxReadings
	}
	return 0
}

// maxHoles bounds the holes of a number.
const maxHoles = 4

// meet reports whether numbers may depend on the same bits, or it is not known on
// which they depend.
func (d *readings) meet(e *readings) bool {
	return d == nil || e == nil || d.from&e.from != 0 && d.bits&e.bits != 0
}

// with returns the dependencies of a number that is computed from two, without holes.
func (d *readings) with(e *readings) *readings {
	switch {
	case e == nil || d == e:
		return d.bare()
	case d == nil:
		return e.bare()
	}
	return &readings{from: d.from | e.from, bits: d.bits | e.bits, tested: d.tested | e.tested, shift: mixed}
}

// bare returns d without its holes.
func (d *readings) bare() *readings {
	if !d.holed() {
		return d
	}
	e := *d
	e.holes = nil
	return &e
}

// holed reports whether a number has holes.
func (d *readings) holed() bool { return d != nil && len(d.holes) > 0 }

// hole reports whether v is a hole.
func (d *readings) hole(v uint64) bool { return d != nil && slices.Contains(d.holes, v) }

// leqHoles reports whether a has none of the numbers that are holes of b.
func (a *Alt) leqHoles(b *Alt) bool {
	return !b.src.holed() || !slices.ContainsFunc(b.src.holes, func(h uint64) bool {
		return a.Off.Contains(h) && !a.src.hole(h)
	})
}

// without returns d with one more hole, and whether there is room for it.
func (d *readings) without(v uint64) (*readings, bool) {
	if d == nil || len(d.holes) >= maxHoles {
		return d, false
	}
	e := *d
	e.holes = append(slices.Clone(d.holes), v)
	return &e, true
}

// place returns the bits of the reading from which the number's bits in mask come.
func (d *readings) place(mask uint64) uint64 {
	switch {
	case d.shift == mixed:
		return ^uint64(0)
	case d.shift >= 0:
		return mask << d.shift
	}
	return mask >> -d.shift
}

// by returns the dependencies of the result of an operation with a constant, for numbers up to
// most, and reports whether its holes are still known.
func (d *readings) by(op scalar.Op, is32 bool, most, c uint64) (e *readings, known bool) {
	if d == nil {
		return nil, true
	}
	x := readings{from: d.from, bits: d.bits, tested: d.tested, shift: d.shift, outcome: d.outcome && isMove(op)}
	if injective(op, is32, most, c) {
		for _, h := range d.holes {
			x.holes = append(x.holes, scalar.Eval(op, is32, h, c))
		}
	}
	if is32 {
		c = uint64(uint32(c))
		x.bits &= x.place(1<<32 - 1)
	}
	switch {
	case x.shift == mixed:
	case op == scalar.And:
		x.bits &= x.place(c)
	case op == scalar.Lsh && c < 64:
		x.move(-int8(c))
	case op == scalar.Rsh && c < 64:
		x.move(int8(c))
	case op == scalar.Or || op == scalar.Xor || isMove(op):
	default:
		x.shift = mixed
	}
	return &x, len(x.holes) == len(d.holes)
}

// injective reports whether an operation with a constant maps different numbers up to most to
// different numbers.
func injective(op scalar.Op, is32 bool, most, c uint64) bool {
	limit := ^uint64(0)
	if is32 {
		limit = 1<<32 - 1
	}
	switch op {
	case scalar.Add, scalar.Sub, scalar.Xor, scalar.Mov:
		return most <= limit
	case scalar.Lsh:
		return c < 64 && most <= limit>>c
	}
	return false
}

// move notes that the number is shifted right by so many bits.
func (d *readings) move(by int8) {
	if d.shift += by; d.shift <= -64 || d.shift >= 64 {
		d.shift = mixed
		return
	}
	d.bits &= d.place(^uint64(0))
}

// fresh notes that the instruction at pc has read the number in a register from
// outside, unless it is known where it comes from.
func (r *run) fresh(pc bytecode.PC, reg bytecode.Reg, from uint64, s *State) {
	if r.a.opt.Rules != Executions || reg >= bytecode.R10 || s.regs[reg] == nil {
		return
	}
	v := s.regs[reg]
	if _, known := v.constant(); known || !v.is(Number) || v.src != nil {
		return
	}
	w := *v
	if from == 0 {
		from = r.a.readingAt(pc, 0)
	} else if s.tested&ctxOf(from) != 0 {
		w.flags |= loose // a branch has been decided by it
	}
	w.src = &readings{from: from, bits: ^uint64(0)}
	s.set(reg, &w)
}

// freshArgs is fresh for the arguments of a function of which nothing is known.
func (r *run) freshArgs(pc bytecode.PC, s *State) {
	for reg := bytecode.R1; reg <= bytecode.R5 && r.a.opt.Rules == Executions; reg++ {
		r.fresh(pc, reg, r.a.readingAt(pc, int(reg)), s)
	}
}

// few is how many members of a number are looked at one by one.
const few = 256

// members returns the alternative's numbers if they are few.
func (a *Alt) members(limit int) ([]uint64, bool) {
	all, ok := a.Off.Enumerate(limit)
	if !ok || a.str.step == 0 && !a.src.holed() {
		return all, ok
	}
	kept := all[:0]
	for _, v := range all {
		if a.str.has(v) && !a.src.hole(v) {
			kept = append(kept, v)
		}
	}
	return kept, true
}

// slack reports whether out, the result of an operation on dst and src, may have members that no
// execution computes.
func slack(op scalar.Op, is32 bool, dst, src, out *Alt) bool {
	if op.Unary() {
		src = dst
	}
	c, byConst := src.Off.IsConst()
	_, ofConst := dst.Off.IsConst()
	if !byConst && !ofConst && !op.Unary() && (!dst.tight() || !src.tight() || dst.src.meet(src.src) ||
		dst.src.holed() || src.src.holed()) {
		return true
	}
	if _, ok := out.Off.IsConst(); ok {
		return false
	}
	if byConst && !dst.src.holed() && dst.str.step == 0 && out.str.step == 0 {
		if sure, known := shifted(op, is32, dst.Off, out.Off, c); known {
			return !sure
		}
	}
	if !byConst && !ofConst && !op.Unary() && dst.plain() && src.plain() &&
		scalar.Sums(op, is32, dst.Off, src.Off, out.Off) {
		return false
	}
	if !byConst && !ofConst && besides(op, is32, dst.Off, src.Off, out.Off) {
		return false
	}
	if byConst && dst.str.step == 0 && !dst.src.holed() && scalar.Shifts(op, is32, dst.Off, out.Off, c) {
		return false
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
		if !byConst { // is one of src's numbers enough for all results?
			c = src.Off.Umin()
			return !src.member(c) || scalar.ALU(op, is32, dst.Off, scalar.Const(c)) != out.Off || !fits(op, is32, dst.Off, c)
		}
		return !fits(op, is32, dst.Off, c) && !moved(op, dst.Off, out.Off)
	}
	image := make([]uint64, 0, len(xs)*max(1, len(ys)))
	for _, x := range xs {
		if op.Unary() {
			image = append(image, scalar.Eval(op, is32, x, x))
			continue
		}
		for _, y := range ys {
			image = append(image, scalar.Eval(op, is32, x, y))
		}
	}
	slices.Sort(image)
	image = slices.Compact(image)
	stated, ok := out.members(4 * (len(image) + 1))
	return !ok || len(stated) != len(image)
}

// shifted reports whether an operation with a constant on a range yields every member of to, and
// whether that can be decided quickly, as is common. All results are in to, so their number
// decides.
func shifted(op scalar.Op, is32 bool, from, to scalar.S, c uint64) (all, known bool) {
	if !from.IsRange() || is32 && from.Umax() > math.MaxUint32 {
		return false, false
	}
	if is32 {
		c = uint64(uint32(c))
	}
	lo, hi, bits := from.Umin(), from.Umax(), uint64(64)
	if is32 {
		bits = 32
	}
	switch {
	case injective(op, is32, hi, c) && to.IsRange():
		return hi-lo == to.Umax()-to.Umin(), true
	case op == scalar.Lsh: // all results are in to, which has no more multiples of 1<<c
		return true, c < bits && hi<<c>>c == hi && lo<<c == to.Umin() && hi<<c == to.Umax() && to.Var.IsAligned(1<<c)
	case op == scalar.Rsh:
		return true, c < bits && lo>>c == to.Umin() && hi>>c == to.Umax()
	case op == scalar.And:
		return true, c&(c+1) == 0 && to.Umax()-to.Umin() == c && hi-lo >= c
	}
	return false, false
}

// besides reports whether an operation puts two numbers side by side: each has all words
// with some bits known, and no bit may be 1 in both.
func besides(op scalar.Op, is32 bool, a, b, out scalar.S) bool {
	switch op {
	case scalar.Or, scalar.Xor, scalar.Add:
	default:
		return false
	}
	both := tnum.T{Value: a.Var.Value | b.Var.Value, Mask: a.Var.Mask | b.Var.Mask}
	return a.Var.Max()&b.Var.Max() == 0 && out.Var == both && (!is32 || both.Max() <= math.MaxUint32) &&
		a.Free() && b.Free()
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

// fits reports whether the results of an operation with a constant on many numbers are a range, or
// all words with some bits known: a number can represent these.
func fits(op scalar.Op, is32 bool, s scalar.S, c uint64) bool {
	if is32 && s == unknown {
		s = scalar.Range(0, 1<<32-1)
	}
	if is32 && s.Umax() >= 1<<32 {
		return false
	}
	interval := s == scalar.Range(s.Umin(), s.Umax())
	free := s.Free()
	width := s.Umax() - s.Umin()
	if op == scalar.Mul && bits.OnesCount64(c) == 1 {
		op, c = scalar.Lsh, uint64(bits.TrailingZeros64(c))
	}
	switch op {
	case scalar.Add, scalar.Sub:
		return interval || c == 0
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
		return full && c&1 != 0
	case scalar.Div:
		return interval
	case scalar.Mod:
		return interval && c != 0 && width >= c-1
	}
	return false
}

// leaves reports whether left, the part of the number old for which cond holds against b, may have
// members that no execution has there.
func leaves(cond scalar.Cond, is32 bool, old, b, left *Alt) bool {
	if cond == scalar.JEQ && !is32 && b.tight() && !old.src.meet(b.src) && old.plain() && b.plain() {
		return !left.Off.Leq(old.Off) || !left.Off.Leq(b.Off) // else it is what both have
	}
	c, ok := b.Off.End(cond, is32)
	if _, constant := b.Off.IsConst(); !ok || !constant && (!b.tight() || !b.member(c) || old.src.meet(b.src)) {
		return true
	}
	if old.str == left.str && scalar.Cuts(cond, is32, old.Off, left.Off, c) || cond == scalar.JNE && left.src.hole(c) {
		return false
	}
	xs, ok := old.members(few)
	if !ok {
		return true
	}
	n := 0
	for _, x := range xs {
		if scalar.Holds(cond, is32, x, c) {
			n++
		}
	}
	stated, ok := left.members(2*n + 1 + maxHoles)
	return !ok || len(stated) != n
}

// happens reports whether the condition holds in some execution that gets to the branch:
// left is then the first operand.
func (c *compare) happens(cond scalar.Cond, left *Value) bool {
	a, b := &c.a.Alt, &c.b.Alt
	switch {
	case !a.tight() || !b.tight() || a.src != nil && b.src != nil && a.src.meet(b.src):
		return false
	case left.flags&loose == 0:
		return true
	}
	ends := func(s scalar.S) [4]uint64 { return [...]uint64{s.Umin(), s.Umax(), uint64(s.Smin()), uint64(s.Smax())} }
	first, second := ends(a.Off), ends(b.Off)
	for _, x := range first {
		for _, y := range second {
			for _, at := range [][2]uint64{{x, y}, {x, x}, {y, y}} {
				if a.member(at[0]) && b.member(at[1]) && scalar.Holds(cond, c.is32, at[0], at[1]) {
					return true
				}
			}
		}
	}
	return false
}

// plain reports whether all numbers of Off are the alternative's.
func (a *Alt) plain() bool { return a.str.step == 0 && !a.src.holed() }

// member reports whether a number is one of the alternative's.
func (a *Alt) member(v uint64) bool {
	return a.Off.Contains(v) && (a.str.step == 0 || a.str.has(v)) && !a.src.hole(v)
}

// left returns what a branch leaves of a number: the alternative with other bounds,
// and a hole where a range cannot state that a number is ruled out.
func (c *compare) left(cond scalar.Cond, old, b *Value, off scalar.S) *Value {
	v := old.with(off)
	v.flags |= b.flags & stands
	if c.r.a.opt.Rules != Executions {
		return v
	}
	v.src, v.flags = old.src, old.flags
	v.str = newStride(uint64(old.str.step), uint64(old.str.rem), off)
	if k, ok := b.Off.IsConst(); ok {
		if c.is32 {
			k = uint64(uint32(k))
		}
		if cond == scalar.JNE && off.Contains(k) && !v.src.hole(k) && (!c.is32 || off.Umax() < 1<<32) {
			v.src, _ = v.src.without(k)
		}
	} else {
		v.src = v.src.with(b.src)
		if old.src.holed() {
			v.flags |= loose
		}
	}
	if v.flags&loose == 0 && leaves(cond, c.is32, &old.Alt, &b.Alt, &v.Alt) {
		v.flags |= loose
	}
	return v
}

// correlate notes that the numbers a and b decided a branch. Numbers that depend on the same
// readings and are not linked to a or b may have fewer values than stated.
func (c *compare) correlate(s *State) {
	with := c.a.src.with(c.b.src)
	if c.r.a.opt.Rules != Executions || with == nil {
		return
	}
	on := *with
	if mask, ok := c.b.Off.IsConst(); ok && c.cond == scalar.JSET && c.b.src == nil { // so a has readings
		on.bits &= c.a.src.place(mask)
	}
	if c.is32 {
		on.bits &= on.place(1<<32 - 1)
	}
	s.tested |= ctxOf(on.from)
	s.tellStack(on.from)
	for r := range s.values() {
		if v := s.value(r); bytecode.Reg(r) != c.dst && bytecode.Reg(r) != c.src && c.depends(v, &on) {
			s.put(r, v.tell(&on))
		}
	}
	s.outer = s.outer.each(func(v *Value) *Value {
		if c.depends(v, &on) {
			return v.tell(&on)
		}
		return v
	})
	for i := range s.frames {
		for num, sl := range s.frames[i].all {
			if c.depends(sl.val, &on) {
				s.edit(i).at(num).val = sl.val.tell(&on)
			}
		}
	}
}

// tellStack notes that a branch was decided by what a helper has written to the stack: what is
// read there again is not free of it.
func (s *State) tellStack(from uint64) {
	if from>>manyReadings&(1<<stackReadings-1) == 0 {
		return
	}
	for i := range s.frames {
		for num, sl := range s.frames[i].all {
			for b, k := range sl.bytes {
				if k == byteOutside && from&readingOfStack(int64(b)-8*int64(num), 1) != 0 {
					s.edit(i).at(num).bytes[b] = byteMisc
				}
			}
		}
	}
}

// tell returns the value after a branch on others that depend on the same bits.
func (v *Value) tell(on *readings) *Value {
	w := *v
	w.copyRest()
	w.Alt.tell(on)
	for i := range w.more() {
		w.more()[i].tell(on)
	}
	return &w
}

func (a *Alt) tell(on *readings) {
	if a.src == nil || !a.src.meet(on) {
		return
	}
	if a.src.shift == mixed {
		a.flags |= loose
		return
	}
	src := *a.src
	src.tested |= on.bits
	a.src = &src
}

// tight reports whether some execution has each of the alternative's offsets.
func (a *Alt) tight() bool {
	return a.flags&loose == 0 && (a.src == nil || a.src.tested&a.src.bits == 0)
}

// depends reports whether a value that is not linked to those compared depends on
// one of their readings.
func (c *compare) depends(v *Value, on *readings) bool {
	if v == nil || v.id != 0 && (v.id == c.a.id || v.id == c.b.id) {
		return false
	}
	return v.has(func(a *Alt) bool { return a.flags&loose == 0 && a.src != nil && a.src.meet(on) })
}
