package rules

import (
	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Memo keeps what kernels that were asked about one program have in common: walks
// along its paths, which cost most. It belongs to one succ.Result, and to one
// goroutine at a time. The zero value is empty.
type Memo struct {
	verdicts map[Set]Verdict
	walks    []walked
}

// walked is a walk that ended without a refusal.
type walked struct {
	endless bool
	from    cfg.BlockID
	facts   bool
	set     Set
	out     abstract.Outcome
	visited []bool // of each slot
}

// CheckAgain is Check with what is known of other kernels.
func (s Set) CheckAgain(p *bytecode.Program, r *succ.Result, m *Memo) Verdict {
	if v, ok := m.verdicts[s]; ok {
		return v
	}
	v := s.check(p, r, m)
	if m.verdicts == nil {
		m.verdicts = map[Set]Verdict{}
	}
	m.verdicts[s] = v
	return v
}

// outcome walks, unless a walk for another kernel came to the same: one that refused
// nothing, computed no value otherwise, and came to no instruction that this kernel
// has a rule against.
func (w *paths) outcome(opt abstract.WalkOptions, m *Memo) abstract.Outcome {
	if m == nil {
		return abstract.Walk(w.p, w.r.Graph, opt)
	}
	for i := range m.walks {
		k := &m.walks[i]
		if k.endless == opt.Endless && k.from == opt.From && k.facts == (opt.Facts != nil) &&
			k.set.StaticCallx == w.c.set.StaticCallx && opt.Quirks.Same(k.set.Quirks, k.out.Felt) && w.allowed(k.visited) {
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
		m.walks = append(m.walks, walked{opt.Endless, opt.From, opt.Facts != nil, w.c.set, out, visited})
	}
	return out
}

// allowed reports whether the kernel has no rule against the instructions.
func (w *paths) allowed(visited []bool) bool {
	for pc, seen := range visited {
		if seen && w.ruleAt(bytecode.PC(pc)) != nil {
			return false
		}
	}
	return true
}
