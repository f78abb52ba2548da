package abstract

import (
	"math"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A loop of may_goto, of an iterator or of callbacks ends for the verifier because in another round
// it forgets numbers that differ from those of a round before and have decided nothing yet: in all
// frames. Such a number may then be any. Which ones have decided something depends on the paths
// that were followed before, so here a state with all of them forgotten stands beside the state
// that forgets none.
//
// Source: kernel/bpf/verifier.c check_cond_jmp_op, process_iter_next_call, prepare_func_exit and
// widen_imprecise_scalars, Linux 7.3.

// rounds holds what is known of the instructions at which rounds begin, in all passes.
type rounds struct {
	begins []bool // by slot: another round may begin there, or in a function that it calls
	at     map[roundPlace]*round
	more   bool // this pass has found numbers that differ
	all    bool // any number may differ
	done   bool // nothing is added any more
}

// roundPlace is an instruction at which rounds begin, with the number of frames in sight.
type roundPlace struct {
	pc     bytecode.PC
	frames int
}

// round shows which numbers differ between rounds that begin at one place.
type round struct {
	first *State
	regs  uint32    // by register and argument
	slots []slotSet // of each frame
	outer bool      // those of State.outer
}

// newRounds returns nil for a program without such loops.
func newRounds(p *bytecode.Program) *rounds {
	var todo []bytecode.PC
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		switch in := p.Insns[pc]; {
		case in.Code == bytecode.CodeMayGoto,
			in.Code == bytecode.CodeCall && in.Src != bytecode.CallSubprogram && (isNext(p, pc) || callsBack(p, pc)):
			todo = append(todo, pc)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	calls := callsOf(p)
	out := &rounds{begins: make([]bool, p.Len()), at: map[roundPlace]*round{}}
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		sub := p.SubprogAt(pc)
		todo = append(todo[:len(todo)-1], calls[sub]...)
		out.begins[pc], calls[sub] = true, nil // once is enough
	}
	return out
}

// callsOf returns the calls of each function that is not followed on its own.
func callsOf(p *bytecode.Program) [][]bytecode.PC {
	out := make([][]bytecode.PC, len(p.Subprogs))
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		f := p.Flow(pc)
		if f.Kind != bytecode.FlowCall {
			continue
		}
		if callee := p.SubprogAt(f.Callee); callee >= 0 && !p.Subprogs[callee].Global {
			out[callee] = append(out[callee], pc)
		}
	}
	return out
}

// callsBack reports whether a helper or kernel function calls a function of the program any number
// of times before it returns.
func callsBack(p *bytecode.Program, pc bytecode.PC) bool {
	h := calleeAt(p, pc)
	return h.callback != 0 && h.how != cbTimer
}

// another returns a state in which another round may begin as well, nil if there is none: numbers
// that differ between rounds are forgotten in it. It may be called for instructions of all kinds.
func (r *run) another(pc bytecode.PC, s *State) *State {
	rs := r.a.rounds
	if rs == nil || !rs.begins[pc] {
		return nil
	}
	place := roundPlace{pc, len(s.frames)}
	at := rs.at[place]
	switch {
	case at == nil && rs.done:
		return nil
	case at == nil:
		at = &round{first: s.fork(), slots: make([]slotSet, len(s.frames))}
		rs.at[place] = at
	case !rs.done:
		rs.more = at.compare(s, roundsApart{r.a.opt.Quirks.DeadCount, &r.a.f.usedQuirks.DeadCount}) || rs.more
	}
	if rs.all && !rs.done {
		at.regs, at.outer = math.MaxUint32, true
		for i := range at.slots {
			at.slots[i] = allSlots
		}
	}
	var linked []uint32
	if callsBack(r.a.p, pc) {
		linked = s.links()
	}
	return at.forgotten(s, linked)
}

// compare adds the numbers that differ from those of the first round. It reports whether there
// are more now.
func (at *round) compare(s *State, apart roundsApart) (more bool) {
	for reg := range max(s.values(), at.first.values()) {
		if at.regs>>reg&1 == 0 && apart.differ(at.first.value(reg), s.value(reg)) {
			at.regs, more = at.regs|1<<reg, true
		}
	}
	for i, f := range at.first.frames {
		for j := range f.groups {
			x, y := f.groups[j], s.frames[i].groups[j]
			if x == y {
				continue
			}
			for num := int16(j*groupSlots + 1); num <= int16(j+1)*groupSlots; num++ {
				bit := slotSet(1) << (num - 1)
				if at.slots[i]&bit == 0 && apart.differ(x.at(num).number(), y.at(num).number()) {
					at.slots[i], more = at.slots[i]|bit, true
				}
			}
		}
	}
	differ := len(at.first.outer.all()) != len(s.outer.all())
	for i, v := range s.outer.all() {
		differ = differ || apart.differ(at.first.outer.vals[i], v)
	}
	more = more || differ && !at.outer
	at.outer = at.outer || differ
	return more
}

