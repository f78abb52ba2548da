package abstract

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// The verifier gets out of loops of may_goto and iterators by forgetting numbers that have
// decided nothing yet. Which these are depends on the paths that were followed: a number
// is precise in a state that is remembered when something that was computed of it has
// decided a branch, or an offset. The verifier looks back for that; here each register
// says which ones of the last remembered state it was computed of.
//
// Source: kernel/bpf/verifier.c backtrack_insn, __mark_chain_precision,
// propagate_precision, widen_imprecise_scalars, update_loop_entry and is_state_visited,
// Linux 6.12; in 7.3, kernel/bpf/states.c and kernel/bpf/backtrack.c.

// origins holds for each register the registers of the last remembered state that it was
// computed of, as bits; anySlot stands for all slots of the stack together.
type origins struct {
	regs  [numRegs]uint16
	slots uint16
}

const anySlot = 1 << 15

// own are the origins right behind a remembered state.
func own() origins {
	o := origins{slots: anySlot}
	for r := range o.regs {
		o.regs[r] = 1 << r
	}
	return o
}

// of returns the origins of a set of registers.
func (o *origins) of(set uint16) uint16 {
	out := uint16(0)
	for r, from := range o.regs {
		if set>>r&1 != 0 {
			out |= from
		}
	}
	if set&anySlot != 0 {
		out |= o.slots
	}
	return out
}

// mark makes registers of the current state precise, and what they were computed of.
func (w *walker) mark(set uint16) {
	from := &w.cur.from
	for c := w.cur.parent; c != nil && set != 0; c = c.parent {
		set = from.of(set) &^ c.precise
		c.precise |= set
		from = &c.from
	}
}

// number returns the bit of a register that holds a number, 0 for others.
func (w *walker) number(r bytecode.Reg) uint16 {
	if r < numRegs && w.cur.s.regs[r] != nil && w.cur.s.regs[r].is(Number) {
		return 1 << r
	}
	return 0
}

// derive notes what an instruction computes of what, before it is carried out.
func (w *walker) derive(in bytecode.Insn) {
	o, d, s := &w.cur.from, in.Dst, in.Src
	if d >= numRegs || s >= numRegs {
		return
	}
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		w.deriveALU(in)
	case asm.LdClass:
		if in.IsWide() {
			o.regs[d] = 0
		} else {
			o.regs[bytecode.R0] = 0
		}
	case asm.LdXClass:
		if o.regs[d] = 0; w.usesStack(in) {
			o.regs[d] = o.slots
		}
	case asm.StXClass:
		if in.Mode() == asm.AtomicMode {
			o.regs[bytecode.R0], o.regs[s] = o.slots|o.regs[bytecode.R0], o.slots|o.regs[s]
		}
		if w.usesStack(in) {
			o.slots |= o.regs[s]
		}
	}
}

func (w *walker) deriveALU(in bytecode.Insn) {
	o, d, s := &w.cur.from, in.Dst, in.Src
	byReg := in.Source() == asm.RegSource
	switch op := in.ALUOp(); {
	case op == asm.Mov && byReg:
		o.regs[d] = o.regs[s]
	case op == asm.Mov:
		o.regs[d] = 0
	case op == asm.Swap || op == asm.Neg || !byReg:
	default:
		switch a, b := w.number(d), w.number(s); {
		case a == 0: // added to a pointer
			w.mark(b)
		case b == 0:
			w.mark(a)
		}
		o.regs[d] |= o.regs[s]
	}
}

// compared returns the numbers that a comparison compares, and those that are known
// together with them.
func (w *walker) compared(in bytecode.Insn) (numbers, linked uint16) {
	numbers = w.number(in.Dst)
	if in.Source() == asm.RegSource {
		numbers |= w.number(in.Src)
	}
	linked = numbers
	for r := range bytecode.R10 {
		if v := w.cur.s.regs[r]; numbers>>r&1 != 0 && v.id != 0 {
			linked |= w.cur.s.linkedTo(v.id)
		}
	}
	return numbers, linked
}

// linkedTo returns the registers with an id.
func (s *State) linkedTo(id uint32) uint16 {
	set := uint16(0)
	for r := range bytecode.R10 {
		if v := s.regs[r]; v != nil && v.id == id {
			set |= 1 << r
		}
	}
	return set
}

// decided notes that a comparison had one outcome, or that both are followed: then
// numbers that are known together are from now on.
func (w *walker) decided(numbers, linked uint16, one bool) {
	if one {
		w.mark(numbers)
		return
	}
	from := w.cur.from.of(linked)
	for r := range bytecode.R10 {
		if linked>>r&1 != 0 {
			w.cur.from.regs[r] = from
		}
	}
}

// passed notes a call of a helper or kernel function: sizes of buffers have to be
// precise, and so has the index of a tail call; what it returns is of no register.
func (w *walker) passed(pc bytecode.PC) {
	callee := calleeAt(w.p, pc)
	set := uint16(0)
	for i := range min(5, callee.Params) {
		size := i > 0 && callee.Args[i-1].Size == calls.Next && callee.Args[i-1].Use != calls.Nothing
		if size || !callee.known || callee.helper == bytecode.HelperTailCall && i == 2 {
			set |= w.number(bytecode.R1 + bytecode.Reg(i))
		}
	}
	w.mark(set)
	for r := bytecode.R0; r <= bytecode.R5; r++ {
		w.cur.from.regs[r] = 0
	}
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

// widen forgets the numbers of a state that differ from those of a round before, where
// they have decided nothing. Whether the verifier finds the same of them is not certain.
func (s *State) widen(old *checkpoint) {
	s.cover = true
	var ids idMap
	for r, v := range old.s.regs {
		now := s.regs[r]
		if v == nil || now == nil || !v.is(Number) || !now.is(Number) || r < numRegs && old.precise>>r&1 != 0 ||
			equalValues(now, v) && ids.pair(v.id, now.id) {
			continue
		}
		s.regs[r] = unknownNumber
	}
	if old.precise&anySlot != 0 {
		return
	}
	for i := range s.frames {
		if i >= len(old.s.frames) {
			return
		}
		for num, sl := range s.frames[i].all {
			was := old.s.frames[i].at(num)
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

// loopOf returns the state at which the loop begins that a state is part of, nil for none
// that is known.
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
	if now.id == 0 { // one of its own
		return !slices.ContainsFunc(m.pairs, func(p [2]uint32) bool { return p[0] == old.id })
	}
	return m.pair(old.id, now.id)
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

// some returns an id, one of its own for a number that is not linked.
func (m *idMap) some(id uint32) uint32 {
	const first = 1 << 31
	if id == 0 {
		m.single++
		return first + m.single
	}
	return id
}
