package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// placeMark lists the verifier's actions when it reaches an instruction.
type placeMark uint8

const (
	prunePlace placeMark = 1 << iota // looks for a state that it has seen
	jumpPlace                        // adds to its history
	forcePlace                       // always remembers the state
)

// place holds the properties of an instruction that do not depend on the path.
type place struct {
	mark  placeMark
	live  uint16 // registers that may be read from here on
	slots slotSet
	idle  slotSet // of a walk that settles: see idle.go

	seen        cfg.Truth // the walk reached it
	taken, fell cfg.Truth // and continued along either edge, for a conditional jump
}

// read fills in the places.
//
// Source: kernel/bpf/cfg.c visit_insn, visit_func_call_insn and push_insn, Linux 7.3.
func (w *walker) read() {
	p := w.p
	w.places = make([]place, p.Len())
	at := func(pc bytecode.PC, m placeMark) {
		if pc >= 0 && pc < p.Len() {
			w.places[pc].mark |= m
		}
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		switch f := p.Flow(pc); f.Kind {
		case bytecode.FlowGoto:
			at(f.Target, prunePlace|jumpPlace)
		case bytecode.FlowCond:
			at(pc, prunePlace)
			at(f.Target, prunePlace|jumpPlace)
			if p.Insns[pc].Code == bytecode.CodeMayGoto {
				at(pc, forcePlace)
			}
		case bytecode.FlowIndirect:
			at(pc, prunePlace)
			for _, e := range w.targetsOf(pc) {
				at(e, jumpPlace)
			}
		case bytecode.FlowCall, bytecode.FlowFuncAddr:
			at(pc, prunePlace)
			at(f.Callee, prunePlace|jumpPlace)
			at(pc+p.Insns[pc].Slots(), prunePlace|jumpPlace)
		case bytecode.FlowHelper:
			at(pc+1, prunePlace|jumpPlace)
			if isNext(p, pc) || callsBack(p, pc) {
				at(pc, prunePlace|jumpPlace|forcePlace)
			}
		}
	}
	g := w.r.a.g
	slots, known := slotLiveness(g, allBlocks(g, cfg.ReversePostorder(g)))
	for b := range g.Blocks {
		w.readBlock(cfg.BlockID(b), slots, known[g.Blocks[b].Sub])
	}
}

// targetsOf returns the targets of an indirect jump in the graph.
func (w *walker) targetsOf(pc bytecode.PC) []bytecode.PC {
	var to []bytecode.PC
	g := w.r.a.g
	if b, ok := g.BlockAt(pc); ok {
		for _, e := range g.Succs(b) {
			to = append(to, g.Blocks[e.To].Start)
		}
	}
	return to
}

// readBlock fills in the registers and slots that are read from each instruction of a
// block on; known says whether its slots are.
func (w *walker) readBlock(b cfg.BlockID, in []slotSet, known bool) {
	g, blk := w.r.a.g, &w.r.a.g.Blocks[b]
	live := liveOut(g, b, w.r.a.live, allRegs)
	slots := liveOut(g, b, in, allSlots)
	for pc := blk.Last; pc >= blk.Start; pc-- {
		if !g.InsnAt(pc) {
			continue
		}
		use, def := useDef(w.p, pc)
		live = live&^def | use
		reads, writes := slotUse(w.p.Insns[pc])
		if slots = slots&^writes | reads; !known {
			slots = allSlots
		}
		pl := &w.places[pc]
		pl.live, pl.slots = live, slots
	}
}

// checkpoint is a remembered state.
type checkpoint struct {
	pc           bytecode.PC
	s            *State
	up           *callerFrame
	rounds       int
	parent       *checkpoint
	branches     int // paths from here that have not ended
	hits, misses int
	links        bool  // a value is linked to others
	apart        uint8 // the register that last distinguished it from another state

	from    origins      // see precise.go
	precise numberPlaces // those that have decided something
	loop    *checkpoint  // the loop that it is in
	depth   int
}

