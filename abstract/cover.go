package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Linux's verifier is not monotone: if two ranges have two pieces in common, it keeps the whole
// smaller range. So if one state covers another, the narrower one may take an edge that the wider
// one does not. A state that stands for others, because it covers them or was joined from them,
// therefore has two ranges for a number. Alt.Off is its own range, and is followed with
// certainty. Alt.wide covers the numbers of all states that it stands for, and edges that only
// wide allows are followed as a maybe. A state that is not certain has no range of its own and
// uses only the wide one.

// held returns a range that covers the number in all states that the value stands for.
func (a *Alt) held() scalar.S {
	if a.wide != nil {
		return *a.wide
	}
	return a.Off
}

// cover sets the result of held.
func (a *Alt) cover(s scalar.S) {
	switch s {
	case a.Off:
		a.wide = nil
	case unknown:
		a.wide = &unknown
	default:
		w := s // so that the others need no memory
		a.wide = &w
	}
}

// covering returns the value, which must not be shared, with this covering range.
func (v *Value) covering(s scalar.S) *Value {
	v.cover(s)
	return v
}

// standsForAny returns the value, a number, as one for which the verifier may have any other.
func (v *Value) standsForAny() *Value {
	w := *v
	w.flags |= stands
	w.cover(unknown)
	return &w
}

// like returns the value, which must not be shared, with the covering range of another one.
func (v *Value) like(w *Value) *Value {
	v.wide = w.wide
	return v
}

// joinWide returns Alt.wide of two alternatives that are joined.
func joinWide(a, b *Alt) *scalar.S {
	if a.wide == nil && b.wide == nil {
		return nil
	}
	s, _ := joinNumbers(a.held(), b.held())
	return &s
}

// leqWide reports whether b covers what a does.
func (a *Alt) leqWide(b *Alt) bool {
	return a.wide == nil && b.wide == nil || a.wide == b.wide || a.held().Leq(b.held())
}

// mark lists the numbers of the states at a place that stand for other ones.
type mark struct {
	regs  uint32 // by register
	slots bool   // in slots of the stack
}

// covering passes from one pass of the analysis to the next how states cover others.
type covering struct {
	g      *cfg.Graph
	on     bool   // states may stand for others, by rules Verifier
	blocks []mark // of each block, at its entry
	exits  []mark // of each subprogram, where it returns
	passes int    // finished passes
	more   bool   // this pass has found marks
	// missed lists blocks where, in the first pass, an edge was not followed, or a link was kept,
	// and states that others stand for may behave differently. Nil if there are none.
	missed bitset
	all    bool // any number may stand for others
	rounds *rounds

	// pointers holds the instructions that load a pointer from a stack slot, unknown those that
	// load bytes of which nothing is known. An instruction in both requires another pass if it was
	// taken for one of pointers only.
	pointers, unknown bitset
	late              bool

	links   map[linkPlaceKey]*linkings // of Linux 6.1, at blocks
	relinks bool                       // this pass has found more of them
}

// linkPlaceKey is a block and the number of frames in sight there.
type linkPlaceKey struct {
	b      cfg.BlockID
	frames int
}

// linked notes the links of a state at a block, and reports whether Linux 6.1 may leave it out because of
// another one that has more.
func (c *covering) linked(b cfg.BlockID, s *State) (uncertain bool) {
	key := linkPlaceKey{b, len(s.frames)}
	if c.links == nil {
		c.links = map[linkPlaceKey]*linkings{}
	}
	if c.links[key] == nil {
		c.links[key] = &linkings{}
	}
	if c.passes >= linkPatience {
		return true
	}
	lacks, isNew := c.links[key].add(s, s.numberLinks(allRegs, 0))
	c.relinks = c.relinks || isNew
	return lacks
}

func newCovering(p *bytecode.Program, g *cfg.Graph, on bool) *covering {
	c := &covering{g: g, on: on, blocks: make([]mark, g.NumBlocks()), exits: make([]mark, len(p.Subprogs)),
		pointers: newBitset(int(p.Len())), unknown: newBitset(int(p.Len()))}
	if on {
		c.rounds = newRounds(p)
	}
	return c
}

