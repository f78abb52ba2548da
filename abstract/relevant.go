package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// relevance returns for each block the registers whose value on entry may decide where control
// goes or which memory is used: live registers, except those whose value only reaches memory or
// the program's result. If many states reach a block, those that differ in nothing relevant are
// merged.
//
// The kernel does a similar thing afterwards: it marks the scalars that a decision has needed as
// precise and treats others as equal (kernel/bpf/backtrack.c, Linux 7.3). This is the analysis of
// faint variables: Giegerich, Möncke and Wilhelm, Invariance of Approximative Semantics with
// Respect to Program Transformations, 1981.
func relevance(g *cfg.Graph, order []cfg.BlockID) []uint16 {
	return backward(g, order, allRegs,
		func(b cfg.BlockID, out uint16) uint16 { return relevantIn(g, &g.Blocks[b], out) })
}

// relevantIn carries a set of relevant registers from the end of a block to its
// start.
func relevantIn(g *cfg.Graph, blk *cfg.Block, set uint16) uint16 {
	for pc := blk.Last; pc >= blk.Start; pc-- {
		if g.InsnAt(pc) {
			set = relevantBefore(g.Program, pc, set, blk.Sub)
		}
	}
	return set
}

// relevantBefore is relevantIn for one instruction.
func relevantBefore(p *bytecode.Program, pc bytecode.PC, set uint16, sub int) uint16 {
	in := p.Insns[pc]
	use, def := useDef(p, pc)
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		if set&def == 0 {
			return set
		}
	case asm.StXClass:
		// The value goes to a stack slot if the base is the frame pointer,
		// and may come back; a store elsewhere may be one to the stack, too.
		if in.Mode() != modeAtomic && in.Dst != bytecode.R10 && set&bit(in.Src) == 0 {
			use &^= bit(in.Src)
			if in.Src == in.Dst {
				use |= bit(in.Dst)
			}
		}
	case asm.JumpClass:
		if in.Code == bytecode.CodeExit && sub == 0 {
			use = 0
		}
	}
	return set&^def | use
}

// forget makes the numbers in registers that are not relevant unknown. They decide nothing, so
// the state stays as certain as before; a fault or a branch that depends on one of them is not
// certain. With links they stand for linked ones: the verifier counts those.
func (s *State) forget(relevant uint16, links bool) {
	for r := range s.values() {
		v := s.value(r)
		if relevant>>r&1 != 0 || !v.is(Number) || v.flags&maybeLocal != 0 {
			continue
		}
		w := forgotten[v.flags&maybePtr]
		if links && v.id != 0 {
			w = w.marked()
		}
		s.put(r, w)
	}
}
