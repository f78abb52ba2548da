package abstract

import "slices"

// stackSize is the size of a stack frame in bytes (MAX_BPF_STACK).
const stackSize = 512

// byteKind says what is known of a byte of the stack
// (include/linux/bpf_verifier.h enum bpf_stack_slot_type, Linux 7.3).
type byteKind uint8

const (
	byteInvalid byteKind = iota // never written on this path
	byteMisc                    // anything
	byteZero                    // 0
	byteSpill                   // part of the slot's value
)

// slot is what is known of eight aligned bytes of a stack frame.
type slot struct {
	num   int16       // bytes -8*num … -8*num+7 from the frame's top; from 1
	bytes [8]byteKind // by address, lowest first
	val   *Value      // of the bytes marked byteSpill, which begin at the lowest; nil without any
}

// spilled returns how many bytes of the slot belong to its value.
func (s *slot) spilled() int {
	n := 0
	for n < 8 && s.bytes[n] == byteSpill {
		n++
	}
	return n
}

// frame is one stack frame: the slots of which something is known, by num. A
// frame that a stored state holds is not changed; see State.edit.
type frame struct {
	slots []slot
	// lost reports whether a pointer to a stack or the context has been in a
	// byte of which nothing is known any more.
	lost bool
}

// find returns the index of slot num and whether it is there.
func (f *frame) find(num int16) (int, bool) {
	for i := range f.slots {
		if f.slots[i].num >= num {
			return i, f.slots[i].num == num
		}
	}
	return len(f.slots), false
}

// get returns slot num, nil when nothing is known of it.
func (f *frame) get(num int16) *slot {
	if i, ok := f.find(num); ok {
		return &f.slots[i]
	}
	return nil
}

// at returns slot num for change, adding it if need be. The frame must be
// owned by the caller.
func (f *frame) at(num int16) *slot {
	i, ok := f.find(num)
	if !ok {
		f.slots = slices.Insert(f.slots, i, slot{num: num})
	}
	return &f.slots[i]
}

// clone returns a copy that may be changed.
func (f *frame) clone() *frame {
	return &frame{slots: slices.Clone(f.slots), lost: f.lost}
}

// forget makes all bytes from byte offset lo to before hi anything (byteMisc).
// Both are negative offsets from the frame's top; what lies outside is ignored.
func (f *frame) forget(lo, hi int64) {
	f.fill(lo, hi, byteMisc)
}

// fill marks the bytes from lo to before hi and drops the values they were part
// of (kernel/bpf/verifier.c check_stack_write_fixed_off and
// scrub_spilled_slot, Linux 7.3).
func (f *frame) fill(lo, hi int64, k byteKind) {
	lo, hi = max(lo, -stackSize), min(hi, 0)
	for lo < hi {
		num := int16((-lo + 7) / 8)
		base := -8 * int64(num)
		end := min(hi, base+8)
		s := f.at(num)
		f.scrub(s)
		for b := lo - base; b < end-base; b++ {
			s.bytes[b] = k
		}
		lo = end
	}
}

// scrub takes the value out of a slot that is about to be overwritten in part.
func (f *frame) scrub(s *slot) {
	if s.val == nil {
		return
	}
	f.lost = f.lost || s.val.has(isLocal)
	s.val = nil
	for b := range s.bytes {
		if s.bytes[b] == byteSpill {
			s.bytes[b] = byteMisc
		}
	}
}

// weak marks the bytes from lo to before hi as perhaps overwritten: by a zero
// if zero is true, else by anything.
func (f *frame) weak(lo, hi int64, zero bool) {
	lo, hi = max(lo, -stackSize), min(hi, 0)
	for ; lo < hi; lo++ {
		num := int16((-lo + 7) / 8)
		s := f.at(num)
		b := lo + 8*int64(num)
		if zero && s.bytes[b] == byteZero {
			continue
		}
		if s.val != nil {
			f.scrub(s)
		}
		s.bytes[b] = byteMisc
	}
}

