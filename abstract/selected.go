package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Indices returns the indices of the entries that an access selects by either
// rule, ascending: of a table's entries, or of the code addresses of a data
// section (Map.Code).
func (a *Access) Indices(p *bytecode.Program, rules Rules) []int {
	if a.Table >= 0 {
		n := len(p.Tables[a.Table].Targets)
		if rules == Verifier {
			return rangeEntries(a.Off, n)
		}
		return exactEntries(a.Off, a.str, a.src, n)
	}
	if a.Map < 0 {
		return nil
	}
	return codeCells(&p.Maps[a.Map], a.Off, a.str)
}

// selection is what an indirect jump or call certainly selects in one state.
type selection struct {
	to    []bytecode.PC
	any   bool // an alternative was added
	vague bool // perhaps none of the targets of some alternative is selected
	doubt bool // State.doubt
	off   bool // nothing is recorded
}

// add adds an alternative and its targets. In doubt it is not known which alternative an
// execution has.
func (s *selection) add(a *Alt, to []bytecode.PC) {
	switch {
	case s.off:
		return
	case !a.tight():
		s.vague = true
		if to = nil; !s.doubt {
			return
		}
	}
	to = slices.Clone(to)
	slices.Sort(to)
	to = slices.Compact(to)
	switch {
	case !s.any:
		s.to = to
	case s.doubt:
		s.to = Common(s.to, to)
	default:
		s.to = union(s.to, to)
	}
	s.any = true
}

// selects records what the jump or call at pc selects in one more state.
func (a *analyzer) selects(pc bytecode.PC, s *selection) {
	d := a.indirect(pc)
	switch {
	case s.off:
	case !s.doubt && len(s.to) > 0:
		d.sure = union(d.sure, s.to)
		if a.searches() {
			a.opt.search.goals.reach(pc, s.to)
		}
	case !d.doubted:
		d.common, d.doubted = s.to, true
	default:
		d.common = Common(d.common, s.to)
	}
}

// union returns the slots in either of two ascending slices.
func union(a, b []bytecode.PC) []bytecode.PC {
	if !slices.ContainsFunc(b, func(pc bytecode.PC) bool {
		_, ok := slices.BinarySearch(a, pc)
		return !ok
	}) {
		return a
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// Common returns the slots in both of two ascending slices, ascending: not nil if a is not.
func Common(a, b []bytecode.PC) []bytecode.PC {
	if slices.Equal(a, b) {
		return a
	}
	out := []bytecode.PC{}
	for _, pc := range b {
		if _, ok := slices.BinarySearch(a, pc); ok {
			out = append(out, pc)
		}
	}
	return out
}

// Selected returns the slots that an indirect jump or call can go to by either
// rule, as far as they are known: ascending.
func (d *Indirect) Selected(p *bytecode.Program, rules Rules) []bytecode.PC {
	return d.targets(p, rules, d.Accesses)
}

// Proven returns the members of Selected, by rules Executions, that some execution selects if any
// execution reaches the jump: the numbers that decide are independent, and their sets hold only
// numbers that executions compute. If every state at the jump is in doubt, the targets that all of
// them select are proven.
func (d *Indirect) Proven() []bytecode.PC {
	if len(d.sure) == 0 {
		return d.common
	}
	return d.sure
}

// targets returns the slots that accesses lead to, and the functions that the
// register holds without any: ascending.
func (d *Indirect) targets(p *bytecode.Program, rules Rules, accesses []Access) []bytecode.PC {
	out := []bytecode.PC{}
	for i := range accesses {
		a := &accesses[i]
		if a.Label {
			to, _ := labelSlots(p, a.Off, a.str)
			out = append(out, to...)
		}
		for _, j := range a.Indices(p, rules) {
			if a.Table >= 0 {
				out = append(out, p.Tables[a.Table].Targets[j])
			} else {
				out = append(out, p.Maps[a.Map].Code[j].Target)
			}
		}
	}
	for _, sub := range d.direct {
		out = append(out, p.Subprogs[sub].Start)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Direct reports whether the register may hold the address of the function that
// starts at a slot without its having been loaded from a table.
func (d *Indirect) Direct(p *bytecode.Program, start bytecode.PC) bool {
	return slices.ContainsFunc(d.direct, func(sub int) bool { return p.Subprogs[sub].Start == start })
}
