package rules

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// unusedArgs refuses a function that stores more arguments on the stack than any of
// its calls takes.
//
// Source: kernel/bpf/fixups.c bpf_fixup_call_args, Linux 7.3.
func (w *paths) unusedArgs() *Verdict {
	stored, taken := make([]int, len(w.c.starts)-1), make([]int, len(w.c.starts)-1)
	for pc := bytecode.PC(0); pc < w.p.Len(); pc += w.p.Insns[pc].Slots() {
		in, i := w.p.Insns[pc], w.c.index(pc)
		switch reach := w.r.Facts.Reach(pc); {
		case in.StoresArg() && reach == cfg.Yes:
			stored[i] = max(stored[i], int(-in.Off)/bytecode.SlotSize)
		case in.Code == bytecode.CodeCall && reach != cfg.No:
			taken[i] = max(taken[i], abstract.Parameters(w.p, pc)-maxRegArgs)
		}
	}
	for i := range stored {
		if stored[i] > taken[i] {
			return reject(-1, Calls, fmt.Sprintf("func#%d writes %d stack arg slots, but calls only require %d",
				i, stored[i], taken[i]))
		}
	}
	return nil
}

// maxRegArgs is how many arguments are passed in registers (MAX_BPF_FUNC_REG_ARGS,
// Linux 7.3).
const maxRegArgs = 5

// firstCalls reports whether there is a function of which the kernel checks the arguments on the
// stack at the first call that it reaches, and not later.
func (w *paths) firstCalls() bool {
	return slices.ContainsFunc(w.p.Subprogs, func(s bytecode.Subprogram) bool {
		return s.Distrusted && s.Params > maxRegArgs
	})
}

// firstCall reports whether the kernel checks the arguments on the stack of a call whenever it
// reaches it: it uses the prototype of the callee, or there is no earlier call of it.
//
// Source: kernel/bpf/verifier.c btf_check_subprog_call, Linux 7.3.
func (w *paths) firstCall(pc bytecode.PC) bool {
	f := w.p.Flow(pc)
	if sub := w.p.SubprogAt(f.Callee); f.Kind != bytecode.FlowCall || sub < 0 || !w.p.Subprogs[sub].Distrusted {
		return true
	}
	if w.once == nil {
		w.once = w.calledOnce()
	}
	return w.once[w.c.index(f.Callee)]
}

// calledOnce returns the subprograms that are called at most once.
func (w *paths) calledOnce() []bool {
	n := len(w.c.starts) - 1
	once, callers, from := make([]bool, n), make([]int, n), make([]int, n)
	if w.cyclic() {
		return once
	}
	for i, sites := range w.sites() {
		for _, site := range sites {
			if site.to >= 0 {
				callers[site.to]++
				from[site.to] = i
			}
		}
	}
	for i := range once {
		at := i
		for range callers { // up the only chain of calls
			if at == 0 || callers[at] != 1 {
				break
			}
			at = from[at]
		}
		once[i] = at == 0 && callers[0] == 0
	}
	return once
}
