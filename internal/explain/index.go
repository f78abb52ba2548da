package explain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// index holds what would otherwise be searched for at each place of a program.
type index struct {
	entries map[bytecode.PC][]tableEntry // by the slot they lead to
	users   []user                       // of each table, the first jump that uses it
	begin   [][]int                      // of each subprogram, the tables whose smallest entry lies in it
	home    []int                        // of each table, that subprogram; -1 for none
	bytes   []int                        // of each block, of machine code; nil without any
	cells   map[int]map[string]int       // of a map, the first code address of each of its tables
}

// tableEntry is an entry of a jump table.
type tableEntry struct{ table, index int }

// user is a jump or call and its use of a table.
type user struct {
	jump *succ.Indirect
	use  *succ.TableUse
}

// look returns the index, which it makes when first needed.
func (x *Explainer) look() *index {
	if x.index != nil {
		return x.index
	}
	ix := &index{
		entries: map[bytecode.PC][]tableEntry{}, users: make([]user, len(x.p.Tables)), home: make([]int, len(x.p.Tables)),
		begin: make([][]int, len(x.p.Subprogs)), cells: map[int]map[string]int{},
	}
	for t := range x.p.Tables {
		targets := x.p.Tables[t].Targets
		for i, pc := range targets {
			ix.entries[pc] = append(ix.entries[pc], tableEntry{t, i})
		}
		ix.home[t] = -1
		if len(targets) == 0 {
			continue
		}
		if sub := x.p.SubprogAt(slices.Min(targets)); sub >= 0 {
			ix.begin[sub], ix.home[t] = append(ix.begin[sub], t), sub
		}
	}
	for i := range x.a.Succ.Indirect {
		d := &x.a.Succ.Indirect[i]
		for j := range d.Tables {
			if u := &d.Tables[j]; u.Table >= 0 && u.Table < len(ix.users) && ix.users[u.Table].use == nil {
				ix.users[u.Table] = user{d, u}
			}
		}
	}
	if x.places != nil {
		ix.bytes = make([]int, len(x.g.Blocks))
		for _, p := range x.places.Pieces {
			if p.Block >= 0 && int(p.Block) < len(ix.bytes) {
				ix.bytes[p.Block] += p.Len
			}
		}
	}
	x.index = ix
	return ix
}

// uses returns the first jump or call that uses a table, nil for none.
func (x *Explainer) uses(table int) (*succ.Indirect, *succ.TableUse) {
	u := x.look().users[table]
	return u.jump, u.use
}

// indirectAt returns the indirect jump or call at a slot, nil for none.
func (x *Explainer) indirectAt(pc bytecode.PC) *succ.Indirect {
	list := x.a.Succ.Indirect
	i, ok := slices.BinarySearchFunc(list, pc, func(d succ.Indirect, pc bytecode.PC) int { return cmp.Compare(d.PC, pc) })
	if !ok {
		return nil
	}
	return &list[i]
}

// cell returns the number of the first code address of each table in a data section, by
// the table's name: that of a variable, or the section's with the offset.
func (ix *index) cell(p *bytecode.Program, m int) map[string]int {
	if out := ix.cells[m]; out != nil {
		return out
	}
	out := map[string]int{}
	data := &p.Maps[m]
	next := 0 // symbols before it end before the cell
	for i, c := range data.Code {
		for next < len(data.Symbols) && data.Symbols[next].Off+data.Symbols[next].Size <= c.Off {
			next++
		}
		name := fmt.Sprintf("%s+%d", data.Name, c.Off)
		if next < len(data.Symbols) && data.Symbols[next].Off <= c.Off {
			name = data.Symbols[next].Name
		}
		if _, ok := out[name]; !ok {
			out[name] = i
		}
	}
	ix.cells[m] = out
	return out
}