// coverPatience is the number of passes after which any number may stand for others.
const coverPatience = 4

// linkPatience is the number of passes after which any state may lack a link.
const linkPatience = 8

// again reports whether another pass is needed, because this pass found new states that stand for
// others.
func (c *covering) again() bool {
	const patience = coverPatience
	c.passes++
	due := c.more && (c.passes > 1 || c.matters())
	if c.rounds != nil {
		due = due || c.rounds.more
		c.rounds.more, c.rounds.all = false, c.passes == patience
	}
	if c.passes == patience {
		c.all = true
	}
	due = due || c.late
	due = due && c.passes <= patience || c.relinks && c.passes <= linkPatience
	c.more, c.late, c.relinks = false, false, false
	return due
}

// loaded records that an instruction loads a pointer or unknown bytes from a slot. For a pointer it
// reports whether other states load unknown bytes there.
func (c *covering) loaded(pc bytecode.PC, pointer, unknown bool) bool {
	switch at := int(pc); {
	case unknown:
		c.late = c.late || c.pointers.has(at) && !c.unknown.has(at)
		c.unknown.add(at)
	case pointer:
		c.pointers.add(at)
		return c.unknown.has(at)
	}
	return false
}

// miss notes what the first pass has missed at an instruction.
func (c *covering) miss(pc bytecode.PC) {
	if c.missed == nil {
		c.missed = newBitset(c.g.NumBlocks())
	}
	if b, ok := c.g.BlockAt(pc); ok {
		c.missed.add(int(b))
	}
}

// matters reports whether states that stand for others may reach a block of missed. It does not
// look across functions.
func (c *covering) matters() bool {
	if c.missed == nil || len(c.g.Program.Subprogs) > 1 {
		return c.missed != nil
	}
	seen := newBitset(c.g.NumBlocks())
	var todo []cfg.BlockID
	reach := func(b cfg.BlockID) {
		if !seen.has(int(b)) {
			seen.add(int(b))
			todo = append(todo, b)
		}
	}
	for b, m := range c.blocks {
		if m != (mark{}) {
			reach(cfg.BlockID(b))
		}
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		if todo = todo[:len(todo)-1]; c.missed.has(int(b)) {
			return true
		}
		for _, e := range c.g.Succs(b) {
			reach(e.To)
		}
	}
	return false
}

// wants reports whether covering ranges are to be computed.
func (c *covering) wants(f flags) bool { return c.on && (c.passes == 0 || c.all || f&stands != 0) }

// note records that s is left out because t covers it.
func (c *covering) note(m *mark, s, t *State) {
	if !c.on || c.all {
		return
	}
	old := *m
	for r := range t.values() {
		if differ(s.value(r), t.value(r)) {
			m.regs |= 1 << r
		}
	}
	m.slots = m.slots || s.stands && !t.stands || slotsDiffer(s, t)
	for i, w := range t.outer.all() {
		m.slots = m.slots || differ(s.outer.vals[i], w)
	}
	c.more = c.more || *m != old
}

// differ reports whether w has other numbers than v, which it covers.
func differ(v, w *Value) bool {
	if v == w || v == nil || w == nil {
		return false
	}
	if v.rest == nil && w.rest == nil {
		return v.Kind == Number && (v.Off != w.Off || !v.sameRanges(&w.Alt) || v.flags&^w.flags&stands != 0 ||
			v.id != 0 && w.id == 0)
	}
	number := func(a *Alt) bool { return a.Kind == Number }
	return v.has(number) || w.has(number)
}

// slotsDiffer reports whether slots of two states may hold different numbers.
func slotsDiffer(s, t *State) bool {
	for i, f := range s.frames {
		if i < len(t.frames) && f != t.frames[i] && (f.differs(t.frames[i]) || t.frames[i].differs(f)) {
			return true
		}
	}
	return false
}

