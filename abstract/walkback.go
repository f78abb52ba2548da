package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A walk that settles follows what a call calls back as Analyze does: the verifier may go on after
// any number of rounds, so beside the path on which the function was not called, which is certain, a
// path goes on for all others together, in a state that covers what any of them may leave.
//
// Source: kernel/bpf/verifier.c push_callback_call, prepare_func_exit and widen_imprecise_scalars,
// Linux 7.3.

// beforeRounds returns the state in which a call that calls a function of the program back before it
// returns begins the rounds, nil for other calls.
func (w *walker) beforeRounds(pc bytecode.PC, h callee) *State {
	if !callsBack(w.p, pc) {
		return nil
	}
	w.mark(w.handed(h))
	return w.cur.s.fork()
}

// rounds queues the paths that continue a call after rounds which began in this state, if the
// rounds leave anything that the current path, without a round, does not cover: one path on which
// no number is forgotten before the first round, and one on which the numbers are that the function
// may have compared. The paths after one round, which may be certain, come last: the verifier follows
// them before the others, and what is left out because of a path that is not certain would not be
// certain either.
func (w *walker) rounds(pc bytecode.PC, in bytecode.Insn, h callee, before *State) {
	if before == nil {
		return
	}
	s := before.fork()
	w.r.first, w.r.a.loaded, w.r.a.set, w.r.a.narrows = firstRound{}, 0, 0, false
	after := w.callBack(pc, in, s)
	first, set := w.r.first, w.r.a.set
	touched := before.handedLinks(w.r.callbackArgs(h.how, before), w.r.a.loaded)
	if first.last && !before.keeps(touched) {
		return
	}
	if after {
		s.cover = true
		w.relink(s, before, touched, (*Value).kept)
		after = w.pushOther(pc, s)
	}
	w.forgetting(pc, in, h, before)
	w.r.first, w.r.a.set = first, set
	for i := 0; after && i < len(first.outs); i++ {
		w.afterOne(pc, in, before, first.outs[i], touched)
	}
}

// forgetting queues the path on which numbers are forgotten before the first round.
func (w *walker) forgetting(pc bytecode.PC, in bytecode.Insn, h callee, before *State) {
	for loaded := w.r.a.loaded; !w.over; loaded = w.r.a.loaded {
		forget := round{slots: make([]slotSet, len(before.frames))}
		ids := before.handedLinks(w.r.callbackArgs(h.how, before), loaded)
		s := forget.forgotten(before, ids)
		if s == nil {
			return
		}
		began := s.fork()
		if returns := w.callBack(pc, in, s); w.r.a.loaded == loaded {
			if returns {
				w.relink(s, began, ids, (*Value).kept)
				w.pushOther(pc, s)
			}
			return
		}
	}
}

// pushOther queues the path that continues a call in a state after rounds, unless it is that without a
// round: links to nothing aside, and if no round leaves a number narrower, on which a comparison may
// tell the verifier less. It reports whether it does.
func (w *walker) pushOther(pc bytecode.PC, s *State) bool {
	if !w.r.a.narrows {
		a, b := s.fork(), w.cur.s.fork()
		a.cover = b.cover
		a.dropSingleLinks()
		b.dropSingleLinks()
		if a.leq(b, Verifier) && b.leq(a, Verifier) {
			return false
		}
	}
	w.push(pc+1, s)
	return true
}

// handedLinks returns the links of numbers that a function may get: those among its arguments, and those
// in the slots of other frames from which functions that were called back have loaded.
func (s *State) handedLinks(args arguments, loaded slotSet) (ids []uint32) {
	for _, v := range args {
		if v != nil && v.id != 0 {
			ids = append(ids, v.id)
		}
	}
	s.eachSlot(true, func(_ int, num int16, v *Value) {
		if v.id != 0 && loaded>>(num-1)&1 != 0 {
			ids = append(ids, v.id)
		}
	})
	return ids
}

