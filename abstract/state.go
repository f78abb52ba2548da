package abstract

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// numRegs is the number of registers that a program may use, r0 to r10.
const numRegs = 11

// numValues is the number of registers and of arguments on the stack.
const numValues = numRegs + stackArgs

// State holds the registers and the reachable stack frames at a point of a program. Stored states
// are not changed.
//
// A register without a value is not initialised, or dead: nothing reads it before
// it is written. One that may hold anything has the value anything.
type State struct {
	regs [numRegs]*Value // r0 to r10
	// args holds the arguments that are passed through r11, nil for none. States share the array.
	args *[stackArgs]*Value
	// frames holds the stack frames that can be reached from here: [0] is the
	// current one, then the callers' if one of their addresses was handed on.
	frames []*frame
	// outer holds values of callers that are not in sight and linked to what is, by rules
	// Verifier: see hidden.
	outer *outside
	// sums says whether the kernel has Quirks.StaleLinks.
	sums  *sums
	owned uint32 // bit set of the frames that no other state shares, and ownSlice
	ids   uint32 // ids of values are at most this
	// held is one more than the instruction that acquired a reference which is certainly held: a
	// socket or an object that the program must release. 0 for none. See hold.go.
	held int32
	// tested are the fields of the context, as ctxOf has them, on which a branch was decided, by
	// rules Executions.
	tested uint8
	// given says, by rules Executions, that the state is one of a function that others call and
	// that is analysed by itself: what its arguments lead to is as the callers have it.
	given bool
	// ghosts are registers that nothing reads any more and that may still be linked to others: see
	// ghosts.go. Of callers it is their number, of those that are linked to unknown numbers.
	ghosts       uint16
	hiddenGhosts uint8
	// sent reports whether something was stored through r11 or a function was
	// called: what the caller passed on the stack is gone then.
	sent bool
	// cover says that the state only covers states that Linux's verifier may have: it was joined,
	// widened, cut, or depends on something that is not modelled. A state without it is one that
	// the verifier itself has on some path, apart from values that decide nothing. Cover is never
	// reset.
	cover bool
	// left says that the verifier may leave out this path because of one that is equal except for
	// unknown numbers in place of pointers, so the state is not certain. An access through such a
	// number is refused, so a fault of an access is proven all the same.
	left bool
	// doubt says, by rules Executions, that perhaps no execution takes a branch on the way: it was
	// decided by numbers that may not be free of each other, or have fewer values than stated.
	doubt bool
	// misled reports that the verifier may know a wrong number, by Quirks.StaleLinks; then the
	// outcome of a comparison of numbers is not known.
	misled bool
	// stands says that a slot of the stack may hold another number in states that this one
	// stands for: see cover.go.
	stands bool
	// locked reports that a spin lock is certainly held.
	locked bool
}

// certain reports whether Linux's verifier has this very state on some path, but
// for what decides nothing. See State.cover.
func (s *State) certain() bool { return !s.cover && !s.left }

// surer reports whether a state is more certain than another.
func (s *State) surer(t *State) bool { return !s.cover && (t.cover || t.left && !s.left) }

// ownSlice in State.owned says that no other state shares the slice frames.
const ownSlice = 1 << 31

// fork returns a copy that may be changed independently.
func (s *State) fork() *State {
	s.share()
	c := *s
	return &c
}

// share marks all frames as shared (copy on write). Stored states are always shared, so sharing
// them again writes nothing.
func (s *State) share() {
	if s.owned == 0 {
		return
	}
	for i, f := range s.frames {
		if s.owned>>i&1 != 0 {
			f.owned = 0
		}
	}
	s.owned = 0
}

// edit returns frame i for change.
func (s *State) edit(i int) *frame {
	if s.owned&ownSlice == 0 {
		s.frames = append([]*frame(nil), s.frames...)
		s.owned |= ownSlice
	}
	if s.owned>>i&1 == 0 {
		s.frames[i] = s.frames[i].clone()
		s.owned |= 1 << i
	}
	return s.frames[i]
}

// get returns the value of a register, an unknown one if nothing is known.
func (s *State) get(r bytecode.Reg) *Value {
	if r < numRegs && s.regs[r] != nil {
		return s.regs[r]
	}
	return anything
}

// set puts a value into a register. Writes to r10 and to numbers that are no
// registers are refused by every kernel and have no effect here.
func (s *State) set(r bytecode.Reg, v *Value) {
	if r < bytecode.R10 {
		s.regs[r] = v
		s.ghosts &^= 1 << r
	}
}

