package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/succ"
)

// tableEntries finds what is wrong with the tables themselves: entries that are not instructions,
// or that lie outside of the function to which Linux assigns the table.
func (c *context) tableEntries() {
	for i := range c.p.Tables {
		t := &c.p.Tables[i]
		at := c.tables[i].use
		if at < 0 && !t.FDArray {
			continue
		}
		if t.Unfrozen {
			c.add(TableUnfrozen, at, fmt.Sprintf("table %s is not frozen when the program is loaded", t.Name)).key = t.Name
		}
		if len(t.Targets) == 0 {
			c.add(TableEntry, at, fmt.Sprintf("table %s has no entry", t.Name)).key = t.Name
			continue
		}
		c.entriesOf(t, at, c.tables[i].home)
	}
}

// entriesOf reports the bad entries of a table, those of a kind together.
func (c *context) entriesOf(t *bytecode.JumpTable, at bytecode.PC, home int) {
	var outside, mid, foreign []int
	for i, pc := range t.Targets {
		switch {
		case pc < 0 || pc >= c.p.Len():
			outside = append(outside, i)
		case !c.g.InsnAt(pc):
			mid = append(mid, i)
		case home >= 0 && c.p.SubprogAt(pc) != home:
			foreign = append(foreign, i)
		}
	}
	report := func(id ID, entries []int, what string) {
		if len(entries) == 0 {
			return
		}
		f := c.add(id, at, fmt.Sprintf("%s of table %s %s %s", entryList(entries), t.Name, verb(len(entries)), what))
		f.key = t.Name
		f.Related = c.relatedTargets(t, entries)
	}
	report(TableEntry, outside, "outside the program")
	report(TargetMidLoad, mid, "in the middle of a 64-bit load")
	if home >= 0 {
		report(TargetOutside, foreign, "outside function "+functionName(c.p, home)+", which the table belongs to")
	}
}

// entryList names entries: "entry 3", "entries 3, 5-9".
func entryList(entries []int) string {
	word := "entries"
	if len(entries) == 1 {
		word = "entry"
	}
	return word + " " + runs(entries)
}

