package rules

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// instructions checks register numbers, opcodes, fields that must be zero, and
// references, one instruction after the other; instruction arrays are bound
// when the first reference to one is met. Kernels with LateFields look at
// opcodes and references only, and at a load's immediate.
//
// Source: kernel/bpf/verifier.c check_and_resolve_insns and check_insn_fields,
// Linux 7.3; resolve_pseudo_ldimm64, Linux 6.19.
func (c *checker) instructions() *Verdict {
	c.second = make([]bool, c.p.Len())
	for pc := bytecode.PC(0); pc < c.p.Len(); pc++ {
		in := c.p.Insns[pc]
		if msg := c.set.badRegister(in); msg != "" && !c.set.LateFields {
			return reject(pc, Encoding, msg)
		}
		if in.Code == bytecode.CodeLdImm64 {
			if v := c.load64(pc); v != nil {
				return v
			}
			pc++
			c.second[pc] = true
			continue
		}
		if !c.set.knownOpcode(in.Code) {
			return reject(pc, Encoding, fmt.Sprintf("unknown opcode %02x", in.Code))
		}
		if msg := c.set.badFields(in); msg != "" && (!c.set.LateFields || in.Class() == asm.LdXClass) {
			return reject(pc, Encoding, msg)
		}
	}
	if !c.set.Indirect {
		return c.noTables()
	}
	return nil
}

// noTables refuses a program with instruction arrays for a kernel that has none: the maps cannot be
// created, so the program is never loaded. The message is ours.
func (c *checker) noTables() *Verdict {
	for _, ref := range c.p.Refs {
		if ref.Kind == bytecode.RefTable || ref.Kind == bytecode.RefTableMap {
			return reject(ref.PC, Encoding, "no map type 34 (insn_array)")
		}
	}
	if slices.ContainsFunc(c.p.Tables, func(t bytecode.JumpTable) bool { return t.FDArray }) {
		return reject(-1, Encoding, "no map type 34 (insn_array)")
	}
	return nil
}

// isSecond reports whether pc is the second slot of a 64-bit load.
func (c *checker) isSecond(pc bytecode.PC) bool { return int(pc) < len(c.second) && c.second[pc] }

// badRegister reports a register that does not exist. Register 11 passes stack arguments: in
// kernels that have them it may be the base of what stores and loads those.
func (s Set) badRegister(in bytecode.Insn) string {
	for _, r := range []bytecode.Reg{in.Dst, in.Src} {
		arg := s.StackArgs && (r == in.Dst && in.StoresArg() || r == in.Src && in.LoadsArg())
		if r > bytecode.R10 && !arg {
			return fmt.Sprintf("R%d is invalid", r)
		}
	}
	return ""
}

// knownOpcode reports whether the kernel has the opcode (kernel/bpf/core.c bpf_opcode_in_insntable,
// Linux 7.3). It is not called for 64-bit immediate loads. Of the instructions of -mcpu=v4, 6.1's
// stable releases have gotol.
func (s Set) knownOpcode(code uint8) bool {
	op, source := code&0xf0, code&0x08
	switch asm.Class(code & 0x07) {
	case asm.ALUClass:
		return op <= 0x70 || op == 0x80 && source == 0 || op >= 0x90 && op <= 0xd0
	case asm.ALU64Class:
		return op <= 0x70 || op == 0x80 && source == 0 || op >= 0x90 && op <= 0xc0 || code == 0xd7 && s.V4
	case asm.JumpClass:
		return op >= 0x10 && op <= 0x70 || op >= 0xa0 && op <= 0xd0 || code == bytecode.CodeGoto ||
			code == bytecode.CodeCall || code == bytecode.CodeExit || code == bytecode.CodeMayGoto && s.MayGoto ||
			code == bytecode.CodeGotox && s.Indirect || code == bytecode.CodeCallx && s.StaticCallx
	case asm.Jump32Class:
		return op >= 0x10 && op <= 0x70 || op >= 0xa0 && op <= 0xd0 || code == bytecode.CodeGotol
	}
	mode, size := asm.Mode(code&0xe0), asm.Size(code&0x18)
	switch asm.Class(code & 0x07) {
	case asm.LdClass:
		return (mode == asm.AbsMode || mode == asm.IndMode) && size != asm.DWord
	case asm.LdXClass:
		return mode == asm.MemMode || mode == asm.MemSXMode && size != asm.DWord && s.V4
	case asm.StClass:
		return mode == asm.MemMode
	default:
		return mode == asm.MemMode || mode == asm.AtomicMode
	}
}

// badFields reports fields that must be zero.
func (s Set) badFields(in bytecode.Insn) string {
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return badALU(in)
	case asm.JumpClass, asm.Jump32Class:
		return s.badJump(in)
	default:
		return badMemory(in)
	}
}