// differs reports whether a known slot of f has another number in g.
func (f *frame) differs(g *frame) bool {
	for i, x := range f.groups {
		if x == nil || x == g.groups[i] {
			continue
		}
		for num := int16(i*groupSlots + 1); num <= int16(i+1)*groupSlots; num++ {
			s, t := x.at(num), g.groups[i].at(num)
			if s != nil && s.known() && (t == nil || s.bytes != t.bytes || differ(s.val, t.val)) {
				return true
			}
		}
	}
	return false
}

// standFor marks the numbers of a state that stand for others.
func (s *State) standFor(m mark) {
	if m == (mark{}) {
		return
	}
	for r := range s.values() {
		if m.regs>>r&1 != 0 {
			s.put(r, s.value(r).marked())
		}
	}
	s.stands = s.stands || m.slots
}

// standForFrames marks the numbers in frames that stand for others there, and makes the state uncertain if
// there are any.
func (s *State) standForFrames(frames []*frame) {
	for i, f := range frames {
		if f == s.frames[i] {
			continue
		}
		for num, sl := range f.all {
			v, w := sl.number(), s.frames[i].get(num).number()
			if w == nil {
				w = stackUnknown(s.frames[i])
			}
			if v == nil || v.Off == w.Off && v.sameRanges(&w.Alt) && v.held() == w.held() || !w.is(Number) || !v.is(Number) {
				continue
			}
			s.edit(i).at(num).spillAgain(w.marked())
			s.cover = true
		}
	}
}

// marked returns the value as one that stands for others.
func (v *Value) marked() *Value {
	if v == nil || !v.has(func(a *Alt) bool { return a.Kind == Number && a.flags&stands == 0 }) {
		return v
	}
	w := *v
	w.copyRest()
	w.each(func(a *Alt) {
		if a.Kind == Number {
			a.flags |= stands
		}
	})
	return &w
}

// standing returns the value that a and b are joined to, marked if they are not the same.
func (v *Value) standing(a, b *Value) *Value {
	if v != nil && (differ(a, v) || differ(b, v)) {
		return v.marked()
	}
	return v
}

// stands reports whether covering ranges count.
func (c *compare) stands() bool { return c.r.a.cover.wants(c.a.flags | c.b.flags) }

// marked reports whether one of the numbers stands for others.
func (c *compare) marked() bool {
	return c.r.a.cover.on && (c.r.a.cover.all || (c.a.flags|c.b.flags)&stands != 0)
}

// decide returns the outcome of the jump in a state, and whether that is a guess.
func (c *compare) decide(s *State) (out scalar.Outcome, guess bool) {
	if c.r.isFirst() {
		out = scalar.DecideFirst(c.cond, c.is32, c.a.inRanges(), c.b.inRanges())
	} else if a, b, ok := c.operands(); ok {
		out = scalar.DecideRanges(c.cond, c.is32, a, b, c.r.a.opt.Quirks.deciding())
	} else {
		out, guess = c.r.a.opt.decide(c.cond, c.is32, c.a.Off, c.b.Off, c.same)
	}
	if out != scalar.Both && s.cover && c.marked() {
		out = c.covers(c.cond, c.a.held(), c.b.held())
	}
	return out, guess
}

// covers returns the common outcome of all states for which one with these numbers stands.
func (c *compare) covers(cond scalar.Cond, a, b scalar.S) scalar.Outcome {
	out, _ := c.r.a.opt.decide(cond, c.is32, a, b, c.same)
	if out == scalar.Both || c.same || !c.stands() {
		return out
	}
	if (cond == scalar.JSET || cond == scalar.JNSET) && c.r.isFirst() {
		return scalar.Both
	}
	if c.r.a.opt.Rules == Verifier && c.r.a.opt.Quirks.Ranges {
		return scalar.KernelCompare(cond, c.is32, a, b)
	}
	return scalar.CoverDecide(cond, c.is32, a, b)
}

