package abstract

import "slices"

// stackSize is the size of a stack frame in bytes (MAX_BPF_STACK).
const stackSize = 512

// byteKind is the kind of a byte of the stack (include/linux/bpf_verifier.h enum
// bpf_stack_slot_type, Linux 7.3).
type byteKind uint8

const (
	byteInvalid byteKind = iota // never written on this path
	byteMisc                    // anything
	byteZero                    // 0
	byteSpill                   // part of the slot's value
	byteVague                   // anything, and perhaps 0 for the verifier
	byteOutside                 // by rules Executions, anything that a helper may have read somewhere
)

// slot is what is known of eight aligned bytes of a stack frame. The zero slot is
// one of which nothing is known, and which was never written.
type slot struct {
	bytes [8]byteKind // by address, lowest first
	val   *Value      // of the bytes marked byteSpill, which begin at the lowest; nil without any
}

// A frame has 64 slots by number: slot num holds the bytes -8*num … -8*num+7 from
// the frame's top, from 1 on.
const (
	maxSlots   = stackSize / 8
	groupSlots = 8
	groupSize  = 8 * groupSlots // in bytes
)

// group is eight slots of a frame, which frames share: most states of a program
// differ in few slots, and code that spills much has many states.
type group [groupSlots]slot

// spilled returns how many bytes of the slot belong to its value.
func (s *slot) spilled() int {
	n := 0
	for n < 8 && s.bytes[n] == byteSpill {
		n++
	}
	return n
}

// frame is one stack frame. A frame that a stored state holds is not changed; see State.edit.
// Neither is a group that another frame shares.
type frame struct {
	groups [maxSlots / groupSlots]*group // nil if nothing is known
	owned  uint8                         // bit set of the groups that no other frame has
	mayHold
}

// mayHold says what may be in bytes of which nothing is known.
type mayHold struct {
	localPointer bool // a pointer to a stack or the context
	otherPointer bool // another pointer, which the verifier may still have there
}

// present reports whether something was written to the slot.
func (s *slot) present() bool { return s.bytes != [8]byteKind{} }

// get returns slot num, nil when nothing was written to it or there is no such
// slot.
func (f *frame) get(num int16) *slot {
	if num < 1 || num > maxSlots {
		return nil
	}
	return f.groups[(num-1)/groupSlots].at(num)
}

// at returns slot num, which is one of the group's, nil when nothing was written
// to it.
func (g *group) at(num int16) *slot {
	if g == nil {
		return nil
	}
	if s := &g[(num-1)%groupSlots]; s.present() {
		return s
	}
	return nil
}

// all yields the slots that were written to, by number.
func (f *frame) all(yield func(num int16, s *slot) bool) {
	for i, g := range f.groups {
		if g == nil {
			continue
		}
		for j := range g {
			if g[j].present() && !yield(int16(i*groupSlots+j+1), &g[j]) {
				return
			}
		}
	}
}

// at returns slot num for change. The frame must be owned by the caller.
func (f *frame) at(num int16) *slot {
	i := (num - 1) / groupSlots
	if f.owned>>i&1 == 0 {
		g := new(group)
		if f.groups[i] != nil {
			*g = *f.groups[i]
		}
		f.groups[i] = g
		f.owned |= 1 << i
	}
	return &f.groups[i][(num-1)%groupSlots]
}

// clone returns a copy that may be changed. Both then share the groups.
func (f *frame) clone() *frame {
	if f.owned != 0 { // else it may be one of finished facts, which several may read
		f.owned = 0
	}
	c := *f
	return &c
}

// forget makes all bytes from byte offset lo to before hi anything (byteMisc).
// Both are negative offsets from the frame's top; what lies outside is ignored.
func (f *frame) forget(lo, hi int64) {
	for num, s := range f.all {
		if at := -8 * int64(num); s.val != nil && at < hi && at+8 > lo {
			f.otherPointer = f.otherPointer || s.val.pointers()
		}
	}
	f.fill(lo, hi, byteMisc)
}

// fill marks the bytes from lo to before hi and drops the values they were part
// of (kernel/bpf/verifier.c check_stack_write_fixed_off and
// scrub_spilled_slot, Linux 7.3).
func (f *frame) fill(lo, hi int64, k byteKind) {
	lo, hi = max(lo, -stackSize), min(hi, 0)
	for lo < hi {
		if lo%groupSize == 0 && hi-lo >= groupSize {
			f.fillGroup(int(-lo/groupSize-1), k)
			lo += groupSize
			continue
		}
		num := int16((-lo + 7) / 8)
		base := -8 * int64(num)
		end := min(hi, base+8)
		s := f.at(num)
		spilled := s.val != nil
		f.scrub(s)
		for b := range s.bytes {
			if spilled && s.bytes[b] == byteZero { // Linux forgets them with the value, if that is still there
				s.bytes[b] = byteVague
			}
		}
		for b := lo - base; b < end-base; b++ {
			s.bytes[b] = k
		}
		lo = end
	}
}

