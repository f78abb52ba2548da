package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// span returns the lowest and highest byte offset of an access to a frame, and
// whether there is but one. Offsets far outside the frame are cut: no kernel
// takes them.
func (r *run) span(acc access, a *Alt) (lo, hi int64, fixed bool) {
	if c, ok := a.Off.IsConst(); ok {
		off := int64(c)
		if off < -1<<30 || off > 1<<30 {
			off = 0
		}
		return off + acc.off, off + acc.off, true
	}
	lo = max(a.Off.Smin(), -stackSize-acc.off) + acc.off
	hi = min(a.Off.Smax(), -acc.off) + acc.off
	return max(lo, -stackSize), min(hi, 0), false
}

// checkAligned reports an access to the stack that is not aligned
// (kernel/bpf/verifier.c check_ptr_alignment, Linux 7.3).
func (r *run) checkAligned(acc access, a *Alt) {
	if !a.Off.Var.Add(constBits(acc.off)).IsAligned(uint64(acc.size)) {
		r.fault(a, acc.fault(Misaligned, acc.off, a.Off.Var))
	}
}

// loadStack returns what is known of a load from a stack frame.
func (r *run) loadStack(acc access, a *Alt, s *State) *Value {
	lo, hi, fixed := r.span(acc, a)
	r.touch(int(a.Obj), lo, s)
	r.noteOuter(&r.a.loaded, a, lo, hi+int64(acc.size))
	at := int(a.Obj)
	if fixed { // Linux counts it for the function that loads, whose frame it is or not
		at = 0
	}
	r.noteStack(acc.pc, at, lo, s, true)
	if int(a.Obj) >= len(s.frames) {
		return anything
	}
	r.checkAligned(acc, a)
	if !fixed {
		return r.loadStackRange(acc, a, s, lo, hi)
	}
	if lo < -stackSize || lo+int64(acc.size) > 0 {
		r.fault(a, acc.fault(StackRead, lo, tnum.T{}))
		return r.field(acc, nil)
	}
	v := r.fill(acc, s, int(a.Obj), lo)
	if s.stands {
		v = v.marked()
	}
	if acc.size == 8 || !v.is(Number) {
		return v
	}
	if r.isFirst() {
		return r.narrowFirst(v, acc.size)
	}
	off := r.a.opt.Rules.narrow(v.Off, acc.size, acc.signed)
	held := off
	if v.wide != nil {
		held = r.a.opt.Rules.narrow(*v.wide, acc.size, acc.signed)
	}
	if off == v.Off && held == v.held() && v.ranges == nil {
		return v
	}
	if acc.signed && v.id != 0 && r.a.opt.Rules == Verifier {
		if r.a.f.usedQuirks.SharedFill = true; r.a.opt.Quirks.SharedFill {
			s.misled, s.cover = true, true
		}
	}
	whole := v
	if v = v.with(off).covering(held); r.a.opt.Rules == Executions {
		v = v.cut(whole, acc)
	}
	if acc.signed {
		return v.unlinked()
	}
	return v // what does not fit has no link, see fill
}

// cut returns v, the part that a load reads of the number whole on the stack. It is loose unless
// each of its members is the part of a member of whole.
func (v *Value) cut(whole *Value, acc access) *Value {
	lost := whole.src.holed()
	if acc.signed {
		move := [...]scalar.Op{1: scalar.MovSX8, 2: scalar.MovSX16, 4: scalar.MovSX32}[acc.size&7]
		lost = lost || whole.str.step != 0 || !scalar.Moves(move, whole.Off)
	} else {
		mask := Alt{Kind: Number, Off: scalar.Const(1<<(8*acc.size) - 1)}
		lost = lost || slack(scalar.And, false, &whole.Alt, &mask, &v.Alt)
	}
	if lost && v.flags&loose == 0 && !v.fixed() {
		return v.loosened()
	}
	return v
}

