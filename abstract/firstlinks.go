package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Linux 6.1 does not compare links when it looks for a state that covers another one. So it may leave out a
// path in which two numbers are independent because of one in which they were linked, although the latter
// does not go everywhere. The former is not certain then.
//
// Source: kernel/bpf/verifier.c regsafe, Linux 6.1.

// linkPlace is a place of a state with a link between numbers.
type linkPlace struct {
	at int // a register, or a slot
	id uint32
}

// maxLinkings is how many sets of links are distinguished at a place.
const maxLinkings = 16

// linkings are the sets of links that states have had at a place.
type linkings struct {
	seen [][]linkPlace
	many bool // too many to distinguish
}

// numberLinks returns the links between numbers of a state, as far as registers and slots of its own frame are
// counted, in a form that is the same for all ids.
func (s *State) numberLinks(regs uint16, idle slotSet) (out []linkPlace) {
	if s.ids == 0 {
		return nil
	}
	s.eachPlace(func(at int, v *Value) {
		dead := at < int(numRegs) && regs>>at&1 == 0 ||
			at >= numValues && at < numValues+maxSlots && idle>>(at-numValues)&1 != 0
		if v != nil && v.id != 0 && v.is(Number) && !v.fixed() && !dead {
			out = append(out, linkPlace{at, v.id})
		}
	})
	single := func(p linkPlace) bool {
		return !slices.ContainsFunc(out, func(q linkPlace) bool { return q.id == p.id && q.at != p.at })
	}
	alone := make([]bool, len(out))
	for i, p := range out {
		alone[i] = single(p)
	}
	kept := out[:0]
	for i, p := range out {
		if !alone[i] {
			kept = append(kept, p)
		}
	}
	names := map[uint32]uint32{}
	for i := range kept {
		if names[kept[i].id] == 0 {
			names[kept[i].id] = uint32(len(names) + 1)
		}
		kept[i].id = names[kept[i].id]
	}
	return kept
}

// eachPlace calls f for the values of registers, arguments, slots of all frames and outer values, by number.
func (s *State) eachPlace(f func(at int, v *Value)) {
	for r := range s.values() {
		f(r, s.value(r))
	}
	for i, fr := range s.frames {
		for num, sl := range fr.all {
			f(numValues+i*maxSlots+int(num)-1, sl.val)
		}
	}
	for i, v := range s.outer.all() {
		f(numValues+(len(s.frames)+1)*maxSlots+i, v)
	}
}

// lacks reports whether numbers that are linked in another state of the place are not the same in this one.
func (s *State) lacks(links []linkPlace) bool {
	if len(links) == 0 {
		return false
	}
	here := map[int]*Value{}
	s.eachPlace(func(at int, v *Value) { here[at] = v })
	first := map[uint32]*Value{}
	for _, l := range links {
		v, w := here[l.at], first[l.id]
		switch {
		case v == nil || !v.is(Number):
			continue // then neither state covers the other, or it counts for nothing
		case w == nil:
			first[l.id] = v
		case v.id != 0 && v.id == w.id || v.fixed() && w.fixed() && v.Off == w.Off:
		default:
			return true
		}
	}
	return false
}

// linkedFirst notes the links of a walk's path at an instruction.
func (w *walker) linkedFirst(pl place) {
	cur := &w.cur
	if w.linkings == nil {
		w.linkings = map[bytecode.PC][]pathLinks{}
	}
	list := w.linkings[cur.pc]
	i := slices.IndexFunc(list, func(l pathLinks) bool { return sameCalls(l.up, cur.up) })
	if i < 0 {
		list, i = append(list, pathLinks{up: cur.up, linkings: &linkings{}}), len(list)
		w.linkings[cur.pc] = list
	}
	lacks, _ := list[i].add(cur.s, cur.s.numberLinks(pl.live, pl.idle))
	cur.s.cover = cur.s.cover || lacks
}

// pathLinks are the links of paths with the same calls.
type pathLinks struct {
	up *callerFrame
	*linkings
}

// add notes the links of a state, and reports whether the state lacks one that others have, and whether
// others may lack one of its own.
func (l *linkings) add(s *State, links []linkPlace) (lacks, isNew bool) {
	lacks = l.many
	for _, old := range l.seen {
		lacks = lacks || s.lacks(old)
	}
	if l.many || slices.ContainsFunc(l.seen, func(old []linkPlace) bool { return slices.Equal(old, links) }) {
		return lacks, false
	}
	if len(l.seen) == maxLinkings {
		l.many, l.seen = true, nil
		return true, true
	}
	l.seen = append(l.seen, links)
	return lacks, len(links) > 0 && len(l.seen) > 1
}
