package abstract

import (
	"math/bits"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// The verifier ends loops of may_goto and iterators by forgetting numbers that have decided
// nothing yet. These depend on the paths that were followed: a number of a remembered state is
// precise if a value computed from it has decided a branch or an offset. The verifier searches
// backwards for that; here each register records the places of the last remembered state that it
// was computed from.
//
// Source: kernel/bpf/verifier.c backtrack_insn, __mark_chain_precision,
// propagate_precision, widen_imprecise_scalars, update_loop_entry and is_state_visited,
// Linux 6.12; in 7.3, kernel/bpf/states.c and kernel/bpf/backtrack.c.

// numberPlaces are registers and arguments on the stack, as State.value numbers them, and slots of
// the own frame; anySlot, among the registers, stands for the slots of all other frames together.
type numberPlaces struct {
	regs  uint32
	slots slotSet
}

const anySlot = 1 << 31

func (n numberPlaces) or(m numberPlaces) numberPlaces {
	return numberPlaces{n.regs | m.regs, n.slots | m.slots}
}

// origins holds for each register and slot the places of the last remembered state that it was
// computed from.
type origins struct {
	regs   [numValues]numberPlaces
	slots  *[maxSlots]numberPlaces // nil: each was computed from itself
	shared bool                    // others have slots, too
	rest   numberPlaces            // of anySlot
}

// own are the origins right after a remembered state.
func own() origins {
	o := origins{rest: numberPlaces{regs: anySlot}}
	for r := range o.regs {
		o.regs[r].regs = 1 << r
	}
	return o
}

// edit returns the slots to change them.
func (o *origins) edit() *[maxSlots]numberPlaces {
	switch {
	case o.slots == nil:
		o.slots = new([maxSlots]numberPlaces)
		for i := range o.slots {
			o.slots[i].slots = 1 << i
		}
	case o.shared:
		slots := *o.slots
		o.slots = &slots
	}
	o.shared = false
	return o.slots
}

// enter records a call: the registers that the callee keeps and the slots of the frame are now
// places of another frame.
func (o *origins) enter() {
	o.rest = o.rest.or(o.of(numberPlaces{1<<bytecode.R6 | 1<<bytecode.R7 | 1<<bytecode.R8 | 1<<bytecode.R9, allSlots}))
	*o.edit() = [maxSlots]numberPlaces{}
}

// leave records a return, after which no argument is left.
func (o *origins) leave() {
	clear(o.regs[numRegs:])
	for r := bytecode.R6; r <= bytecode.R9; r++ {
		o.regs[r] = o.rest
	}
	slots := o.edit()
	for i := range slots {
		slots[i] = o.rest
	}
}

// of returns the origins of a set of places.
func (o *origins) of(set numberPlaces) (out numberPlaces) {
	for r, from := range o.regs {
		if set.regs>>r&1 != 0 {
			out = out.or(from)
		}
	}
	if o.slots == nil {
		out.slots |= set.slots
		set.slots = 0
	}
	for ; set.slots != 0; set.slots &= set.slots - 1 {
		out = out.or(o.slots[bits.TrailingZeros64(uint64(set.slots))])
	}
	if set.regs&anySlot != 0 {
		out = out.or(o.rest)
	}
	return out
}

// mark makes places of the current state precise, and the places that they were computed from.
func (w *walker) mark(set numberPlaces) {
	from := &w.cur.from
	for c := w.cur.parent; c != nil && set != (numberPlaces{}); c = c.parent {
		set = from.of(set)
		set.regs, set.slots = set.regs&^c.precise.regs, set.slots&^c.precise.slots
		c.precise = c.precise.or(set)
		from = &c.from
	}
}

// number returns the bit of a register that holds a number, 0 for others.
func (w *walker) number(r bytecode.Reg) uint32 {
	if r < numRegs && w.cur.s.regs[r] != nil && w.cur.s.regs[r].is(Number) {
		return 1 << r
	}
	return 0
}

// derive records the origins of an instruction's result, before it is carried out.
func (w *walker) derive(in bytecode.Insn) {
	o, d, s := &w.cur.from, in.Dst, in.Src
	switch i, arg := argOf(in); {
	case arg && in.Class() != asm.LdXClass:
		o.deriveArg(i, in, w.cur.s.sent)
		return
	case arg && d < numRegs:
		o.regs[d] = o.regs[i]
		return
	case d >= numRegs || s >= numRegs:
		return
	}
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		w.deriveALU(in)
	case asm.LdClass:
		if in.IsWide() {
			o.regs[d] = numberPlaces{}
		} else {
			o.regs[bytecode.R0] = numberPlaces{}
		}
	case asm.LdXClass:
		w.deriveLoad(in)
	case asm.StClass, asm.StXClass:
		if in.Mode() == asm.AtomicMode && in.Imm == atomicLoadAcq {
			w.deriveLoad(in)
			break
		}
		w.deriveStore(in)
	}
}

