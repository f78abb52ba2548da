// Package succ finds the successors of each instruction, including those of indirect jumps and
// calls, and explains them.
//
//	r, err := succ.Resolve(p, succ.Options{})
//	r.Graph                           // blocks and edges, indirect ones too
//	r.Indirect[0].Status              // exact
//	r.Indirect[0].Reason              // r1 in [0,14] from the branch at 2
//
// It closes the loop between graph and facts: facts bound an indirect jump's
// index, the table gives targets, targets are edges, edges carry facts. Targets
// are only ever added, so the loop ends, and at its end every target that the
// facts admit is an edge of the graph that those facts were computed on.
//
// There are three answers for each indirect jump, all given and never mixed: the targets that
// Linux's control-flow pass assumes (Kernel), those that its verifier follows (Range), and those
// that an execution can select (Exact). The graph has the edges of Range, because these make up
// the loaded program. Whether a kernel accepts the program is decided by package succ/rules.
package succ

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Options of Resolve. The zero value is Linux 7.3.
type Options struct {
	Quirks abstract.Quirks // how an older kernel computes Facts and Range
	Narrow bool            // see abstract.Options
}

// Result is the result of Resolve.
type Result struct {
	Graph   *cfg.Graph
	Targets *cfg.Targets // of indirect jumps, indirect calls and callbacks: the edges of Graph

	// Facts follow the kernel's rules. Linux 7.3 removes the instructions that they do not reach,
	// unless it knows less than we do.
	Facts *abstract.Facts
	// Exact holds the facts about executions, on the same graph. They are Facts themselves if the
	// program has no indirect jump or call.
	Exact *abstract.Facts

	// Indirect holds all indirect jumps and calls, by PC, reached or not.
	Indirect []Indirect

	errs bool // executions may do more than Facts admit

	quirks, used abstract.Quirks // of all analyses by the kernel's rules
	config       bool            // an analysis has read configuration
}

// Status is how well the targets of an indirect jump or call are known.
type Status string

// The statuses.
const (
	Exact           Status = "exact"            // each target is selected by some execution that reaches the jump
	OverApproximate Status = "over-approximate" // all targets are among those given, perhaps with others
	Unresolved      Status = "unresolved"       // there may be targets that are not given
)

// Indirect is an indirect jump or call.
type Indirect struct {
	PC     bytecode.PC
	Op     string // "gotox" or "callx"
	Reg    bytecode.Reg
	Status Status
	Tables []TableUse // that the register's address comes from, in order

	Exact  []bytecode.PC // targets that an execution can select, ascending: no other target is possible
	Proven []bytecode.PC // those of Exact that some execution certainly selects
	Range  []bytecode.PC // targets by the verifier's index range, over all paths
	Kernel []bytecode.PC // targets that the kernel's control-flow pass assumes

	Reason string // why these targets, or why they are unknown
	// Refused reports whether the verifier itself reaches the instruction with a register that is
	// not a bounded code address. An unresolved jump that is not Refused may only be one for
	// which our analysis is too weak.
	Refused bool
	Reached bool // Facts reach the instruction
}

// TableUse is a table that an indirect jump or call goes through.
type TableUse struct {
	Table    int    // index in Program.Tables, -1 for labels in a data section
	Map      int    // index in Program.Maps of that section, -1 for a table
	Name     string // symbol of the table
	Entries  int
	Min, Max int   // smallest and largest index by the verifier's rule
	Selected []int // indices that an execution can select, ascending
}

// Same reports whether Resolve with other options has the same result, because the program does
// nothing for which they make a difference.
func (r *Result) Same(opt Options) bool { return opt.Quirks.Same(r.quirks, r.used) }

// ReadsConfig reports whether an analysis has read a configuration variable
// (bytecode.Program.Unconfigured). If not, the result is the same for every configuration.
func (r *Result) ReadsConfig() bool { return r.config }

// Resolve finds the targets of all indirect jumps, indirect calls and callbacks of a program. The
// error is that of cfg.Build.
func Resolve(p *bytecode.Program, opt Options) (*Result, error) { return new(Memo).Resolve(p, opt) }

// Memo keeps the common parts of several analyses of one program with different options: graphs
// with the same targets, and the facts on them. It is for one goroutine at a time. The zero value
// is empty, and a nil Memo keeps nothing.
type Memo struct{ known []*analysed }

// analysed is a graph and its facts.
type analysed struct {
	targets *cfg.Targets
	graph   *cfg.Graph
	exact   *abstract.Facts // nil until needed
	kernel  []byQuirks
}

