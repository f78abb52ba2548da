package rules

import (
	"fmt"
	"iter"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Resolve is succ.Resolve as this kernel's verifier computes values.
func (s Set) Resolve(p *bytecode.Program) (*succ.Result, error) {
	return succ.Resolve(p, succ.Options{Quirks: s.Quirks})
}

// ResolveAgain is Resolve with the results for other kernels.
func (s Set) ResolveAgain(p *bytecode.Program, m *succ.Memo) (*succ.Result, error) {
	return m.Resolve(p, succ.Options{Quirks: s.Quirks})
}

// Known returns one of the results that equals that of Resolve for this kernel, because the program
// does nothing that the kernels compute differently. Nil if there is none.
func (s Set) Known(results []*succ.Result) *succ.Result {
	for _, r := range results {
		if r.Same(succ.Options{Quirks: s.Quirks}) {
			return r
		}
	}
	return nil
}

// SameValues reports whether Resolve is succ.Resolve with no options, so that its
// result can be used for the default set as well.
func (s Set) SameValues() bool { return s.Quirks == abstract.Quirks{} }

// Judge is Resolve and Check. The error is that of succ.Resolve.
func (s Set) Judge(p *bytecode.Program) (Verdict, error) {
	if v := s.Static(p); !v.Accept {
		return v, nil
	}
	r, err := s.Resolve(p)
	if err != nil {
		return Verdict{}, err
	}
	return s.Check(p, r), nil
}

// Check is Static and then the rules on values: what registers may hold at
// loads from jump tables, at indirect jumps, and wherever a code address is
// used. r is the result of Resolve on the same program.
//
// Of several faults of values the kernel reports the one that it meets first: it follows the
// fall-through edge before the taken one, and the largest target of an indirect jump before the
// smaller ones (kernel/bpf/verifier.c check_cond_jmp_op and check_indirect_jump, Linux 7.3). A
// fault that is not proven refuses nothing: the kernel may not reach it.
func (s Set) Check(p *bytecode.Program, r *succ.Result) Verdict { return s.check(p, r, nil) }

// check is Check, with the results for other kernels unless m is nil.
func (s Set) check(p *bytecode.Program, r *succ.Result, m *Memo) Verdict {
	var before *Before
	if m != nil {
		before = m.Before
	}
	c, refused := s.steps(p, before)
	if refused != nil {
		return *refused
	}
	if c.unwinds {
		return c.undecided()
	}
	w := newPaths(c, r)
	w.memo = m
	v, may := w.loops()
	if v == nil {
		v = w.first()
	}
	if v == nil {
		v = w.endless
	}
	if v == nil {
		v = w.afterPaths()
	}
	if v == nil {
		ok := accepted()
		v, ok.May = &ok, may
	}
	return *v
}

// Faults returns the faults of values for which the kernel refuses the program, with its messages,
// by instruction. One that is not proven (Verdict.Fault.Proven) refuses nothing. r is the result of
// Resolve on the same program.
func (s Set) Faults(r *succ.Result) iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		var at abstract.Fault // of this instruction; NoFault for none
		for _, f := range r.Facts.Faults() {
			switch {
			case !refuses(f):
			case at.Kind == abstract.NoFault || at.PC != f.PC:
				if at.Kind != abstract.NoFault && !yield(*s.verdict(at)) {
					return
				}
				at = f
			case f.Proven && !at.Proven:
				at = f
			}
		}
		if at.Kind != abstract.NoFault {
			yield(*s.verdict(at))
		}
	}
}

// paths walks over feasible edges in the kernel's order.
type paths struct {
	c      *checker
	p      *bytecode.Program
	r      *succ.Result
	faults map[bytecode.PC]abstract.Fault
	jumps  map[bytecode.PC]*succ.Indirect

	memo    *Memo    // what is known of other kernels, nil for none
	callxs  bool     // the program has indirect calls
	endless *Verdict // on a loop that nothing leaves, if the kernel's message is not known

	context map[bytecode.PC]bool // see intoContext; nil until needed

	once            []bool // of each subprogram by starts: see calledOnce; nil until needed
	callback, async []bool // of each subprogram by starts: see roles
}

func newPaths(c *checker, r *succ.Result) *paths {
	w := &paths{
		c: c, p: c.p, r: r, faults: map[bytecode.PC]abstract.Fault{}, jumps: map[bytecode.PC]*succ.Indirect{},
	}
	for i := range r.Indirect {
		w.jumps[r.Indirect[i].PC] = &r.Indirect[i]
		w.callxs = w.callxs || r.Indirect[i].Op == "callx"
	}
	for _, f := range r.Facts.Faults() {
		if f.Kind == abstract.TooManyFrames && c.set.StaticCallx && !w.always(f.PC) {
			continue // recursion that may end: callGraph reports it
		}
		if f.Kind == abstract.MissingArgument && !w.firstCall(f.PC) {
			continue // the walk reports it
		}
		if _, has := w.faults[f.PC]; !has && f.Proven && refuses(f) {
			w.faults[f.PC] = f // of several the one that was seen first
		}
	}
	w.roles()
	return w
}

