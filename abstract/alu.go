package abstract

import (
	"math"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// alu carries out an instruction of class ALU or ALU64. It returns a state with which the
// instruction must be carried out once more, nil if there is none.
func (r *run) alu(pc bytecode.PC, in bytecode.Insn, s *State) (again *State) {
	op, is32, ok := scalar.OpOf(in.Code, in.Off, in.Imm)
	if !ok { // address space casts, and opcodes that no kernel accepts
		s.set(in.Dst, castValue(in))
		return nil
	}
	var src *Value
	switch {
	case in.Source() == asm.RegSource && !op.Unary():
		src = r.read(pc, s, in.Src)
	case r.a.p.PendingAt(pc) == bytecode.PartImm:
		src = r.pendingNumber(pc)
	case isMove(op):
		src = r.a.constant(uint64(int64(in.Imm)))
	default:
		src = r.immediate(in)
	}
	if isMove(op) {
		r.move(op, is32, in, src, s)
		return nil
	}
	dst := r.read(pc, s, in.Dst)
	if isArena(dst) || isArena(src) {
		r.arenaALU(pc, in, s)
		return nil
	}
	if !dst.is(Number) || !src.is(Number) {
		s.set(in.Dst, r.pointerALU(pc, in, op, is32, dst, src))
		if r.outerFrame(op, dst, src) {
			s.misled, s.cover = true, true
		}
		return nil
	}
	if r.a.opt.Rules == Verifier {
		dst, again = r.fork(in.Dst, op, dst, src, s)
	}
	out := r.numberALU(pc, in, op, is32, dst, src)
	if !dst.fixed() || !src.fixed() {
		out = r.guessed(out)
	}
	if r.staleLink(in, op, dst, out) {
		s.misled, s.cover = true, true
	}
	s.set(in.Dst, out)
	return again
}

// fork follows a number that is 0 or -1 as either, like the kernel: it returns the one of the current path,
// and the state of the other path, at the same instruction.
func (r *run) fork(reg bytecode.Reg, op scalar.Op, dst, src *Value, s *State) (v *Value, again *State) {
	now, later, forks := scalar.KernelFork(op, dst.Off, src.Off)
	if !forks {
		return dst, nil
	}
	q, used := &r.a.opt.Quirks, &r.a.f.usedQuirks
	switch used.NoFork, used.PerhapsFork = true, true; {
	case q.PerhapsFork:
		s.cover = true
	case q.NoFork:
	case r.forks == 0:
		s.cover = true
	default:
		again = s.fork()
		again.set(reg, dst.unlinked().with(later).like(dst))
		dst = dst.with(now).like(dst)
	}
	return dst, again
}

// isMove reports whether the operation is MOV or one of its sign-extending forms.
func isMove(op scalar.Op) bool {
	return op == scalar.Mov || op == scalar.MovSX8 || op == scalar.MovSX16 || op == scalar.MovSX32
}

// immediate returns the immediate of an instruction as an operand. It is valid until the next
// call and must not be stored; most are needed only briefly.
func (r *run) immediate(in bytecode.Insn) *Value {
	r.imm = Value{Alt: Alt{Kind: Number, Off: scalar.Const(uint64(int64(in.Imm)))}}
	return &r.imm
}

// with returns the value as a number with other bounds.
func (v *Value) with(s scalar.S) *Value {
	w := *v
	w.Off, w.wide, w.ranges, w.str = s, nil, nil, stride{}
	if v.src.holed() { // by rules Executions alone
		w.src, w.flags = v.src.bare(), v.flags|loose
	}
	return &w
}

// numberALU computes with two numbers (kernel/bpf/verifier.c
// adjust_scalar_min_max_vals and, for links, adjust_reg_min_max_vals).
func (r *run) numberALU(pc bytecode.PC, in bytecode.Insn, op scalar.Op, is32 bool, dst, src *Value) *Value {
	if v := r.lost(op); v != nil {
		return new(*v)
	}
	out := &Value{Alt: dst.Alt}
	out.Off = r.quotient(op, r.a.opt.Rules.alu(op, is32, dst.Off, src.Off))
	out.wide, out.ranges = nil, nil
	if dst.wide != nil || src.wide != nil {
		held := r.quotient(op, r.a.opt.Rules.alu(op, is32, dst.held(), src.held()))
		out.cover(r.coverSum(op, is32, dst.held(), src.held(), held))
	}
	out.flags &^= datum
	out.str = stride{}
	loosely := src.flags & loose
	if r.aluInRanges(out, op, is32, &dst.Alt, &src.Alt) {
		loosely = out.flags & loose
	}
	if !is32 {
		out.str = strideOf(op, &dst.Alt, &src.Alt, out.Off)
	}
	out.flags |= src.flags&stands | loosely
	if r.a.opt.Rules == Executions {
		var known bool
		if c, ok := src.Off.IsConst(); ok {
			out.src, known = dst.src.by(op, is32, dst.Off.Umax(), c)
		} else {
			out.src = dst.src.with(src.src)
			known = !dst.src.holed() && !src.src.holed()
		}
		if !known {
			out.flags |= loose
		}
		if out.flags&loose == 0 && slack(op, is32, &dst.Alt, &src.Alt, &out.Alt) {
			out.flags |= loose
		}
	}
	if op == scalar.Add || op == scalar.Sub {
		out.flags = joinFlags(out.flags, src.flags&^datum) &^ atStart
	} else {
		out.flags &^= maybePtr | maybeLocal | foreign | object | atStart
	}
	switch op {
	case scalar.And, scalar.Mod, scalar.SMod, scalar.Div, scalar.Rsh:
		if out.Off.Umax() < dst.Off.Umax() || out.org.pc == 0 {
			out.org = origin{int32(pc) + 1, uint8(in.Dst), noSide}
		}
	default:
		if out.org.pc == 0 {
			out.org = src.org
		}
	}
	if out.org.pc == int32(pc)+1 {
		r.a.noteBound(out.org, out.Off)
	}
	if op == scalar.Add || op == scalar.Sub {
		out.id, out.delta, out.add = addLink(in, op, is32, dst, src)
		if r.a.opt.Rules == Verifier && out.add != 0 && !r.links(int64(out.delta), is32) {
			out.id, out.delta, out.add = 0, 0, 0
		}
	}
	return out
}

// addLink returns the link of dst plus or minus a constant src.
func addLink(in bytecode.Insn, op scalar.Op, is32 bool, dst, src *Value) (id uint32, delta int32, add uint8) {
	c, ok := src.constant()
	if !ok || dst.id == 0 || dst.add != 0 || in.Source() == asm.RegSource && in.Dst == in.Src {
		return 0, 0, 0
	}
	if is32 {
		if dst.umax() > math.MaxUint32 {
			return 0, 0, 0
		}
		c = uint64(int64(int32(c)))
	}
	d := int64(c)
	if d < math.MinInt32 || d > math.MaxInt32 || op == scalar.Sub && d == math.MinInt32 {
		return 0, 0, 0
	}
	if op == scalar.Sub {
		d = -d
	}
	if is32 {
		return dst.id, int32(d), 32
	}
	return dst.id, int32(d), 64
}

// move carries out MOV and its sign-extending forms. Both registers get a link
// while the copy is whole.
func (r *run) move(op scalar.Op, is32 bool, in bytecode.Insn, src *Value, s *State) {
	if op == scalar.Mov && !is32 {
		if in.Source() == asm.RegSource {
			src = r.link(s, in.Src, src)
		}
		s.set(in.Dst, src)
		return
	}
	if !src.is(Number) || r.a.opt.Rules == Verifier && op != scalar.Mov && src.flags&(maybePtr|maybeLocal) != 0 {
		s.set(in.Dst, r.part(op, is32, src))
		return
	}
	if in.Source() == asm.RegSource && src.umax() <= wholeBelow(op) && !r.isFirst() {
		src = r.link(s, in.Src, src)
	} else {
		src = src.unlinked()
	}
	off := r.a.opt.Rules.alu(op, is32, unknown, src.Off)
	held := off
	if src.wide != nil {
		held = r.a.opt.Rules.alu(op, is32, unknown, *src.wide)
	}
	if off != src.Off || held != src.held() || src.ranges != nil {
		old := src
		src = src.with(off).covering(held)
		r.aluInRanges(src, op, is32, &old.Alt, &old.Alt)
		if r.a.opt.Rules == Executions && src.flags&loose == 0 && !scalar.Moves(op, old.Off) {
			_, counted := old.Off.Count(few)
			if !counted || slack(op, is32, &zeroNumber.Alt, &old.Alt, &src.Alt) {
				src.flags |= loose
			}
		}
		src.flags &^= maybePtr | maybeLocal | foreign | object | atStart
		if !old.fixed() {
			src = r.guessed(src)
		}
	}
	s.set(in.Dst, src)
}

// part returns the result of a narrow move of a pointer: an unknown number. The verifier ignores a
// sign extension then.
//
// Source: kernel/bpf/verifier.c check_alu_op, Linux 7.3.
func (r *run) part(op scalar.Op, is32 bool, src *Value) *Value {
	v := number(r.a.opt.Rules.alu(op, is32, unknown, unknown))
	if r.a.opt.Rules == Verifier && op != scalar.Mov {
		v = unknownNumber
		if is32 {
			v = number(r.a.opt.Rules.alu(scalar.Mov, true, unknown, unknown))
		}
	}
	if src.is(Number) { // or of a number
		return v.loosened()
	}
	return v
}

// wholeBelow returns the largest number that a narrow move does not change.
func wholeBelow(op scalar.Op) uint64 {
	switch op {
	case scalar.MovSX8:
		return math.MaxInt8
	case scalar.MovSX16:
		return math.MaxInt16
	case scalar.MovSX32:
		return math.MaxInt32
	}
	return math.MaxUint32
}

// linkable reports whether a comparison of the value can refine a copy of it: it is a number that
// is not constant, or a pointer that may be null.
func (v *Value) linkable() bool {
	if v.rest != nil || v.Kind != Number {
		return v.rest == nil && v.flags&maybeNull != 0
	}
	_, ok := v.Off.IsConst()
	return !ok
}

// link returns the value v of a register that is about to be copied, with a link if it can have
// one. The verifier has no link for a sum of a sum: a number that was linked by a sum is
// independent from then on (kernel/bpf/verifier.c assign_scalar_id_before_mov, Linux 7.3; tested
// on 7.2.7).
func (r *run) link(s *State, reg bytecode.Reg, v *Value) *Value {
	if (r.summed(v) || v.flags&sum != 0) && reg < bytecode.R10 {
		v = v.cleared()
		s.set(reg, v)
	}
	if v.id != 0 || reg >= bytecode.R10 || !v.linkable() {
		return v
	}
	v = v.linked(s.newID(), v.delta, 0) // the rest of an ended link: see staleLink
	s.set(reg, v)
	return v
}

// summed reports whether the value is linked by a sum and a copy of it is therefore not linked.
func (r *run) summed(v *Value) bool { return r.a.opt.Rules == Verifier && v.add != 0 && v.is(Number) }

// pointerALU computes an operation of which an operand may be a pointer (kernel/bpf/verifier.c
// adjust_ptr_min_max_vals).
func (r *run) pointerALU(pc bytecode.PC, in bytecode.Insn, op scalar.Op, is32 bool, dst, src *Value) *Value {
	if op.Unary() {
		switch {
		case r.a.opt.Rules != Verifier:
		case op == scalar.Neg && !is32: // all kernels treat the result as any number
			return unknownNumber
		default: // kernels differ in what they know of the result
			return unknownNumber.loosened()
		}
		return number(r.a.opt.Rules.alu(op, is32, unknown, unknown))
	}
	var out []Alt
	dst.each(func(a *Alt) {
		src.each(func(b *Alt) {
			out = append(out, r.altALU(pc, in, op, is32, a, b))
			if len(out) > 2*maxAlts {
				out = squeeze(out)
			}
		})
	})
	return fromAlts(out)
}

// outerFrame reports whether the kernel may treat a number plus a pointer to the stack as a
// pointer to another function's stack.
//
// Source: kernel/bpf/verifier.c adjust_ptr_min_max_vals, which copies frameno since
// Linux 7.3.
func (r *run) outerFrame(op scalar.Op, dst, src *Value) bool {
	if r.a.opt.Rules != Verifier || op != scalar.Add || r.nested == 0 || !src.has(isStack) ||
		!dst.has(func(a *Alt) bool { return a.Kind == Number }) {
		return false
	}
	r.a.f.usedQuirks.OuterFrame = true
	return r.a.opt.Quirks.OuterFrame
}

// altALU is pointerALU for one alternative of each operand.
func (r *run) altALU(pc bytecode.PC, in bytecode.Insn, op scalar.Op, is32 bool, a, b *Alt) Alt {
	any := Alt{Kind: Number, flags: (a.flags | b.flags) & loose, Off: unknown}
	if a.Kind == Number && b.Kind == Number {
		return r.numberALU(pc, in, op, is32, &Value{Alt: *a}, &Value{Alt: *b}).Alt
	}
	if is32 || op != scalar.Add && op != scalar.Sub {
		r.faultALU(pc, in, op, is32, a, b)
		return any
	}
	p, n, reg := a, b, in.Dst
	if a.Kind == Number {
		if op == scalar.Sub {
			r.checkOffset(pc, b, a)
			r.fault(a, Fault{PC: pc, Kind: FromScalar, Reg: in.Dst})
			return any
		}
		p, n, reg = b, a, in.Src
	}
	if n.Kind != Number {
		if op == scalar.Add {
			r.fault(a, Fault{PC: pc, Kind: TwoPointers, Reg: in.Dst, Op: op})
		}
		return r.distance(pc, in, op, a, b, any)
	}
	switch p.Kind {
	case MapPtr, TablePtr:
		if c, ok := n.Off.IsConst(); ok && c == 0 && op == scalar.Add {
			return *p
		}
		fallthrough
	case Insn, Code, Label:
		if p.Kind != MapPtr || !n.Off.Contains(0) || n.flags&loose == 0 { // the loader may add 0
			r.fault(p, Fault{PC: pc, Kind: PointerMath, Reg: reg})
		}
		if p.Kind == Insn || p.Kind == Code || p.Kind == Label {
			if l, ok := r.label(pc, in.Dst, op, p, n); ok {
				return l
			}
		}
		any.flags |= maybePtr
		any.org = origin{int32(pc) + 1, uint8(in.Dst), arithmetic}
		return any
	}
	if p.flags&maybeNull != 0 {
		r.fault(p, Fault{PC: pc, Kind: NullMath, Reg: reg})
	} else {
		r.checkOffset(pc, p, n)
	}
	return r.moved(pc, op, p, n)
}

// moved returns a pointer plus or minus a number.
func (r *run) moved(pc bytecode.PC, op scalar.Op, p, n *Alt) Alt {
	out := *p
	if _, fixed := n.Off.IsConst(); p.Kind == Other && (!fixed || memoryOf(p.Obj).numbers()) && !r.placed(p) {
		// The place in memory matters only if fields are distinguished.
		out.Off, out.src = unknown, nil
		return out
	}
	out.Off = r.a.opt.Rules.offset(p.Off, n.Off, op == scalar.Sub)
	out.str = strideOf(op, p, n, out.Off)
	out.flags |= n.flags & loose
	out.src = p.src.with(n.src)
	if c, ok := p.Off.IsConst(); ok && p.src == nil {
		out.src, _ = n.src.by(scalar.Add, false, n.Off.Umax(), c)
	}
	if n.src.holed() && (p.src != nil || op != scalar.Add) {
		out.src, out.flags = out.src.bare(), out.flags|loose
	}
	if r.a.opt.Rules == Executions && slack(op, false, p, n, &out) {
		out.flags |= loose
	}
	if n.org.pc != 0 {
		out.org = n.org
	}
	if n.flags&maybePtr == 0 {
		r.checkPlace(pc, &out)
	}
	return out
}

// checkPlace reports a pointer that is too far from its object (kernel/bpf/verifier.c
// check_reg_sane_offset_ptr, Linux 7.3).
func (r *run) checkPlace(pc bytecode.PC, p *Alt) {
	const limit = 1 << 29
	smin := p.Off.Smin()
	if smin > -limit && smin < limit {
		return
	}
	r.fault(p, Fault{PC: pc, Kind: FarPointer, Value: smin})
}

// checkOffset reports a number that the kernel does not allow to be added to a pointer
// (kernel/bpf/verifier.c check_reg_sane_offset_scalar, Linux 7.3).
func (r *run) checkOffset(pc bytecode.PC, p, n *Alt) {
	if n.flags&maybePtr != 0 {
		return // a pointer into an arena can be added to any
	}
	const limit = 1 << 29
	smin := n.Off.Smin()
	c, isConst := n.Off.IsConst()
	f := Fault{PC: pc, Holds: p.Kind, Null: p.flags&maybeNull != 0, Packet: p.toPacket()}
	switch {
	case isConst && (int64(c) >= limit || int64(c) <= -limit):
		f.Kind, f.Value = FarOffset, int64(c)
	case isConst:
	case smin == math.MinInt64:
		f.Kind = UnboundedOffset
	case smin >= limit || smin <= -limit:
		f.Kind, f.Value = LargeOffset, smin
	}
	if f.Kind != NoFault {
		r.fault(n, f)
	}
}

// faultALU reports an operation that pointers do not have.
func (r *run) faultALU(pc bytecode.PC, in bytecode.Insn, op scalar.Op, is32 bool, a, b *Alt) {
	p, reg := a, in.Dst
	if a.Kind == Number {
		p, reg = b, in.Src
	}
	if p.flags&maybeNull != 0 && !is32 {
		r.fault(p, Fault{PC: pc, Kind: NullMath, Reg: reg})
		return
	}
	switch {
	case a.Kind != Number && b.Kind != Number:
		if op != scalar.Sub {
			r.fault(a, Fault{PC: pc, Kind: TwoPointers, Reg: in.Dst, Op: op})
		}
	case p.Kind == Insn || p.Kind == Code:
		r.fault(p, Fault{PC: pc, Kind: PointerMath, Reg: reg})
	case is32 && op != scalar.Sub:
		r.fault(p, Fault{PC: pc, Kind: NarrowMath, Reg: reg})
	case op == scalar.And || op == scalar.Or || op == scalar.Xor:
		r.fault(p, Fault{PC: pc, Kind: BitwiseMath, Reg: reg, Op: op})
	case op != scalar.Add && op != scalar.Sub:
		r.fault(p, Fault{PC: pc, Kind: OtherMath, Reg: reg, Op: op})
	}
}