// byQuirks holds the facts by the rules of kernels whose quirks make no difference to the
// program.
type byQuirks struct {
	quirks abstract.Quirks
	facts  *abstract.Facts
}

// on returns the graph with these targets.
func (m *Memo) on(p *bytecode.Program, t *cfg.Targets) (*analysed, error) {
	if m != nil {
		for _, a := range m.known {
			if a.targets.Equal(t) {
				return a, nil
			}
		}
	}
	g, err := cfg.Build(p, t)
	a := &analysed{graph: g}
	if m != nil && err == nil {
		a.targets = t.Clone()
		m.known = append(m.known, a)
	}
	return a, err
}

// facts returns the facts by the rules of kernels with these quirks.
func (a *analysed) facts(p *bytecode.Program, opt abstract.Options) *abstract.Facts {
	if opt.Coarse != nil {
		return abstract.Analyze(p, a.graph, opt)
	}
	q := opt.Quirks
	for _, k := range a.kernel {
		if q.Same(k.quirks, k.facts.UsedQuirks()) {
			return k.facts
		}
	}
	f := abstract.Analyze(p, a.graph, opt)
	a.kernel = append(a.kernel, byQuirks{q, f})
	return f
}

// executed returns the facts about executions; like are others on the same graph.
func (a *analysed) executed(p *bytecode.Program, coarse *cfg.Graph, like *abstract.Facts) *abstract.Facts {
	if coarse != nil {
		return abstract.Analyze(p, a.graph, abstract.Options{Rules: abstract.Executions, Coarse: coarse, Like: like})
	}
	if a.exact == nil {
		a.exact = abstract.Analyze(p, a.graph, abstract.Options{Rules: abstract.Executions, Like: like})
	}
	return a.exact
}

// Resolve is like the function Resolve, and reuses earlier results.
func (m *Memo) Resolve(p *bytecode.Program, opt Options) (*Result, error) {
	leaders := scaffold(p)
	on, err := m.on(p, leaders)
	if err != nil {
		return nil, err
	}
	kernel := abstract.Options{Rules: abstract.Verifier, Quirks: opt.Quirks, Narrow: opt.Narrow}
	g, facts := on.graph, on.facts(p, kernel)
	r := &Result{Graph: g, Targets: &cfg.Targets{}, Facts: facts, Exact: facts, errs: opt.Quirks.NoLoadOffset,
		quirks: opt.Quirks, used: facts.UsedQuirks(), config: facts.ReadsConfig()}
	if !add(r.Targets, p, facts) && len(leaders.PCs()) == 0 {
		r.settle(p, kernel)
		r.Indirect = r.list(p)
		return r, nil
	}
	for round, again := 1, true; again; round++ {
		to := r.Targets
		kernel.Coarse = nil
		if round%roundsBetween == 0 {
			if kernel.Coarse, err = cfg.Build(p, to); err != nil {
				return nil, err
			}
			to = everywhere(p, to)
		}
		if again, err = r.round(m, p, to, kernel); err != nil {
			return nil, err
		}
		again = again || to != r.Targets
	}
	m.witness(p, r)
	r.settle(p, kernel)
	r.Indirect = r.list(p)
	return r, nil
}

// witness looks for executions that select the targets that the facts admit.
func (m *Memo) witness(p *bytecode.Program, r *Result) {
	if r.Exact == r.Facts {
		return
	}
	with := abstract.Witness(p, r.Exact)
	for _, a := range m.list() {
		if a.exact == r.Exact {
			a.exact = with
		}
	}
	r.Exact = with
}

// list returns what is kept.
func (m *Memo) list() []*analysed {
	if m == nil {
		return nil
	}
	return m.known
}

// settle decides by a walk what the facts leave open about the verifier's paths.
func (r *Result) settle(p *bytecode.Program, kernel abstract.Options) {
	const (
		least   = 1 << 18 // instructions to follow: a minimum, and more for each of the program
		perSlot = 320
		most    = 3 << 19
	)
	settled := abstract.Settle(p, r.Facts, kernel, min(least+perSlot*int(p.Len()), most))
	r.used = r.used.Or(settled.UsedQuirks())
	if r.Exact == r.Facts {
		r.Exact = settled
	}
	r.Facts = settled
}

// roundsBetween is the number of rounds after which one round follows computed addresses to their
// end (see everywhere).
const roundsBetween = 4