// fillGroup marks all bytes of a group, as fill does. All such groups are one: frames that a
// call may change as a whole are many, and a group of their own for each is a kilobyte a frame.
func (f *frame) fillGroup(i int, k byteKind) {
	if g := f.groups[i]; g != nil {
		for j := range g {
			f.localPointer = f.localPointer || g[j].val != nil && g[j].val.has(isLocal)
		}
	}
	f.groups[i] = filled[k]
	f.owned &^= 1 << i
}

// dropGroup makes a group one to which nothing was written.
func (f *frame) dropGroup(i int) {
	f.groups[i] = nil
	f.owned &^= 1 << i
}

// filled has a group for each kind of byte, which no frame owns.
var filled = func() (groups [byteOutside + 1]*group) {
	for k := range groups {
		g := new(group)
		for j := range g {
			for b := range g[j].bytes {
				g[j].bytes[b] = byteKind(k)
			}
		}
		groups[k] = g
	}
	return groups
}()

// overwrite is fill for bytes that are certainly overwritten: no pointer is left of a slot all of
// whose bytes are.
func (f *frame) overwrite(lo, hi int64, k byteKind) {
	for at := (max(lo, -stackSize) + 7) &^ 7; at+8 <= min(hi, 0); at += 8 {
		if sl := f.get(int16(-at / 8)); sl != nil && sl.val != nil {
			*f.at(int16(-at / 8)) = slot{}
		}
	}
	f.fill(lo, hi, k)
}

// vague reports whether bytes of the slot may all be 0 to the verifier, and are not
// known to be.
func (s *slot) vague(first, size int) bool {
	vague := false
	for b := first; b < first+size; b++ {
		unsure := s.bytes[b] == byteVague || s.bytes[b] == byteSpill && storedKind(s.val) == byteVague
		if !unsure && !s.zeroByte(b) {
			return false
		}
		vague = vague || unsure
	}
	return vague
}

// outside reports whether a helper has written all of these bytes.
func (s *slot) outside(first, size int) bool {
	for _, k := range s.bytes[first : first+size] {
		if k != byteOutside {
			return false
		}
	}
	return true
}

// zeroByte reports whether a byte of the slot is 0, written as such or as a part of a
// number that is.
func (s *slot) zeroByte(b int) bool {
	return s.bytes[b] == byteZero || s.bytes[b] == byteSpill && s.val.zero()
}

// mayScrub is scrub for a slot that the verifier may leave alone.
func (f *frame) mayScrub(s *slot) {
	f.otherPointer = f.otherPointer || s.val != nil && s.val.pointers()
	f.scrub(s)
}

// note reports whether a value, nil for none, can be in such bytes.
func (l mayHold) note(v *Value) bool {
	return v == nil || l.localPointer || !v.has(isLocal) && (l.otherPointer || !v.pointers())
}

// scrub takes the value out of a slot that is about to be overwritten in part.
func (f *frame) scrub(s *slot) {
	if s.val == nil {
		return
	}
	f.localPointer = f.localPointer || s.val.has(isLocal)
	s.val = nil
	for b := range s.bytes {
		if s.bytes[b] == byteSpill {
			s.bytes[b] = byteMisc
		}
	}
}

// weak marks the bytes from lo to before hi as perhaps overwritten: by a zero
// if k is byteZero, which leaves zeros what they are, else by anything
// (kernel/bpf/verifier.c check_stack_write_var_off, Linux 7.3).
func (f *frame) weak(lo, hi int64, k byteKind) {
	lo, hi = max(lo, -stackSize), min(hi, 0)
	for ; lo < hi; lo++ {
		num := int16((-lo + 7) / 8)
		s := f.at(num)
		b := lo + 8*int64(num)
		zero := s.zeroByte(int(b)) || s.bytes[b] == byteVague
		if zero && k == byteZero {
			continue
		}
		f.mayScrub(s)
		if s.bytes[b] = byteMisc; zero && k == byteVague {
			s.bytes[b] = byteVague
		}
	}
}

