package rules

import (
	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Check is Static and then the rules on values: what registers may hold at
// loads from jump tables, at indirect jumps, and wherever a code address is
// used. r is the result of succ.Resolve on the same program.
//
// Of several faults of values the kernel reports the one that it meets first:
// it follows the fall-through edge before the taken one, and the largest target
// of an indirect jump before the smaller ones (kernel/bpf/verifier.c
// check_cond_jmp_op and check_indirect_jump, Linux 7.3). A fault seen only where
// paths were joined refuses nothing: the kernel, which joins none, may not have
// it.
func Check(p *bytecode.Program, r *succ.Result) Verdict {
	if v := Static(p); !v.Accept {
		return v
	}
	faults := map[bytecode.PC]abstract.Fault{}
	for _, f := range r.Facts.Faults() {
		if !f.Loose {
			faults[f.PC] = f
		}
	}
	if len(faults) == 0 {
		return Verdict{Accept: true, PC: -1}
	}
	f, ok := firstMet(p, r, faults)
	if !ok {
		return Verdict{Accept: true, PC: -1}
	}
	return Verdict{Message: f.Text, PC: f.PC, Errno: errnoOf(f.Text)}
}

// firstMet returns the fault that a depth-first walk over feasible edges meets
// first, in the kernel's order of paths.
func firstMet(p *bytecode.Program, r *succ.Result, faults map[bytecode.PC]abstract.Fault) (abstract.Fault, bool) {
	g := r.Graph
	seen := make([]bool, len(g.Blocks))
	stack := []cfg.BlockID{g.Entry(0)}
	for i := range p.Subprogs { // global functions are verified after the main program
		if i > 0 && p.Subprogs[i].Global {
			stack = append([]cfg.BlockID{g.Entry(i)}, stack...)
		}
	}
	for len(stack) > 0 {
		b := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[b] {
			continue
		}
		seen[b] = true
		for pc := g.Blocks[b].Start; pc < g.Blocks[b].End; pc++ {
			if f, ok := faults[pc]; ok {
				return f, true
			}
		}
		stack = append(stack, inOrder(r, b)...)
	}
	return abstract.Fault{}, false
}

// inOrder returns the successors of a block, the one that the kernel follows
// first last. A call comes before what is behind it.
func inOrder(r *succ.Result, b cfg.BlockID) []cfg.BlockID {
	var out []cfg.BlockID
	var first cfg.BlockID = cfg.NoBlock
	lo, hi := r.Graph.SuccIDs(b)
	for i := lo; i < hi; i++ {
		e := r.Graph.Edges()[i]
		if !r.Facts.EdgeFeasible(i) {
			continue
		}
		if e.Kind == cfg.FallThrough {
			first = e.To
			continue
		}
		out = append(out, e.To) // indirect targets ascend, so the largest is on top
	}
	if first != cfg.NoBlock {
		out = append(out, first)
	}
	return out
}
