package objects_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/marks"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// key names a row.
type key struct{ project, kernel string }

// tables has a row for each project and kernel.
type tables map[key]*row

// row counts programs.
type row struct {
	key
	refused, setup int // not accepted; not even submitted
	alike, other   int // of the refused ones, those that the rules refuse: with the kernel's message; with another
	accepted       int
	lost           int // accepted, and not analysed
	input          int // the kernel was given something else

	same, marked, unmarked int // bytes: the kernel's; others, and said so; others without a mark
	form                   int // the kernel's once it is told where private stacks lie
	beside                 int // marked, and others where there is no mark, too

	reached, whole int // what is not dead is what is left; and no slot of it is a maybe
	wrong          int // dead slots that are left, or certain ones that are not

	errors int // refused by check or by the rules
}

func (sum tables) row(project, kernel string) *row {
	k := key{project, kernel}
	if sum[k] == nil {
		sum[k] = &row{key: k}
	}
	return sum[k]
}

// print logs the tables.
func (sum tables) print(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "project\tkernel\tnot submitted\trefused\tsame message\tother\taccepted\tnot analysed\tother input\tsame bytes\tsame by form\tother, marked\tof these beside marks\t"+
		"other, no mark\tleft = reached\twithout a maybe\twrong\terrors")
	line := func(r *row) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", r.project, r.kernel, r.setup, r.refused,
			r.alike, r.other, r.accepted, r.lost, r.input, r.same, r.form, r.marked, r.beside, r.unmarked, r.reached, r.whole, r.wrong, r.errors)
	}
	all := map[string]*row{}
	for _, k := range slices.SortedFunc(maps.Keys(sum), func(a, b key) int {
		return cmp.Or(strings.Compare(a.kernel, b.kernel), strings.Compare(a.project, b.project))
	}) {
		line(sum[k])
		if all[k.kernel] == nil {
			all[k.kernel] = &row{key: key{"all", k.kernel}}
		}
		all[k.kernel].add(sum[k])
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		line(all[k])
	}
	w.Flush()
	t.Log("\n" + b.String())
}

func (r *row) add(o *row) {
	for _, p := range [][2]*int{
		{&r.refused, &o.refused}, {&r.alike, &o.alike}, {&r.other, &o.other}, {&r.setup, &o.setup}, {&r.accepted, &o.accepted}, {&r.lost, &o.lost}, {&r.input, &o.input},
		{&r.same, &o.same}, {&r.form, &o.form}, {&r.marked, &o.marked}, {&r.unmarked, &o.unmarked}, {&r.beside, &o.beside},
		{&r.reached, &o.reached}, {&r.whole, &o.whole}, {&r.wrong, &o.wrong}, {&r.errors, &o.errors},
	} {
		*p[0] += *p[1]
	}
}

// program compares one program.
func (r *row) program(s *shelf, env *record.Env, rec *record.Record, prof jit.Profile) {
	switch rec.Verdict() {
	case "OK":
		r.accepted++
	case "SETUP", "NOLOAD", "NONE", "CRASH", "NOJIT":
		r.setup++
		return
	default:
		r.refused++
		r.message(s, env, rec, prof)
		return
	}
	name := fmt.Sprintf("%s, %s %s", r.kernel, r.project, rec.Job.Name)
	p, err := s.program(env, rec.Job.Object)
	if err != nil {
		r.lost++
		s.t.Errorf("LOST %s: %v", name, err)
		return
	}
	if why := sameInput(p, rec.Job); why != "" {
		s.t.Errorf("INPUT %s: %s", name, why)
		r.input++
	}
	settle(p, rec.Job)
	p.CPUs, _ = strconv.Atoi(os.Getenv(cpusVariable))
	all, err := pipeline.Across(p, forms(prof), rewrite.Options{})
	if err != nil {
		r.lost++
		s.t.Errorf("LOST %s: %v", name, err)
		return
	}
	a := all[0]
	if why := refusal(a); why != "" {
		r.errors++
		s.t.Errorf("ERROR %s: %s", name, why)
	}
	prog := rec.Result.Prog
	if prog == nil || len(prog.Xlated) == 0 {
		return
	}
	r.reach(s.t, name, a, prog)
	if r.bytes(s.t, name, all, rec, prof) {
		s.write(rec, prof, a)
	}
}

