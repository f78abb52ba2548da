package replay

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/reach"
	"github.com/bpfcfg/bpfcfg/jit"
)

// deepest returns how far below the frame pointer the instructions reach: by loads and stores, and
// by pointers into the frame that are passed on ("r2 = r10; r2 += -16"). It follows straight lines
// only, so the result is used only if the recorded frame agrees.
func deepest(insns []bytecode.Insn) int {
	low := 0
	reach := func(off int) { low = min(low, off) }
	var frame [16]bool // the register points into the frame, off[r] from its top
	var off [16]int
	frame[bytecode.R10] = true
	for i := 0; i < len(insns); i += int(insns[i].Slots()) {
		in := insns[i]
		d, s := in.Dst&15, in.Src&15
		switch in.Class() {
		case asm.StClass, asm.StXClass:
			if frame[d] {
				reach(off[d] + int(in.Off))
			}
		case asm.LdXClass:
			if frame[s] {
				reach(off[s] + int(in.Off))
			}
			frame[d] = false
		case asm.ALU64Class:
			switch {
			case in.ALUOp() == asm.Mov && in.Source() == asm.RegSource && in.Off == 0:
				frame[d], off[d] = frame[s], off[s]
			case in.ALUOp() == asm.Add && in.Source() == asm.ImmSource && frame[d] && d != bytecode.R10:
				off[d] += int(in.Imm)
				reach(off[d])
			default:
				frame[d] = false
			}
		case asm.ALUClass, asm.LdClass:
			frame[d] = false
		}
		frame[bytecode.R10] = true
	}
	return -low
}

// tailCallReachable returns for each function whether it holds a tail call or
// calls, over any number of others, a function that does.
func tailCallReachable(p *jit.Program) []bool {
	tails := make([]bool, len(p.Funcs))
	callees := make([][]int, len(p.Funcs))
	starts := map[int]int{}
	for i, f := range p.Funcs {
		starts[int(f.Start)] = i
	}
	ref := 0
	for i, f := range p.Funcs {
		for pc := f.Start; pc < f.End; pc += p.Insns[pc].Slots() {
			in := p.Insns[pc]
			if in.IsHelperCall() && in.Imm == bytecode.HelperTailCall || in.Code == bytecode.CodeTailCall {
				tails[i] = true
			}
			for ref < len(p.Refs) && p.Refs[ref].PC < pc {
				ref++
			}
			if in.IsSubprogramCall() && ref < len(p.Refs) && p.Refs[ref].PC == pc {
				if callee, ok := starts[p.Refs[ref].Index]; ok {
					callees[i] = append(callees[i], callee)
				}
			}
		}
	}
	return reach.To(callees, tails)
}