// visited looks for the current state among those that were remembered here, and reports whether
// one of them covers the path. It remembers the state if the verifier does.
//
// Source: kernel/bpf/states.c bpf_is_state_visited, Linux 7.3.
func (w *walker) visited() bool {
	cur, pl := &w.cur, w.places[w.cur.pc]
	list := w.saved[cur.pc]
	if w.r.isFirst() {
		w.linkedFirst(pl)
	}
	for r := range bytecode.R10 {
		if pl.live>>r&1 == 0 && cur.s.regs[r] != nil && len(list) > 0 {
			w.r.a.f.usedQuirks.DeadCount = true
		}
	}
	if !w.r.a.opt.Quirks.DeadCount {
		w.r.a.forgetDead(cur.s, pl.live)
	}
	w.dropDead()
	w.findIdle()
	const longHistory = 40
	force := pl.mark&forcePlace != 0 || cur.history > longHistory
	jumps, insns := w.jumps-w.savedJmp, w.insns-w.savedInsns
	add := force || jumps >= 2 && insns >= 8
	kept := 0
	for i, c := range list {
		switch {
		case c.branches == 0:
			if !w.keepsAll && w.covered(c, pl) {
				c.hits++
				w.saved[cur.pc] = append(list[:kept], list[i:]...)
				return true
			}
			cur.elsewhere = cur.elsewhere || sameCalls(c.up, cur.up)
		case pl.mark&forcePlace != 0 && c.rounds != cur.rounds && w.again(c, pl):
			w.saved[cur.pc] = append(list[:kept], list[i:]...)
			return true
		case c.rounds == cur.rounds && c.same(cur, w.counted(pl.live)):
			w.end(Repeats, cur.s.certain())
			return false
		case !force && jumps < 20 && insns < 100:
			add = false
		}
		if !c.missed(add, pl.mark) {
			list[kept] = c
			kept++
		}
	}
	w.saved[cur.pc] = list[:kept]
	if add {
		w.remember()
	}
	return false
}

// covered reports whether a state whose paths have all ended covers the current one. In a loop
// that is still followed, the values that matter are not known yet.
func (w *walker) covered(c *checkpoint, pl place) bool {
	head := loopOf(c)
	exact := head != nil && head.branches > 0
	if !w.covers(c, pl.live, exact) {
		return false
	}
	if exact {
		w.enterLoop(head)
	}
	w.mark(c.precise)
	return true
}

// again reports whether the current state is covered by one of an earlier round.
func (w *walker) again(c *checkpoint, pl place) bool {
	if !w.covers(c, pl.live, true) {
		return false
	}
	w.enterLoop(c)
	w.mark(c.precise)
	return true
}

// dropDead forgets the slots of all frames that nothing reads any more.
func (w *walker) dropDead() {
	s, pc, up := w.cur.s, w.cur.pc, w.cur.up
	for i := range s.frames {
		if s.dropSlots(i, w.places[pc].slots); up == nil {
			return
		}
		pc, up = up.site, up.up
	}
}

// findIdle finds the slots of all frames of the current state that are idle, see idle.go. Before
// Linux 7.2 one that is linked may count among the numbers of a link, of which the verifier follows
// only a few: it may know less of the others in this state than in one without.
func (w *walker) findIdle() {
	s, pc, up := w.cur.s, w.cur.pc, w.cur.up
	w.idle = w.idle[:0]
	for _, f := range s.frames {
		idle := w.places[pc].idle
		if idle != 0 && s.ids != 0 {
			for num, sl := range f.all {
				if bit := slotSet(1) << (num - 1); sl.val != nil && sl.val.id != 0 && idle&bit != 0 {
					w.r.a.f.usedQuirks.IdleLinks = true
					if w.r.a.opt.Quirks.IdleLinks {
						idle &^= bit
					}
				}
			}
		}
		if w.idle = append(w.idle, idle); up != nil {
			pc, up = up.site, up.up
		}
	}
}