// settle takes over how many entries the loader gave to maps for which the object has
// no number: a part of what the kernel was given.
func settle(p *bytecode.Program, job *record.Job) {
	given := map[string]uint32{}
	for _, m := range job.Maps {
		given[m.Name] = m.MaxEntries
	}
	for i := range p.Maps {
		if p.Maps[i].MaxEntries == 0 {
			p.Maps[i].MaxEntries = given[p.Maps[i].Name]
		}
	}
}

// forms returns a profile, and what it is for either place of private stacks: with
// those, code counts by itself, since the same kernel uses both.
func forms(prof jit.Profile) []jit.Profile {
	near, far := prof, prof
	near.StackForm, far.StackForm = jit.StackNear, jit.StackFar
	return []jit.Profile{prof, near, far}
}

// message compares the reasons for which a program is refused. Most reasons have
// nothing to do with control flow, and are no rules here.
func (r *row) message(s *shelf, env *record.Env, rec *record.Record, prof jit.Profile) {
	p, err := s.program(env, rec.Job.Object)
	if err != nil {
		return
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil {
		return
	}
	switch v := a.Rules.Check(a.Program, a.Succ); {
	case v.Accept:
	case v.Message == rec.Result.Load.Error:
		r.alike++
	default:
		r.other++
		s.t.Logf("MESSAGE %s, %s %s: %q at %d, the kernel says %q", r.kernel, r.project, rec.Job.Name, v.Message, v.PC,
			rec.Result.Load.Error)
	}
}

// coreTypeIDLocal is the relocation that gives the number of a type of the program
// itself (enum bpf_core_relo_kind in include/uapi/linux/bpf.h), as its loader counts.
const coreTypeIDLocal = 6

// sameInput compares a program with what the kernel was given, apart from operands
// that refer to something and from addresses. It takes over the numbers of local
// types, which belong to the types that were given to the kernel.
func sameInput(p *bytecode.Program, job *record.Job) string {
	given, err := job.Program()
	if err != nil {
		return err.Error()
	}
	if len(given.Insns) != len(p.Insns) {
		return fmt.Sprintf("%d slots, the kernel was given %d", len(p.Insns), len(given.Insns))
	}
	mine, theirs := refs(p), refs(given)
	renumbered := map[int32]int32{}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if r, ok := p.RelocAt(pc); ok && r.Core == coreTypeIDLocal {
			renumbered[p.Insns[pc].Imm] = given.Insns[pc].Imm
			p.Insns[pc].Imm = given.Insns[pc].Imm
			continue
		}
		if mine[pc] || theirs[pc] {
			continue
		}
		if poisoned(p, pc) || pc > 0 && poisoned(p, pc-1) {
			continue // loaders have numbers of their own for it, and one or two calls for two slots
		}
		if p.Insns[pc] != given.Insns[pc] {
			return fmt.Sprintf("slot %d: %s, the kernel was given %s", pc, p.Text(pc), given.Text(pc))
		}
	}
	renumber(p, renumbered)
	configure(p, given)
	return ""
}

// configure takes over the variables of .kconfig, which loaders lay out in orders of
// their own.
func configure(p, given *bytecode.Program) {
	named := func(m bytecode.Map) bool { return m.Name == ".kconfig" }
	mine, theirs := slices.IndexFunc(p.Maps, named), slices.IndexFunc(given.Maps, named)
	if mine < 0 || theirs < 0 {
		return
	}
	m := &p.Maps[mine]
	m.Value, m.ValueSize, m.Unknown = given.Maps[theirs].Value, given.Maps[theirs].ValueSize, nil
	for i, r := range p.Refs {
		if g, ok := given.RefAt(r.PC); ok && r.Kind == bytecode.RefMapValue && r.Index == mine {
			p.Refs[i].Off, p.Insns[r.PC+1].Imm = g.Off, given.Insns[r.PC+1].Imm
		}
	}
}

// renumber gives the program's own types the numbers of the types that the kernel was
// given. Others keep theirs, if that is free.
func renumber(p *bytecode.Program, to map[int32]int32) {
	taken := map[int32]bool{}
	for _, id := range to {
		taken[id] = true
	}
	var out []bytecode.LocalType
	for _, l := range p.Locals {
		id, ok := to[l.ID]
		if ok {
			l.ID = id
		}
		if ok || !taken[l.ID] {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b bytecode.LocalType) int { return cmp.Compare(a.ID, b.ID) })
	p.Locals = out
}