// fill returns the value of the stack bytes from lo, before they are cut to the
// size of the load (kernel/bpf/verifier.c check_stack_read_fixed_off).
func (r *run) fill(acc access, s *State, frame int, lo int64) *Value {
	f := s.frames[frame]
	num := int16((-lo + 7) / 8)
	base := -8 * int64(num)
	first := int(lo - base)
	if first+acc.size > 8 {
		return stackUnknown(f) // not aligned; no kernel takes it
	}
	sl := f.get(num)
	r.checkFill(acc, sl, lo)
	if sl == nil {
		r.loadWord(acc, s, nil)
		return r.leftover(f)
	}
	n := sl.spilled()
	switch {
	case sl.val != nil && sl.val.is(Number) && r.isFirst():
		if first != 0 || acc.size != n {
			r.loadWord(acc, s, nil)
			return r.leftover(f)
		}
		r.loadWord(acc, s, sl.val)
		return sl.val
	case sl.val != nil && first == 0 && acc.size == 8 && n == 8:
		r.loadWord(acc, s, sl.val)
		return r.linkSlot(s, frame, num)
	case sl.val != nil && first == 0 && acc.size < 8 && acc.size <= n && sl.val.is(Number):
		if acc.size == n && sl.val.umax() < 1<<(8*n) && (n == 4 || r.a.opt.Rules == Executions) {
			return r.linkSlot(s, frame, num)
		}
		if sl.val.umax() < 1<<(8*acc.size) {
			return sl.val
		}
		return sl.val.unlinked()
	case sl.val != nil && sl.val.zero() && first+acc.size <= n:
		return zeroNumber
	}
	zero := true
	for b := first; b < first+acc.size; b++ {
		zero = zero && r.zeroByte(sl, b)
	}
	if zero {
		return zeroNumber
	}
	r.loadWord(acc, s, nil)
	switch {
	case sl.outside(first, acc.size):
		return unknownNumber
	case sl.vague(first, acc.size):
		return stackUnknown(f).loosened()
	}
	return r.leftover(f)
}

// loadWord notes that a load gives this value, nil for bytes of which nothing is known. The
// verifier leaves out a path with a pointer in a slot because of an earlier one with such bytes
// (kernel/bpf/states.c stacksafe, Linux 6.3 to 7.3).
func (r *run) loadWord(acc access, s *State, v *Value) {
	if acc.size < 8 || r.a.opt.Rules != Verifier {
		return
	}
	s.left = r.a.cover.loaded(acc.pc, v != nil && v.pointers(),
		v == nil || !s.certain() && v.has(func(a *Alt) bool { return a.Kind == Number && a.Off == unknown })) || s.left
}

// checkFill reports the fault of a load of a part of a spilled pointer. At a variable
// offset Linux allows what it refuses at a constant one, so that a path with a constant
// may be left out because of one with more offsets; and one with a pointer in the slot
// because of one that knows nothing of the slot.
func (r *run) checkFill(acc access, sl *slot, lo int64) {
	if acc.size == 8 {
		return
	}
	if sl == nil || sl.spilled() < 8 || !sl.val.has(func(a *Alt) bool { return a.Kind != Number }) {
		r.a.f.uses[acc.pc].noPointer = true
		return
	}
	x := sl.val.Alt
	if acc.reg != bytecode.R10 {
		x.flags |= loose
	}
	r.fault(&x, acc.fault(PartialFill, lo, tnum.T{}))
}

// linkSlot returns the value of a slot, linked to what is filled from it.
func (r *run) linkSlot(s *State, frame int, num int16) *Value {
	v := s.frames[frame].get(num).val
	if r.summed(v) || v.flags&sum != 0 {
		v = v.cleared()
		s.edit(frame).at(num).val = v
	}
	if v.id != 0 || !v.linkable() {
		return v
	}
	v = v.linked(s.newID(), 0, 0)
	s.edit(frame).at(num).val = v
	return v
}