// weakSpills takes the values out of the slots from lo to before hi as the verifier does
// before such a store: zeros beside a value are forgotten with it, or stay (Quirks.KeptZeros).
// A spilled zero stays if a zero is stored, but not on a path that knows the offset, which
// another one may stand for. It reports whether the quirk makes a difference.
//
// Source: kernel/bpf/verifier.c check_stack_write_var_off and scrub_special_slot, Linux 7.3.
func (f *frame) weakSpills(lo, hi int64, k byteKind, kept bool) (matters bool) {
	first, last := (min(-lo, stackSize)+7)/8, (-min(hi, 0)+8)/8
	for num := int16(first); num >= int16(last); num-- {
		if s := f.get(num); s == nil || s.val == nil {
			continue
		}
		s := f.at(num)
		old, zero := s.bytes, k != byteMisc && storedKind(s.val) != byteMisc
		f.mayScrub(s)
		for b, was := range old {
			switch {
			case zero && was != byteMisc && was != byteInvalid:
				s.bytes[b] = byteVague
			case was == byteZero || was == byteVague:
				if matters = true; kept {
					s.bytes[b] = byteVague
				} else {
					s.bytes[b] = byteMisc
				}
			}
		}
	}
	return matters
}

// leqFrame reports whether every stack that f describes is one of g's; leq
// compares two values, and what they are linked to outside of the frame. That can
// differ for one and the same frame, if g has links. In slots that are free, numbers do
// not count.
// With plain, bytes of which nothing is known cover a pointer that is neither to a stack nor to
// the context, as they do for the verifier.
func leqFrame(f, g *frame, free, idle slotSet, links, plain bool, leq func(a, b *Value) bool) bool {
	if f == g && !links {
		return true
	}
	if f.localPointer && !g.localPointer || f.otherPointer && !g.otherPointer && !g.localPointer && !plain {
		return false
	}
	for i := range g.groups {
		x, y := f.groups[i], g.groups[i]
		if x == y && (!links || !y.links()) {
			continue
		}
		for num := int16(i*groupSlots + 1); num <= int16(i+1)*groupSlots; num++ {
			s, t := x.at(num), y.at(num)
			if s.same(t) || idle>>(num-1)&1 != 0 || free>>(num-1)&1 != 0 && f.bothNumbers(s, t) {
				continue
			}
			if !leqSlots(s, t, leq, f, mayHold{g.localPointer, g.otherPointer || plain}) {
				return false
			}
		}
	}
	return true
}

// same reports whether two slots hold the same, which is linked to nothing.
func (s *slot) same(t *slot) bool {
	if s == nil || t == nil {
		return s == t
	}
	return *s == *t && (s.val == nil || s.val.id == 0)
}

// bothNumbers reports whether two slots, the first one of frame f, hold nothing but numbers, of
// whatever bytes.
func (f *frame) bothNumbers(s, t *slot) bool {
	if s != nil && t != nil && s.bytes == t.bytes && plainNumber(s.val) && plainNumber(t.val) {
		return true
	}
	return !f.localPointer && !f.otherPointer && s.numbers() && t.numbers()
}

// numbers reports whether the slot holds nothing but numbers, or bytes of which nothing is known.
func (s *slot) numbers() bool { return s == nil || s.val == nil || plainNumber(s.val) }

// plainNumber reports whether a value is a number and nothing else.
func plainNumber(v *Value) bool { return v.is(Number) && v.flags&(maybePtr|maybeLocal) == 0 }

// leqSlots is leqFrame for two slots, either of which may be nil: nothing is known
// of it. The first is one of frame f, and notes is what the frame says that describes more.
func leqSlots(s, t *slot, leq func(a, b *Value) bool, f *frame, notes mayHold) bool {
	switch {
	case s == nil && (t == nil || !t.known()):
		return true
	case s == nil:
		return leqSlot(&slot{}, t, leq, f, notes)
	case t == nil:
		return notes.note(s.val)
	}
	return leqSlot(s, t, leq, f, notes)
}

// known reports whether the slot says more than nothing: misc says no more than
// invalid here, because reading either gives an unknown number.
func (s *slot) known() bool {
	for _, b := range s.bytes {
		if b == byteZero || b == byteSpill {
			return true
		}
	}
	return false
}

// leqSlot is leqFrame for slots of the same number.
func leqSlot(s, t *slot, leq func(a, b *Value) bool, f *frame, notes mayHold) bool {
	if t.val != nil {
		n := t.spilled()
		switch {
		case s.val == nil && s.all(byteZero):
			return n == 8 && leq(zeroNumber, t.val)
		case s.val == nil:
			return n == 8 && leq(stackUnknown(f), t.val)
		case s.spilled() != n || !leq(s.val, t.val):
			return false
		}
	} else if !notes.note(s.val) {
		return false
	}
	for b := range t.bytes {
		if t.bytes[b] == byteZero && (s.bytes[b] != byteZero || !s.like(t)) {
			return false
		}
	}
	return true
}

