package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A number that a function was called with is linked to the caller's copies of it: if the callee
// refines one, the verifier refines all (kernel/bpf/verifier.c collect_linked_regs and
// mark_ptr_or_null_regs, Linux 7.3, go through all frames). So a state of the callee keeps, in
// State.outer, the caller's values that are linked to values the callee can reach, and returns
// them.

// outside are values that are not in sight, nil for none. It is not changed. Few states have any.
type outside struct {
	vals []*Value
	// fields are what vals holds in a search for witnesses: see again.go.
	fields []ctxField
}

func outsideOf(vals []*Value) *outside {
	if len(vals) == 0 {
		return nil
	}
	return &outside{vals: vals}
}

// all returns the values, some of them nil.
func (o *outside) all() []*Value {
	if o == nil {
		return nil
	}
	return o.vals
}

// read returns the fields.
func (o *outside) read() []ctxField {
	if o == nil {
		return nil
	}
	return o.fields
}

// with returns the values with another one at an index.
func (o *outside) with(i int, v *Value) *outside {
	out := &outside{slices.Clone(o.vals), o.fields}
	out.vals[i] = v
	return out
}

// each returns the values after f.
func (o *outside) each(f func(*Value) *Value) *outside {
	out := o
	for i, v := range o.all() {
		w := v
		if v != nil {
			w = f(v)
		}
		if w == v {
			continue
		}
		if out == o {
			out = &outside{slices.Clone(o.vals), o.fields}
		}
		out.vals[i] = w
	}
	return out
}

// hiddenPlace is the place of a caller's value that the callee cannot reach.
type hiddenPlace struct {
	in    hiddenIn
	index int   // register, frame, or index in State.outer
	slot  int16 // of the frame
}

// hiddenIn is the kind of a hiddenPlace.
type hiddenIn uint8

const (
	inRegister hiddenIn = iota
	inFrame
	inOuter
)

// hidden returns the places of the values that a callee cannot reach and that are linked to
// values it can reach: its arguments and, if visible, the frames.
func (s *State) hidden(args *arguments, visible bool) []hiddenPlace {
	if s.ids == 0 {
		return nil
	}
	var seen []uint32
	see := func(v *Value) {
		if v != nil && v.id != 0 && !slices.Contains(seen, v.id) {
			seen = append(seen, v.id)
		}
	}
	for _, v := range args {
		see(v)
	}
	s.eachSlot(visible, func(_ int, _ int16, v *Value) { see(v) })
	if len(seen) == 0 {
		return nil
	}
	var out []hiddenPlace
	hide := func(p hiddenPlace, v *Value) {
		if v != nil && v.id != 0 && slices.Contains(seen, v.id) {
			out = append(out, p)
		}
	}
	for r := bytecode.R6; r < bytecode.R10; r++ {
		hide(hiddenPlace{in: inRegister, index: int(r)}, s.regs[r])
	}
	s.eachSlot(!visible, func(f int, num int16, v *Value) { hide(hiddenPlace{inFrame, f, num}, v) })
	for i, v := range s.outer.all() {
		hide(hiddenPlace{in: inOuter, index: i}, v)
	}
	return out
}

// eachSlot calls f for each spilled value if asked to.
func (s *State) eachSlot(asked bool, f func(frame int, num int16, v *Value)) {
	if !asked {
		return
	}
	for i := range s.frames {
		for num, sl := range s.frames[i].all {
			if sl.val != nil {
				f(i, num, sl.val)
			}
		}
	}
}

// at returns the value at a place.
func (s *State) at(p hiddenPlace) *Value {
	switch p.in {
	case inRegister:
		return s.regs[p.index]
	case inFrame:
		return s.frames[p.index].get(p.slot).val
	}
	return s.outer.vals[p.index]
}

// unhide puts the values that a callee returns back into the caller's places. If the callee was
// followed with a more general state, its values carry no information. With whole, the callee cannot
// change a value that is a part of a slot: see eachWhole.
func (s *State) unhide(places []hiddenPlace, back []*Value, base uint32, whole bool) {
	for i, p := range places {
		old := s.at(p)
		v := rebase(back[i], base)
		if !v.leq(old) {
			v = old.unlinked().loosened()
		}
		switch p.in {
		case inRegister:
			s.regs[p.index] = v
		case inFrame:
			if whole && v.is(Number) && s.frames[p.index].get(p.slot).spilled() < 8 {
				v = old.linked(v.id, v.delta, v.add)
			}
			s.edit(p.index).at(p.slot).val = v
		case inOuter:
			s.outer = s.outer.with(p.index, v)
		}
	}
}

// outerLeq is State.leq for State.outer.
func (m *idMap) outerLeq(a, b []*Value, numbers bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i, v := range b {
		if v != nil && (numbers || !plainNumber(v) || !plainNumber(a[i])) && !m.leq(a[i], v) {
			return false
		}
	}
	return true
}

// joinOuter is joinStates for State.outer. If the states have different values of their callers,
// none is kept.
func (m *idPairs) joinOuter(a, b []*Value) *outside {
	if len(a) != len(b) || len(a) == 0 {
		return nil
	}
	out := make([]*Value, len(a))
	for i := range a {
		if a[i] != nil && b[i] != nil {
			out[i] = m.join(a[i], b[i])
		}
	}
	return outsideOf(out)
}