// callBack carries out a call with its rounds, again until it is known which numbers of the function's
// states stand for others.
func (w *walker) callBack(pc bytecode.PC, in bytecode.Insn, s *State) (returns bool) {
	const patience = 4
	a := w.r.a
	if a.rounds == nil {
		a.rounds = newRounds(w.p)
		a.rounds.all, a.cover.on, a.cover.passes = true, true, 1
	}
	for range patience + 1 {
		a.cover.more = false
		t := s.fork()
		if returns = w.withRounds(pc, in, t); !a.cover.more || w.over {
			*s = *t
			return returns
		}
	}
	a.cover.all = true
	return w.withRounds(pc, in, s)
}

// withRounds is one try of callBack.
func (w *walker) withRounds(pc bytecode.PC, in bytecode.Insn, s *State) (returns bool) {
	a := w.r.a
	clear(a.contexts) // what they return would not tell which values were set
	clear(a.shared)
	fuel := a.fuel
	a.joins, a.calledBack, w.r.sure = 0, true, s.certain()
	returns = w.r.helperCall(pc, in, s)
	a.calledBack = false
	w.within += fuel - a.fuel
	w.enqueued()
	return returns
}

// enqueued takes up the functions that the last instruction has left to be followed by themselves.
func (w *walker) enqueued() {
	for _, j := range w.r.a.pending {
		switch {
		case w.p.Subprogs[j.sub].Global && j.sub != 0:
			w.called[j.sub] = w.called[j.sub].Or(truth(true, j.entry.certain()))
		case w.settles: // something may call it in any state, or later
			w.end(GaveUp, false)
		}
	}
	w.r.a.pending, w.r.exits = w.r.a.pending[:0], w.r.exits[:0]
}

// handed returns the places of numbers that a function which is called back may read or refine.
func (w *walker) handed(h callee) (at numberPlaces) {
	s := w.cur.s
	args := w.r.callbackArgs(h.how, s)
	for r := bytecode.R0; r < bytecode.R10; r++ {
		if n := w.number(r); r <= bytecode.R5 || n != 0 && s.regs[r].id != 0 {
			at.regs |= n
		}
	}
	if at.regs |= anySlot; reaches(args[:]) || s.ids != 0 {
		at.slots = allSlots
	}
	return at
}

// noteOuter adds to a set the slots of another frame between two offsets that a function which was called back
// has used.
func (r *run) noteOuter(used *slotSet, a *Alt, lo, hi int64) {
	if !r.a.calledBack || a.Obj == 0 {
		return
	}
	for num := slotNum(hi - 1); num <= slotNum(lo); num++ {
		*used |= 1 << (num - 1)
	}
}

// noteNarrower notes that a function which was called back stores a value to another frame, of which
// the verifier may know more than of the slot before.
func (r *run) noteNarrower(a *Alt, val *Value) {
	if r.a.calledBack && a.Obj != 0 && val != nil && (!val.is(Number) || val.Off != unknown) {
		r.a.narrows = true
	}
}

// noteRefined is noteNarrower for a comparison of a number that is linked to others.
func (r *run) noteRefined(s *State, v *Value) {
	if !r.a.calledBack || v.id == 0 || r.a.narrows {
		return
	}
	linked := func(u *Value) bool { return u != nil && u.id == v.id }
	r.a.narrows = slices.ContainsFunc(s.outer.all(), linked)
	for _, f := range s.frames[1:] {
		for _, sl := range f.all {
			r.a.narrows = r.a.narrows || linked(sl.val)
		}
	}
}

// slotNum returns the number of the slot at an offset, of those that there are.
func slotNum(off int64) int64 { return min(max((7-off)/8, 1), maxSlots) }

// firstRound is what is known of the first round of a call: the frames of the caller and of its callers in
// which it began, without links, and the caller's states in which the function came back.
type firstRound struct {
	frames []*frame
	outs   []*State
	last   bool // the verifier leaves out the path on which the call begins another round
}

// endsRounds reports whether the verifier finds, in all states in which a first round returns, that the
// state in which it began covers them: it leaves them out before the call ends. It wants the same
// kinds of bytes in all slots, and forgets numbers that differ, unless they have decided something.
//
// Source: kernel/bpf/states.c bpf_is_state_visited and stacksafe with RANGE_WITHIN, Linux 6.7 to 7.3.
func (r *run) endsRounds(before []*frame, outs []*State) bool {
	for _, out := range outs {
		if out.stands {
			return false
		}
		links := map[uint32]bool{}
		for i, f := range out.frames {
			for num := int16(1); num <= maxSlots; num++ {
				set := r.a.set>>(num-1)&1 != 0
				if !f.get(num).endsRounds(before[i].get(num), set, links) {
					return false
				}
			}
		}
	}
	return true
}