// poisoned reports whether there is no such thing as the instruction needs.
func poisoned(p *bytecode.Program, pc bytecode.PC) bool {
	r, ok := p.RelocAt(pc)
	return ok && r.State == bytecode.RelocPoisoned
}

// refs returns the slots with references.
func refs(p *bytecode.Program) map[bytecode.PC]bool {
	out := map[bytecode.PC]bool{}
	for _, r := range p.Refs {
		out[r.PC] = true
	}
	return out
}

// refusal says why we refuse a program, empty if we do not.
func refusal(a *pipeline.Analysis) string {
	if v := a.Rules.Check(a.Program, a.Succ); !v.Accept {
		return "reject: " + v.Message
	}
	fs, _ := check.Program(a, check.Expect{})
	for _, f := range fs {
		if f.Level == check.Error {
			return fmt.Sprintf("check: insn %d: %s: %s", f.PC, f.ID, f.Message)
		}
	}
	return ""
}

// reach compares what the verifier is said to reach with the instructions that are
// left. A jump that constants decide becomes a nop and goes, too, and so do others
// that a rewrite is said to remove.
func (r *row) reach(t *testing.T, name string, a *pipeline.Analysis, prog *record.Prog) {
	if len(prog.Lines) == 0 || prog.LinesWrong {
		return
	}
	left := map[bytecode.PC]bool{}
	for _, l := range prog.Lines {
		left[bytecode.PC(l.Insn)] = true
	}
	p := a.Program
	maybes, dead, missing := 0, 0, 0
	first := ""
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		f := p.Flow(pc)
		nop := f.Kind == bytecode.FlowGoto || f.Kind == bytecode.FlowCond ||
			a.Rewrite != nil && a.Rewrite.Xlated[pc] == jit.Deleted
		got := a.Succ.Facts.Reach(pc)
		switch {
		case got == cfg.Maybe:
			if maybes++; !left[pc] && !nop {
				missing++
			}
			continue
		case (got == cfg.Yes) == left[pc], nop && !left[pc]:
			continue
		}
		if dead++; dead == 1 {
			first = fmt.Sprintf("slot %d %q: %v, the kernel has it: %v", pc, p.Text(pc), got, left[pc])
		}
	}
	if dead > 0 {
		r.wrong++
		t.Errorf("REACH %s: %d slots, the first %s", name, dead, first)
		return
	}
	if missing == 0 {
		if r.reached++; maybes == 0 {
			r.whole++
		} else {
			t.Logf("MAYBE %s: %d slots", name, maybes)
		}
	}
}

// bytes compares what was predicted.
func (r *row) bytes(t *testing.T, name string, all []*pipeline.Analysis, rec *record.Record, prof jit.Profile) (same bool) {
	a := all[0]
	if a.RewriteErr != nil || a.ImageErr != nil {
		r.lost++
		t.Errorf("LOST %s: %v, %v", name, a.RewriteErr, a.ImageErr)
		return false
	}
	xlated, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		t.Fatal(err)
	}
	observed := &compare.Observed{Xlated: xlated, Code: rec.Result.Prog.Jited}
	if len(a.Rewrite.Unpredicted) > 0 {
		for _, either := range all[1:] {
			if differs(either, observed) == "" {
				r.form++
				return false
			}
		}
		a = all[1]
	}
	if n := len(a.Rewrite.Unpredicted); n > 0 || a != all[0] {
		r.marked++
		if n == 0 {
			t.Logf("FORM %s: %s; or %s", name, differs(all[1], observed), differs(all[2], observed))
			return false
		}
		t.Logf("MARKED %s: %d slots, the first %q", name, n,
			bytecode.Text(a.Rewrite.Program.Insns, a.Rewrite.Unpredicted[0]))
		if why := marks.Unmarked(a.Rewrite, a.Rewrite.Dump(prof), xlated, rec.Result.Prog.Lines); why != "" {
			r.beside++
			t.Errorf("BESIDE %s: %s", name, why)
		}
		return false
	}
	if why := differs(a, observed); why != "" {
		r.unmarked++
		t.Errorf("UNMARKED %s: %s", name, why)
		return false
	}
	r.same++
	return true
}

// differs says what was predicted otherwise, or not at all; empty for nothing.
func differs(a *pipeline.Analysis, o *compare.Observed) string {
	for _, out := range compare.Predicted(a, o) {
		if len(a.Rewrite.Unpredicted) > 0 || out.Known && !out.Same {
			return out.What + ": " + out.Detail
		}
	}
	return ""
}
