package rules

import (
	"fmt"
	"slices"
	"sync"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxStack is how many bytes of stack a chain of calls has together
// (MAX_BPF_STACK, Linux 7.3).
const maxStack = 512

// chain is a subprogram on the current path of the search for chains of calls.
type chain struct {
	sub, next int // index in starts, index of the site to look at next
	frames    int // call frames above, since the last global function
	depth     int // bytes of stack, with this subprogram's
	length    int // subprograms in the chain
	callback  bool
}

// covers reports whether c is refused for everything for which d can be refused.
func (c chain) covers(d chain) bool {
	return c.frames >= d.frames && c.depth >= d.depth && (c.callback || !d.callback)
}

// chains refuses a program for properties of the chain of calls that leads to a subprogram, whether
// a path takes it or not: too many frames, too much stack, legacy packet loads and exceptions
// within callbacks, and a direct call of the exception callback. Each subprogram is looked at once
// for each chain that is worse than those before.
//
// Source: kernel/bpf/verifier.c check_max_stack_depth, Linux 7.3.
func (w *paths) chains() *Verdict {
	sites := w.sites()
	seen := make([][]chain, len(sites))
	for root := len(sites) - 1; root >= 0; root-- {
		if root > 0 && !w.async[root] {
			continue
		}
		stack, v := w.enter(nil, chain{sub: root, depth: w.stack(root, root), length: 1, callback: w.callback[root]})
		for v == nil && len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(sites[top.sub]) {
				stack = stack[:len(stack)-1]
				continue
			}
			site := sites[top.sub][top.next]
			top.next++
			var down *chain
			if down, v = w.follow(*top, site, root); down == nil || v != nil {
				continue
			}
			if slices.ContainsFunc(seen[down.sub], func(c chain) bool { return c.covers(*down) }) {
				continue
			}
			seen[down.sub] = append(seen[down.sub], *down)
			stack, v = w.enter(stack, *down)
		}
		if v != nil {
			return v
		}
	}
	return nil
}

// enter adds a subprogram to the path, unless it is refused.
func (w *paths) enter(stack []chain, c chain) ([]chain, *Verdict) {
	start := w.c.starts[c.sub]
	switch {
	case c.callback && w.c.set.CallbackLimits && w.packetLoads(c.sub):
		return nil, reject(start, Calls, "cannot use BPF_LD_[ABS|IND] within callback")
	case c.callback && w.c.set.CallbackLimits && w.tailCalls(c.sub):
		return nil, reject(start, Calls, "cannot tail call within callback")
	case c.depth > maxStack:
		return nil, &Verdict{Message: fmt.Sprintf("combined stack size of %d calls is %d. Too large", c.length, c.depth),
			PC: start, Errno: "EACCES", Rule: Calls}
	}
	return append(stack, c), nil
}

// follow returns the chain that a call site extends a chain to, nil if there is none.
func (w *paths) follow(c chain, site callSite, root int) (*chain, *Verdict) {
	if site.to < 0 { // bpf_throw
		if c.callback {
			return nil, reject(site.pc, Calls,
				fmt.Sprintf("bpf_throw kfunc (insn %d) cannot be called from callback subprog %d", site.pc, c.sub))
		}
		return nil, nil
	}
	called := w.p.Flow(site.pc).Kind == bytecode.FlowCall
	sub := w.p.SubprogAt(w.c.starts[site.to])
	if w.async[site.to] {
		if !called {
			return nil, nil
		}
		if sub >= 0 && w.p.Subprogs[sub].Exception {
			return nil, reject(site.pc, Calls, fmt.Sprintf("insn %d cannot call exception cb directly", site.pc))
		}
	}
	down := &chain{
		sub: site.to, frames: c.frames + 1, depth: c.depth + w.stack(site.to, root), length: c.length + 1,
		callback: c.callback || w.callback[site.to],
	}
	if sub >= 0 && w.p.Subprogs[sub].Global {
		down.frames = 0
	}
	if down.frames >= w.c.set.frames() {
		return nil, &Verdict{
			Message: fmt.Sprintf("the call stack of %d frames is too deep !", down.frames),
			PC:      site.pc, Errno: "E2BIG", Rule: Calls,
		}
	}
	return down, nil
}