// leqFrame reports whether every stack that f describes is one of g's; leq
// compares two values, and what they are linked to outside of the frame. That can
// differ for one and the same frame.
func leqFrame(f, g *frame, leq func(a, b *Value) bool) bool {
	if f == g && !g.links() {
		return true
	}
	if f.lost && !g.lost {
		return false
	}
	i := 0
	for j := range g.slots {
		t := &g.slots[j]
		for ; i < len(f.slots) && f.slots[i].num < t.num; i++ {
			if f.slots[i].hidesPointer(g) {
				return false
			}
		}
		switch {
		case i < len(f.slots) && f.slots[i].num == t.num:
			if !leqSlot(&f.slots[i], t, leq, g.lost) {
				return false
			}
			i++
		case t.known():
			return false
		}
	}
	for ; i < len(f.slots); i++ {
		if f.slots[i].hidesPointer(g) {
			return false
		}
	}
	return true
}

// hidesPointer reports whether the slot holds a pointer to a stack or the
// context that would be forgotten, against what frame g says, if g knew
// nothing of the slot.
func (s *slot) hidesPointer(g *frame) bool { return !g.lost && s.val != nil && s.val.has(isLocal) }

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
func leqSlot(s, t *slot, leq func(a, b *Value) bool, lost bool) bool {
	if t.val != nil {
		n := t.spilled()
		switch {
		case s.val == nil && s.all(byteZero):
			return n == 8 && leq(constant(0), t.val)
		case s.val == nil:
			return n == 8 && leq(unknownNumber, t.val)
		case s.spilled() != n || !leq(s.val, t.val):
			return false
		}
	} else if !lost && s.val != nil && s.val.has(isLocal) {
		return false // a pointer would be lost unnoticed
	}
	for b := range t.bytes {
		if t.bytes[b] == byteZero && s.bytes[b] != byteZero {
			return false
		}
	}
	return true
}

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
	out := &frame{lost: f.lost || g.lost, slots: make([]slot, 0, min(len(f.slots), len(g.slots)))}
	i, j := 0, 0
	for i < len(f.slots) || j < len(g.slots) {
		var s, t *slot
		if i < len(f.slots) && (j == len(g.slots) || f.slots[i].num <= g.slots[j].num) {
			s = &f.slots[i]
		}
		if j < len(g.slots) && (s == nil || g.slots[j].num == s.num) {
			t = &g.slots[j]
		}
		if s != nil {
			i++
		}
		if t != nil {
			j++
		}
		if r, ok := joinSlots(s, t, join); ok {
			out.slots = append(out.slots, r)
		}
	}
	return out
}

// links reports whether a value in the frame is linked to others.
func (f *frame) links() bool {
	return slices.ContainsFunc(f.slots, func(s slot) bool { return s.val != nil && s.val.id != 0 })
}

// joinSlots joins two slots, either of which may be nil, and reports whether
// anything is known of the result. A pointer is kept as an alternative beside
// an unknown number, so that a store through it is not missed.
func joinSlots(s, t *slot, join func(a, b *Value) *Value) (slot, bool) {
	if s == nil {
		s, t = t, s
	}
	out := slot{num: s.num}
	sv, tv := s.whole(), (*Value)(nil)
	if t != nil {
		tv = t.whole()
	}
	n := s.spilled()
	switch {
	case sv != nil && tv != nil:
		out.val, n = join(sv, tv), 8
	case sv != nil && sv.pointers():
		out.val, n = join(sv, unknownNumber), 8
	case tv != nil && tv.pointers():
		out.val, n = join(tv, unknownNumber), 8
	case t != nil && s.val != nil && t.val != nil && n == t.spilled():
		out.val = join(s.val, t.val)
	}
	for b := range out.bytes {
		switch {
		case out.val != nil && b < n:
			out.bytes[b] = byteSpill
		case t != nil && s.bytes[b] == byteZero && t.bytes[b] == byteZero:
			out.bytes[b] = byteZero
		default:
			out.bytes[b] = byteMisc
		}
	}
	return out, out.known()
}

// whole returns the value of all eight bytes of the slot, nil when there is
// none.
func (s *slot) whole() *Value {
	switch {
	case s.val != nil && s.spilled() == 8:
		return s.val
	case s.all(byteZero):
		return constant(0)
	}
	return nil
}

// pointers reports whether the value has an alternative that is not a number.
func (v *Value) pointers() bool {
	return v.has(func(a *Alt) bool { return a.Kind != Number || a.flags&maybeLocal != 0 })
}