// verb returns "is" or "are".
func verb(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// runs lists ascending numbers with neighbours folded, up to a length.
func runs(s []int) string {
	const most = 8
	var parts []string
	for first, last := range visible.Runs(s) {
		if len(parts) == most {
			return strings.Join(parts, ", ") + fmt.Sprintf(" … (%d in all)", len(s))
		}
		if last > first {
			parts = append(parts, fmt.Sprintf("%d-%d", first, last))
		} else {
			parts = append(parts, fmt.Sprint(first))
		}
	}
	return strings.Join(parts, ", ")
}

// relatedTargets lists the targets of entries of a table.
func (c *context) relatedTargets(t *bytecode.JumpTable, entries []int) []Related {
	var out []Related
	for _, i := range entries[:min(len(entries), maxRelated)] {
		pc := t.Targets[i]
		r := Related{PC: pc, Message: fmt.Sprintf("%s[%d] is insn %d", t.Name, i, pc)}
		if c.g.InsnAt(pc) {
			r.Location = c.location(pc)
		}
		out = append(out, r)
	}
	return out
}

// tableInfo holds the properties of a table that checks use.
type tableInfo struct {
	use  bytecode.PC // first instruction that refers to it, -1 for none
	home int         // subprogram of its smallest entry, to which Linux assigns it; -1 for none
}

// tableInfos looks at all tables once.
func (c *context) tableInfos() []tableInfo {
	out := make([]tableInfo, len(c.p.Tables))
	for i := range out {
		out[i] = tableInfo{-1, -1}
		if t := c.p.Tables[i].Targets; len(t) > 0 {
			out[i].home = c.p.SubprogAt(slices.Min(t))
		}
	}
	for _, r := range c.p.Refs {
		if (r.Kind == bytecode.RefTable || r.Kind == bytecode.RefTableMap) && out[r.Index].use < 0 {
			out[r.Index].use = r.PC
		}
	}
	return out
}

// wideTables finds the functions with jumps that the kernel's control-flow pass gives
// targets which its own verifier never follows, and reports the one with most of them.
func (c *context) wideTables() {
	type wide struct {
		in           succ.Indirect
		extra, jumps int
	}
	worst := map[int]wide{} // by function
	for _, in := range c.a.Succ.Indirect {
		if in.Op != "gotox" || !in.Reached || in.Status == succ.Unresolved {
			continue
		}
		extra := len(in.Kernel)
		for _, pc := range in.Range { // the shorter list
			if _, ok := slices.BinarySearch(in.Kernel, pc); ok {
				extra--
			}
		}
		if extra == 0 {
			continue
		}
		sub := c.p.SubprogAt(in.PC)
		w := worst[sub]
		if w.jumps++; extra > w.extra {
			w.in, w.extra = in, extra
		}
		worst[sub] = w
	}
	for _, sub := range slices.Sorted(maps.Keys(worst)) {
		w := worst[sub]
		f := c.add(WideTable, w.in.PC, fmt.Sprintf("the verifier looks at %s of this jump, %d of which cannot happen",
			visible.Count(len(w.in.Kernel), "target"), w.extra))
		if w.jumps > 1 {
			f.Message += fmt.Sprintf("; of the function's other jumps, %d more are like it", w.jumps-1)
		}
		f.Related = c.relatedTables(w.in)
		if len(c.tablesOf(sub)) == 1 {
			f.Fix = "remove the cases that cannot happen, or leave it: it only costs verification time"
		}
	}
}

// relatedTables lists the tables of a function: which the jump goes through,
// and which it does not.
func (c *context) relatedTables(in succ.Indirect) []Related {
	used := map[int]bool{}
	for _, u := range in.Tables {
		used[u.Table] = true
	}
	var out []Related
	for _, i := range c.tablesOf(c.p.SubprogAt(in.PC)) {
		what := "not used by this jump"
		if used[i] {
			what = "used by this jump"
		}
		at, t := c.tables[i].use, &c.p.Tables[i]
		out = append(out, Related{c.location(at), at, fmt.Sprintf("table %s of size %d, %s", t.Name, len(t.Targets), what)})
	}
	return out
}

// tablesOf returns the first few tables that Linux assigns to a subprogram.
func (c *context) tablesOf(sub int) []int {
	var out []int
	for i := range c.tables {
		if c.tables[i].home == sub && c.tables[i].use >= 0 {
			if out = append(out, i); len(out) == maxRelated {
				break
			}
		}
	}
	return out
}

// deadEntries finds entries of used tables that no index selects.
func (c *context) deadEntries() {
	type use struct {
		at       bytecode.PC
		selected []bool
	}
	uses := map[int]*use{}
	for _, in := range c.a.Succ.Indirect {
		if !in.Reached {
			continue
		}
		if in.Status == succ.Unresolved { // it may select anything
			return
		}
		for _, t := range in.Tables {
			if t.Table < 0 {
				continue
			}
			u := uses[t.Table]
			if u == nil {
				u = &use{in.PC, make([]bool, t.Entries)}
				uses[t.Table] = u
			}
			for _, i := range t.Selected {
				u.selected[i] = true
			}
		}
	}
	for i := range c.p.Tables {
		u := uses[i]
		if u == nil {
			continue
		}
		var dead []int
		for e, ok := range u.selected {
			if !ok {
				dead = append(dead, e)
			}
		}
		if len(dead) == 0 {
			continue
		}
		t := &c.p.Tables[i]
		f := c.add(DeadTableEntry, u.at, fmt.Sprintf("no index selects %s of table %s", entryList(dead), t.Name))
		f.key, f.dead, f.Related = t.Name, fmt.Sprint(dead), c.relatedTargets(t, dead)
	}
}