// leftover returns the value of stack bytes that the program has written, or that nobody has.
func (r *run) leftover(f *frame) *Value {
	if r.a.opt.Rules == Executions {
		return stackUnknown(f).loosened()
	}
	return stackUnknown(f)
}

// stackUnknown returns what stack bytes of unknown content hold.
func stackUnknown(f *frame) *Value {
	switch {
	case f.localPointer:
		return anything
	case f.otherPointer:
		return forgotten[maybePtr]
	}
	return unknownNumber
}

// loadStackRange returns what is known of a load at a variable offset. The
// kernel keeps nothing but zeros (kernel/bpf/verifier.c
// mark_reg_stack_read, Linux 7.3); by rules Executions code addresses are kept beyond
// that, so that a table of labels on the stack can be followed.
func (r *run) loadStackRange(acc access, a *Alt, s *State, lo, hi int64) *Value {
	f := s.frames[a.Obj]
	zero := true
	var codes []Alt
	offs, few := a.Off.Enumerate(stackSize / 8)
	for _, off := range offs {
		at := int64(off) + acc.off
		num := int16((-at + 7) / 8)
		sl := f.get(num)
		if at >= 0 || at < -stackSize || sl == nil || acc.size != 8 || at&7 != 0 || !codeOnly(sl.whole()) {
			codes, few = nil, false
			break
		}
		codes = append(codes, sl.whole().alts()...)
	}
	if few && len(codes) > 0 && r.a.opt.Rules == Executions {
		return fromAlts(codes)
	}
	vague := true // zero to the verifier, perhaps
	for at := lo; at < hi+int64(acc.size); at++ {
		sl := f.get(int16((-at + 7) / 8))
		here := at < 0 && sl != nil
		zero = zero && here && r.zeroByte(sl, int(at&7))
		vague = vague && here && (sl.zeroByte(int(at&7)) || sl.vague(int(at&7), 1))
	}
	v := stackUnknown(f)
	switch {
	case zero:
		return zeroNumber
	case acc.size < 8:
		v = number(r.a.opt.Rules.narrow(unknown, acc.size, acc.signed))
	case r.a.opt.Rules != Verifier || !s.certain() || !r.proves(a):
		with := f.pointersIn(lo, hi, v) // for the verifier at a constant offset alone: see others
		s.cover = s.cover || r.a.opt.Rules == Verifier && with != v
		v = with
	}
	if vague || r.a.opt.Rules == Executions {
		return v.loosened()
	}
	return v
}

// others returns, for a load at a variable offset, a state that stands for those with a constant
// offset, nil if they load nothing else: the verifier leaves them out because of this one.
func (r *run) others(pc bytecode.PC, in bytecode.Insn, s *State) *State {
	base := s.get(in.Src)
	if r.a.opt.Rules != Verifier || !s.certain() || in.AccessBytes() != 8 || !base.is(Stack) ||
		int(base.Obj) >= len(s.frames) {
		return nil
	}
	lo, hi, fixed := r.span(access{pc, in.Src, int64(in.Off), 8, false}, &base.Alt)
	if fixed || s.frames[base.Obj].pointersIn(lo, hi, unknownNumber) == unknownNumber {
		return nil
	}
	t := s.fork()
	t.cover = true
	return t
}

// pointersIn returns v, or one of the pointers that lie between two offsets: the verifier may
// know the offset in states that this one stands for.
func (f *frame) pointersIn(lo, hi int64, v *Value) *Value {
	for at := (lo + 7) &^ 7; at <= hi && at < 0; at += 8 {
		if sl := f.get(int16(-at / 8)); sl != nil && sl.val != nil && sl.spilled() == 8 && sl.val.pointers() {
			v = v.join(sl.val)
		}
	}
	return v
}