// deriveLoad is derive for loads.
func (w *walker) deriveLoad(in bytecode.Insn) {
	at, _ := w.slotsOf(in, in.Src)
	w.cur.from.regs[in.Dst] = w.cur.from.of(at)
}

// deriveArg is derive for a store of an argument on the stack: the first one ends the life of those
// that the function itself was given.
func (o *origins) deriveArg(i int, in bytecode.Insn, sent bool) {
	if !sent {
		clear(o.regs[numRegs:])
	}
	o.regs[i] = numberPlaces{}
	if in.Class() == asm.StXClass && in.Src < numRegs {
		o.regs[i] = o.regs[in.Src]
	}
}

// deriveStore is derive for stores and atomic operations.
func (w *walker) deriveStore(in bytecode.Insn) {
	o := &w.cur.from
	at, whole := w.slotsOf(in, in.Dst)
	from := numberPlaces{}
	if in.Class() == asm.StXClass {
		from = o.regs[in.Src]
	}
	if in.Mode() == asm.AtomicMode {
		old := o.of(at)
		o.regs[bytecode.R0], o.regs[in.Src] = old.or(o.regs[bytecode.R0]), old.or(o.regs[in.Src])
		whole = false
	}
	if at.regs != 0 {
		o.rest = o.rest.or(from)
	}
	if at.slots == 0 || from == (numberPlaces{}) && !whole {
		return
	}
	slots := o.edit()
	for ; at.slots != 0; at.slots &= at.slots - 1 {
		if i := bits.TrailingZeros64(uint64(at.slots)); whole {
			slots[i] = from
		} else {
			slots[i] = slots[i].or(from)
		}
	}
}

// slotsOf returns the slots that an access through a register may use, and whether it is
// all of one.
func (w *walker) slotsOf(in bytecode.Insn, base bytecode.Reg) (at numberPlaces, whole bool) {
	v := w.cur.s.get(base)
	v.each(func(a *Alt) {
		off, ok := a.Off.IsConst()
		lo := int64(off) + int64(in.Off)
		switch {
		case !isStack(a):
		case a.Kind == Stack && a.Obj == 0 && ok && lo < 0 && lo >= -stackSize:
			reads, _ := slotUse(bytecode.Insn{Code: in.Code&^7 | uint8(asm.LdXClass), Src: bytecode.R10, Off: int16(lo)})
			at.slots |= reads
			whole = v.rest == nil && in.AccessBytes() == 8 && lo&7 == 0
		case a.Kind == Stack && a.Obj == 0:
			at.slots = allSlots
		case a.Kind == Stack:
			at.regs = anySlot
		default:
			at = numberPlaces{anySlot, allSlots}
		}
	})
	return at, whole
}

func (w *walker) deriveALU(in bytecode.Insn) {
	o, d, s := &w.cur.from, in.Dst, in.Src
	byReg := in.Source() == asm.RegSource
	switch op := in.ALUOp(); {
	case op == asm.Mov && byReg:
		o.regs[d] = o.regs[s]
	case op == asm.Mov:
		o.regs[d] = numberPlaces{}
	case op == asm.Swap || op == asm.Neg || !byReg:
	default:
		switch a, b := w.number(d), w.number(s); {
		case a == 0: // added to a pointer
			w.mark(numberPlaces{regs: b})
		case b == 0:
			w.mark(numberPlaces{regs: a})
		}
		o.regs[d] = o.regs[d].or(o.regs[s])
	}
}

