package pipeline

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Facts returns what the rewrites need to know of an analysed program.
func Facts(p *bytecode.Program, r *succ.Result) rewrite.Facts {
	f := rewrite.Facts{
		Seen:           make([]bool, p.Len()),
		IndirectTarget: make([]bool, p.Len()),
		StackDepth:     make([]int, len(p.Subprogs)),
	}
	for pc := range f.Seen {
		f.Seen[pc] = r.Facts.Reached(bytecode.PC(pc))
	}
	for _, in := range r.Indirect {
		if in.Op != "gotox" || !in.Reached {
			continue
		}
		for _, pc := range in.Range {
			if pc >= 0 && pc < p.Len() {
				f.IndirectTarget[pc] = true
			}
		}
	}
	for i := range p.Subprogs {
		f.StackDepth[i] = r.Facts.StackDepth(i)
	}
	return f
}
