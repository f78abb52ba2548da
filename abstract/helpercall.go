package abstract

import (
	"math"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// helperCall carries out a call of a helper or kernel function, and reports whether the call
// returns.
func (r *run) helperCall(pc bytecode.PC, in bytecode.Insn, s *State) bool {
	if ref, ok := r.a.p.RefAt(pc); ok && ref.Kind == bytecode.RefKfunc {
		switch ref.Name {
		case "bpf_throw":
			if r.a.p.Caught(pc) {
				break
			}
			r.leavesByCall(pc, LeaveThrow, s)
			r.a.noteThrow()
			return false
		case "__bpf_trap":
			r.fault(&anything.Alt, Fault{PC: pc, Kind: Trapped})
			if r.a.opt.Rules == Verifier {
				return false
			}
		}
	}
	h := calleeAt(r.a.p, pc)
	h.pc = pc
	s.cover = s.cover || s.left
	r.checkParams(pc)
	r.again(pc, s)
	if m := s.get(bytecode.R1); m.is(TablePtr) && in.IsHelperCall() {
		r.fault(&m.Alt, Fault{PC: pc, Kind: TableArgument, Reg: bytecode.R1, Value: int64(in.Imm)})
	}
	r.noteCall(pc, in, s)
	if h.helper == bytecode.HelperTailCall {
		r.exit(s, unknownNumber)
	}
	if h.helper != 0 {
		for i := 1; i <= h.Params; i++ {
			r.read(pc, s, bytecode.Reg(i))
		}
	}
	if h.helper == bytecode.HelperTailCall {
		r.leavesByCall(pc, LeaveTailCall, s)
	}
	given := s.regs[bytecode.R1:bytecode.R6]
	if len(s.outer.read()) > 0 && changesContext(r.a.p, pc, h) && slices.ContainsFunc(given, isContext) {
		s.changeFields()
	}
	r.checkRelease(pc, in, s)
	r.callbacks(pc, h, s)
	r.useArgs(pc, h, s)
	r0 := r.typedResult(pc, h, r.returned(h, s), s)
	if ref, ok := r.a.p.RefAt(pc); ok && ref.Kind == bytecode.RefKfunc && nodeResult(ref.Name) && r0.is(Other) {
		node := *r0
		node.Off = unknown
		r0 = &node
	}
	for reg := bytecode.R0; reg <= bytecode.R5; reg++ {
		s.set(reg, nil)
	}
	s.set(bytecode.R0, r0)
	r.hold(pc, in, s)
	s.endArgs()
	return true
}

// again marks the state in which an iterator call requests the next element once more. Values
// that differ from the round before and were not needed yet are unknown to the verifier from then
// on.
//
// Source: kernel/bpf/verifier.c process_iter_next_call and widen_imprecise_scalars,
// Linux 7.3.
func (r *run) again(pc bytecode.PC, s *State) {
	if !isNext(r.a.p, pc) {
		return
	}
	s.cover = s.cover || slices.Contains(r.nextCalls, pc)
	if !slices.Contains(r.nextCalls, pc) {
		r.nextCalls = append(r.nextCalls, pc)
	}
}

// returned returns the value of r0 after a call.
func (r *run) returned(h callee, s *State) *Value {
	switch {
	case h.buffer != 0:
		const maxErrno = 4095
		hi := int64(math.MaxInt32)
		if n := s.get(bytecode.Reg(h.buffer)); n.is(Number) && n.umax() < math.MaxInt32 {
			hi = int64(n.umax())
		}
		return number(scalar.SRange(-maxErrno, hi))
	case h.helper == helperCPU && r.a.p.CPUs > 0:
		v := number(scalar.Range(0, uint64(r.a.p.CPUs)-1))
		if r.a.f.usedQuirks.FewNotNull = true; r.a.opt.Quirks.FewNotNull {
			return v.loosened() // 6.1 has no such bound and 6.12 has it; it is not known for versions between
		}
		return v
	case h.helper == helperCPU:
		return unknownCPU
	}
	return r.result(h, s)
}

// element returns the pointer that a call returns to a value of the map in r1, which
// may be one of several.
func (r *run) element(h callee, s *State) *Value {
	m := s.get(bytecode.R1)
	switch {
	case m.has(func(a *Alt) bool { return a.Kind != MapPtr }):
		return unknownPtr
	case m.rest == nil:
		return r.elementIn(h, &m.Alt, s)
	}
	var all []Alt
	m.each(func(a *Alt) { all = append(all, r.elementIn(h, a, s).alts()...) })
	v := fromAlts(all)
	if !v.has(func(a *Alt) bool { return a.flags&maybeNull != 0 }) {
		return v
	}
	return v.linked(s.newID(), 0, 0)
}

// elementIn is element for a map.
func (r *run) elementIn(h callee, m *Alt, s *State) *Value {
	if v := r.lookedUp(h, m, s); v != nil {
		return v
	}
	v := pointer(MapValue, int(m.Obj), 0)
	found := cfg.TruthOf(!h.Result.MaybeNull()).Or(r.finds(h, &r.a.p.Maps[m.Obj], s))
	if found == cfg.Yes {
		return v
	}
	v.flags |= maybeNull
	if found == cfg.Maybe {
		v.flags |= loose
	}
	return v.linked(s.newID(), 0, 0)
}

// finds reports whether a lookup in a map always finds a value: a lookup in an array by a
// constant key on the stack. Maybe stands for a key that the verifier may know better.
//
// Source: kernel/bpf/verifier.c get_constant_map_key and can_elide_value_nullness,
// Linux 6.14 to 7.3.
func (r *run) finds(h callee, m *bytecode.Map, s *State) cfg.Truth {
	const lookup = 1        // bpf_map_lookup_elem
	const innerMap = 0x1000 // BPF_F_INNER_MAP
	if h.helper != lookup || m.Flags&innerMap != 0 || m.Type != bytecode.MapArray &&
		m.Type != bytecode.MapPercpuArray || m.KeySize != 4 {
		return cfg.No
	}
	key := s.get(bytecode.R2)
	if !key.is(Stack) || int(key.Obj) >= len(s.frames) {
		return cfg.No
	}
	off, ok := key.Off.IsConst()
	lo := int64(off)
	if !ok || lo >= 0 || lo < -stackSize || lo&3 != 0 {
		return cfg.No
	}
	sl := s.frames[key.Obj].get(int16((-lo + 7) / 8))
	if sl == nil {
		return cfg.No
	}
	found := sl.finds(int(lo&7), m.MaxEntries)
	if found == cfg.Maybe && sl.spilled() == 8 && key.Obj == 0 && r.justStored(h.pc, lo&^7) {
		// The verifier has had no occasion to find out that nothing reads the other half.
		if _, known := sl.val.constant(); lo&7 == 0 {
			found = cfg.No
		} else if known {
			found = cfg.Yes
		}
	}
	if found == cfg.No || !r.nullLookups() {
		return found
	}
	return cfg.No
}

// justStored reports whether the block of an instruction stores all of a slot of the frame, at an
// offset, before it, and nothing in between is a point at which the verifier remembers states.
func (r *run) justStored(pc bytecode.PC, off int64) bool {
	b, _ := r.a.g.BlockAt(pc)
	for at := pc - 1; at >= r.a.g.Blocks[b].Start; at-- {
		if !r.a.g.InsnAt(at) {
			continue
		}
		switch in := r.a.p.Insns[at]; in.Class() {
		case asm.StClass, asm.StXClass:
			if in.Dst == bytecode.R10 && int64(in.Off) == off && in.AccessBytes() == 8 && in.Mode() == asm.MemMode {
				return true
			}
		case asm.JumpClass, asm.Jump32Class:
			if !in.IsHelperCall() || helperOf(in.Imm).callback != 0 {
				return false
			}
		}
	}
	return false
}

// finds reports whether the 4 bytes of the slot from first on are the key of one of so
// many entries.
func (sl *slot) finds(first int, entries uint32) cfg.Truth {
	zero := true
	for i := first; i < first+4; i++ {
		zero = zero && sl.bytes[i] == byteZero
	}
	switch v, ok := sl.val.constant(); {
	case zero:
		return cfg.TruthOf(entries > 0)
	case ok && first == 0 && sl.spilled() == 4:
		return cfg.TruthOf(uint32(v) < entries)
	case ok && sl.spilled() == 8 && v < uint64(entries):
		// The verifier takes the whole number for its upper half, and forgets it after it has found
		// that nothing reads the lower one; it knows the lower one after that of the upper one.
		return cfg.Maybe
	case sl.val != nil && sl.val.has(vague), sl.vague(first, 4):
		return cfg.Maybe
	}
	return cfg.No
}

// useArgs lets a call use the memory that its arguments point to. It reads and writes upwards
// from that address.
func (r *run) useArgs(pc bytecode.PC, h callee, s *State) {
	for i := 1; i <= min(h.Params, 5+stackArgs); i++ {
		arg := calls.Arg{Use: calls.Write}
		if i <= len(h.Args) {
			arg = h.Args[i-1]
		}
		v := s.value(argRegister(i))
		if v == nil {
			if i > 5 || s.certain() && h.helper != 0 {
				continue // none, or one that the kernel refuses
			}
			v = anything
		}
		if arg.Use == calls.Nothing {
			continue
		}
		if arg.Size == calls.Next && h.helper != 0 {
			r.checkSize(pc, bytecode.Reg(i+1), s)
		}
		size, known := r.argBytes(h, i, s)
		v.each(func(a *Alt) { r.useArg(pc, h, i, a, size, known, s) })
	}
}

// checkSize reports an impossible buffer size (kernel/bpf/verifier.c check_mem_size_reg, Linux
// 7.3).
func (r *run) checkSize(pc bytecode.PC, reg bytecode.Reg, s *State) {
	const most = 1 << 29 // BPF_MAX_VAR_SIZ
	n := s.get(reg)
	switch {
	case !n.is(Number) || n.flags&maybePtr != 0:
	case n.Off.Smin() < 0:
		r.fault(&n.Alt, Fault{PC: pc, Kind: NegativeSize, Reg: reg})
	case n.umax() >= most && n.Off.Umin() > 0: // zero is reported before, if it is not allowed
		r.fault(&n.Alt, Fault{PC: pc, Kind: UnboundedSize, Reg: reg})
	}
}

// useArg is useArgs for one alternative of argument number i: size bytes are
// written or read.
func (r *run) useArg(pc bytecode.PC, h callee, i int, a *Alt, size int64, known bool, s *State) {
	writes := i > len(h.Args) || h.Args[i-1].Use == calls.Write
	reg := bytecode.Reg(argRegister(i))
	switch {
	case a.Kind == Table && writes:
		r.fault(a, Fault{PC: pc, Kind: TableWrite, Reg: reg, Off: a.Off.Smin(), Size: size})
	case a.Kind == Number && a.flags&maybeLocal != 0 && writes:
		forgetFrames(s)
		s.cover = true
	case a.Kind != Stack || int(a.Obj) >= len(s.frames):
	default:
		lo, hi, fixed := r.span(access{pc: pc, reg: reg}, a)
		if h.helper != 0 && h.Args[i-1].Size < 0 && fixed && known && size > 0 && (lo < -stackSize || lo+size > 0) {
			kind := StackRead
			if writes {
				kind = StackWrite
			}
			r.fault(a, Fault{PC: pc, Kind: kind, Reg: reg, Off: lo, Size: size})
		}
		r.touch(int(a.Obj), lo, s)
		if !writes && size > 0 && i <= len(h.Args) && h.Args[i-1].Use == calls.Read {
			r.readByHelper(int(a.Obj), lo, hi+size, s)
			s.cover = s.cover || !known && r.nullLookups()
		}
		if writes {
			r.noteStack(pc, int(a.Obj), lo, s, known)
			r.noteOuter(&r.a.set, a, lo, hi+size)
			f, kind := s.edit(int(a.Obj)), r.written(h, i, fixed && known, s)
			if r.a.opt.Rules == Verifier && fixed && known && i == 1 && fills(h) && s.get(bytecode.R2).fixed() {
				f.overwrite(lo, hi+size, kind)
			} else {
				f.fill(lo, hi+size, kind)
			}
			s.cover = s.cover || !known
		}
	}
}

// readByHelper forgets what the slots of a frame hold that a call reads, from one offset to before another, in
// kernels that treat every access by a call as a write. Zeros beside such bytes may stay for these kernels.
//
// Source: kernel/bpf/verifier.c check_stack_range_initialized, Linux 6.12; since 6.14 reads are told from writes,
// together with lookups that always find an element.
func (r *run) readByHelper(frame int, lo, hi int64, s *State) {
	if r.a.opt.Rules != Verifier || !s.frames[frame].holds(lo, hi) || !r.nullLookups() {
		return
	}
	f := s.edit(frame)
	zeros := map[int64]bool{}
	for num, sl := range f.all {
		for b := range sl.bytes {
			at := int64(b) - 8*int64(num)
			if (at < lo || at >= hi) && sl.val != nil && (sl.bytes[b] == byteZero || sl.bytes[b] == byteVague) {
				zeros[at] = true
			}
		}
	}
	f.fill(lo, hi, byteMisc)
	for at := range zeros {
		num := int16((-at + 7) / 8)
		if sl := f.at(num); sl.val == nil {
			sl.bytes[at+8*int64(num)] = byteVague
		}
	}
}

// holds reports whether something is known of bytes from lo to before hi.
func (f *frame) holds(lo, hi int64) bool {
	for num, sl := range f.all {
		if at := -8 * int64(num); at < hi && at+8 > lo && sl.known() {
			return true
		}
	}
	return false
}

// written returns what a call leaves in memory that it writes through argument number i, at a
// known place or not.
func (r *run) written(h callee, i int, known bool, s *State) byteKind {
	const fibLookup, checkMTU = 69, 163 // these read what is there, too
	if r.a.opt.Rules != Executions || !known || h.helper == 0 || h.helper == fibLookup || h.helper == checkMTU {
		return byteMisc
	}
	if n := s.value(argRegister(i + 1)); h.Args[i-1].Size == calls.Next && (n == nil || !n.fixed()) {
		return byteMisc
	}
	return byteOutside
}

// argBytes returns the maximum number of bytes that argument number i points to, and reports
// whether it is known.
func (r *run) argBytes(h callee, i int, s *State) (size int64, known bool) {
	if i > len(h.Args) || !h.known {
		return stackSize, false
	}
	arg := h.Args[i-1]
	switch arg.Size {
	case calls.Next:
		if n := s.get(bytecode.Reg(i + 1)); n.is(Number) && n.umax() < stackSize {
			return int64(n.umax()), true
		}
	case calls.MapKey, calls.MapValue:
		if m := r.mapAt(s.get(bytecode.R1)); m != nil {
			size := m.ValueSize
			if arg.Size == calls.MapKey {
				size = m.KeySize
			}
			if size > 0 && size <= stackSize {
				return int64(size), true
			}
		}
	case calls.Unknown:
	default:
		return int64(arg.Size), true
	}
	return stackSize, false
}

// mapAt returns what is known of the map that a value points to, nil if that is nothing: of one in a map of
// maps it is what the verifier takes all of them for.
func (r *run) mapAt(v *Value) *bytecode.Map {
	switch {
	case !v.is(MapPtr):
		return nil
	case v.Obj < 0:
		return r.a.p.Maps[^v.Obj].Inner
	}
	return &r.a.p.Maps[v.Obj]
}

// callbacks follows the functions that a helper or kernel function calls.
func (r *run) callbacks(pc bytecode.PC, h callee, s *State) {
	if h.callback == 0 {
		// If the callee is not known, it calls all functions that it gets.
		for i := 1; i <= h.Params && i <= 5 && (!h.known || h.calls); i++ {
			if v := s.regs[i]; v != nil {
				r.escape(pc, v, true)
			}
		}
		return
	}
	v := r.read(pc, s, bytecode.Reg(h.callback))
	if n := s.get(bytecode.R1); h.how == cbLoop && !n.has(func(a *Alt) bool { return a.Kind == Number }) {
		r.fault(&n.Alt, Fault{PC: pc, Kind: NoNumber, Reg: bytecode.R1})
	}
	found, modified := false, false
	v.each(func(a *Alt) {
		if r.modified(pc, bytecode.Reg(h.callback), a) {
			modified = true
			return
		}
		if a.Kind == Func {
			found = true
			calls := h.how != cbLoop || !s.get(bytecode.R1).zero()
			if r.a.noteCallback(pc, int(a.Obj), calls); calls && (!r.once || h.how == cbTimer) {
				r.callback(pc, h.how, int(a.Obj), s)
			}
		}
	})
	if found && v.is(Func) && !modified {
		return
	}
	if !modified {
		r.fault(&v.Alt, Fault{PC: pc, Kind: NoCallback, Reg: bytecode.Reg(h.callback)})
	}
	if modified || v.has(func(a *Alt) bool { return a.Kind != Func }) {
		r.a.anyFunc(pc)
		forgetFrames(s)
	}
}

// callbackArgs returns the arguments of a callback.
//
// Source: kernel/bpf/verifier.c set_loop_callback_state, set_map_elem_callback_state,
// set_find_vma_callback_state, set_user_ringbuf_callback_state,
// set_rbtree_add_callback_state and set_timer_callback_state, Linux 7.3. Linux reads
// numbers from objects of the program's own types (btf_struct_access).
func (r *run) callbackArgs(how callbackKind, s *State) (args arguments) {
	other := &Value{Alt: Alt{Kind: Other, flags: foreign, Off: unknown}}
	switch how {
	case cbLoop:
		args[1], args[2] = r.round(s.get(bytecode.R1)), s.regs[bytecode.R3]
	case cbMap:
		args[1], args[2], args[3], args[4] = s.regs[bytecode.R1], memoryPointer(memKey), r.elementOf(s), s.regs[bytecode.R3]
	case cbVMA:
		args[1], args[2], args[3] = s.regs[bytecode.R1], r.object("vm_area_struct"), s.regs[bytecode.R4]
	case cbBuffer:
		args[1], args[2] = other, s.regs[bytecode.R3]
	case cbNodes:
		args[1], args[2] = memoryPointer(MemBuffer), memoryPointer(MemBuffer)
	case cbTimer:
		args[1], args[2], args[3] = other, memoryPointer(memKey), memoryPointer(memElement)
	}
	return args
}

// object returns a pointer to a kernel's structure that may have been freed.
func (r *run) object(name string) *Value {
	v := memoryPointer(MemObject)
	if r.a.p.Kernel != nil {
		v.Obj |= r.a.p.Kernel.Struct(name) << memoryBits
	}
	return v
}

// callback follows a callback that a helper calls any number of times, on the caller's stack if
// the pointer that it passes on points there.
func (r *run) callback(pc bytecode.PC, how callbackKind, sub int, s *State) {
	args := r.callbackArgs(how, s)
	if how == cbTimer {
		// Runs later, when the caller's frames are gone.
		r.later(sub, s.certain())
		e := entryState(args)
		e.cover = !s.certain()
		r.a.enqueue(sub, e)
		return
	}
	r.a.f.sync[sub] = true
	if reaches(args[:]) {
		s.unlinkFrames(r.a.opt.Rules)
	}
	before := s.frames
	left := r.callRounds(pc, sub, s, args)
	if r.a.opt.Rules == Verifier && len(left) > 0 {
		for _, frames := range append(left, before) {
			s.standForFrames(frames)
		}
	}
}

// callRounds follows any number of calls of a function that is called back, and returns the frames that
// each of them may have left.
func (r *run) callRounds(pc bytecode.PC, sub int, s *State, args arguments) (left [][]*frame) {
	// Each round adds what one more call may have done to the stack.
	const rounds = 8
	for i := 0; ; i++ {
		outs := r.enter(pc, sub, s, args)
		if i == 0 {
			r.first = firstRound{s.frames, outs, r.a.calledBack && r.endsRounds(s.frames, outs)}
		}
		r.checkCallback(sub, outs)
		if len(s.frames) == 0 || !reaches(args[:]) || r.first.last {
			return left
		}
		grown := s.frames
		for _, out := range outs {
			grown = joinAllFrames(grown, out.frames, i >= rounds/2)
			left = append(left, out.frames)
		}
		ends := framesLeq(grown, s.frames)
		if r.a.opt.Rules == Executions {
			grown = loosenFrames(grown, s.frames, outs)
			if ends {
				s.frames, s.owned = grown, 0
			}
		}
		if ends {
			return left
		}
		r.a.forgetRounds(s.frames, grown)
		s.cover = true // the verifier widens values that it did not need
		if i == rounds {
			forgetFrames(s)
			// A value that is now unknown may have been a stack pointer.
			for f := range s.frames {
				s.edit(f).localPointer = true
			}
			continue
		}
		s.frames, s.owned = grown, 0
		if i > 2*rounds {
			panic("bug: the stack of a callback's caller keeps changing")
		}
	}
}

// loosenFrames marks as loose whatever differs between the frames before a callback and those after
// it, because the number of calls is not known.
func loosenFrames(frames, before []*frame, behind []*State) []*frame {
	s := &State{frames: frames}
	for _, out := range behind {
		for i, f := range before {
			if i >= len(out.frames) || out.frames[i] == f {
				continue
			}
			for num, sl := range s.frames[i].all {
				was, is := f.get(num), out.frames[i].get(num)
				if sl.val != nil && sl.val.flags&loose == 0 && (was == nil || is == nil || was.val != is.val) {
					s.edit(i).at(num).val = sl.val.loosened()
				}
			}
		}
	}
	return s.frames
}

// elementOf returns the value pointer that bpf_for_each_map_elem passes on.
func (r *run) elementOf(s *State) *Value {
	if m := s.get(bytecode.R1); m.is(MapPtr) && m.Obj >= 0 {
		return pointer(MapValue, int(m.Obj), 0)
	}
	return memoryPointer(memValue)
}

// unlinkFrames takes the links from all values on stacks: the callee may change
// one of those that are linked. The verifier keeps the links, and refines what is linked to what the
// callee compares, so it may know more of all of them.
func (s *State) unlinkFrames(rules Rules) {
	if s.ids == 0 {
		return
	}
	var lost []uint32
	s.eachSlot(true, func(_ int, _ int16, v *Value) {
		if v.id != 0 && !slices.Contains(lost, v.id) && !s.alone(v.id) {
			lost = append(lost, v.id)
		}
	})
	if rules == Verifier && len(lost) > 0 {
		s.eachValue(func(v *Value) *Value {
			if slices.Contains(lost, v.id) {
				return v.loosened()
			}
			return v
		})
	}
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

// joinAllFrames joins two stacks of frames, without links.
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

// framesLeq reports whether the stacks of b cover those of a, without links.
func framesLeq(a, b []*frame) bool {
	for i := range a {
		if !leqFrame(a[i], b[i], 0, 0, false, false, func(v, w *Value) bool { return v.leq(w) }) {
			return false
		}
	}
	return true
}

// escape records that functions were passed to code that may call them.
func (r *run) escape(pc bytecode.PC, v *Value, calls bool) {
	v.each(func(a *Alt) {
		if a.Kind == Func {
			if calls {
				r.a.noteCallback(pc, int(a.Obj), true)
			}
			r.a.enqueue(int(a.Obj), topState())
		}
	})
}