// newID returns an id that no value of the state has.
func (s *State) newID() uint32 {
	s.ids++
	return s.ids
}

// eachValue calls f for each register and spilled value, in a fixed order, and
// stores what f returns.
func (s *State) eachValue(f func(*Value) *Value) { s.eachWhole(false, f) }

// eachWhole is eachValue, or with whole without values that are parts of a slot.
func (s *State) eachWhole(whole bool, f func(*Value) *Value) {
	for r := range s.values() {
		if v := s.value(r); v != nil {
			s.put(r, f(v))
		}
	}
	for i := range s.frames {
		for num, sl := range s.frames[i].all {
			if sl.val == nil || whole && sl.spilled() < 8 {
				continue
			}
			if w := f(sl.val); w != sl.val {
				s.edit(i).at(num).val = w
			}
		}
	}
	s.outer = s.outer.each(f)
}

// visit calls f for each register and spilled value in the order of eachValue
// until f returns false.
func (s *State) visit(f func(*Value) bool) bool {
	for r := range s.values() {
		if v := s.value(r); v != nil && !f(v) {
			return false
		}
	}
	for _, fr := range s.frames {
		for _, sl := range fr.all {
			if sl.val != nil && !f(sl.val) {
				return false
			}
		}
	}
	for _, v := range s.outer.all() {
		if v != nil && !f(v) {
			return false
		}
	}
	return true
}

// trim drops the registers that are not live, then links that connect nothing any more, and
// numbers the rest from 1 in order of appearance, so that equal states are equal. The state owns
// nothing afterwards, because it is to be stored.
func (s *State) trim(live uint16) {
	defer s.share()
	for r := range s.regs {
		if live>>r&1 == 0 {
			s.regs[r] = nil
		}
	}
	if s.ids == 0 {
		return
	}
	s.renumber()
}

// renumber is the part of trim that deals with links.
func (s *State) renumber() {
	const few = 64 // ids that need no allocation
	var counts, numbers [few]uint32
	count, ids := counts[:], numbers[:] // how many values have an id, and its new number
	if s.ids >= few {
		count, ids = make([]uint32, s.ids+1), make([]uint32, s.ids+1)
	}
	any := false
	s.visit(func(v *Value) bool {
		if v.id != 0 {
			count[v.id]++
			any = true
		}
		return true
	})
	if !any {
		s.ids = 0
		return
	}
	next := uint32(0)
	s.eachValue(func(v *Value) *Value {
		switch {
		case v.id == 0:
			return v
		case count[v.id] == 1:
			return v.alone(s.sums)
		}
		if ids[v.id] == 0 {
			next++
			ids[v.id] = next
		}
		if ids[v.id] == v.id {
			return v
		}
		return v.linked(ids[v.id], v.delta, v.add)
	})
	s.ids = next
}

// loosened returns the state with every value loose.
func (s *State) loosened() *State {
	out := s.fork()
	out.eachValue((*Value).loosened)
	return out
}

// leq reports whether every execution that s describes is described by t, by
// comparing part by part (kernel/bpf/states.c states_equal, Linux 7.3), and
// whether t is as certain, which only rules Verifier ask for.
func (s *State) leq(t *State, rules Rules) bool {
	var at uint8
	return s.leqFrom(t, rules, &at)
}

// leqFrom is leq that compares one register first: the one that distinguished s and t, or similar
// states, the last time. It records the one that does.
func (s *State) leqFrom(t *State, rules Rules, at *uint8) bool {
	if len(s.frames) != len(t.frames) || rules == Verifier && s.surer(t) || t.doubt && !s.doubt ||
		s.misled && !t.misled ||
		s.sent != t.sent && (!t.sent || !t.cover) ||
		s.ghosts&^t.ghosts != 0 || s.hiddenGhosts > t.hiddenGhosts ||
		rules == Verifier && s.locked != t.locked || !s.value(int(*at)).leq(t.value(int(*at))) {
		return false
	}
	ids := idMap{sums: s.sums}
	for r := range max(s.values(), t.values()) {
		v, w := s.value(r), t.value(r)
		if v == w && (v == nil || v.id == 0) {
			continue
		}
		if !ids.leq(v, w) {
			*at = uint8(r)
			return false
		}
	}
	for i, f := range t.frames {
		if !leqFrame(s.frames[i], f, 0, 0, t.ids != 0, false, ids.leq) {
			return false
		}
	}
	return ids.outerLeq(s.outer.all(), t.outer.all(), true)
}