// round computes facts on the graph with these targets, and reports whether they admit
// further ones.
func (r *Result) round(m *Memo, p *bytecode.Program, to *cfg.Targets, kernel abstract.Options,
) (more bool, err error) {
	on, err := m.on(p, to)
	if err != nil {
		return false, err
	}
	r.Graph, r.Facts = on.graph, on.facts(p, kernel)
	r.used = r.used.Or(r.Facts.UsedQuirks())
	r.Exact = r.Facts
	more = add(r.Targets, p, r.Facts)
	if len(r.Facts.Indirect()) > 0 {
		r.Exact = on.executed(p, kernel.Coarse, r.Facts)
		more = add(r.Targets, p, r.Exact) || more
	}
	r.config = r.config || r.Facts.ReadsConfig() || r.Exact.ReadsConfig()
	return more, nil
}

// everywhere returns the known targets and temporary ones, for code with computed addresses:
// every instruction of a subprogram with an indirect jump starts a block. If each computed jump
// leads to the next, a round on the graph of the known targets finds only one more jump; on this
// graph one round finds all.
func everywhere(p *bytecode.Program, known *cfg.Targets) *cfg.Targets {
	t := known.Clone()
	for sub, first := range firstJumps(p) {
		if first < 0 {
			continue
		}
		var all []bytecode.PC
		for pc := p.Subprogs[sub].Start; pc < p.Subprogs[sub].End; pc += p.Insns[pc].Slots() {
			all = append(all, pc)
		}
		t.Add(first, all...)
	}
	return t
}

// add adds the targets that facts admit and reports whether any was new.
func add(t *cfg.Targets, p *bytecode.Program, facts *abstract.Facts) bool {
	grew := false
	for _, d := range facts.Indirect() {
		grew = t.Add(d.PC, d.Targets...) || grew
	}
	for _, pc := range facts.Callbacks() {
		for _, sub := range facts.CalledBack(pc) {
			grew = t.Add(pc, p.Subprogs[sub].Start) || grew
		}
	}
	return grew
}

// scaffold returns targets for the first graph. They make each slot that a table or a label in
// data points to the start of a block, so that the facts of that graph already follow all
// indirect jumps. Without it, each round of the loop would find only one more jump of a chain.
// A jump gets the entries of the table whose address was loaded last before it, which is right
// for most code, and then the first graph is the last one; the other slots are targets of one
// jump of their subprogram. The analysis follows no edge that its facts do not admit.
func scaffold(p *bytecode.Program) *cfg.Targets {
	t, led := guess(p)
	to := make([][]bytecode.PC, len(p.Subprogs))
	lead := func(pc bytecode.PC) {
		if sub := p.SubprogAt(pc); sub >= 0 && !led[pc] {
			to[sub] = append(to[sub], pc)
		}
	}
	for i := range p.Tables {
		for _, pc := range p.Tables[i].Targets {
			lead(pc)
		}
	}
	for i := range p.Maps {
		for _, c := range p.Maps[i].Code {
			if !c.Func {
				lead(c.Target)
			}
		}
	}
	for sub, first := range firstJumps(p) {
		if first >= 0 {
			t.Add(first, to[sub]...)
		}
	}
	return t
}

// guess returns for each gotox the entries, in its subprogram, of the table whose address the
// nearest instruction before it loads, and all of them: as many as the program has slots.
func guess(p *bytecode.Program) (t *cfg.Targets, led map[bytecode.PC]bool) {
	t, led = &cfg.Targets{}, map[bytecode.PC]bool{}
	left, ref := int(p.Len()), 0
	for _, s := range p.Subprogs {
		table := -1
		for pc := s.Start; pc < s.End; pc += p.Insns[pc].Slots() {
			for ref < len(p.Refs) && p.Refs[ref].PC < pc {
				ref++
			}
			switch {
			case ref < len(p.Refs) && p.Refs[ref].PC == pc && p.Refs[ref].Kind == bytecode.RefTable:
				table = p.Refs[ref].Index
			case p.Insns[pc].IsGotox() && table >= 0:
				all := p.Tables[table].Targets
				if left -= len(all); left < 0 {
					return t, led
				}
				own := slices.DeleteFunc(slices.Clone(all), func(to bytecode.PC) bool { return to < s.Start || to >= s.End })
				t.Add(pc, own...)
				for _, to := range own {
					led[to] = true
				}
			}
		}
	}
	return t, led
}

// firstJumps returns the first indirect jump of each subprogram, -1 without one.
func firstJumps(p *bytecode.Program) []bytecode.PC {
	first := make([]bytecode.PC, len(p.Subprogs))
	for sub, s := range p.Subprogs {
		first[sub] = -1
		for pc := s.Start; pc < s.End; pc += p.Insns[pc].Slots() {
			if p.Insns[pc].IsGotox() {
				first[sub] = pc
				break
			}
		}
	}
	return first
}
