package succ

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Successor is an instruction that may execute directly after another.
type Successor struct {
	PC   bytecode.PC
	Kind cfg.Kind // how control gets there; see package cfg for calls
	// Feasible is false for a path that, by the facts, no execution takes: a branch that is
	// always decided the other way, or any edge out of dead code.
	Feasible bool
}

// Successors returns the instructions that may execute directly after the one at pc, in the order
// of the graph's edges. Targets of indirect jumps and calls are included. The list is empty after
// an exit. For a call of a subprogram it has both the callee and the instruction after the call,
// to which the callee returns.
//
// Complete reports whether the list has all of them. It is false for an indirect jump or call
// with targets that could not be bounded, for a jump out of its function (see
// cfg.Graph.Problems), and for a pc at which no instruction begins.
func (r *Result) Successors(pc bytecode.PC) (list []Successor, complete bool) {
	g := r.Graph
	b, ok := g.BlockAt(pc)
	if !ok || !g.InsnAt(pc) {
		return nil, false
	}
	if next := pc + g.Program.Insns[pc].Slots(); pc != g.Blocks[b].Last {
		return []Successor{{PC: next, Kind: cfg.FallThrough, Feasible: r.Exact.Reached(next)}}, true
	}
	lo, hi := g.SuccIDs(b)
	for i, e := range g.Edges()[lo:hi] {
		list = append(list, Successor{PC: g.Blocks[e.To].Start, Kind: e.Kind, Feasible: r.Exact.EdgeFeasible(lo + i)})
	}
	d := r.indirectAt(pc)
	_, broken := slices.BinarySearchFunc(g.Problems, pc,
		func(p cfg.Problem, pc bytecode.PC) int { return int(p.PC - pc) })
	return list, !broken && (d == nil || d.Status != Unresolved)
}

// Selects reports whether an execution goes from the indirect jump or call at pc to target. An
// older verifier may follow other targets (abstract.Quirks.NoLoadOffset).
func (r *Result) Selects(pc, target bytecode.PC) cfg.Truth {
	d := r.indirectAt(pc)
	if d == nil {
		return cfg.No
	}
	_, can := slices.BinarySearch(d.Exact, target)
	_, does := slices.BinarySearch(d.Proven, target)
	switch {
	case does:
		return cfg.Yes
	case can || d.Status == Unresolved:
		return cfg.Maybe
	}
	return cfg.No
}

// indirectAt returns the answer for the indirect jump or call at pc, nil if there is none.
func (r *Result) indirectAt(pc bytecode.PC) *Indirect {
	i, ok := slices.BinarySearchFunc(r.Indirect, pc, func(in Indirect, pc bytecode.PC) int { return int(in.PC - pc) })
	if !ok {
		return nil
	}
	return &r.Indirect[i]
}
