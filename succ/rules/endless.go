package rules

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// loop is a cycle of blocks that no path leaves and that changes nothing: the
// kernel finds the same state again and refuses the program.
type loop struct {
	blocks []cfg.BlockID
	pc     bytecode.PC // the slot that the kernel names
}

// refusal is the kernel's word for a path that comes back to where it was.
//
// Source: kernel/bpf/states.c bpf_is_state_visited, Linux 7.3.
func (l *loop) refusal() *Verdict {
	return reject(l.pc, Endless, fmt.Sprintf("infinite loop detected at insn %d", l.pc))
}

// endless finds the loops in which each block has one feasible successor and
// whose second round computes what the first one did, by block.
//
// The kernel finds more: any path on which a state repeats, also in loops with a
// way out. To find those takes the kernel's own enumeration of paths; this is
// what can be told from the graph, and it is certain.
func endless(p *bytecode.Program, r *succ.Result) map[cfg.BlockID]*loop {
	found := map[cfg.BlockID]*loop{}
	const unseen, open, done = 0, 1, 2
	state := make([]uint8, len(r.Graph.Blocks))
	for b := range r.Graph.Blocks {
		var chain []cfg.BlockID
		at := cfg.BlockID(b)
		for at != cfg.NoBlock && state[at] == unseen {
			state[at] = open
			chain = append(chain, at)
			at = onlySuccessor(p, r, at)
		}
		if at != cfg.NoBlock && state[at] == open {
			for i, c := range chain {
				if c == at {
					addLoop(p, r, chain[i:], found)
				}
			}
		}
		for _, c := range chain {
			state[c] = done
		}
	}
	return found
}

// onlySuccessor returns the one block that a block goes on to without a call,
// NoBlock when there is none or several.
func onlySuccessor(p *bytecode.Program, r *succ.Result, b cfg.BlockID) cfg.BlockID {
	only := cfg.NoBlock
	lo, hi := r.Graph.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if !r.Facts.EdgeFeasible(i) {
			continue
		}
		e := r.Graph.Edges()[i]
		if only != cfg.NoBlock && only != e.To {
			return cfg.NoBlock
		}
		switch e.Kind {
		case cfg.FallThrough, cfg.Taken, cfg.Goto, cfg.Indirect:
			only = e.To
		default:
			return cfg.NoBlock
		}
	}
	return only
}

// addLoop notes a cycle if a second round changes nothing.
func addLoop(p *bytecode.Program, r *succ.Result, blocks []cfg.BlockID, found map[cfg.BlockID]*loop) {
	var pcs []bytecode.PC
	for _, b := range blocks {
		for pc := r.Graph.Blocks[b].Start; pc < r.Graph.Blocks[b].End; pc += p.Insns[pc].Slots() {
			pcs = append(pcs, pc)
		}
	}
	at := prunePoint(p, pcs)
	if at < 0 || !idempotent(p, pcs) {
		return
	}
	l := &loop{blocks, at}
	for _, b := range blocks {
		found[b] = l
	}
}

// prunePoint returns the first instruction of a loop at which the kernel looks
// for a state that it has seen, or -1: a conditional or indirect jump, or what a
// jump leads to. Of several, the kernel's counters decide, which are not followed
// here.
//
// Source: kernel/bpf/cfg.c visit_insn, Linux 7.3.
func prunePoint(p *bytecode.Program, pcs []bytecode.PC) bytecode.PC {
	jumpedTo := map[bytecode.PC]bool{}
	for _, pc := range pcs {
		if f := p.Flow(pc); f.Kind == bytecode.FlowCond || f.Kind == bytecode.FlowGoto {
			jumpedTo[f.Target] = true
		}
	}
	for _, pc := range pcs {
		switch p.Flow(pc).Kind {
		case bytecode.FlowCond, bytecode.FlowIndirect:
			return pc
		}
		if jumpedTo[pc] {
			return pc
		}
	}
	return -1
}

// idempotent reports whether instructions that are executed in turn, over and
// over, leave the same state after each round from the first on: none reads what
// a later one of the round wrote, and none reads memory if one writes it.
func idempotent(p *bytecode.Program, pcs []bytecode.PC) bool {
	var written, loads, stores uint32
	for _, pc := range pcs {
		_, w, ok := operands(p.Insns[pc])
		if !ok {
			return false
		}
		written |= w
	}
	var defined uint32
	for _, pc := range pcs {
		in := p.Insns[pc]
		reads, writes, _ := operands(in)
		if reads&written&^defined != 0 {
			return false
		}
		defined |= writes
		switch in.Class() {
		case asm.LdXClass:
			loads++
		case asm.StClass, asm.StXClass:
			stores++
		}
	}
	return loads == 0 || stores == 0
}

// operands returns the registers that an instruction reads and writes, as bits.
// It is not ok for calls, exits, and what reads more than its operands.
func operands(in bytecode.Insn) (reads, writes uint32, ok bool) {
	dst, src := uint32(1)<<in.Dst, uint32(1)<<in.Src
	bySrc := in.Source() == asm.RegSource
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		writes = dst
		if in.ALUOp() != asm.Mov {
			reads = dst
		}
		if bySrc && in.ALUOp() != asm.Swap {
			reads |= src
		}
		return reads, writes, true
	case asm.LdXClass:
		return src, dst, true
	case asm.StClass:
		return dst, 0, true
	case asm.StXClass:
		return dst | src, 0, in.Mode() == asm.MemMode
	case asm.LdClass:
		return 0, dst, in.IsWide()
	}
	switch in.Code {
	case bytecode.CodeGoto, bytecode.CodeGotol:
		return 0, 0, true
	case bytecode.CodeGotox:
		return dst, 0, true
	case bytecode.CodeCall, bytecode.CodeCallx, bytecode.CodeExit, bytecode.CodeMayGoto, bytecode.CodeTailCall:
		return 0, 0, false
	}
	if bySrc {
		return dst | src, 0, true
	}
	return dst, 0, true
}