// zeroByte reports whether a byte of a slot is zero when it is loaded with others. Linux
// before 7.3 takes bytes for 0 that were all stored as such, or that are all part of one
// spilled 0, but not a mixture (kernel/bpf/verifier.c mark_reg_stack_read).
func (r *run) zeroByte(s *slot, b int) bool {
	if s.bytes[b] == byteZero || !s.zeroByte(b) || r.a.opt.Rules == Executions {
		return s.zeroByte(b)
	}
	r.a.f.usedQuirks.NoMixedZeros = true
	return !r.a.opt.Quirks.NoMixedZeros
}

// codeOnly reports whether a value is a code address whatever it is.
func codeOnly(v *Value) bool {
	return v != nil && !v.has(func(a *Alt) bool { return a.Kind != Insn && a.Kind != Code && a.Kind != Func })
}

// storeStack stores a value, anything if val is nil, to a stack frame. The
// store is certain to happen if only is true.
func (r *run) storeStack(acc access, a *Alt, val *Value, s *State, only bool) {
	lo, hi, fixed := r.span(acc, a)
	r.touch(int(a.Obj), lo, s)
	r.noteStack(acc.pc, int(a.Obj), lo, s, true)
	if int(a.Obj) >= len(s.frames) {
		return
	}
	r.checkAligned(acc, a)
	if fixed && (lo < -stackSize || lo+int64(acc.size) > 0) {
		r.fault(a, acc.fault(StackWrite, lo, tnum.T{}))
	}
	r.noteOuter(&r.a.set, a, lo, hi+int64(acc.size))
	r.noteNarrower(a, val)
	f := s.edit(int(a.Obj))
	val = r.stored(val)
	kind := storedKind(val)
	if fixed && only && val.is(Number) && r.isFirst() && lo&7 == 0 && lo < 0 && lo >= -stackSize {
		r.spillFirst(f, lo, acc.size, val)
		return
	}
	if val != nil && val.has(isLocal) && (!fixed || !only || acc.size != 8 || lo&7 != 0) {
		f.localPointer = true
	}
	switch {
	case fixed && only && val != nil && lo&7 == 0 && lo < 0 && lo >= -stackSize && (acc.size == 8 || val.is(Number)):
		f.spill(int16(-lo/8), acc.size, val, r.a.opt.Rules)
	case fixed && only:
		f.overwrite(lo, lo+int64(acc.size), kind)
	default:
		if r.a.opt.Rules == Verifier {
			used := &r.a.f.usedQuirks.KeptZeros
			*used = f.weakSpills(lo, hi+int64(acc.size), kind, r.a.opt.Quirks.KeptZeros) || *used
			if kind == byteZero { // of a spilled number on a path that knows the offset: see weakSpills
				kind = byteVague
			}
		}
		f.weak(lo, hi+int64(acc.size), kind)
	}
}

// storedKind returns the kind of the bytes of a stored value that is not kept. If the value
// over-approximates the verifier's, the verifier may keep zeros.
func storedKind(val *Value) byteKind {
	switch {
	case val == nil || !val.is(Number):
	case val.zero():
		return byteZero
	case vague(&val.Alt) && val.Off.Contains(0):
		return byteVague
	}
	return byteMisc
}

// spill stores the low size bytes of a value to a slot (kernel/bpf/verifier.c
// save_register_state, Linux 7.3). A value that does not fit loses its link; the verifier
// keeps all of it.
func (f *frame) spill(num int16, size int, val *Value, rules Rules) {
	sl := f.at(num)
	if size == 8 {
		sl.val = nil // nothing is left of it
	} else {
		f.scrub(sl)
	}
	if size < 8 && val.umax() >= 1<<(8*size) {
		val = val.unlinked()
		if c, ok := val.constant(); ok && rules == Executions {
			val = constant(c & (1<<(8*size) - 1))
		}
	}
	sl.val = val
	for b := range sl.bytes {
		switch {
		case b < size:
			sl.bytes[b] = byteSpill
		case sl.bytes[b] != byteZero && sl.bytes[b] != byteVague:
			sl.bytes[b] = byteMisc
		}
	}
}
