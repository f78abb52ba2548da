package bytecode

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// PC is an instruction slot index: the position of an 8-byte slot in a
// program's linked index space, as the kernel counts. A 64-bit immediate load
// occupies two slots.
type PC int

// String returns the decimal slot index.
func (pc PC) String() string { return fmt.Sprintf("%d", int(pc)) }

// SlotSize is the size of an instruction slot in bytes (RFC 9669 section 3).
const SlotSize = 8

// Reg is a BPF register number, 0 to 15 as encoded. Numbers above 10 exist
// only in rewritten programs and for stack arguments.
type Reg uint8

// Register numbers with a fixed role.
const (
	R0  Reg = 0  // return value
	R1  Reg = 1  // first argument
	R2  Reg = 2  // second argument
	R3  Reg = 3  // third argument
	R4  Reg = 4  // fourth argument
	R5  Reg = 5  // fifth argument
	R6  Reg = 6  // callee saved
	R7  Reg = 7  // callee saved
	R8  Reg = 8  // callee saved
	R9  Reg = 9  // callee saved
	R10 Reg = 10 // frame pointer
	R11 Reg = 11 // stack arguments (Linux 7.3); before that, the hidden register AX
)

// String returns the register as the kernel prints it: r0 to r15.
func (r Reg) String() string { return fmt.Sprintf("r%d", uint8(r)) }

// Insn is one 8-byte instruction slot, decoded without loss: every bit pattern
// has exactly one Insn and encodes back to the same bytes. The second slot of
// a 64-bit immediate load is an Insn of its own, with the high half in Imm.
//
//	+--------+----+----+----------------+--------------------------------+
//	| Code:8 |Dst |Src |     Off:16     |             Imm:32             |
//	+--------+----+----+----------------+--------------------------------+
//
// Source: RFC 9669 section 3.
type Insn struct {
	Code uint8 // opcode
	Dst  Reg   // destination register field
	Src  Reg   // source register field, or a sub-opcode
	Off  int16 // signed offset field
	Imm  int32 // signed immediate field
}

// Opcodes that direct control flow, and others that are recognised by the whole byte.
const (
	CodeInvalid  = 0x00 // second slot of a 64-bit immediate load
	CodeGoto     = 0x05 // JA, offset in Off (RFC 9669 section 4.3)
	CodeGotol    = 0x06 // JA of class JMP32, offset in Imm
	CodeGotox    = 0x0d // indirect jump through Dst (Linux 6.19)
	CodeLdImm64  = 0x18 // 64-bit immediate load, two slots
	CodeCall     = 0x85 // call; Src distinguishes helper, subprogram and kfunc
	CodeCallx    = 0x8d // indirect call through Dst (Imm before LLVM 19.1)
	CodeExit     = 0x95 // return from the subprogram
	CodeMayGoto  = 0xe5 // JCOND with Src 0: conditional on a kernel counter
	CodeTailCall = 0xf5 // kernel internal: a rewritten bpf_tail_call
)

// Values of Src in an instruction with CodeCall.
const (
	CallHelper     Reg = 0 // Imm is the helper's number
	CallSubprogram Reg = 1 // Imm is the distance to the callee, in slots, from the next slot
	CallKfunc      Reg = 2 // Imm is a BTF type id
)

// Values of Src in an instruction with CodeLdImm64.
const (
	LdImm64       Reg = 0 // plain constant
	LdMapFD       Reg = 1 // address of a map
	LdMapValue    Reg = 2 // address inside the value of a map
	LdBTFID       Reg = 3 // address of a kernel variable
	LdFunc        Reg = 4 // address of a subprogram; Imm is the distance in slots from the next slot
	LdMapIdx      Reg = 5 // like LdMapFD, by index in fd_array
	LdMapIdxValue Reg = 6 // like LdMapValue, by index in fd_array
)

// Numbers of helpers that direct control flow (include/uapi/linux/bpf.h
// __BPF_FUNC_MAPPER).
const (
	HelperTailCall = 12  // bpf_tail_call
	HelperLoop     = 181 // bpf_loop
)

// OpCode returns the opcode in the vocabulary of cilium/ebpf's asm package.
func (in Insn) OpCode() asm.OpCode { return asm.OpCode(in.Code) }

// Class returns the instruction class: the low three bits of the opcode.
func (in Insn) Class() asm.Class { return asm.Class(in.Code & 0x07) }

// ALUOp returns the operation bits of an ALU or ALU64 instruction. It does not distinguish signed
// division and sign-extending moves from the plain ones, which differ only in Off.
func (in Insn) ALUOp() asm.ALUOp { return asm.ALUOp(in.Code & 0xf0) }

// JumpOp returns the operation bits of a JMP or JMP32 instruction.
func (in Insn) JumpOp() asm.JumpOp { return asm.JumpOp(in.Code & 0xf0) }

// Source returns the source bit of an ALU or jump instruction.
func (in Insn) Source() asm.Source { return asm.Source(in.Code & 0x08) }

// Size returns the size bits of a load or store.
func (in Insn) Size() asm.Size { return asm.Size(in.Code & 0x18) }

// Mode returns the mode bits of a load or store.
func (in Insn) Mode() asm.Mode { return asm.Mode(in.Code & 0xe0) }

// AccessBytes returns the number of bytes that a load or store with these
// size bits moves: 1, 2, 4 or 8.
func (in Insn) AccessBytes() int {
	switch in.Size() {
	case asm.Byte:
		return 1
	case asm.Half:
		return 2
	case asm.Word:
		return 4
	default:
		return 8
	}
}

// IsWide reports whether the instruction is the first slot of a two-slot
// 64-bit immediate load.
func (in Insn) IsWide() bool { return in.Code == CodeLdImm64 }

// Slots returns the number of slots that the instruction takes: 1 or 2.
func (in Insn) Slots() PC {
	if in.IsWide() {
		return 2
	}
	return 1
}

// IsGotox reports whether the instruction is an indirect jump.
func (in Insn) IsGotox() bool { return in.Code == CodeGotox }

// IsCallx reports whether the instruction is an indirect call.
func (in Insn) IsCallx() bool { return in.Code == CodeCallx }

// CallxReg returns the register that an indirect call goes through: Dst, or Imm in objects made
// by LLVM before 19.1, which leaves Dst zero.
func (in Insn) CallxReg() Reg {
	if in.Dst == 0 && in.Imm > 0 && in.Imm <= 9 {
		return Reg(in.Imm)
	}
	return in.Dst
}

// IsHelperCall reports whether the instruction calls a helper by number.
func (in Insn) IsHelperCall() bool { return in.Code == CodeCall && in.Src == CallHelper }

// IsSubprogramCall reports whether the instruction calls a subprogram.
func (in Insn) IsSubprogramCall() bool { return in.Code == CodeCall && in.Src == CallSubprogram }

// IsKfuncCall reports whether the instruction calls a kernel function.
func (in Insn) IsKfuncCall() bool { return in.Code == CodeCall && in.Src == CallKfunc }