// first returns the first refusal that a depth-first walk over feasible edges meets, in the
// kernel's order of paths, or nil.
func (w *paths) first() *Verdict {
	if len(w.faults) == 0 && w.noRule() {
		return nil
	}
	g := w.r.Graph
	seen := make([]bool, len(g.Blocks))
	stack := []cfg.BlockID{g.Entry(0)}
	for i := range w.p.Subprogs { // global functions are verified after the main program
		if i > 0 && w.p.Subprogs[i].Global {
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
		if v := w.block(b); v != nil {
			return v
		}
		stack = append(stack, w.inOrder(b)...)
	}
	return nil
}

// block returns the kernel's refusal of a block that a path has reached, or nil.
func (w *paths) block(b cfg.BlockID) *Verdict {
	g := w.r.Graph
	for pc := g.Blocks[b].Start; pc < g.Blocks[b].End; pc += w.p.Insns[pc].Slots() {
		if v := w.at(pc); v != nil {
			return v
		}
	}
	return nil
}

// at returns the kernel's refusal of an instruction on a path, or nil.
func (w *paths) at(pc bytecode.PC) *Verdict {
	if f, ok := w.faults[pc]; ok {
		if w.c.set.LateFields {
			if v := w.c.lateFields(pc); v != nil {
				return v
			}
		}
		return w.c.set.verdict(f)
	}
	return w.ruleAt(pc)
}

// ruleAt is at without the rules that depend on values.
func (w *paths) ruleAt(pc bytecode.PC) *Verdict {
	in := w.p.Insns[pc]
	if w.c.set.LateFields {
		if v := w.c.lateFields(pc); v != nil {
			return v
		}
	}
	switch {
	case in.IsGotox() && w.c.set.PerSubprogram:
		return w.leaves(pc)
	case in.IsCallx():
		return w.callx(pc)
	case in.Class() == asm.StClass && !w.c.set.ContextStores && w.intoContext(pc):
		v := reject(pc, Encoding, fmt.Sprintf("BPF_ST stores into R%d ctx is not allowed", in.Dst))
		v.Errno = "EACCES"
		return v
	}
	return w.everywhere(pc)
}

// everywhere is ruleAt for the rules of all kernels.
func (w *paths) everywhere(pc bytecode.PC) *Verdict {
	in := w.p.Insns[pc]
	switch {
	case in.IsHelperCall() && (in.Imm < 0 || in.Imm > calls.MaxHelper()) && w.r.Facts.Reach(pc) == cfg.Yes:
		// Loaders mark missing helpers like this (check_helper_call).
		return reject(pc, Encoding, fmt.Sprintf("invalid func unknown#%d", in.Imm))
	case in.Class() == asm.ALUClass || in.Class() == asm.ALU64Class:
		if msg := badOperand(in); msg != "" && w.r.Facts.Reach(pc) == cfg.Yes {
			return reject(pc, Encoding, msg)
		}
	}
	return nil
}

// intoContext reports whether an instruction certainly accesses the context.
//
// Source: kernel/bpf/verifier.c do_check, Linux 6.1.
func (w *paths) intoContext(pc bytecode.PC) bool {
	if w.context == nil {
		w.context = map[bytecode.PC]bool{}
		for _, u := range w.r.Facts.Uses() {
			if u.To == abstract.MemCtx && u.Certain {
				w.context[u.PC] = true
			}
		}
	}
	return w.context[pc]
}

// badOperand reports a constant that an operation cannot have: the divisor zero, and a shift by at
// least the number of bits.
//
// Source: kernel/bpf/verifier.c check_alu_op, Linux 7.3.
func badOperand(in bytecode.Insn) string {
	if in.Source() != asm.ImmSource {
		return ""
	}
	bits := int32(32)
	if in.Class() == asm.ALU64Class {
		bits = 64
	}
	switch in.ALUOp() {
	case asm.Div, asm.Mod:
		if in.Imm == 0 {
			return "div by zero"
		}
	case asm.LSh, asm.RSh, asm.ArSh:
		if in.Imm < 0 || in.Imm >= bits {
			return fmt.Sprintf("invalid shift %d", in.Imm)
		}
	}
	return ""
}

// inOrder returns the successors of a block, the one that the kernel follows first last. A callee
// comes before the code after the call.
func (w *paths) inOrder(b cfg.BlockID) []cfg.BlockID {
	var out []cfg.BlockID
	first := cfg.NoBlock
	lo, hi := w.r.Graph.SuccIDs(b)
	for i := lo; i < hi; i++ {
		e := w.r.Graph.Edges()[i]
		if !w.r.Facts.EdgeFeasible(i) {
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
