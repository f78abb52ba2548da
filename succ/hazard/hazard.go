// Package hazard finds programs that a kernel accepts but executes wrongly, because it changes
// the targets of their indirect jumps.
//
//	set, _ := rules.Lookup("linux-7.3")
//	for _, h := range hazard.Find(p, r, x, set) {
//		fmt.Println(h.Kind, h.PC, h.Target, h.Path, h.Text)
//	}
//
// It uses the predicted rewritten program, and the targets of package succ. Whether the kernel
// accepts the program at all is decided by package succ/rules; a refused program is searched all
// the same. Every edge of a reported path can be taken, but perhaps no execution takes the whole
// path.
package hazard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Kind is a kind of hazard.
type Kind string

// The kinds of hazard.
const (
	// Deleted: rewriting removes the target, and the table's entry is left without an address.
	// The jump goes to address 0 and the machine crashes (kernel/bpf/fixups.c bpf_opt_remove_nops
	// and bpf_opt_remove_dead_code, kernel/bpf/bpf_insn_array.c bpf_insn_array_ready, Linux 7.3).
	Deleted Kind = "deleted-target"
	// Moved: rewriting inserts code before the target (a prologue, or the setup of may_goto's
	// counter), and the jump executes it again (kernel/bpf/bpf_insn_array.c, Linux 7.3).
	Moved Kind = "moved-target"
	// Unverified: an execution can select an entry that the verifier did not
	// follow (kernel/bpf/verifier.c check_mem_access, Linux 6.19, which forgets
	// the offset of the load).
	Unverified Kind = "unverified-target"
	// Foreign: the target is in another subprogram, whose code then runs in the frame of the
	// jumping one (kernel/bpf/verifier.c check_indirect_jump, Linux 7.3). Linux 6.19 crashes when
	// it verifies the program.
	Foreign Kind = "foreign-target"
)

// Hazard is a target of an indirect jump that a kernel handles wrongly.
type Hazard struct {
	Kind   Kind
	PC     bytecode.PC // the indirect jump
	Target bytecode.PC // where it should go

	Table   string // name of a table with the target, empty if there is none
	Entries []int  // indices of the target there, ascending

	// Selected reports whether an execution can select the target, as far as is known. Otherwise
	// only the verifier follows it.
	Selected bool
	// Path leads from the program's start to the jump and the target: the first slots of the
	// blocks between, the jump, the target. It is empty if no path to the jump is known.
	Path []bytecode.PC
	Text string // one sentence
}

// Find returns the hazards of a program on a kernel, by jump, target and kind. r comes from
// set.Resolve. x is the program as that kernel rewrites it; if it is nil, hazards caused by
// rewriting are left out.
func Find(p *bytecode.Program, r *succ.Result, x *rewrite.Result, set rules.Set) []Hazard {
	if !set.Indirect {
		return nil
	}
	f := &finder{p: p, r: r, x: x, set: set}
	var found []Hazard
	for i := range r.Indirect {
		in := &r.Indirect[i]
		if in.Op != "gotox" || !in.Reached || in.Status == succ.Unresolved {
			continue
		}
		f.at = [2]map[bytecode.PC]place{}
		all := slices.Concat(in.Range, in.Exact)
		slices.Sort(all)
		for _, to := range slices.Compact(all) {
			if to >= 0 && to < p.Len() && r.Graph.InsnAt(to) {
				found = append(found, f.target(in, to)...)
			}
		}
	}
	return found
}

// finder is the state of Find.
type finder struct {
	p    *bytecode.Program
	r    *succ.Result
	x    *rewrite.Result
	set  rules.Set
	at   [2]map[bytecode.PC]place // of the current jump, see entries; nil until needed
	prev []cfg.BlockID            // block before each on a shortest path, NoBlock at its start; nil until needed
}

