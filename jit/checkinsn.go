package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

const unknownOpcode = "unknown opcode"

// alu is instruction for the classes ALU and ALU64.
func (ck *checker) alu(in bytecode.Insn) string {
	wide := in.Class() == asm.ALU64Class
	reg := in.Source() == asm.RegSource
	switch in.ALUOp() {
	case asm.Swap:
		if wide && reg {
			return unknownOpcode
		}
		if in.Imm != 16 && in.Imm != 32 && in.Imm != 64 {
			return "byte order conversion of a width other than 16, 32 or 64"
		}
		return ck.register(in.Dst)
	case asm.Neg:
		if reg {
			return unknownOpcode
		}
		return ck.register(in.Dst)
	case asm.Mov:
		if reg {
			if why := ck.move(in, wide); why != "" {
				return why
			}
		}
	case asm.Div, asm.Mod:
		if in.Off != 0 && in.Off != 1 {
			return "division with an offset other than 0 or 1"
		}
	case asm.ALUOp(0xe0), asm.ALUOp(0xf0):
		return unknownOpcode
	}
	return ck.registers(in, reg)
}

// move checks the variants of register moves.
func (ck *checker) move(in bytecode.Insn, wide bool) string {
	switch {
	case in.Off == 0:
		return ""
	case in.Off == 8 || in.Off == 16 || wide && in.Off == 32:
		return ck.need(kernel.InsnV4)
	case wide && in.Off == offPercpu:
		return ck.need(kernel.PercpuMove)
	case isCastUser(in):
		return ck.need(kernel.Arena)
	}
	return "move with an unknown offset"
}

// load is instruction for class LDX.
func (ck *checker) load(in bytecode.Insn) string {
	if ck.prof.StackArgs && in.Src == paramsReg && in.Mode() == modeMem {
		if in.Off < argSixth {
			return "stack argument at an unknown offset"
		}
		return ck.register(in.Dst)
	}
	wide := in.Size() == asm.DWord
	switch in.Mode() {
	case modeMem, modeProbeMem:
	case modeMemSX, modeProbeMemSX:
		if wide {
			return unknownOpcode
		}
		if why := ck.need(kernel.InsnV4); why != "" {
			return why
		}
	case modeProbeMem32:
		if why := ck.arena(kernel.Arena); why != "" {
			return why
		}
	case modeProbeArnSX:
		if wide {
			return unknownOpcode
		}
		if why := ck.arena(kernel.ArenaSignExtend); why != "" {
			return why
		}
	default:
		return unknownOpcode
	}
	return ck.registers(in, true)
}

// arena checks an access to the arena.
func (ck *checker) arena(x kernel.Feature) string {
	if !ck.p.ArenaUsed && ck.p.ArenaStart == 0 {
		return "arena access in a program without arena"
	}
	return ck.need(x)
}

// store is instruction for the classes ST and STX.
func (ck *checker) store(in bytecode.Insn) string {
	reg := in.Class() == asm.StXClass
	if ck.prof.StackArgs && in.Dst == paramsReg && in.Mode() == modeMem {
		if in.Size() != asm.DWord || in.Off > -argSixth {
			return "stack argument at an unknown offset or of an unknown size"
		}
		if reg {
			return ck.register(in.Src)
		}
		return ""
	}
	switch {
	case in.Code == codeNospec:
		return ""
	case in.Mode() == modeMem:
	case in.Mode() == modeProbeMem32:
		if why := ck.arena(kernel.Arena); why != "" {
			return why
		}
	case reg && (in.Mode() == modeAtomic || in.Mode() == modeProbeAtomic):
		if why := ck.atomic(in); why != "" {
			return why
		}
	default:
		return unknownOpcode
	}
	return ck.registers(in, reg)
}

// atomic checks an atomic operation.
func (ck *checker) atomic(in bytecode.Insn) string {
	arena := in.Mode() == modeProbeAtomic
	if arena {
		if why := ck.arena(kernel.ArenaAtomics); why != "" {
			return why
		}
	}
	switch in.Imm {
	case atomicLoadAcq, atomicStoreRel:
		return ck.need(kernel.AcquireRelease)
	case atomicAdd, atomicOr, atomicAnd, atomicXor,
		atomicAdd | atomicFetch, atomicXchg, atomicCmpxchg:
	case atomicOr | atomicFetch, atomicAnd | atomicFetch, atomicXor | atomicFetch:
		if arena {
			return "this atomic operation does not exist for arenas"
		}
	default:
		return "unknown atomic operation"
	}
	if in.Size() != asm.Word && in.Size() != asm.DWord {
		return "atomic operation of less than 32 bits"
	}
	return ""
}

// jump is instruction for the classes JMP and JMP32.
func (ck *checker) jump(in bytecode.Insn) string {
	switch in.Code {
	case bytecode.CodeGoto, bytecode.CodeGotol:
		if in.Src != 0 {
			return "static keys are in no released kernel"
		}
		return ""
	case bytecode.CodeGotox:
		if !ck.prof.Gotox {
			return "indirect jumps need " + kernel.Gotox.Need()
		}
		return ck.register(in.Dst)
	case bytecode.CodeCall:
		if in.Src > bytecode.CallKfunc {
			return "unknown kind of call"
		}
		return ""
	case bytecode.CodeExit, bytecode.CodeTailCall:
		return ""
	case bytecode.CodeCallx:
		if !ck.kernel.Has(kernel.StaticCallx) {
			return "indirect calls need " + kernel.StaticCallx.Need()
		}
		return ck.register(in.Dst)
	case bytecode.CodeMayGoto:
		return "may_goto is replaced by the verifier"
	}
	switch in.JumpOp() {
	case asm.Ja, asm.Call, asm.Exit, asm.JCOND, asm.JumpOp(0xf0):
		return unknownOpcode
	}
	return ck.registers(in, in.Source() == asm.RegSource)
}
