package abstract

import (
	"math"
	"math/bits"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// branch carries out a conditional jump and returns the states on its edges, nil for an edge that
// is not followed (kernel/bpf/verifier.c check_cond_jmp_op, Linux 7.3). The states may be changed
// independently.
func (r *run) branch(pc bytecode.PC, in bytecode.Insn, s *State) (taken, fall *State) {
	cond, is32, ok := scalar.CondOf(in.Code)
	if !ok { // may_goto and static keys
		s.cover = s.cover || s.left
		return s.fork(), s
	}

	fromReg := in.Source() == asm.RegSource
	r.dropLinks(pc, s, in, fromReg)
	a := r.read(pc, s, in.Dst)
	var b *Value
	if fromReg {
		b = r.read(pc, s, in.Src)
	} else {
		b = r.immediate(in)
	}
	c := &compare{
		r: r, pc: pc, cond: cond, is32: is32, a: a, b: b,
		dst: in.Dst, src: in.Src, same: fromReg && (in.Dst == in.Src || r.a.opt.Rules == Executions && equal(a, b)),
	}
	if !fromReg {
		c.src = noReg
	}
	if s.misled && a.is(Number) && b.is(Number) {
		s.cover = true
		return s.fork(), s
	}
	taken, fall = c.carryOut(s)
	c.leftOut(taken, fall)
	if taken != nil && fall != nil {
		c.packets(taken, fall)
		onTaken, onFall := c.guesses()
		taken.cover = taken.cover || onTaken
		fall.cover = fall.cover || onFall
	}
	return taken, fall
}

// leftOut marks edges that a path with a number in place of a pointer need not take if the verifier
// leaves out the path with the pointer because of it: all but those on which the pointer is not
// null.
func (c *compare) leftOut(taken, fall *State) {
	null := !c.is32 && c.src == noReg && c.b.zero() && !c.a.is(Number)
	if taken != nil {
		taken.cover = taken.cover || taken.left && (!null || c.cond != scalar.JNE)
	}
	if fall != nil {
		fall.cover = fall.cover || fall.left && (!null || c.cond != scalar.JEQ)
	}
}

// equal reports whether two numbers are linked as equal ones.
func equal(a, b *Value) bool {
	return a.is(Number) && b.is(Number) && a.id != 0 && a.id == b.id && a.delta == b.delta && a.add == b.add
}

// carryOut returns the states on both edges, nil for one that is not followed.
func (c *compare) carryOut(s *State) (taken, fall *State) {
	equality := c.cond == scalar.JEQ || c.cond == scalar.JNE
	switch {
	case c.a.is(Number) && c.b.is(Number):
		if c.untrusted() {
			taken, fall = s.fork(), s
			taken.cover = taken.cover || c.cond != scalar.JNE
			fall.cover = fall.cover || c.cond != scalar.JEQ
			return taken, fall
		}
		return c.numbers(s)
	case c.b.is(Number) && !c.is32:
		return c.released(c.mixed(s))
	case c.a.is(Number) && !c.is32 && equality:
		c.a, c.b, c.dst, c.src = c.b, c.a, c.src, c.dst
		return c.released(c.mixed(s))
	}
	return s.fork(), s
}

// untrusted reports whether a number that was compared with 0 before, and that may be an
// untrusted pointer, is compared with 0 again: for the verifier, the earlier comparison has no
// effect.
func (c *compare) untrusted() bool {
	tested := func(v *Value) bool { return v.flags&maybePtr != 0 && v.Off != unknown && v.Off.Umin() > 0 }
	return c.r.a.opt.Rules == Verifier && !c.is32 && (c.b.zero() && tested(c.a) || c.a.zero() && tested(c.b))
}

// guesses reports the edges that the verifier may not follow: either edge if it may know more
// about an operand than we do, and the edge of null if it may treat a pointer as not null.
func (c *compare) guesses() (onTaken, onFall bool) {
	if c.a.has(vague) && !c.full(c.b) || c.b.has(vague) && !c.full(c.a) || c.a.has(pastEnd) || c.b.has(pastEnd) {
		return true, true
	}
	null := c.b.zero() && c.a.has(perhapsNotNull) || c.a.zero() && c.b.has(perhapsNotNull)
	if c.is32 && null {
		c.r.a.f.usedQuirks.HalfPointer = true
	}
	if !null || c.is32 && !c.r.a.opt.Quirks.HalfPointer {
		return false, false
	}
	return c.cond == scalar.JEQ, c.cond == scalar.JNE
}

// vague reports whether the verifier may know more about the alternative.
func vague(a *Alt) bool { return a.flags&loose != 0 && a.ranges == nil }

// full reports whether the value is any number of the width of the comparison, so that no bounds
// of the other side decide it.
func (c *compare) full(v *Value) bool {
	n := v.Off
	return v.is(Number) && v.flags&(loose|maybePtr|maybeLocal) == 0 &&
		(n == unknown || c.is32 && n.Umin() == 0 && uint32(n.Var.Mask) == math.MaxUint32 && n.Umax() >= math.MaxUint32)
}

// perhapsNotNull reports whether the verifier may treat the alternative as a pointer that is not
// null: it does so for most pointers until they are released.
//
// Source: kernel/bpf/verifier.c reg_not_null, Linux 6.12 to 7.3.
func perhapsNotNull(a *Alt) bool {
	switch a.Kind {
	case Number:
		return a.flags&foreign != 0
	case Stack, Ctx, Func, Insn:
		return false
	case Other:
		m := memoryOf(a.Obj).known()
		return a.flags&(maybeNull|foreign) == foreign && m != MemPacket && m != MemArena
	}
	return a.flags&maybeNull == 0
}

// noReg stands for an immediate operand.
const noReg = bytecode.Reg(0xff)

// compare is the state of carrying out a conditional jump.
type compare struct {
	r        *run
	pc       bytecode.PC
	cond     scalar.Cond
	is32     bool
	a, b     *Value
	dst, src bytecode.Reg // of a and b
	same     bool         // one register
}

// numbers compares two numbers.
func (c *compare) numbers(s *State) (taken, fall *State) {
	out, guess := c.decide(s)
	switch out {
	case scalar.Always:
		return s, c.other(s, c.cond.Negate(), fallSide)
	case scalar.Never:
		return c.other(s, c.cond, takenSide), s
	}
	s.cover = s.cover || guess
	taken, fall = s.fork(), s
	if c.same {
		if c.r.a.opt.Rules == Verifier {
			taken.cover = taken.cover || c.sameFirst()
			fall.cover = fall.cover || c.sameFirst()
			return taken, fall
		}
		c.b, c.cond, c.src, c.same = constant(0), scalar.JNE, noReg, false // x & x is not 0 if x is not
	}
	c.refine(taken, c.cond, takenSide)
	c.refine(fall, c.cond.Negate(), fallSide)
	return taken, fall
}

// undecided reports whether the comparison tells the verifier nothing about the alternative, as it
// may be a pointer: of pointers only a test for null is decided, and only of pointers that are
// neither to a stack nor to the context.
//
// Source: kernel/bpf/verifier.c is_branch_taken, Linux 7.3.
func (c *compare) undecided(a *Alt) bool {
	if c.r.a.opt.Rules != Verifier || a.Kind != Number {
		return false
	}
	null := !c.is32 && (c.cond == scalar.JEQ || c.cond == scalar.JNE) && (c.a.zero() || c.b.zero())
	return a.flags&maybeLocal != 0 || a.flags&maybePtr != 0 && !null
}

// ofPointer returns the state on an edge that no number takes, nil if no pointer does either.
func (c *compare) ofPointer(s *State) *State {
	if !c.undecided(&c.a.Alt) && !c.undecided(&c.b.Alt) {
		return nil
	}
	other := s.fork()
	other.cover = true
	c.forgetNumber(other, c.dst, c.a)
	c.forgetNumber(other, c.src, c.b)
	return other
}

// forgetNumber forgets the number of a register that may be a pointer. Otherwise a loop that only the
// number ends would be followed forever.
func (c *compare) forgetNumber(s *State, reg bytecode.Reg, v *Value) {
	if reg == noReg || !c.undecided(&v.Alt) {
		return
	}
	s.set(reg, &Value{Alt: v.forgotten()})
}

// forgotten returns the number that may be a pointer when nothing is known of it as a number.
func (a *Alt) forgotten() Alt {
	return Alt{Kind: Number, Obj: a.Obj, flags: a.flags | loose, Off: unknown}
}

// refine adds the knowledge that cond holds to a state.
func (c *compare) refine(s *State, cond scalar.Cond, on side) {
	if c.r.isFirst() {
		c.refineFirst(s, cond, on)
		return
	}
	x, y, wideX, wideY := c.refined(s, cond, on)
	left := c.left(cond, c.a, c.b, x).covering(wideX)
	k := c.ranges(cond)
	c.setRanges(left, k.rangesX)
	left = c.guessed(left, c.a, c.b, cond)
	switch {
	case c.r.a.opt.Rules != Executions:
	case c.outcome(cond):
		if left.fixed() {
			left = c.r.a.constant(0)
		}
	case !c.happens(cond, left):
		s.doubt = true
	}
	c.update(s, c.dst, c.a, left, on)
	if c.src != noReg {
		right := c.left(cond.Flip(), c.b, c.a, y).covering(wideY)
		c.setRanges(right, k.rangesY)
		right = c.guessed(right, c.b, c.a, cond)
		c.update(s, c.src, c.b, right, on)
	}
	if c.r.a.opt.Rules == Verifier {
		c.sync(s, c.src)
		c.sync(s, c.dst)
	}
	c.correlate(s)
}

// guessed is run.guessed for what is learnt of an operand. If it is equal to a known number, it is that,
// whatever was known of it. The kernel may know more if what it knows is not one arc.
func (c *compare) guessed(v, old, other *Value, cond scalar.Cond) *Value {
	if c.r.a.opt.Rules != Verifier {
		return v
	}
	c.r.a.f.usedQuirks.Guessed, c.r.a.f.usedQuirks.RangesFirst = true, true
	if !c.r.a.opt.Quirks.Guessed {
		return v
	}
	if cond == scalar.JEQ && !c.is32 && other.fixed() {
		v = v.with(other.Off)
		v.flags &^= loose
		return v
	}
	if _, alike := byAll(cond, c.is32, &old.Alt, &other.Alt); !alike || cond == scalar.JSET || cond == scalar.JNSET {
		v = v.loosened()
	}
	if v.Off == old.Off && v.sameRanges(&old.Alt) {
		return v
	}
	return c.r.guessed(v)
}

// sync copies a register's number to the numbers that are linked to it, even if the comparison has
// told nothing about it; they may be known less exactly afterwards. The verifier begins with the
// second operand: if the two are linked, it overwrites what was learnt about the first.
//
// Source: kernel/bpf/verifier.c check_cond_jmp_op, Linux 7.3.
func (c *compare) sync(s *State, reg bytecode.Reg) {
	if reg < numRegs && s.regs[reg] != nil && s.regs[reg].id != 0 && s.regs[reg].is(Number) {
		c.r.syncLinked(s, reg, s.regs[reg])
	}
}

// update puts a refined number into a register, and by rules Executions into all registers and
// slots that are linked to it.
func (c *compare) update(s *State, reg bytecode.Reg, old, v *Value, on side) {
	off := v.Off
	if off == old.Off && v.sameRanges(&old.Alt) && v.held() == old.held() && v.flags == old.flags && v.src == old.src &&
		(v.add == 0 || v.delta != 0) { // else others get a sum with 0, too
		return
	}
	if off.Umax() < old.Off.Umax() || off.Umin() > old.Off.Umin() {
		v.org = origin{int32(c.pc) + 1, uint8(reg), on}
		c.r.a.noteBound(v.org, off)
	}
	c.r.noteRefined(s, v)
	s.set(reg, v)
	if v.id != 0 && c.r.a.opt.Rules == Executions {
		c.r.syncLinked(s, reg, v)
	}
}

// syncLinked refines the values that share known's link (kernel/bpf/verifier.c sync_linked_regs,
// Linux 7.3).
func (r *run) syncLinked(s *State, reg bytecode.Reg, known *Value) {
	self, sent := s.regs[reg], s.args
	if r.a.opt.Rules == Verifier { // it ignores arguments that are passed on the stack
		defer func() { s.args = sent }()
	}
	s.eachWhole(r.isFirst(), func(v *Value) *Value {
		if v == self || v.id != known.id || !v.is(Number) || v.add != known.add && v.add != 0 && known.add != 0 {
			return v
		}
		w := *v
		var shift *Value
		switch {
		case v.add == 0 && known.add == 0 || v.delta == known.delta:
			w.Off, w.wide, w.ranges = known.Off, known.wide, known.ranges
			if r.a.opt.Rules == Verifier {
				w.add = known.add // the verifier copies the whole register
			}
		case r.mayNotLink(v, known): // one of them has no delta
			w.flags |= loose
			return &w
		default:
			d := uint64(int64(v.delta) - int64(known.delta))
			sum := func(s scalar.S) scalar.S {
				return r.a.opt.Rules.alu(scalar.Add, v.add == 32 || known.add == 32, s, scalar.Const(d))
			}
			w.Off, w.wide, w.ranges = sum(known.Off), nil, nil
			shift = constant(d)
			if known.wide != nil {
				w.cover(sum(*known.wide))
			}
		}
		if r.a.opt.Rules == Executions {
			if m := scalar.Meet(w.Off, v.Off); !m.Empty() {
				w.Off = m
			}
		}
		if r.a.opt.Rules == Verifier && (s.cover || (v.flags|known.flags)&stands != 0) {
			// States that this one stands for may have decided the comparison, or have more
			// links: then they copy nothing.
			wide, _ := joinNumbers(w.held(), v.held())
			w.cover(wide)
			w.flags |= stands
		}
		w.org, w.src = known.org, known.src
		if r.a.opt.Rules == Verifier && r.a.opt.Quirks.RangesFirst {
			w.flags &^= loose // the whole register is copied
		}
		w.flags |= known.flags & (loose | stands)
		if shift != nil {
			r.linkRanges(&w, known)
		}
		if known.src.holed() && (v.delta != known.delta || v.add != known.add) {
			w.src, w.flags = known.src.bare(), w.flags|loose
		}
		if r.a.opt.Rules == Executions && shift != nil &&
			slack(scalar.Add, v.add == 32 || known.add == 32, &known.Alt, &shift.Alt, &w.Alt) {
			w.flags |= loose
		}
		if w == *v {
			return v
		}
		return &w
	})
}

// maxLinked is the number of linked numbers that the verifier visits at a comparison; the rest
// lose their link. They and the numbers of their frames are noted in 64 bits, of which frames take one
// more since there are 16 (kernel/bpf/verifier.c LINKED_REGS_MAX, Linux 7.1 and 7.3).
const maxLinked = 5

// maxLinked returns the number for the kernel, given how many there are.
func (r *run) maxLinked(count int) int {
	r.a.f.usedQuirks.FewFrames = r.a.f.usedQuirks.FewFrames || count > maxLinked
	if r.a.opt.Quirks.FewFrames {
		return maxLinked + 1
	}
	return maxLinked
}

// dropLinks takes the link from numbers that are perhaps too many for a comparison. The verifier
// may keep the link, and so may know more about them and the others later.
func (r *run) dropLinks(pc bytecode.PC, s *State, in bytecode.Insn, fromReg bool) {
	if s.ids == 0 || r.a.opt.Rules != Verifier || r.isFirst() {
		return
	}
	count := 0
	if src := s.get(in.Src); fromReg && src.is(Number) {
		if count = 1; src.id != 0 { // else it may still have the link to numbers that are gone
			count = r.dropLinked(pc, s, src.id, 0)
		}
	}
	if dst := s.get(in.Dst); dst.is(Number) && dst.id != 0 {
		r.dropLinked(pc, s, dst.id, count)
	}
}

// dropLinked is dropLinks for the numbers of one link, given the count of numbers that the
// verifier has visited. It returns the new count.
func (r *run) dropLinked(pc bytecode.PC, s *State, id uint32, count int) int {
	linked := func(v *Value) bool { return v != nil && v.id == id && v.is(Number) }
	here, all := s.count(linked)
	live := r.liveAt(pc)
	dead := int(s.hiddenGhosts) + bits.OnesCount16(s.looseGhosts())
	for reg := range bytecode.R10 {
		if live>>reg&1 == 0 && linked(s.regs[reg]) {
			here, all, dead = here-1, all-1, dead+1
		}
	}
	perhaps := r.perhapsLinked(pc, s, count+all)
	most := r.maxLinked(count + all + dead + perhaps)
	if count+all <= most && count+all+dead > most {
		r.a.f.usedQuirks.DeadLinks = true
	}
	keep := min(most-min(perhaps, most), count+here) // the others come last, in any order
	if dead > 0 && r.a.opt.Quirks.DeadLinks {
		all, keep = all+dead, count
	}
	if count+all+perhaps <= most {
		return count + all
	}
	for reg := range bytecode.R10 {
		if live>>reg&1 == 0 && linked(s.regs[reg]) {
			if s.regs[reg] = s.regs[reg].unlinked(); r.a.opt.Quirks.DeadLinks {
				s.ghosts |= 1 << reg
			}
		}
	}
	s.eachValue(func(v *Value) *Value {
		if !linked(v) {
			return v
		}
		if count++; count <= keep {
			return v.standsForAny()
		}
		return v.unlinked().loosened().standsForAny()
	})
	return count
}

// perhapsLinked returns how many numbers without a link may be linked to some group in a state that
// this one stands for. If there are more than the verifier follows, others lose their link. In the
// first pass, further numbers may turn out to be of this kind.
func (r *run) perhapsLinked(pc bytecode.PC, s *State, linked int) int {
	c := r.a.cover
	if !c.on {
		return 0
	}
	n, others := 0, 0
	count := func(v *Value, marked bool) {
		if v == nil || v.id != 0 || !v.is(Number) {
			return
		}
		if _, known := v.constant(); known {
			return
		}
		if c.all || marked || v.flags&stands != 0 {
			n++
		} else {
			others++
		}
	}
	for i := range s.values() {
		count(s.value(i), false)
	}
	for _, f := range s.frames {
		for _, sl := range f.all {
			count(sl.val, s.stands)
		}
	}
	for _, v := range s.outer.all() {
		count(v, s.stands)
	}
	if linked+n+others > maxLinked {
		c.miss(pc)
	}
	return n
}

// liveAt returns the registers that may be read from the last instruction of a block on.
func (r *run) liveAt(pc bytecode.PC) uint16 {
	b, ok := r.a.g.BlockAt(pc)
	if !ok {
		return allRegs
	}
	use, def := useDef(r.a.p, pc)
	return liveOut(r.a.g, b, r.a.live, allRegs)&^def | use
}

// count returns how many values of registers and the current frame satisfy f, and how
// many do in all.
func (s *State) count(f func(*Value) bool) (here, all int) {
	s.visit(func(v *Value) bool {
		if f(v) {
			all++
		}
		return true
	})
	here = all
	for _, v := range s.outer.all() {
		if f(v) {
			here--
		}
	}
	for _, fr := range s.frames[1:] {
		for _, sl := range fr.all {
			if f(sl.val) {
				here--
			}
		}
	}
	return here, all
}

// mixed compares a value that may be a pointer with a number. Only equality with zero gives
// information about a pointer.
func (c *compare) mixed(s *State) (taken, fall *State) {
	t, tok := c.side(c.cond)
	f, fok := c.side(c.cond.Negate())
	if tok {
		taken = s.fork()
		c.put(taken, t)
	}
	if fok {
		fall = s
		c.put(fall, f)
	}
	return taken, fall
}

// side returns the value of a on the edge on which cond holds, and whether the edge can be
// followed.
func (c *compare) side(cond scalar.Cond) (*Value, bool) {
	isZero := c.b.zero()
	var keep []Alt
	c.a.each(func(a *Alt) {
		switch {
		case a.Kind == Number:
			// Knowledge about a number on another edge is Never on this one.
			if c.undecided(a) {
				keep = append(keep, a.forgotten())
				return
			}
			if c.covers(cond, a.held(), c.b.held()) == scalar.Never {
				return
			}
			n := *a
			n.Off, n.wide = c.narrowed(cond, a), nil
			if c.r.isFirst() {
				n.flags |= loose
			}
			keep = append(keep, n)
		case isZero && cond == scalar.JEQ && a.flags&maybeNull != 0:
			keep = append(keep, Alt{Kind: Number, Off: scalar.Const(0)})
		case isZero && cond == scalar.JEQ && c.r.notNull(a):
		case isZero && cond == scalar.JNE && a.flags&maybeNull != 0:
			n := *a
			n.flags &^= maybeNull
			keep = append(keep, n)
		default:
			keep = append(keep, *a)
		}
	})
	if len(keep) == 0 {
		return nil, false
	}
	return fromAlts(keep), true
}

// notNull reports whether the kernel treats the pointer as not null whatever the program does,
// because it cannot be released (kernel/bpf/verifier.c reg_not_null, Linux 7.3; before it
// reg_type_not_null).
func (r *run) notNull(a *Alt) bool {
	if a.flags&maybeNull != 0 {
		return false
	}
	switch a.Kind {
	case MapValue, Table:
		return true
	case MapPtr, TablePtr:
		r.a.f.usedQuirks.FewNotNull = true
		return !r.a.opt.Quirks.FewNotNull
	case Other:
		m := memoryOf(a.Obj)
		if m == memValue || m == memNumbers {
			return true
		}
		if a.flags&foreign != 0 || m != MemTrusted && m != MemBuffer {
			return false
		}
		r.a.f.usedQuirks.FewNotNull = true
		return !r.a.opt.Quirks.FewNotNull
	}
	return false
}

// put stores the refined value of a on one edge, and those of the pointers that are null together
// with it.
func (c *compare) put(s *State, v *Value) {
	if c.a.id == 0 {
		s.set(c.dst, v)
		return
	}
	v = v.linked(c.a.id, c.a.delta, c.a.add)
	if _, ok := v.constant(); ok {
		v = v.unlinked()
	}
	s.eachValue(func(w *Value) *Value {
		if w.id == c.a.id && w.add == c.a.add && w.delta == c.a.delta && w.leq(c.a) && c.a.leq(w) {
			return v
		}
		return w
	})
	s.set(c.dst, v)
}