// target returns the hazards of one target.
func (f *finder) target(in *succ.Indirect, to bytecode.PC) []Hazard {
	h := Hazard{PC: in.PC, Target: to}
	_, h.Selected = slices.BinarySearch(in.Exact, to)
	h.Table, h.Entries = f.entries(in, to, h.Selected)
	var found []Hazard
	add := func(k Kind, format string, args ...any) {
		h.Kind, h.Text = k, fmt.Sprintf(format, args...)
		if h.Path == nil {
			h.Path = f.path(in.PC, to)
		}
		found = append(found, h)
	}
	from, sub := f.p.SubprogAt(in.PC), f.p.SubprogAt(to)
	if from != sub && !f.set.PerSubprogram {
		add(Foreign, "%s leads to insn %d of %s, which then runs in the stack frame of %s", f.what(&h), to, f.name(sub),
			f.name(from))
	}
	if _, followed := slices.BinarySearch(in.Range, to); h.Selected && !followed && !f.set.SameValues() {
		add(Unverified, "%s leads to insn %d, and %s has verified other targets only", f.what(&h), to, f.set.Name)
	}
	if f.x == nil || f.set.KeepsTargets || int(to) >= len(f.x.Xlated) {
		return found
	}
	switch at := f.x.Xlated[to]; {
	case at == jit.Deleted:
		add(Deleted, "%s leads to \"%s\" at %d, which %s deletes: the jump goes to address 0", f.what(&h), f.p.Text(to), to,
			f.set.Name)
	case int(at) < len(f.x.Original) && f.x.Original[at] < 0:
		add(Moved, "%s leads to insn %d, in front of which %s inserts code that the jump runs again", f.what(&h), to,
			f.set.Name)
	}
	return found
}

// what describes the entries that lead to a target.
func (f *finder) what(h *Hazard) string {
	if len(h.Entries) == 0 {
		return fmt.Sprintf("the jump at %d", h.PC)
	}
	const most = 4
	var list []string
	for _, i := range h.Entries[:min(len(h.Entries), most)] {
		list = append(list, fmt.Sprint(i))
	}
	word, more := "entry", ""
	if len(h.Entries) > 1 {
		word = "entries"
	}
	if len(h.Entries) > most {
		more = ", …"
	}
	verb := "of"
	return fmt.Sprintf("%s %s%s %s %s", word, strings.Join(list, ", "), more, verb, h.Table)
}

// place is the position of a target in a table.
type place struct {
	table   int // index in Indirect.Tables
	entries []int
}

// entries returns a table that a jump goes through and the indices there that hold the target:
// those that an execution can select, or else those that the verifier follows.
func (f *finder) entries(in *succ.Indirect, to bytecode.PC, selected bool) (string, []int) {
	which := 0
	if selected {
		which = 1
	}
	if f.at[which] == nil {
		f.at[which] = f.places(in, selected)
	}
	if e, ok := f.at[which][to]; ok {
		return in.Tables[e.table].Name, e.entries
	}
	return "", nil
}

// places makes the index for entries: the first table with each target.
func (f *finder) places(in *succ.Indirect, selected bool) map[bytecode.PC]place {
	out := map[bytecode.PC]place{}
	for k, u := range in.Tables {
		if u.Table < 0 || u.Table >= len(f.p.Tables) {
			continue
		}
		targets := f.p.Tables[u.Table].Targets
		add := func(i int) {
			e, ok := out[targets[i]]
			if !ok {
				e.table = k
			}
			if e.table == k {
				e.entries = append(e.entries, i)
				out[targets[i]] = e
			}
		}
		if selected {
			for _, i := range u.Selected {
				add(i)
			}
			continue
		}
		for i := max(u.Min, 0); i <= min(u.Max, len(targets)-1); i++ {
			add(i)
		}
	}
	return out
}

// name returns a subprogram's name, or one made of its first slot.
func (f *finder) name(sub int) string {
	switch {
	case sub < 0:
		return "no function"
	case f.p.Subprogs[sub].Name != "":
		return f.p.Subprogs[sub].Name
	}
	return fmt.Sprintf("the function at %d", f.p.Subprogs[sub].Start)
}