// stack returns the bytes of stack that a subprogram takes in chains from a root,
// as far as they are certain. Where private stacks may take part they count as
// none.
//
// Source: kernel/bpf/verifier.c round_up_stack_depth and bpf_enable_priv_stack,
// Linux 7.3.
func (w *paths) stack(i, root int) int {
	switch w.p.Type {
	case "kprobe", "tracepoint", "perf_event", "raw_tracepoint", "tracing", "lsm", "struct_ops", "":
		if root == 0 {
			return 0
		}
	}
	sub := w.p.SubprogAt(w.c.starts[i])
	if sub < 0 {
		return 0
	}
	const unit = 16
	return (w.r.Facts.SureDepth(sub) + unit - 1) / unit * unit
}

// tailCalls reports whether a subprogram makes tail calls.
func (w *paths) tailCalls(i int) bool {
	for pc := w.c.starts[i]; pc < w.c.starts[i+1]; pc += w.p.Insns[pc].Slots() {
		if in := w.p.Insns[pc]; in.IsHelperCall() && in.Imm == bytecode.HelperTailCall {
			return true
		}
	}
	return false
}

// packetLoads reports whether a subprogram has a legacy packet load.
func (w *paths) packetLoads(i int) bool {
	for pc := w.c.starts[i]; pc < w.c.starts[i+1]; pc += w.p.Insns[pc].Slots() {
		if isPacketLoad(w.p.Insns[pc]) {
			return true
		}
	}
	return false
}

// isPacketLoad reports whether an instruction is a legacy packet load.
func isPacketLoad(in bytecode.Insn) bool { return in.Class() == asm.LdClass && !in.IsWide() }

// sites returns the calls of each subprogram, direct ones, those of functions whose
// address it takes, with indirect calls those in tables that it refers to, and those of
// bpf_throw, which lead to -1, in slot order.
func (w *paths) sites() [][]callSite {
	c := w.c.calls
	c.once.Do(func() { c.sites = w.findSites() })
	return c.sites
}

// callSites holds the result of sites once it was needed. Analyses that share a checker may use it
// concurrently.
type callSites struct {
	once  sync.Once
	sites [][]callSite
}

// findSites is sites.
func (w *paths) findSites() [][]callSite {
	sites := make([][]callSite, len(w.c.starts)-1)
	for pc := bytecode.PC(0); pc < w.p.Len(); pc += w.p.Insns[pc].Slots() {
		f := w.p.Flow(pc)
		from := w.c.index(pc)
		switch ref, ok := w.p.RefAt(pc); {
		case f.Kind == bytecode.FlowCall || f.Kind == bytecode.FlowFuncAddr:
			sites[from] = append(sites[from], callSite{pc, from, w.c.index(f.Callee)})
		case ok && ref.Kind == bytecode.RefKfunc && ref.Name == "bpf_throw":
			sites[from] = append(sites[from], callSite{pc, from, -1})
		case ok:
			for _, start := range w.c.functionsIn(ref) {
				sites[from] = append(sites[from], callSite{pc, from, w.c.index(start)})
			}
		}
	}
	return sites
}

// roles records the subprograms that are called back, and those that are called back later: after
// the program has ended or thrown an exception.
func (w *paths) roles() {
	w.callback, w.async = make([]bool, len(w.c.starts)-1), make([]bool, len(w.c.starts)-1)
	for sub := range w.p.Subprogs {
		i := w.c.index(w.p.Subprogs[sub].Start)
		later, certain := w.r.Facts.Async(sub)
		exception := w.p.Subprogs[sub].Exception
		w.callback[i] = w.callback[i] || certain || exception || w.r.Facts.Sync(sub)
		w.async[i] = w.async[i] || later || exception
	}
}