// compared returns the numbers of a comparison, and those that are refined together with them.
func (w *walker) compared(in bytecode.Insn) (numbers, linked numberPlaces) {
	numbers.regs = w.number(in.Dst)
	if in.Source() == asm.RegSource {
		numbers.regs |= w.number(in.Src)
	}
	linked = numbers
	for r := range bytecode.R10 {
		if v := w.cur.s.regs[r]; numbers.regs>>r&1 != 0 && v.id != 0 {
			linked = linked.or(w.cur.s.linkedTo(v.id))
		}
	}
	return numbers, linked
}

// linkedTo returns the places with an id.
func (s *State) linkedTo(id uint32) (set numberPlaces) {
	for r := range s.values() {
		if v := s.value(r); v != nil && v.id == id {
			set.regs |= 1 << r
		}
	}
	for i, f := range s.frames {
		for num, sl := range f.all {
			switch {
			case sl.val == nil || sl.val.id != id:
			case i == 0:
				set.slots |= 1 << (num - 1)
			default:
				set.regs |= anySlot
			}
		}
	}
	return set
}

// decided notes that a comparison had one outcome, or that both edges are followed. In the latter
// case, linked numbers have the same origins from now on.
func (w *walker) decided(numbers, linked numberPlaces, one bool) {
	if one {
		w.mark(numbers)
		return
	}
	o := &w.cur.from
	from := o.of(linked)
	for r := range o.regs {
		if linked.regs>>r&1 != 0 {
			o.regs[r] = from
		}
	}
	for set := linked.slots; set != 0; set &= set - 1 {
		o.edit()[bits.TrailingZeros64(uint64(set))] = from
	}
	if linked.regs&anySlot != 0 {
		o.rest = o.rest.or(from)
	}
}

// passed records a call of a helper or kernel function. It makes precise: buffer sizes, a constant
// index of a tail call, the key of an array element, and the arguments of a kernel function. The
// result comes from no register.
func (w *walker) passed(pc bytecode.PC) {
	callee := calleeAt(w.p, pc)
	set := uint32(0)
	for i := range min(5, callee.Params) {
		size := i > 0 && callee.Args[i-1].Size == calls.Next && callee.Args[i-1].Use != calls.Nothing
		if size || !callee.known || callee.helper == 0 || callee.helper == bytecode.HelperTailCall && i == 2 && w.tailKey() {
			set |= w.number(bytecode.R1 + bytecode.Reg(i))
		}
	}
	w.mark(numberPlaces{regs: set}.or(w.key(callee)))
	for r := bytecode.R0; r <= bytecode.R5; r++ {
		w.cur.from.regs[r] = numberPlaces{}
	}
}

// tailKey reports whether the index of a tail call is one number for the verifier, and within the map.
//
// Source: kernel/bpf/verifier.c record_func_key, Linux 7.3.
func (w *walker) tailKey() bool {
	v, m := w.cur.s.get(bytecode.R3), w.cur.s.get(bytecode.R2)
	key, one := v.constant()
	switch {
	case !w.cur.s.certain() || v.has(func(a *Alt) bool { return a.flags&loose != 0 }):
		return true // it may be
	case !one || !m.is(MapPtr) || m.Obj < 0:
		return one
	}
	n := w.p.Maps[m.Obj].MaxEntries
	return n == 0 || key < uint64(n)
}

// key returns the places of a key by which a lookup may find an element for certain.
func (w *walker) key(h callee) (at numberPlaces) {
	const lookup = 1 // bpf_map_lookup_elem
	array := func(a *Alt) bool {
		if a.Kind != MapPtr || a.Obj < 0 {
			return true
		}
		m := &w.p.Maps[a.Obj]
		return m.Type == bytecode.MapArray || m.Type == bytecode.MapPercpuArray
	}
	if h.helper == lookup && w.cur.s.get(bytecode.R1).has(array) {
		at, _ = w.slotsOf(bytecode.Insn{}, bytecode.R2)
	}
	return at
}

