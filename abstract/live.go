package abstract

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// allRegs is the set of the registers r0 to r10.
const allRegs uint16 = 1<<numRegs - 1

// bit returns the set with only r; it is empty if r is not a register.
func bit(r bytecode.Reg) uint16 {
	if r < numRegs {
		return 1 << r
	}
	return 0
}

// useDef returns the registers that an instruction reads and those that it overwrites
// (kernel/bpf/liveness.c compute_insn_live_regs, Linux 7.3; halves of registers are not
// distinguished).
func useDef(p *bytecode.Program, pc bytecode.PC) (use, def uint16) {
	in := p.Insns[pc]
	dst, src := bit(in.Dst), bit(in.Src)
	switch in.Class() {
	case asm.LdClass:
		if in.IsWide() {
			return 0, dst
		}
		return allRegs, 0 // legacy packet loads: assumed to read every register
	case asm.LdXClass:
		return src, dst
	case asm.StClass:
		return dst, 0
	case asm.StXClass:
		return useDefStore(in, dst, src)
	case asm.ALUClass, asm.ALU64Class:
		return useDefALU(in, dst, src)
	}
	return useDefJump(p, pc, dst, src)
}

func useDefStore(in bytecode.Insn, dst, src uint16) (use, def uint16) {
	if in.Mode() != modeAtomic {
		return dst | src, 0
	}
	switch {
	case in.Imm == atomicCmpXchg:
		return dst | src | bit(bytecode.R0), bit(bytecode.R0)
	case in.Imm == atomicLoadAcq:
		return src, dst
	case in.Imm&atomicFetch != 0 && in.Imm != atomicStoreRel:
		return dst | src, src
	}
	return dst | src, 0
}

func useDefALU(in bytecode.Insn, dst, src uint16) (use, def uint16) {
	fromReg := in.Source() == asm.RegSource
	switch {
	case in.ALUOp() == asm.Mov && fromReg:
		return src, dst
	case in.ALUOp() == asm.Mov:
		return 0, dst
	case in.ALUOp() == asm.Neg || in.ALUOp() == asm.Swap || !fromReg:
		return dst, dst
	}
	return dst | src, dst
}

func useDefJump(p *bytecode.Program, pc bytecode.PC, dst, src uint16) (use, def uint16) {
	const (
		args     = 1<<bytecode.R1 | 1<<bytecode.R2 | 1<<bytecode.R3 | 1<<bytecode.R4 | 1<<bytecode.R5
		clobbers = 1<<bytecode.R0 | args
	)
	in := p.Insns[pc]
	switch p.Flow(pc).Kind {
	case bytecode.FlowExit:
		return bit(bytecode.R0), 0
	case bytecode.FlowIndirect:
		return dst, 0
	case bytecode.FlowCond:
		if in.Code == bytecode.CodeMayGoto {
			return 0, 0
		}
		if in.Source() == asm.RegSource {
			return dst | src, 0
		}
		return dst, 0
	case bytecode.FlowCall:
		return args, clobbers
	case bytecode.FlowCallx:
		return args | bit(in.CallxReg()), clobbers
	case bytecode.FlowHelper:
		return args & (1<<(min(calleeAt(p, pc).Params, 5)+1) - 1), clobbers
	}
	return 0, 0
}

// liveness returns for each block the registers whose values on entry may be read. After an
// indirect jump without known targets, every register counts as read.
func liveness(g *cfg.Graph, order []cfg.BlockID) []uint16 {
	use, def := make([]uint16, g.NumBlocks()), make([]uint16, g.NumBlocks())
	for b := range g.Blocks {
		use[b], def[b] = blockUseDef(g, &g.Blocks[b])
	}
	return backward(g, order, allRegs, func(b cfg.BlockID, out uint16) uint16 { return use[b] | out&^def[b] })
}

// backward solves a dataflow problem on sets of registers or stack slots that only grow, up to
// all. It uses an order in which few edges go backwards, and returns to a block only if a
// successor's set has grown: at most once for each register and edge.
func backward[S uint16 | slotSet](g *cfg.Graph, order []cfg.BlockID, all S, transfer func(b cfg.BlockID, out S) S) []S {
	in, out := make([]S, g.NumBlocks()), make([]S, g.NumBlocks())
	for b := range out {
		out[b] = liveOut(g, cfg.BlockID(b), in, all)
	}
	todo := slices.Clone(order)
	waits := make([]bool, g.NumBlocks())
	for b := range waits {
		waits[b] = true
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo, waits[b] = todo[:len(todo)-1], false
		n := transfer(b, out[b])
		if n == in[b] {
			continue
		}
		in[b] = n
		for _, e := range g.Preds(b) {
			if !g.Local(e) || out[e.From]|n == out[e.From] {
				continue
			}
			if out[e.From] |= n; !waits[e.From] {
				todo, waits[e.From] = append(todo, e.From), true
			}
		}
	}
	return in
}

// liveOut returns the registers or slots that may be read after a block.
func liveOut[S uint16 | slotSet](g *cfg.Graph, b cfg.BlockID, in []S, all S) S {
	succs := g.Succs(b)
	if len(succs) == 0 && g.Program.Insns[g.Blocks[b].Last].IsGotox() {
		return all
	}
	var out S
	for _, e := range succs {
		if g.Local(e) {
			out |= in[e.To]
		} else if e.Kind == cfg.Indirect {
			out = all
		}
	}
	return out
}

func blockUseDef(g *cfg.Graph, blk *cfg.Block) (use, def uint16) {
	for pc := blk.Start; pc < blk.End; pc++ {
		if !g.InsnAt(pc) {
			continue
		}
		u, d := useDef(g.Program, pc)
		use |= u &^ def
		def |= d
	}
	return use, def
}
