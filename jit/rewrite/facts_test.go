package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// known returns facts of a program that accesses plain memory alone and no more
// of its stack than it names, all proven.
func known(p *bytecode.Program, calls ...CallFact) Facts {
	f := Facts{Calls: calls}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if base, ok := accessBase(p.Insns[pc]); ok {
			a := AccessFact{PC: pc, To: MemPlain, Certain: true}
			if base == bytecode.R10 {
				a.Low, a.SureLow = int(p.Insns[pc].Off), int(p.Insns[pc].Off)
			}
			f.Accesses = append(f.Accesses, a)
		}
	}
	if im, err := firstImage(p, Facts{}); err == nil {
		for _, fn := range im.funcs {
			f.Stack = append(f.Stack, StackFact{Depth: fn.stackDepth, Certain: true})
		}
	}
	return f
}

// truths makes Yes and No of booleans.
func truths(is ...bool) []cfg.Truth {
	out := make([]cfg.Truth, len(is))
	for i := range is {
		out[i] = cfg.TruthOf(is[i])
	}
	return out
}
