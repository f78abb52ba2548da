package abstract

import (
	"math"
	"math/bits"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Limits of the fixpoint. They bound its cost: a block is carried out for a number of states and
// then for one state that is joined and widened, which ends soon.
const (
	maxStates     = 16 // maximum number of separate states of a block
	maxExits      = 8  // maximum number of separate states after a subprogram
	certainStates = 4  // times as many if all are certain

	minUnroll = 64      // states of a block that are carried out in a large subprogram
	maxUnroll = 512     // and in a small one
	allUnroll = 100_000 // and for a subprogram, as instructions
	maxForks  = 32      // times that a state is split inside a block
	softWiden = 5       // times that a joined state grows to thresholds
	hardWiden = 8       // times until a still growing value is given up

	// giveUpGrowth is how many times a joined state grows, if the program has used up its
	// instructions, before all of it is given up.
	giveUpGrowth = 2 * hardWiden
)

// levels gives the number of separate states of a block (states), and the number that is carried
// out before all are joined into one (visits), while fewer than joins have been joined in the
// whole program. If precision is lost all the time, more states cost much and gain little.
var levels = [...]struct{ joins, states, visits int }{
	{512, maxStates, minUnroll}, {4096, 8, 24}, {16384, 4, 12}, {math.MaxInt, 2, 6},
}

// narrowJoins is where the analysis begins in levels with Options.Narrow.
const narrowJoins = 4096

// width returns the number of separate states of a block and the number that is carried out.
func (a *analyzer) width() (states, visits int) {
	if a.fuel <= 0 {
		return 1, 1
	}
	for _, l := range levels {
		if a.joins < l.joins {
			return l.states, l.visits
		}
	}
	panic("bug: no level")
}

// analyzer is the shared state of the analyses of all subprograms.
type analyzer struct {
	p   *bytecode.Program
	g   *cfg.Graph
	opt Options
	f   *Facts
	*shape
	joins int // states that have been joined

	readings []uint8 // by slot, by rules Executions: see numberReadings

	dropsStates   bool       // states are dropped, see canDropStates
	neededDropped bool       // a state reached a block whose states were dropped
	back          [][]int32  // of each subprogram, see barriers; nil until needed
	stops         [][]uint64 // of each subprogram, where to widen to; nil until needed
	equal         [][]uint64 // of each subprogram, see equals; nil until needed

	contexts [][]*summary // of each subprogram, by entry state
	// shared holds of each subprogram, by numbers of frames and of outer values, the result for
	// the entry states beyond maxContexts.
	shared   []map[[2]int]*summary
	active   []bool                     // of each subprogram, whether it is being analysed
	selected map[entryKey][]bytecode.PC // by range of entries, their targets
	entries  int                        // table entries that indirect jumps have selected
	taken    [][]bytecode.PC            // of each subprogram, the slots that tables lead to; nil until needed
	kinds    []accessKind               // by slot: see checkSame
	pending  []job                      // functions to analyse by themselves
	config   [][]span                   // of each map; nil until needed
	cover    *covering                  // the states that stand for others
	rounds   *rounds                    // nil if there are none, or by rules Executions, or in a walk
	// calledBack says that a walk follows a function that is called back. The sets are the slots of
	// frames other than their own from which such functions have loaded, and which they have set;
	// narrows says that they have perhaps left a number there narrower than it was.
	calledBack  bool
	loaded, set slotSet
	narrows     bool
	constants   [1 << 6]*Value // values of constants that were made: see constant
	fuel        int            // instructions that may be carried out before states are joined at once
}

// job is a function to analyse by itself.
type job struct {
	sub   int
	block cfg.BlockID // where it starts
	entry *State
}

// blockStates holds the states at the entry of a block in one context.
type blockStates struct {
	entries []entry
	past    []*State // cover states that were carried out and then forgotten: see retire
	sure    bool     // a certain state has been here
	visits  int32
	growth  int32 // times that the joined state has grown
}

// entry is one of the states at the entry of a block.
type entry struct {
	s    *State
	done bool // has been carried out
	// below and above are the registers to compare first, see State.leqFrom.
	below, above uint8
}

// run is the analysis of a subprogram from one entry state.
type run struct {
	a      *analyzer
	sub    int
	entry  *State
	nested int // frames above this one
	lo     cfg.BlockID
	blocks []blockStates
	exits  []*State
	grown  int     // times that exits were joined
	depth  []reach // of each frame in sight
	unroll int     // states of a block that may be carried out, at best
	opened bool    // an indirect jump that may go anywhere has been met
	// openedAll: it may also go to instructions whose address is in no table.
	openedAll bool

	once      bool          // functions that a call calls back are not followed
	first     firstRound    // of the last function that was called back
	ended     bool          // control does not continue after the instruction
	forks     int           // times that the state may be split until the block ends
	sure      bool          // the state in which an instruction is carried out is certain
	left      bool          // or its path may be left out: see State.left
	nextCalls []bytecode.PC // calls that request the next element of an iterator

	done  int32    // blocks in order whose states were dropped, see dropStates
	queue []uint64 // bit set of the blocks to carry out, by position
	next  int      // no position before is in the queue

	// Buffers that are reused for each block.
	states []*State // to carry out
	points []point  // in the middle of the block, to go on from
	imm    Value    // see immediate
}

// summary is what the callers of a subprogram need of its analysis from one entry state.
type summary struct {
	entry *State
	exits []*State
	depth []reach // of each frame in sight
	grown int     // times that the entry state was joined
}

// summarize returns the analysis of a subprogram that covers an entry state.
func (a *analyzer) summarize(sub int, e *State, nested int) *summary {
	if a.searches() {
		return a.witnesses(sub, e, nested)
	}
	for _, c := range a.contexts[sub] {
		if e.leq(c.entry, a.opt.Rules) && (len(a.contexts[sub]) == maxContexts || c.entry.leq(e, a.opt.Rules)) {
			a.cover.note(&a.cover.blocks[a.g.Entry(sub)], e, c.entry)
			return c
		}
	}
	if len(a.contexts[sub]) < maxContexts && a.fuel > 0 {
		c := a.analyse(sub, a.g.Entry(sub), e, nested)
		a.contexts[sub] = append(a.contexts[sub], c)
		return c
	}
	key := [2]int{len(e.frames), len(e.outer.all())}
	c := a.shared[sub][key]
	grown := 0
	e.cover = true
	if c != nil {
		if e.leq(c.entry, a.opt.Rules) {
			a.cover.note(&a.cover.blocks[a.g.Entry(sub)], e, c.entry)
			return c
		}
		if grown = c.grown + 1; grown > maxGrowth {
			e = giveUp(e)
		} else {
			e = joinStates(c.entry, e, func(v, w *Value) *Value { return widenValue(v, w, nil, grown > maxGrowth/2) })
		}
	}
	c = a.analyse(sub, a.g.Entry(sub), e, nested)
	c.grown = grown
	if a.shared[sub] == nil {
		a.shared[sub] = make(map[[2]int]*summary)
	}
	a.shared[sub][key] = c
	return c
}

// giveUp returns a state that covers s and all that differ from it in numbers alone: nothing is known but
// to what pointers lead.
func giveUp(s *State) *State {
	lose := func(v *Value) *Value { return v.join(anything) }
	top := topState()
	for r := range s.values() {
		if v := s.value(r); v != nil && r != int(bytecode.R10) {
			top.put(r, lose(v))
		}
	}
	top.sent, top.doubt, top.misled, top.stands = s.sent, s.doubt, s.misled, s.stands
	top.tested, top.given, top.sums = s.tested, s.given, s.sums
	top.ghosts, top.hiddenGhosts = s.ghosts, s.hiddenGhosts
	for range s.frames[1:] {
		top.frames = append(top.frames, &frame{mayHold: mayHold{localPointer: true}})
	}
	top.outer = s.outer.each(lose)
	return top
}

// analyse carries out a subprogram from one entry state.
func (a *analyzer) analyse(sub int, at cfg.BlockID, e *State, nested int) *summary {
	lo, hi := a.g.SubBlocks(sub)
	n := len(a.order[sub])
	r := &run{
		a: a, sub: sub, entry: e, nested: nested, lo: lo,
		blocks: make([]blockStates, hi-lo), queue: make([]uint64, (n+63)/64),
	}
	size := int(a.p.Subprogs[sub].End - a.p.Subprogs[sub].Start)
	r.unroll = min(max(allUnroll/size, minUnroll), maxUnroll)
	a.active[sub] = true
	r.insert(at, e.fork())
	for {
		b, ok := r.pop()
		if !ok || a.found() {
			break
		}
		if a.dropsStates {
			r.dropStates(a.pos[b])
		}
		r.carryOut(b)
	}
	a.active[sub] = false
	if !a.searches() { // a search needs only what jumps select
		a.f.record(r)
	}
	return &summary{entry: e, exits: r.exits, depth: r.depth}
}

// push puts a block into the queue.
func (r *run) push(b cfg.BlockID) {
	p := int(r.a.pos[b])
	r.queue[p>>6] |= 1 << (p & 63)
	r.next = min(r.next, p>>6)
}

// pop takes the first block in reverse postorder out of the queue.
func (r *run) pop() (cfg.BlockID, bool) {
	for ; r.next < len(r.queue); r.next++ {
		if w := r.queue[r.next]; w != 0 {
			r.queue[r.next] &= w - 1
			return r.a.order[r.sub][r.next<<6+bits.TrailingZeros64(w)], true
		}
	}
	return 0, false
}

// carryOut carries out a block for its new states.
func (r *run) carryOut(b cfg.BlockID) {
	bs := &r.blocks[b-r.lo]
	r.states = r.states[:0]
	for i := range bs.entries {
		if !bs.entries[i].done {
			bs.entries[i].done = true
			r.states = append(r.states, bs.entries[i].s)
		}
	}
	for _, s := range r.states {
		bs.visits++
		r.block(b, s.fork())
	}
}

// insert adds a state to the entry of a block. If there are too many, it joins states. It takes
// ownership of the state.
func (r *run) insert(b cfg.BlockID, s *State) {
	if r.a.searches() {
		r.keep(b, s)
		return
	}
	bs := &r.blocks[b-r.lo]
	r.a.neededDropped = r.a.neededDropped || r.a.pos[b] < r.done
	const crowd = 4 // from this number of states on, only relevant registers distinguish them
	r.a.forgetDead(s, r.a.live[b])
	if len(bs.entries) >= crowd {
		s.forget(r.a.relevant[b]|s.ghosts, r.a.opt.Rules == Verifier)
	}
	s.standFor(r.a.cover.blocks[b])
	s.trim(r.a.live[b] | s.ghosts | bit(bytecode.R10))
	s.layGhosts()
	if r.isFirst() && r.a.cover.on {
		s.cover = r.a.cover.linked(b, s) || s.cover
	}
	states, visits := r.a.width()
	if visits == minUnroll {
		visits = r.unroll
	}
	full := len(bs.entries) > 0 && int(bs.visits) >= visits
	bs.sure = bs.sure || s.certain()
	s.cover = s.cover || full
	for i := range bs.entries {
		if s.leqFrom(bs.entries[i].s, r.a.opt.Rules, &bs.entries[i].below) {
			r.a.cover.note(&r.a.cover.blocks[b], s, bs.entries[i].s)
			return
		}
	}
	switch {
	case len(bs.entries) == 0:
	case full:
		r.a.joins++
		s = r.collapse(bs, s)
		bs.entries = bs.entries[:0]
	case len(bs.entries) >= states && !bs.retire():
		r.a.joins++
		i := nearest(bs.entries, s)
		s = joinStates(bs.entries[i].s, s, (*Value).join)
		// A certain state stays next to the one that it was joined into, up to a limit.
		if len(bs.entries) >= certainStates*states {
			bs.entries = append(bs.entries[:i], bs.entries[i+1:]...)
		}
	}
	kept := bs.entries[:0]
	for _, e := range bs.entries {
		if !e.s.leqFrom(s, r.a.opt.Rules, &e.above) {
			kept = append(kept, e)
		} else if !e.done {
			r.a.cover.note(&r.a.cover.blocks[b], e.s, s)
		}
	}
	bs.entries = append(kept, entry{s: s})
	r.push(b)
}

// retire forgets the oldest state that has been carried out, and reports whether there was one.
// That state can then no longer cover others.
func (bs *blockStates) retire() bool {
	for i, e := range bs.entries {
		if !e.done {
			continue
		}
		const many = 8
		if bs.past = append(bs.past, e.s); len(bs.past) == many {
			bs.past = []*State{bs.forgotten()}
		}
		bs.entries = append(bs.entries[:i], bs.entries[i+1:]...)
		return true
	}
	return false
}

// forgotten returns a state that covers those that were forgotten, nil if there are none. It is
// joined on demand, which is rare.
func (bs *blockStates) forgotten() *State {
	var out *State
	for _, s := range bs.past {
		if out == nil {
			out = s
			continue
		}
		out = joinStates(out, s, (*Value).join)
	}
	return out
}

// nearest returns the index of the state that differs least from s.
func nearest(entries []entry, s *State) int {
	best, least := 0, int(^uint(0)>>1)
	for i, e := range entries {
		if d := distance(e.s, s); d < least {
			best, least = i, d
		}
	}
	return best
}

// collapse joins s and the states of a block into one, which grows fast.
func (r *run) collapse(bs *blockStates, s *State) *State {
	if len(bs.entries) == 0 {
		return s
	}
	old := bs.entries[0].s
	for _, e := range bs.entries[1:] {
		old = joinStates(old, e.s, (*Value).join)
	}
	if past := bs.forgotten(); past != nil {
		old = joinStates(old, past, (*Value).join)
		bs.past = nil
	}
	bs.growth++
	switch {
	case r.a.fuel <= 0 && bs.growth > giveUpGrowth: // a nest of loops has many slots that grow one by one
		return giveUp(joinStates(old, s, (*Value).join))
	case bs.growth <= 1:
		return joinStates(old, s, (*Value).join)
	case bs.growth <= softWiden:
		stops := r.a.thresholds(r.sub)
		return joinStates(old, s, func(v, w *Value) *Value { return widenValue(v, w, stops, false) })
	case bs.growth <= hardWiden:
		return joinStates(old, s, func(v, w *Value) *Value { return widenValue(v, w, nil, false) })
	}
	return joinStates(old, s, func(v, w *Value) *Value { return widenValue(v, w, nil, true) })
}

// exit records a state in which the subprogram returns r0.
func (r *run) exit(s *State, r0 *Value) {
	x := &State{frames: append([]*frame(nil), s.frames[1:]...), ids: s.ids, cover: !s.certain() || r.grown > 0,
		tested: s.tested, doubt: s.doubt, misled: s.misled, stands: s.stands, sums: s.sums, outer: s.outer,
		locked: s.locked, held: s.held}
	x.regs[0] = r0
	s.share()
	x.standFor(r.a.cover.exits[r.sub])
	x.trim(1)
	if r.a.searches() {
		r.keepExit(x)
		return
	}
	for i, y := range r.exits {
		if x.leq(y, r.a.opt.Rules) {
			r.a.cover.note(&r.a.cover.exits[r.sub], x, y)
			return
		}
		if y.leq(x, r.a.opt.Rules) {
			r.a.cover.note(&r.a.cover.exits[r.sub], y, x)
			r.exits[i] = x
			return
		}
	}
	states, _ := r.a.width()
	if len(r.exits) < min(maxExits, states) {
		r.exits = append(r.exits, x)
		return
	}
	r.grown++
	stops := r.grown > 2*softWiden
	for _, y := range r.exits {
		x = joinStates(y, x, func(v, w *Value) *Value {
			if r.grown <= softWiden {
				return v.join(w)
			}
			return widenValue(v, w, nil, stops)
		})
	}
	r.exits = append(r.exits[:0], x)
}

// enqueue adds a function that is to be analysed by itself.
func (a *analyzer) enqueue(sub int, e *State) {
	a.enqueueAt(sub, a.g.Entry(sub), e)
}

// enqueueAt is enqueue from a block in the middle.
func (a *analyzer) enqueueAt(sub int, b cfg.BlockID, e *State) {
	if a.opt.Rules == Verifier {
		e.sums = &sums{a.opt.Quirks.StaleLinks, &a.f.usedQuirks}
	}
	e.trim(a.live[b] | bit(bytecode.R10))
	for i := range a.pending {
		j := &a.pending[i]
		if j.block == b && (e.leq(j.entry, a.opt.Rules) || j.entry == nil) {
			a.cover.note(&a.cover.blocks[b], e, j.entry)
			return
		}
	}
	a.pending = append(a.pending, job{sub, b, e})
}
