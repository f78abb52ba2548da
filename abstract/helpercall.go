package abstract

import (
	"math"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// helperCall carries out a call of a helper or kernel function. It reports
// whether the call returns.
func (r *run) helperCall(pc bytecode.PC, in bytecode.Insn, s *State) bool {
	h := helper{args: 5, how: cbOther}
	if in.IsHelperCall() {
		h = helperOf(in.Imm)
	} else if ref, ok := r.a.p.RefAt(pc); ok && ref.Kind == bytecode.RefKfunc {
		switch h = kfuncOf(ref.Name); {
		case ref.Name == "bpf_throw":
			r.a.throw()
			return false
		case ref.Name == "__bpf_trap":
			r.fault(&anything.Alt, Fault{PC: pc, Kind: Trapped})
			if r.a.opt.Rules == Kernel {
				return false
			}
		}
	}
	if m := s.get(bytecode.R1); m.is(TablePtr) && in.IsHelperCall() {
		r.fault(&m.Alt, Fault{PC: pc, Kind: TableArgument, Reg: bytecode.R1, Value: int64(in.Imm)})
	}
	r.noteCall(pc, in, s)
	if h.res == resTail {
		r.exit(s, unknownNumber)
	}
	if h.how != cbNone || h.res == resAnything {
		r.callbacks(pc, h, s)
	}
	r.clobberArgs(pc, h, s)
	r0 := r.returned(h, s)
	for reg := bytecode.R0; reg <= bytecode.R5; reg++ {
		s.regs[reg] = nil
	}
	s.regs[bytecode.R0] = r0
	s.endArgs()
	return true
}

// returned returns what r0 holds behind a call.
func (r *run) returned(h helper, s *State) *Value {
	switch h.res {
	case resNumber, resNumberRead, resTail:
		return unknownNumber
	case resSize:
		const maxErrno = 4095
		hi := int64(math.MaxInt32)
		if n := s.get(bytecode.Reg(h.size)); n.is(Number) && n.Off.Umax() < math.MaxInt32 {
			hi = int64(n.Off.Umax())
		}
		return number(scalar.SRange(-maxErrno, hi))
	case resVoid:
		return nil
	case resValue, resValueRead:
		m := s.get(bytecode.R1)
		if !m.is(MapPtr) {
			return unknownPtr
		}
		switch r.a.p.Maps[m.Obj].Type {
		case bytecode.MapArrayOfMaps, bytecode.MapHashOfMaps, bytecode.MapSockMap, bytecode.MapSockHash, bytecode.MapXSK:
			return unknownPtr // values that are no memory
		}
		v := pointer(MapValue, int(m.Obj), 0)
		v.flags |= maybeNull
		return v.linked(s.newID(), 0, 0)
	}
	return unknownPtr
}

// clobberArgs forgets the stack bytes that a helper may write to. It writes
// upwards from a pointer that it is given; only buffers whose size is an
// argument have a known end.
func (r *run) clobberArgs(pc bytecode.PC, h helper, s *State) {
	for reg := bytecode.R1; reg <= bytecode.R5 && int(reg) <= h.args; reg++ {
		v := s.regs[reg]
		if v == nil {
			continue
		}
		v.each(func(a *Alt) {
			size := int64(stackSize)
			if int(reg) == int(h.out) && h.size != 0 {
				if n := s.get(bytecode.Reg(h.size)); n.is(Number) && n.Off.Umax() < stackSize {
					size = int64(n.Off.Umax())
				}
			}
			switch {
			case a.Kind == Table && int(reg) == int(h.out):
				r.fault(a, Fault{PC: pc, Kind: TableWrite, Reg: reg, Off: a.Off.Smin(), Size: size})
			case a.Kind == Number && a.flags&maybeLocal != 0 && writes(h):
				forgetFrames(s)
			case a.Kind != Stack || int(a.Obj) >= len(s.frames):
			default:
				lo, hi, _ := r.span(access{pc: pc, reg: reg}, a)
				r.touch(int(a.Obj), lo, s)
				if writes(h) {
					r.noteStack(pc, int(a.Obj), lo, s, int(reg) == int(h.out))
					s.edit(int(a.Obj)).forget(lo, hi+size)
				}
			}
		})
	}
}

// writes reports whether a helper may write to memory that it is given.
func writes(h helper) bool {
	return h.res != resNumberRead && h.res != resValueRead && h.res != resTail
}

// callbacks follows the functions that a helper calls.
func (r *run) callbacks(pc bytecode.PC, h helper, s *State) {
	if h.callback == 0 {
		// Not known to call anything: whatever functions it is given.
		for reg := bytecode.R1; reg <= bytecode.R5; reg++ {
			if v := s.regs[reg]; v != nil {
				r.escape(pc, v, true)
			}
		}
		return
	}
	v := r.read(pc, s, bytecode.Reg(h.callback))
	found := false
	v.each(func(a *Alt) {
		if a.Kind == Func {
			found = true
			calls := h.how != cbLoop || !s.get(bytecode.R1).zero()
			if r.a.callback(pc, int(a.Obj), calls); calls {
				r.callback(pc, h.how, int(a.Obj), s)
			}
		}
	})
	if !found || !v.is(Func) {
		r.fault(&v.Alt, Fault{PC: pc, Kind: NoCallback, Reg: bytecode.Reg(h.callback)})
		if v.has(func(a *Alt) bool { return a.Kind != Func }) {
			r.a.anyFunc(pc)
			forgetFrames(s)
		}
	}
}

// callback follows a callback that a helper calls any number of times, on the
// caller's stack if the pointer that it hands on leads there.
func (r *run) callback(pc bytecode.PC, how callbackKind, sub int, s *State) {
	other := &Value{Alt: Alt{Kind: Other, Off: unknown}}
	var args arguments
	switch how {
	case cbLoop:
		args[1], args[2] = unknownNumber, s.regs[bytecode.R3]
	case cbMap:
		args[1], args[2], args[3], args[4] = s.regs[bytecode.R1], other, r.elementOf(s), s.regs[bytecode.R3]
	case cbVMA:
		args[1], args[2], args[3] = other, other, s.regs[bytecode.R4]
	case cbBuffer:
		args[1], args[2] = other, s.regs[bytecode.R3]
	case cbNodes:
		args[1], args[2] = other, other
	case cbTimer:
		// Runs later, when the caller's frames are gone.
		r.later(sub, s.certain())
		args[1], args[2], args[3] = other, other, other
		r.a.enqueue(sub, entryState(args))
		return
	}
	r.a.f.sync[sub] = true
	if reaches(args[:]) {
		s.unlinkFrames()
	}
	// Each round adds what one more call may have done to the stack.
	const rounds = 8
	for i := 0; ; i++ {
		outs := r.enter(pc, sub, s, args)
		r.checkCallback(sub, outs)
		if len(s.frames) == 0 || !reaches(args[:]) {
			return
		}
		grown := s.frames
		for _, out := range outs {
			grown = joinAllFrames(grown, out.frames, i >= rounds/2)
		}
		if framesLeq(grown, s.frames) {
			return
		}
		if i == rounds {
			forgetFrames(s)
			// What is anything now may have been a stack pointer.
			for f := range s.frames {
				s.edit(f).lost = true
			}
			continue
		}
		s.frames, s.owned = grown, 0
		if i > 2*rounds {
			panic("bug: the stack of a callback's caller keeps changing")
		}
	}
}

// elementOf returns the value pointer that bpf_for_each_map_elem hands on.
func (r *run) elementOf(s *State) *Value {
	if m := s.get(bytecode.R1); m.is(MapPtr) {
		return pointer(MapValue, int(m.Obj), 0)
	}
	return &Value{Alt: Alt{Kind: Other, Off: unknown}}
}

// unlinkFrames takes the links from all values on stacks: the callee may change
// one of those that are linked.
func (s *State) unlinkFrames() {
	for i := range s.frames {
		if !s.frames[i].links() {
			continue
		}
		for num, sl := range s.frames[i].all {
			if w := sl.val.unlinked(); w != sl.val {
				s.edit(i).at(num).val = w
			}
		}
	}
}

// joinAllFrames joins two stacks of frames, links aside.
func joinAllFrames(a, b []*frame, widen bool) []*frame {
	combine := func(v, w *Value) *Value { return v.join(w) }
	if widen {
		combine = func(v, w *Value) *Value { return widenValue(v, w, nil, true) }
	}
	out := make([]*frame, len(a))
	for i := range a {
		out[i] = joinFrames(a[i], b[i], combine)
	}
	return out
}

// framesLeq reports whether the stacks of a are among those of b, links aside.
func framesLeq(a, b []*frame) bool {
	for i := range a {
		if !leqFrame(a[i], b[i], func(v, w *Value) bool { return v.leq(w) }) {
			return false
		}
	}
	return true
}

// escape notes that functions were handed to code that may call them.
func (r *run) escape(pc bytecode.PC, v *Value, calls bool) {
	v.each(func(a *Alt) {
		if a.Kind == Func {
			if calls {
				r.a.callback(pc, int(a.Obj), true)
			}
			r.a.enqueue(int(a.Obj), topState())
		}
	})
}