// lastRound returns the state that was remembered before the last one at an instruction,
// of those on the current path.
func (w *walker) lastRound(pc bytecode.PC) *checkpoint {
	if w.cur.parent == nil {
		return nil
	}
	for _, c := range w.saved[pc] {
		if c.branches > 0 && c != w.cur.parent && sameCalls(c.up, w.cur.up) && c.depth < w.cur.parent.depth {
			return c
		}
	}
	return nil
}

// widen forgets the numbers of a state that differ from those of a round before and have decided
// nothing. It is not certain that the verifier forgets the same.
func (s *State) widen(old *checkpoint) {
	s.cover = true
	var ids idMap
	for r := range old.s.values() {
		v, now := old.s.value(r), s.value(r)
		if v == nil || now == nil || !v.is(Number) || !now.is(Number) || old.precise.regs>>r&1 != 0 ||
			equalValues(now, v) && ids.pair(v.id, now.id) {
			continue
		}
		s.put(r, unknownNumber)
	}
	for i := range s.frames {
		if i >= len(old.s.frames) || i > 0 && old.precise.regs&anySlot != 0 {
			return
		}
		for num, sl := range s.frames[i].all {
			was := old.s.frames[i].at(num)
			if i == 0 && old.precise.slots>>(num-1)&1 != 0 {
				continue
			}
			if sl.val == nil || was == nil || was.val == nil || !sl.val.is(Number) || !was.val.is(Number) ||
				equalValues(sl.val, was.val) {
				continue
			}
			s.edit(i).at(num).val = unknownNumber
		}
	}
}

// pair maps an id to another one, and reports whether that is possible.
func (m *idMap) pair(old, now uint32) bool {
	for _, p := range m.pairs {
		if p[0] == old || p[1] == now {
			return p[0] == old && p[1] == now
		}
	}
	m.pairs = append(m.pairs, [2]uint32{old, now})
	return true
}

// loopOf returns the state at which the loop of a state begins, nil if none is known.
func loopOf(c *checkpoint) *checkpoint {
	top := c.loop
	for top != nil && top.loop != nil {
		top = top.loop
	}
	c.loop = top
	return top
}

// inLoop notes that a state is part of the loop of another one, if that has not ended.
func (c *checkpoint) inLoop(head *checkpoint) {
	mine, top := loopOf(c), loopOf(head)
	if mine == nil {
		mine = c
	}
	if top == nil {
		top = head
	}
	if top != c && top.branches > 0 && top.depth <= mine.depth {
		c.loop = top
	}
}

// enterLoop is inLoop for the current path.
func (w *walker) enterLoop(head *checkpoint) {
	c := checkpoint{loop: w.cur.loop, depth: w.cur.depth}
	c.inLoop(head)
	w.cur.loop = c.loop
}

// loose is leq with links as the verifier compares them: a number that is linked to
// nothing may stand for one that is.
func (m *idMap) loose(now, old *Value) bool {
	if !now.leq(old) || old == nil || old.id == 0 {
		return now.leq(old)
	}
	if now == nil || now.add != old.add || old.add != 0 && now.delta != old.delta {
		return false
	}
	return m.pair(old.id, m.some(now.id))
}

// strict is leq of kernels in which a number that is linked to others is another one than
// a number that is not.
func (m *idMap) strict(now, old *Value) bool {
	if now == nil || old == nil || !now.is(Number) || !old.is(Number) {
		return m.leq(now, old)
	}
	if !now.leq(old) || now.add != old.add || old.add != 0 && now.delta != old.delta {
		return false
	}
	return m.pair(m.some(old.id), m.some(now.id))
}

// some returns the id, or a new one for a number that is not linked.
func (m *idMap) some(id uint32) uint32 {
	const first = 1 << 31
	if id == 0 {
		m.single++
		return first + m.single
	}
	return id
}