// other returns the state on an edge that the verifier does not follow: that of the states for
// which this one stands, nil if none of them goes there.
func (c *compare) other(s *State, cond scalar.Cond, on side) *State {
	if s.cover && c.marked() || !c.stands() || c.covers(c.cond, c.a.held(), c.b.held()) != scalar.Both {
		return c.ofPointer(s)
	}
	if !c.marked() {
		c.r.a.cover.miss(c.pc)
		return c.ofPointer(s)
	}
	other := s.fork()
	if other.cover = true; !c.same {
		c.refine(other, cond, on)
	}
	return other
}

// refined returns both numbers where cond holds: the state's own, and the covering ranges.
func (c *compare) refined(s *State, cond scalar.Cond, on side) (x, y, wideX, wideY scalar.S) {
	opt, uncovered := &c.r.a.opt, false
	if opt.Rules == Verifier && opt.Quirks.Ranges {
		sure := opt.byRanges(cond, c.is32, &c.a.Alt, &c.b.Alt).sure
		s.cover = s.cover || !sure && c.readAfter(on)
		if c.stands() { // nothing is known that covers what a kernel with ranges makes of other numbers
			how, _ := opt.Quirks.sync()
			_, _, uncovered = scalar.RangesRefine(how, cond, c.is32, c.a.Off, c.b.Off)
		}
	}
	if !c.stands() || c.a.wide == nil && c.src == noReg && scalar.CoversItself(cond, c.a.Off, c.b.Off) {
		x, y = opt.refined(cond, c.is32, &c.a.Alt, &c.b.Alt)
		return x, y, x, y
	}
	wideX, wideY = opt.coverRefine(cond, c.is32, c.a.held(), c.b.held())
	if c.src != noReg && (c.a.id == 0 || c.a.id != c.b.id) {
		// Where they are linked the second number overwrites it: see sync. What is left of two pieces
		// may have more members than before.
		wideX, _ = joinNumbers(wideX, c.a.held())
	}
	if uncovered {
		wideX, wideY = unknown, unknown
	}
	if s.cover && c.marked() {
		return wideX, wideY, wideX, wideY
	}
	x, y = opt.refined(cond, c.is32, &c.a.Alt, &c.b.Alt)
	return x, y, wideX, wideY
}

// readAfter reports whether an operand, or a value linked to it, may be read after the branch;
// otherwise its bounds make no difference.
func (c *compare) readAfter(on side) bool {
	f := c.r.a.p.Flow(c.pc)
	pc := f.Next
	if on == takenSide {
		pc = f.Target
	}
	b, ok := c.r.a.g.BlockAt(pc)
	operands := bit(c.dst)
	if c.src != noReg {
		operands |= bit(c.src)
	}
	return !ok || c.r.a.live[b]&operands != 0 || c.a.id != 0 || c.b.id != 0
}

// narrowed returns the rest of a number that may instead be a pointer, where cond holds.
func (c *compare) narrowed(cond scalar.Cond, a *Alt) scalar.S {
	if c.r.isFirst() {
		return unknown
	}
	x, _ := c.r.a.opt.refine(cond, false, a.held(), c.b.held())
	if c.stands() {
		x, _ = c.r.a.opt.coverRefine(cond, false, a.held(), c.b.held())
	}
	return x
}

// coverRefine is refine for all states for which one with these numbers stands.
func (o *Options) coverRefine(c scalar.Cond, is32 bool, a, b scalar.S) (x, y scalar.S) {
	x, y = scalar.CoverRefine(c, is32, a, b)
	if o.Quirks.Ranges && !scalar.Plain(c, a, b) {
		k := o.byRanges(c, is32, &Alt{Off: a}, &Alt{Off: b})
		x, y = scalar.Join(x, k.x), scalar.Join(y, k.y)
	}
	return o.kept(c, is32, [2]scalar.S{a, b}, [2]scalar.S{sane(x), sane(y)})
}