// missed counts that a state was not useful, and reports whether it is dropped.
func (c *checkpoint) missed(count bool, mark placeMark) bool {
	if count {
		c.misses++
	}
	n := 3
	if mark&forcePlace != 0 && c.branches > 0 {
		n = 64
	}
	return c.misses > c.hits*n+n
}

// remember remembers the current state.
func (w *walker) remember() {
	cur := &w.cur
	w.savedJmp, w.savedInsns = w.jumps, w.insns
	links := cur.s.linked()
	if links && !w.r.a.opt.Quirks.DeadCount {
		cur.s.dropSingleLinks()
	}
	c := &checkpoint{pc: cur.pc, s: cur.s.fork(), up: cur.up, rounds: cur.rounds, parent: cur.parent, branches: 1,
		from: cur.from, loop: cur.loop, depth: cur.depth, links: links}
	cur.parent, cur.history, cur.from, cur.depth = c, 0, own(), cur.depth+1
	w.saved[cur.pc] = slices.Insert(w.saved[cur.pc], 0, c)
}

// linked reports whether a value is linked to others.
func (s *State) linked() bool {
	return s.ids != 0 && !s.visit(func(v *Value) bool { return v.id == 0 })
}

// dropSingleLinks takes the link from numbers that are linked to nothing
// (kernel/bpf/verifier.c bpf_clear_singular_ids, Linux 7.3).
func (s *State) dropSingleLinks() {
	count := map[uint32]int{}
	s.visit(func(v *Value) bool {
		if v.id != 0 {
			count[v.id]++
		}
		return true
	})
	s.eachValue(func(v *Value) *Value {
		if v.id != 0 && count[v.id] == 1 && v.is(Number) {
			return v.unlinked()
		}
		return v
	})
	s.layGhosts()
}

// sameCalls reports whether two chains of calls are the same, whatever the callers' values are.
func sameCalls(a, b *callerFrame) bool {
	for a != b {
		if a == nil || b == nil || a.site != b.site {
			return false
		}
		a, b = a.up, b.up
	}
	return true
}

// counted returns the registers that distinguish states, given those that may be read.
func (w *walker) counted(live uint16) uint16 {
	if w.r.a.opt.Quirks.DeadCount {
		return allRegs
	}
	return live
}

// same reports whether the state is the current one, as far as some registers go
// (kernel/bpf/states.c states_maybe_looping and states_equal with EXACT, Linux 7.3).
func (c *checkpoint) same(cur *path, counts uint16) bool {
	if !sameCalls(c.up, cur.up) || len(c.s.frames) != len(cur.s.frames) {
		return false
	}
	for r := range bytecode.R10 {
		v, w := c.s.regs[r], cur.s.regs[r]
		if v != w && counts>>r&1 != 0 && (!equalValues(v, w) || v.id != w.id) {
			return false
		}
	}
	for r := numRegs; r < max(c.s.values(), cur.s.values()); r++ {
		if !equalValues(c.s.value(r), cur.s.value(r)) {
			return false
		}
	}
	if !slices.EqualFunc(c.up.read(c.s), cur.up.read(cur.s), equalValues) {
		return false
	}
	for i, f := range c.s.frames {
		if !equalFrames(f, cur.s.frames[i]) {
			return false
		}
	}
	return true
}

// equalValues reports whether two values are the same, whatever their origins.
func equalValues(v, w *Value) bool {
	if v == w {
		return true
	}
	if v == nil || w == nil || (v.id == 0) != (w.id == 0) || v.delta != w.delta || v.add != w.add ||
		len(v.more()) != len(w.more()) || !equalAlts(&v.Alt, &w.Alt) {
		return false
	}
	for i := range v.more() {
		if !equalAlts(&v.more()[i], &w.more()[i]) {
			return false
		}
	}
	return true
}

func equalAlts(a, b *Alt) bool {
	const told = loose | datum | sum | stale | stands | beyond
	return a.Kind == b.Kind && a.Obj == b.Obj && a.Off == b.Off && a.sameRanges(b) && a.flags&^told == b.flags&^told
}

