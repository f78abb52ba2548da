package succ

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// tables describes the tables that an indirect jump or call goes through. Their range follows the
// verifier's rule in k; the selected entries come from e, which may be nil. Both contain every
// entry that an execution selects, unless the verifier errs.
func tables(p *bytecode.Program, k, e *abstract.Indirect, errs bool) []TableUse {
	uses := []TableUse{}
	use := func(t, m int, x label) *TableUse {
		for i := range uses {
			if u := &uses[i]; u.Table == t && u.Map == m && u.Name == x.name {
				return u
			}
		}
		uses = append(uses, TableUse{Table: t, Map: m, Name: x.name, Entries: x.entries,
			Min: x.entries, Max: -1, Selected: []int{}})
		return &uses[len(uses)-1]
	}
	each(p, k, abstract.Verifier, func(t, m int, x label) {
		u := use(t, m, x)
		u.Min, u.Max = min(u.Min, x.index), max(u.Max, x.index)
	})
	if e != nil {
		each(p, e, abstract.Executions, func(t, m int, x label) {
			if u := use(t, m, x); errs || x.index >= u.Min && x.index <= u.Max {
				u.Selected = append(u.Selected, x.index)
			}
		})
	}
	for i := range uses {
		slices.Sort(uses[i].Selected)
		uses[i].Selected = slices.Compact(uses[i].Selected)
	}
	slices.SortStableFunc(uses, func(a, b TableUse) int {
		return cmp.Or(cmp.Compare(uint(a.Table), uint(b.Table)), cmp.Compare(a.Map, b.Map))
	})
	return uses
}

// label is an entry of a table.
type label struct {
	name    string // of the table
	entries int    // of the table
	index   int
}

// each calls f for each entry that an indirect jump or call may load.
func each(p *bytecode.Program, d *abstract.Indirect, rules abstract.Rules, f func(table, m int, x label)) {
	for _, a := range d.Accesses {
		switch {
		case a.Table >= 0:
			t := &p.Tables[a.Table]
			for _, i := range a.Indices(p, rules) {
				f(a.Table, -1, label{t.Name, len(t.Targets), i})
			}
		case a.Map >= 0:
			m := &p.Maps[a.Map]
			for _, i := range a.Indices(p, rules) {
				lo, hi, name := extent(m, i)
				f(-1, a.Map, label{name, hi - lo, i - lo})
			}
		}
	}
}

// extent returns the range lo ≤ i < hi of the code addresses of a data section that form a
// table with address i, and the table's name. A table is the addresses of one variable or,
// without symbols, addresses at equal distances.
func extent(m *bytecode.Map, i int) (lo, hi int, name string) {
	lo, hi = i, i+1
	for _, s := range m.Symbols {
		if off := m.Code[i].Off; off >= s.Off && off < s.Off+s.Size {
			for lo > 0 && m.Code[lo-1].Off >= s.Off {
				lo--
			}
			for hi < len(m.Code) && m.Code[hi].Off < s.Off+s.Size {
				hi++
			}
			return lo, hi, s.Name
		}
	}
	step := func(j int) int64 { return m.Code[j].Off - m.Code[j-1].Off }
	for lo > 0 && (lo == i || step(lo) == step(lo+1)) {
		lo--
	}
	for hi < len(m.Code) && (hi == lo+1 || step(hi) == step(hi-1)) {
		hi++
	}
	return lo, hi, fmt.Sprintf("%s+%d", m.Name, m.Code[lo].Off)
}