// like reports whether both slots hold a value or both none. The verifier forgets zeros
// together with the value beside them, so zeros beside a value differ from zeros alone.
func (s *slot) like(t *slot) bool { return (s.val == nil) == (t.val == nil) }

// all reports whether every byte of the slot is of kind k.
func (s *slot) all(k byteKind) bool {
	for _, b := range s.bytes {
		if b != k {
			return false
		}
	}
	return true
}

// joinFrames returns what is known of a stack that f or g describes; join joins
// two values.
func joinFrames(f, g *frame, join func(a, b *Value) *Value) *frame {
	if f == g && !f.links() {
		return f
	}
	out := &frame{mayHold: mayHold{f.localPointer || g.localPointer, f.otherPointer || g.otherPointer}}
	for i := range out.groups {
		if f.groups[i] != nil || g.groups[i] != nil {
			out.groups[i] = joinGroups(f.groups[i], g.groups[i], [2]*Value{stackUnknown(f), stackUnknown(g)}, join)
		}
	}
	return out
}

// joinGroups is joinFrames for groups, either of which may be nil. The result is
// one of them if it says the same. Bytes of which a frame knows nothing hold unknowns.
func joinGroups(x, y *group, unknowns [2]*Value, join func(a, b *Value) *Value) *group {
	if x == y && !x.links() && x.settled() {
		return x
	}
	var out group
	for num := range int16(groupSlots) {
		s, t := x.at(num+1), y.at(num+1)
		if s == nil && t == nil {
			continue
		}
		if r, ok := joinSlots(s, t, unknowns, join); ok {
			out[num] = r
		}
	}
	switch {
	case out == group{}:
		return nil
	case x != nil && out == *x:
		return x
	case y != nil && out == *y:
		return y
	}
	g := out
	return &g
}

// settled reports whether joining the group with itself would give it again, links
// aside: no byte is unwritten (it would be anything), no slot is zero without a
// value (it would have one), and none is unknown (it would be dropped).
func (g *group) settled() bool {
	for i := range g {
		s := &g[i]
		if s.present() && (slices.Contains(s.bytes[:], byteInvalid) || !s.known() || s.val == nil && s.all(byteZero)) {
			return false
		}
	}
	return true
}

// links reports whether a value in the frame is linked to others.
func (f *frame) links() bool {
	return slices.ContainsFunc(f.groups[:], (*group).links)
}

// links reports whether a value in the group is linked to others.
func (g *group) links() bool {
	if g != nil {
		for i := range g {
			if v := g[i].val; v != nil && v.id != 0 {
				return true
			}
		}
	}
	return false
}

// joinSlots joins two slots, either of which may be nil, and reports whether
// anything is known of the result. A pointer is kept as an alternative beside
// what the other frame holds in bytes of which it knows nothing, so that a store
// through either is not missed.
func joinSlots(s, t *slot, unknowns [2]*Value, join func(a, b *Value) *Value) (slot, bool) {
	if s == nil {
		s, t = t, s
		unknowns[0], unknowns[1] = unknowns[1], unknowns[0]
	}
	var out slot
	sv, tv := s.whole(), (*Value)(nil)
	if t != nil {
		tv = t.whole()
	}
	n := s.spilled()
	switch {
	case sv != nil && tv != nil:
		out.val, n = join(sv, tv), 8
	case sv != nil && sv.pointers():
		out.val, n = join(sv, unknowns[1]), 8
	case tv != nil && tv.pointers():
		out.val, n = join(tv, unknowns[0]), 8
	case t != nil && s.val != nil && t.val != nil && n == t.spilled():
		out.val = join(s.val, t.val)
	}
	for b := range out.bytes {
		switch {
		case out.val != nil && b < n:
			out.bytes[b] = byteSpill
		case t != nil && s.bytes[b] == byteZero && t.bytes[b] == byteZero && s.like(&out) && t.like(&out):
			out.bytes[b] = byteZero
		case t != nil && s.bytes[b] == byteOutside && t.bytes[b] == byteOutside:
			out.bytes[b] = byteOutside
		default:
			out.bytes[b] = byteMisc
		}
	}
	return out, out.known() || slices.Contains(out.bytes[:], byteOutside)
}

// whole returns the value of all eight bytes of the slot, nil when there is
// none.
func (s *slot) whole() *Value {
	switch {
	case s.val != nil && s.spilled() == 8:
		return s.val
	case s.all(byteZero):
		return zeroNumber
	}
	return nil
}

// pointers reports whether the value has an alternative that may be a pointer.
func (v *Value) pointers() bool {
	return v.has(func(a *Alt) bool { return a.Kind != Number || a.flags&(maybePtr|maybeLocal) != 0 })
}
