package bytecode

import "github.com/cilium/ebpf/asm"

// FlowKind is the way in which control leaves an instruction.
type FlowKind uint8

// The kinds of control flow. Only FlowGoto, FlowCond and FlowKey have a
// Target, only FlowCall and FlowFuncAddr a Callee.
const (
	FlowInvalid  FlowKind = iota
	FlowNext              // continues at Next
	FlowFuncAddr          // continues at Next; loads the address of the subprogram at Callee
	FlowGoto              // jumps to Target
	FlowCond              // continues at Next or jumps to Target: conditional jump, may_goto, unwind_goto
	FlowKey               // static key: Next or Target, patched at run time
	FlowIndirect          // gotox: jumps to an address in a register
	FlowCall              // calls the subprogram at Callee, then continues at Next
	FlowCallx             // calls a subprogram whose address is in a register, then continues at Next
	FlowHelper            // calls a helper or kfunc, then continues at Next
	FlowExit              // leaves the subprogram
)

// Flow is the control flow that the instruction itself states. It does not have the targets of an
// indirect jump or call, which come from analysis. Slots may lie outside the program; callers
// check that.
type Flow struct {
	Kind   FlowKind
	Next   PC   // slot after the instruction; set for every kind
	Target PC   // jump target
	Callee PC   // first slot of a subprogram
	Jumps  bool // for FlowKey: the jump is taken by default
}

// FlowAt returns how control leaves the instruction at pc. This is the only place that decodes a
// jump. The second slot of a 64-bit immediate load is treated as an ordinary instruction, so
// callers must not pass it.
//
// Source: RFC 9669 sections 4.3 to 4.5; kernel/bpf/cfg.c visit_insn and kernel/bpf/liveness.c
// bpf_insn_successors, Linux 7.3. No kernel has static keys; they follow the RFC series "BPF
// static keys": Src 1 is goto_or_nop, which jumps by default, Src 3 is nop_or_goto, which does
// not.
func FlowAt(insns []Insn, pc PC) Flow {
	in := insns[pc]
	next := pc + in.Slots()
	f := Flow{Kind: FlowNext, Next: next}
	switch in.Class() {
	case asm.JumpClass, asm.Jump32Class:
		return jumpFlow(in, pc, f)
	case asm.LdClass:
		if in.IsWide() && in.Src == LdFunc {
			f.Kind, f.Callee = FlowFuncAddr, pc+1+PC(in.Imm)
		}
	}
	return f
}

// jumpFlow is FlowAt for the classes JMP and JMP32.
func jumpFlow(in Insn, pc PC, f Flow) Flow {
	short := pc + 1 + PC(in.Off)
	switch in.Code {
	case CodeGoto:
		return directFlow(in, f, short)
	case CodeGotol:
		return directFlow(in, f, pc+1+PC(in.Imm))
	case CodeGotox:
		f.Kind = FlowIndirect
	case CodeCallx:
		f.Kind = FlowCallx
	case CodeExit:
		f.Kind = FlowExit
	case CodeCall:
		f.Kind = FlowHelper
		if in.Src == CallSubprogram {
			f.Kind, f.Callee = FlowCall, pc+1+PC(in.Imm)
		}
	default:
		f.Kind, f.Target = condKind(in), short
	}
	return f
}

// directFlow is the flow of goto and gotol: a plain jump, or a static key if bit 0 of the Src
// field is set.
func directFlow(in Insn, f Flow, target PC) Flow {
	f.Kind, f.Target = FlowGoto, target
	if in.Src == 1 || in.Src == 3 {
		f.Kind, f.Jumps = FlowKey, in.Src == 1
	}
	return f
}

// condKind distinguishes conditional jumps from opcodes that are not jumps. The latter fall
// through here; no kernel accepts them.
func condKind(in Insn) FlowKind {
	switch in.JumpOp() {
	case asm.Ja, asm.Call, asm.Exit, asm.JumpOp(0xf0):
		if in.Code == CodeTailCall {
			return FlowHelper
		}
		return FlowNext
	case asm.JCOND:
		if in.Code != CodeMayGoto {
			return FlowNext
		}
	}
	return FlowCond
}