// number returns the value of a slot that the verifier may take for a spilled number.
func (sl *slot) number() *Value {
	if sl == nil {
		return nil
	}
	if v := sl.whole(); v != nil {
		return v
	}
	return sl.val
}

// spillAgain puts another number in the place of one that is spilled, or of zeros.
func (sl *slot) spillAgain(v *Value) {
	if sl.val == nil {
		for b := range sl.bytes {
			sl.bytes[b] = byteSpill
		}
	}
	sl.val = v
}

// roundsApart distinguishes numbers of different rounds.
type roundsApart struct {
	lone    bool  // the verifier keeps a link to nothing
	matters *bool // that it does so makes a difference
}

// differ reports whether the verifier may see two numbers as different ones. They are that by
// their links, too.
func (x roundsApart) differ(v, w *Value) bool {
	number := func(a *Alt) bool { return a.Kind == Number }
	switch {
	case v == w && (v == nil || v.id == 0), v == nil || w == nil, !v.has(number) || !w.has(number):
		return false
	}
	bounded := func(a *Alt) bool { return a.org.side != noSide }
	a, ok := v.constant()
	b, both := w.constant()
	if ok && both {
		return a != b || v.id|w.id != 0 || bounded(&v.Alt) || bounded(&w.Alt)
	}
	apart := func(a *Alt) bool { return a.flags&stands != 0 }
	if v.id|w.id != 0 || v.has(apart) || w.has(apart) || !equalValues(v, w) {
		return true
	}
	*x.matters = true
	return x.lone
}

// links returns the links of all numbers of a state.
func (s *State) links() (ids []uint32) {
	s.visit(func(v *Value) bool {
		if v.id != 0 && !slices.Contains(ids, v.id) {
			ids = append(ids, v.id)
		}
		return true
	})
	return ids
}

// forgotten returns the state with the numbers forgotten that differ, and with those that have one of
// these links, nil if that changes nothing.
func (at *round) forgotten(s *State, linked []uint32) *State {
	out, changed := s.fork(), false
	drop := func(v *Value, is bool) *Value {
		if v == nil || !is && (v.id == 0 || !slices.Contains(linked, v.id)) {
			return v
		}
		w := v.outOfRounds()
		changed = changed || w != v
		return w
	}
	for reg := range out.values() {
		out.put(reg, drop(out.value(reg), at.regs>>reg&1 != 0))
	}
	for i := range out.frames {
		for num, sl := range s.frames[i].all {
			v := sl.number()
			if w := drop(v, at.slots[i]>>(num-1)&1 != 0); w != v {
				out.edit(i).at(num).spillAgain(w)
			}
		}
	}
	outer := out.outer.each(func(v *Value) *Value { return drop(v, at.outer) })
	if !changed {
		return nil
	}
	out.outer, out.cover = outer, true
	return out
}

// outOfRounds returns the value with any number in the place of a number, the value itself if it
// is that already.
func (v *Value) outOfRounds() *Value {
	any := true
	v.each(func(a *Alt) { any = any && (a.Kind != Number || a.Off == unknown && a.flags&stands != 0) })
	if any && v.id == 0 || v.Kind != Number && v.rest == nil {
		return v
	}
	w := v.unlinked()
	if w == v {
		c := *v
		w = &c
	}
	w.copyRest()
	w.each(func(a *Alt) {
		if a.Kind == Number {
			*a = Alt{Kind: Number, flags: a.flags | loose | stands, Off: unknown}
		}
	})
	return w
}

// forgetRounds forgets the numbers in frames that a callback may have changed: what it leaves may
// have been forgotten before it was called again.
func (a *analyzer) forgetRounds(before, now []*frame) {
	apart := roundsApart{true, new(bool)}
	for i := range now {
		if a.rounds == nil || before[i] == now[i] {
			continue
		}
		for num, sl := range now[i].all {
			v := sl.number()
			if v == nil || !apart.differ(before[i].get(num).number(), v) {
				continue
			}
			if w := v.outOfRounds(); w != v {
				now[i].at(num).spillAgain(w)
			}
		}
	}
}