// equalFrames reports whether two frames have the same contents.
func equalFrames(f, g *frame) bool {
	for i := range f.groups {
		x, y := f.groups[i], g.groups[i]
		if x == y {
			continue
		}
		for num := int16(i*groupSlots + 1); num <= int16(i+1)*groupSlots; num++ {
			s, t := x.at(num), y.at(num)
			if s == t {
				continue
			}
			if s == nil || t == nil || s.bytes != t.bytes || !equalValues(s.val, t.val) {
				return false
			}
		}
	}
	return true
}

// covers reports whether a state covers the current one: exactly, so that all numbers count, or
// with only the numbers that have decided something.
//
// Source: kernel/bpf/states.c states_equal with RANGE_WITHIN and with NOT_EXACT, Linux 7.3.
func (w *walker) covers(c *checkpoint, live uint16, exact bool) bool {
	quirks, used := &w.r.a.opt.Quirks, &w.r.a.f.usedQuirks
	if quirks.StrictLinks && used.StrictLinks {
		return w.coversBy(c, live, exact, (*idMap).strict)
	}
	if !w.coversBy(c, live, exact, (*idMap).loose) {
		return false // nor strictly
	}
	if !used.StrictLinks {
		used.StrictLinks = !w.coversBy(c, live, exact, (*idMap).strict)
	}
	return !quirks.StrictLinks || !used.StrictLinks
}

// coversBy is covers for kernels that compare two values with their links by leq.
func (w *walker) coversBy(c *checkpoint, live uint16, exact bool, compare func(m *idMap, now, old *Value) bool) bool {
	cur := &w.cur
	if !sameCalls(c.up, cur.up) || len(c.s.frames) != len(cur.s.frames) || c.s.sent != cur.s.sent {
		return false
	}
	counts := w.counted(live)
	if r := int(c.apart); c.s.regs[r] != nil && counts>>r&1 != 0 &&
		(exact || !c.decidesNothing(r, cur.s.regs[r], live, w.settles)) && !cur.s.regs[r].leq(c.s.regs[r]) {
		return false
	}
	var ids idMap
	leq := func(now, old *Value) bool { return compare(&ids, now, old) }
	for r := range max(c.s.values(), cur.s.values()) {
		now, old := cur.s.value(r), c.s.value(r)
		switch {
		case r == int(bytecode.R10) || r < numRegs && counts>>r&1 == 0 || now == old && (old == nil || old.id == 0):
		case old == nil:
			if exact && now != nil {
				return false
			}
		case exact || !c.decidesNothing(r, now, live, w.settles):
			if !leq(now, old) {
				if r < numRegs {
					c.apart = uint8(r)
				}
				return false
			}
		}
	}
	others := exact || c.precise.regs&anySlot != 0 // numbers of other frames count
	if !ids.outerLeq(cur.up.read(cur.s), c.up.read(c.s), others) {
		return false
	}
	for i, f := range c.s.frames {
		free := slotSet(0)
		switch {
		case i == 0 && !exact:
			free = ^c.precise.slots
		case !others:
			free = allSlots
		}
		if !leqFrame(cur.s.frames[i], f, free, w.idle[i], c.links, !w.settles, leq) {
			return false
		}
	}
	return true
}

// decidesNothing reports whether the value of a register, or argument on the stack, makes no
// difference: nothing reads the register, or it is a number, as before, that has decided nothing.
// Plain reports that a value that may be a pointer does not count as a number, because its target
// makes a difference.
func (c *checkpoint) decidesNothing(r int, now *Value, live uint16, plain bool) bool {
	old := c.s.value(r)
	switch {
	case r < numRegs && live>>r&1 == 0:
		return true
	case plain && (!plainNumber(old) || !plainNumber(now)):
		return false
	}
	return old.is(Number) && c.precise.regs>>r&1 == 0 && now != nil && now.is(Number)
}
