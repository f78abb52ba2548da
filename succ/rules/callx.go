package rules

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/reach"
)

// leaves refuses an indirect jump out of its subprogram, which Linux 7.3 and
// before do not look for.
func (w *paths) leaves(pc bytecode.PC) *Verdict {
	start, end := w.c.bounds(pc)
	if in := w.jumps[pc]; in != nil {
		for _, to := range in.Range {
			if to < start || to >= end {
				return reject(pc, JumpForeign,
					fmt.Sprintf("indirect jump from insn %d to %d leaves the subprog [%d,%d)", pc, to, start, end))
			}
		}
	}
	return nil
}

// callx refuses an indirect call of a global function, whose arguments would be
// checked by its types. What the register holds is a fault of values.
func (w *paths) callx(pc bytecode.PC) *Verdict {
	in := w.jumps[pc]
	if in == nil {
		return nil
	}
	for _, to := range in.Range {
		if i := w.p.SubprogAt(to); i >= 0 && w.p.Subprogs[i].Global {
			return reject(pc, Calls, "callback function not static")
		}
	}
	return nil
}

// always reports whether a function calls itself through the register at pc on every path: none of
// its exits can be reached without that call. Linux follows such a recursion until there are too
// many frames.
func (w *paths) always(pc bytecode.PC) bool {
	g := w.r.Graph
	call, ok := g.BlockAt(pc)
	in := w.jumps[pc]
	if !ok || in == nil {
		return false
	}
	entry := g.Entry(g.Blocks[call].Sub)
	if len(in.Range) != 1 || in.Range[0] != g.Blocks[entry].Start {
		return false
	}
	seen := map[cfg.BlockID]bool{call: true}
	work := []cfg.BlockID{entry}
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[b] {
			continue
		}
		seen[b] = true
		if w.p.Flow(g.Blocks[b].Last).Kind == bytecode.FlowExit {
			return false
		}
		for _, e := range g.Succs(b) {
			if e.Kind != cfg.Call && e.Kind != cfg.Callback {
				work = append(work, e.To)
			}
		}
	}
	return true
}

// afterPaths returns the refusal of the kernel after it has followed all paths or, for recursion in
// old kernels, after a path has become too deep.
func (w *paths) afterPaths() *Verdict {
	if w.c.set.StaticCallx {
		if v := w.callGraph(); v != nil {
			return v
		}
	}
	if v := w.chains(); v != nil || !w.c.set.StackArgs {
		return v
	}
	return w.unusedArgs()
}

// callGraph refuses recursion through indirect calls, and tail calls in functions that are called
// indirectly.
func (w *paths) callGraph() *Verdict {
	c := w.c
	calls := c.directCalls()
	var called []callSite
	for _, in := range w.r.Indirect {
		if in.Op != "callx" {
			continue
		}
		for _, to := range in.Range {
			site := callSite{in.PC, c.index(in.PC), c.index(to)}
			calls[site.from] = append(calls[site.from], site)
			called = append(called, site)
		}
	}
	if site, ok := c.cycle(calls); ok {
		return reject(site.pc, Calls, fmt.Sprintf("recursive call from %s() to %s()", c.name(site.from), c.name(site.to)))
	}
	tail := w.tailCallers(calls)
	for _, site := range called {
		if tail[site.to] {
			return reject(site.pc, Calls, "tail_calls are not allowed in functions called via callx")
		}
	}
	return nil
}

// tailCallers returns the subprograms that make tail calls, or call one that does.
func (w *paths) tailCallers(calls [][]callSite) []bool {
	tail := make([]bool, len(calls))
	callees := make([][]int, len(calls))
	for from, sites := range calls {
		for _, s := range sites {
			callees[from] = append(callees[from], s.to)
		}
	}
	for pc := bytecode.PC(0); pc < w.p.Len(); pc += w.p.Insns[pc].Slots() {
		in := w.p.Insns[pc]
		if sub := w.c.index(pc); in.IsHelperCall() && in.Imm == bytecode.HelperTailCall {
			tail[sub] = true
		}
	}
	return reach.To(callees, tail)
}
