package succ

import (
	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Alone returns the result of Resolve without facts: its Facts are those of abstract.Unanalyzed. It
// costs as much as cfg.Build, unless edges depend on values; then it calls Resolve. Quirks of
// kernels make no difference to the graph of a program without such edges.
func Alone(p *bytecode.Program, opt Options) (*Result, error) {
	r := &Result{Targets: &cfg.Targets{}, quirks: opt.Quirks}
	if needsFacts(p) {
		full, err := Resolve(p, opt)
		if err != nil {
			return nil, err
		}
		r.Graph, r.Targets, r.Indirect = full.Graph, full.Targets, full.Indirect
	} else {
		var err error
		if r.Graph, err = cfg.Build(p, nil); err != nil {
			return nil, err
		}
	}
	r.Facts = abstract.Unanalyzed(p, r.Graph)
	r.Exact = r.Facts
	return r, nil
}

// needsFacts reports whether edges of the program's graph depend on values: it has an indirect
// jump or call, or loads the address of a function, which may be called back.
func needsFacts(p *bytecode.Program) bool {
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		switch p.Flow(pc).Kind {
		case bytecode.FlowIndirect, bytecode.FlowCallx, bytecode.FlowFuncAddr:
			return true
		}
	}
	for i := range p.Maps {
		for _, c := range p.Maps[i].Code {
			if c.Func {
				return true
			}
		}
	}
	return false
}
