package rules

import (
	"maps"
	"slices"
	"sync"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Memo keeps the common results of several kernels for one program. It belongs to one succ.Result;
// CheckAgain may be called from several goroutines. The zero value is empty.
type Memo struct {
	Before *Before // of the program, for several results; nil: for this one

	lock     sync.Mutex // held by CheckAgain
	verdicts map[Set]Verdict

	ends       *ends       // of the paths; nil until needed
	ruledInsns *ruledInsns // on them; nil until needed
}

// ends holds the blocks where paths end, and those that they can return to.
type ends struct {
	trap   trap
	cyclic bool
}

// ends returns where paths end.
func (w *paths) ends() ends {
	if w.memo == nil {
		return ends{w.closed(), w.cyclic()}
	}
	if w.memo.ends == nil {
		w.memo.ends = &ends{w.closed(), w.cyclic()}
	}
	return *w.memo.ends
}

// ruledInsns says for which instructions there may be a rule, whatever the values.
type ruledInsns struct{ plain, jump, call, store bool }

// ruledInsns looks for instructions that a rule may be about.
func (w *paths) ruledInsns() ruledInsns {
	if w.memo != nil && w.memo.ruledInsns != nil {
		return *w.memo.ruledInsns
	}
	var m ruledInsns
	for pc := bytecode.PC(0); pc < w.p.Len(); pc += w.p.Insns[pc].Slots() {
		in := w.p.Insns[pc]
		m.jump, m.call = m.jump || in.IsGotox(), m.call || in.IsCallx()
		m.store = m.store || in.Class() == asm.StClass
		m.plain = m.plain || !in.IsGotox() && !in.IsCallx() && w.everywhere(pc) != nil
	}
	if w.memo != nil {
		w.memo.ruledInsns = &m
	}
	return m
}

// noRule reports whether there is no rule against an instruction, wherever a path reaches it.
func (w *paths) noRule() bool {
	m := w.ruledInsns()
	if w.c.set.LateFields || m.store && !w.c.set.ContextStores {
		return false
	}
	return !m.plain && !m.call && (!m.jump || !w.c.set.PerSubprogram)
}

// Before keeps results for one program that do not depend on values: those of the steps before
// value analysis, shared by kernels that no step distinguishes, and walks along its paths, which
// cost most. It is for one goroutine at a time. The zero value is empty.
type Before struct {
	has   *traits
	known map[Set]steps
	walks []walked
}

// steps is the result of the steps before value analysis.
type steps struct {
	c *checker
	v *Verdict
}

// steps is checker.static. A nil Before keeps nothing.
func (s Set) steps(p *bytecode.Program, b *Before) (*checker, *Verdict) {
	if b == nil {
		c := newChecker(s, p)
		return c, c.static()
	}
	if b.has == nil {
		b.has = traitsOf(p)
	}
	key := s.before(b.has)
	known, ok := b.known[key]
	if !ok {
		known.c = newChecker(s, p)
		known.v = known.c.static()
		if b.known == nil {
			b.known = map[Set]steps{}
		}
		b.known[key] = known
	}
	c := *known.c
	c.set = s
	c.set.LateFields = s.LateFields && b.has.odd // otherwise they find nothing
	return &c, known.v
}

// StaticAgain is Static with the results for other kernels.
func (s Set) StaticAgain(p *bytecode.Program, b *Before) Verdict {
	if _, v := s.steps(p, b); v != nil {
		return *v
	}
	return accepted()
}

// walked is a walk that ended without a refusal.
type walked struct {
	r       *succ.Result
	faults  map[bytecode.PC]abstract.Fault
	endless bool
	from    cfg.BlockID
	facts   bool
	set     Set
	out     abstract.Outcome
	visited []bool // of each slot
}

// CheckAgain is Check with the results for other kernels.
func (s Set) CheckAgain(p *bytecode.Program, r *succ.Result, m *Memo) Verdict {
	m.lock.Lock()
	defer m.lock.Unlock()
	if v, ok := m.verdicts[s]; ok {
		return v
	}
	if m.Before == nil {
		m.Before = &Before{}
	}
	v := s.check(p, r, m)
	if m.verdicts == nil {
		m.verdicts = map[Set]Verdict{}
	}
	m.verdicts[s] = v
	return v
}

// outcome walks, unless a walk for another kernel had the same result: it refused nothing, computed
// no value differently, and reached no instruction against which this kernel has a rule.
func (w *paths) outcome(opt abstract.WalkOptions, m *Memo) abstract.Outcome {
	if m == nil {
		return abstract.Walk(w.p, w.r.Graph, opt)
	}
	for i := range m.Before.walks {
		k := &m.Before.walks[i]
		if k.fits(w) && k.endless == opt.Endless && k.from == opt.From && k.facts == (opt.Facts != nil) &&
			(!w.callxs || k.set.StaticCallx == w.c.set.StaticCallx) &&
			opt.Quirks.Same(k.set.Quirks, k.out.UsedQuirks) && w.allowed(k.visited) {
			return k.out
		}
	}
	visited := make([]bool, w.p.Len())
	stop := opt.Stop
	opt.Stop = func(pc bytecode.PC) bool {
		visited[pc] = true
		return stop(pc)
	}
	out := abstract.Walk(w.p, w.r.Graph, opt)
	if out.Ending == abstract.AllPaths || out.Ending == abstract.GaveUp {
		done := walked{w.r, w.faults, opt.Endless, opt.From, opt.Facts != nil, w.c.set, out, visited}
		m.Before.walks = append(m.Before.walks, done)
	}
	return out
}

// allowed reports whether the kernel has no rule against the instructions.
func (w *paths) allowed(visited []bool) bool {
	if w.noRule() {
		return true
	}
	for pc, seen := range visited {
		if seen && w.ruleAt(bytecode.PC(pc)) != nil {
			return false
		}
	}
	return true
}

// fits reports whether the walk was in the same graph, with the same faults ahead. A walk that uses
// facts is valid only for these facts.
func (k *walked) fits(w *paths) bool {
	if k.r == w.r {
		return true
	}
	return !k.facts && slices.Equal(k.r.Graph.Blocks, w.r.Graph.Blocks) &&
		slices.Equal(k.r.Graph.Edges(), w.r.Graph.Edges()) && maps.Equal(k.faults, w.faults)
}