// idMap maps the ids of a state that describes more to those of one that
// describes less.
type idMap struct {
	pairs  [][2]uint32
	sums   *sums  // State.sums
	single uint32 // numbers that are linked to nothing: see strict
}

// leq is Value.leq and checks that what t links is linked in s.
func (m *idMap) leq(v, t *Value) bool {
	if !v.leq(t) || m.sums.open() && !v.leqSum(t) && m.sums.differ() {
		return false
	}
	if t == nil || t.id == 0 {
		return true
	}
	if v == nil {
		return false
	}
	if v.id == 0 || v.add != t.add || v.delta != t.delta {
		return false
	}
	for _, p := range m.pairs {
		if p[0] == t.id || p[1] == v.id {
			return p[0] == t.id && p[1] == v.id
		}
	}
	m.pairs = append(m.pairs, [2]uint32{t.id, v.id})
	return true
}

// idPairs numbers pairs of links of two states that are joined.
type idPairs struct {
	pairs [][2]uint32
	sums  *sums // State.sums
	// combine joins or widens two values.
	combine func(a, b *Value) *Value
}

// join combines two values; they stay linked to what both were linked to.
func (m *idPairs) join(a, b *Value) *Value {
	j := m.combine(a, b)
	if m.sums.open() {
		if k := j.joinSum(a, b); k != j && m.sums.differ() {
			j = k
		}
	}
	return m.link(j, a, b).standing(a, b)
}

// link returns the value that a and b are joined to with their link.
func (m *idPairs) link(j, a, b *Value) *Value {
	if j == nil || a.id == 0 || b.id == 0 || a.add != b.add || a.delta != b.delta {
		return j.unlinked()
	}
	if _, ok := j.constant(); ok {
		return j.unlinked()
	}
	pair := [2]uint32{a.id, b.id}
	for i, p := range m.pairs {
		if p == pair {
			return j.linked(uint32(i+1), a.delta, a.add)
		}
	}
	m.pairs = append(m.pairs, pair)
	return j.linked(uint32(len(m.pairs)), a.delta, a.add)
}

// joinStates returns a state that describes all that a or b does; combine
// joins, or widens, two values that are not nil. A register that only one of them
// has initialised may hold anything: what is done with it still happens.
func joinStates(a, b *State, combine func(a, b *Value) *Value) *State {
	m := idPairs{combine: combine, sums: a.sums}
	out := &State{
		frames: make([]*frame, len(a.frames)), cover: true, sent: a.sent || b.sent, tested: a.tested | b.tested,
		given: a.given || b.given,
		doubt: a.doubt || b.doubt, misled: a.misled || b.misled, sums: a.sums,
		stands: a.stands || b.stands || slotsDiffer(a, b),
		ghosts: a.ghosts | b.ghosts, hiddenGhosts: max(a.hiddenGhosts, b.hiddenGhosts), locked: a.locked && b.locked,
	}
	if a.held == b.held {
		out.held = a.held
	}
	for r := range max(a.values(), b.values()) {
		switch v, w := a.value(r), b.value(r); {
		case v != nil && w != nil:
			out.put(r, m.join(v, w))
		case v != w:
			out.put(r, anything)
		}
	}
	for i := range a.frames {
		out.frames[i] = joinFrames(a.frames[i], b.frames[i], m.join)
	}
	out.outer = m.joinOuter(a.outer.all(), b.outer.all())
	out.ids = uint32(len(m.pairs))
	if out.ids != 0 {
		out.renumber()
		out.share()
	}
	return out
}

// distance returns how many registers and slots differ between two states.
func distance(a, b *State) int {
	d := 0
	for r := range max(a.values(), b.values()) {
		if v, w := a.value(r), b.value(r); v != w && (!v.leq(w) || !w.leq(v)) {
			d++
		}
	}
	for i := range a.frames {
		if i < len(b.frames) && a.frames[i] != b.frames[i] {
			d += frameDistance(a.frames[i], b.frames[i])
		}
	}
	return d
}

func frameDistance(f, g *frame) int {
	d := 0
	for i, x := range f.groups {
		y := g.groups[i]
		if x == nil || x == y {
			continue
		}
		for num := range int16(groupSlots) {
			s, t := x.at(num+1), y.at(num+1)
			switch {
			case s == nil:
			case t == nil:
				d++
			case s.val != t.val && (s.val == nil || t.val == nil || !s.val.leq(t.val)):
				d++
			}
		}
	}
	return d
}