// endsRounds is endsRounds for a slot, and for what was in it before. It notes the links of numbers.
func (sl *slot) endsRounds(before *slot, set bool, links map[uint32]bool) bool {
	switch {
	case sl == nil && before == nil:
		return !set
	case sl == nil || before == nil || sl.bytes != before.bytes:
		return false
	case sl.val == before.val:
		return sl.val == nil || sl.val.id == 0
	case sl.val == nil || before.val == nil || !sl.val.is(Number) || sl.val.id != 0 && links[sl.val.id]:
		return false
	}
	links[sl.val.id] = true
	return before.val.is(Number) && before.val.Off == unknown && before.val.id == 0 &&
		before.val.flags&(loose|stands|maybePtr|maybeLocal) == 0
}

// keeps reports whether a number in a register that a call keeps, or of a caller, has one of these links.
func (s *State) keeps(links []uint32) bool {
	linked := func(v *Value) bool { return v != nil && v.id != 0 && slices.Contains(links, v.id) }
	return slices.ContainsFunc(s.regs[bytecode.R6:bytecode.R10], linked) || slices.ContainsFunc(s.outer.all(), linked)
}

// afterOne queues the path that continues a call after one round, in a state in which the function
// returned from it. The verifier has that state, but may have forgotten numbers that the round has
// changed, and may know more of numbers with one of these links.
func (w *walker) afterOne(pc bytecode.PC, in bytecode.Insn, before, out *State, touched []uint32) {
	if !out.certain() || w.over {
		return
	}
	s := out.fork()
	s.stands = false
	for reg := range s.values() {
		s.put(reg, before.value(reg).untouched(touched))
	}
	w.relink(s, before, touched, (*Value).changed)
	w.r.once, w.r.sure = true, true
	if w.r.helperCall(pc, in, s) {
		w.push(pc+1, s)
	}
	w.r.once = false
	w.enqueued()
}

// relink restores, in a state after rounds, the links of what no round has set, unless a round has
// touched the link, and changes the values of slots that were set.
func (w *walker) relink(s, before *State, touched []uint32, change func(v, before *Value) *Value) {
	for reg := bytecode.R6; reg < bytecode.R10; reg++ {
		s.regs[reg] = before.regs[reg].untouched(touched)
	}
	s.outer = before.outer.each(func(v *Value) *Value { return v.untouched(touched) })
	for i := range w.r.first.frames {
		for num, sl := range s.frames[i].all {
			v, began, was := sl.number(), w.r.first.frames[i].get(num).number(), before.frames[i].get(num).number()
			u := change(v, was)
			if v == began && w.r.a.set>>(num-1)&1 == 0 {
				u = was.untouched(touched)
			}
			if u != v {
				s.edit(i).at(num).spillAgain(u)
			}
		}
	}
}

// kept returns the value itself.
func (v *Value) kept(*Value) *Value { return v }

// untouched returns what the verifier may know, after a round, of a value that the round did not set: more, if
// it has one of these links.
func (v *Value) untouched(links []uint32) *Value {
	if v == nil || v.id == 0 || !slices.Contains(links, v.id) {
		return v
	}
	return v.unlinked().outOfRounds().loosened()
}

// changed returns what the verifier may know, after a round, of a value that the round has set: it may have
// forgotten the number. Neither has a link.
func (v *Value) changed(before *Value) *Value {
	if v == nil || !v.has(func(a *Alt) bool { return a.Kind == Number }) {
		return v
	}
	w := *v.unlinked()
	if v.id != 0 {
		w.flags |= loose
	}
	if before != nil && (roundsApart{true, new(bool)}).differ(before, v) && (v.Off != unknown || !v.is(Number)) {
		w = *v.outOfRounds()
	}
	return &w
}