// badALU is badFields for arithmetic (verifier.c check_alu_fields).
func badALU(in bytecode.Insn) string {
	byReg := in.Source() == asm.RegSource
	wide := in.Class() == asm.ALU64Class
	switch in.ALUOp() {
	case asm.Neg:
		if byReg || in.Src != 0 || in.Off != 0 || in.Imm != 0 {
			return "BPF_NEG uses reserved fields"
		}
	case asm.Swap:
		if in.Src != 0 || in.Off != 0 || in.Imm != 16 && in.Imm != 32 && in.Imm != 64 || wide && byReg {
			return "BPF_END uses reserved fields"
		}
	case asm.Mov:
		return badMov(in, byReg, wide)
	default:
		signed := in.Off == 1 && (in.ALUOp() == asm.Div || in.ALUOp() == asm.Mod)
		if byReg && in.Imm != 0 || !byReg && in.Src != 0 || in.Off != 0 && !signed {
			return "BPF_ALU uses reserved fields"
		}
	}
	return ""
}

// badMov is badALU for moves: the offset distinguishes sign-extending ones and address space casts.
func badMov(in bytecode.Insn, byReg, wide bool) string {
	const reserved = "BPF_MOV uses reserved fields"
	if !byReg {
		if in.Src != 0 || in.Off != 0 {
			return reserved
		}
		return ""
	}
	if wide && in.Off == 1 {
		if in.Imm != 1 && in.Imm != 0x10000 {
			return "addr_space_cast insn can only convert between address space 1 and 0"
		}
		return ""
	}
	switch in.Off {
	case 0, 8, 16:
	case 32:
		if !wide {
			return reserved
		}
	default:
		return reserved
	}
	if in.Imm != 0 {
		return reserved
	}
	return ""
}

// badJump is badFields for jumps (verifier.c check_jmp_fields).
func (s Set) badJump(in bytecode.Insn) string {
	switch in.Code {
	case bytecode.CodeCall:
		kfunc := in.Src == bytecode.CallKfunc
		if in.Src > 2 || in.Dst != 0 || in.Off != 0 && !kfunc {
			return "BPF_CALL uses reserved fields"
		}
	case bytecode.CodeGoto:
		if in.Src != 0 || in.Dst != 0 || in.Imm != 0 {
			return "BPF_JA uses reserved fields"
		}
	case bytecode.CodeGotol:
		if in.Src != 0 || in.Dst != 0 || in.Off != 0 {
			return "BPF_JA uses reserved fields"
		}
	case bytecode.CodeGotox:
		if in.Src != 0 || in.Off != 0 || in.Imm != 0 {
			return "BPF_JA|BPF_X uses reserved fields"
		}
	case bytecode.CodeCallx:
		if in.Src != 0 || in.Off != 0 || in.Imm != 0 {
			return "BPF_CALL|BPF_X uses reserved fields"
		}
	case bytecode.CodeMayGoto:
		if s.Unwinds && in.IsUnwindGoto() && in.Dst == 0 && in.Imm == 0 {
			return ""
		}
		if !s.MayGotoZero {
			if in.Src != 0 || in.Dst != 0 || in.Imm != 0 || in.Off == 0 {
				return fmt.Sprintf("invalid may_goto off %d imm %d", in.Off, in.Imm)
			}
		} else if in.Src != 0 || in.Dst != 0 || in.Imm != 0 {
			return fmt.Sprintf("invalid may_goto imm %d", in.Imm)
		}
	case bytecode.CodeExit:
		if s.Unwinds && in.IsUnwindExit() && in.Dst == 0 && in.Off == 0 && in.Imm == 0 {
			return ""
		}
		if in.Src != 0 || in.Dst != 0 || in.Off != 0 || in.Imm != 0 {
			return "BPF_EXIT uses reserved fields"
		}
	default:
		byReg := in.Source() == asm.RegSource
		if byReg && in.Imm != 0 || !byReg && in.Src != 0 {
			return "BPF_JMP/JMP32 uses reserved fields"
		}
	}
	return ""
}

// badMemory is badFields for loads and stores.
func badMemory(in bytecode.Insn) string {
	switch in.Class() {
	case asm.LdClass:
		if in.Dst != 0 || in.Off != 0 || in.Mode() == asm.AbsMode && in.Src != 0 {
			return "BPF_LD_[ABS|IND] uses reserved fields"
		}
	case asm.LdXClass:
		if in.Imm != 0 {
			return "BPF_LDX uses reserved fields"
		}
	case asm.StClass:
		if in.Src != 0 {
			return "BPF_ST uses reserved fields"
		}
	default:
		if in.Mode() == asm.MemMode && in.Imm != 0 {
			return "BPF_STX uses reserved fields"
		}
	}
	return ""
}
