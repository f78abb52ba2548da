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
		if rules == Kernel {
			return rangeEntries(a.Off, n)
		}
		return exactEntries(a.Off, a.str, a.src, n)
	}
	if a.Map < 0 {
		return nil
	}
	return codeCells(&p.Maps[a.Map], a.Off, a.str)
}

// Selected returns the slots that an indirect jump or call can go to by either
// rule, as far as they are known: ascending.
func (d *Indirect) Selected(p *bytecode.Program, rules Rules) []bytecode.PC {
	return d.targets(p, rules, d.Accesses)
}

// Proven returns those of Selected, by rules Exact, that some execution selects
// which gets to the jump: the numbers that decide are free of each other, and
// their sets have no members besides those that are computed.
func (d *Indirect) Proven(p *bytecode.Program) []bytecode.PC { return d.targets(p, Exact, d.proven) }

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
