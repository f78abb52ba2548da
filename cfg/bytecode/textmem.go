package bytecode

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// Mode bits of loads and stores in rewritten programs only (include/linux/filter.h, Linux 7.3).
// They reuse the modes ABS and IND of class LD, and MEMSX and ATOMIC of other classes.
const (
	modeProbeMem     asm.Mode = 0x20 // LDX: BPF_PROBE_MEM
	modeProbeMemSX   asm.Mode = 0x40 // LDX: BPF_PROBE_MEMSX
	modeProbeMem32   asm.Mode = 0xa0 // LDX, ST, STX: BPF_PROBE_MEM32
	modeProbeMem32SX asm.Mode = 0xc0 // LDX: BPF_PROBE_MEM32SX
	modeProbeAtomic  asm.Mode = 0xe0 // STX: BPF_PROBE_ATOMIC
	modeNospec       asm.Mode = 0xc0 // ST: BPF_NOSPEC, a speculation barrier
)

// Operations of an atomic instruction, in Imm (RFC 9669 section 5.3; the last
// two since Linux 6.15).
const (
	atomicFetch    = 0x01 // flag
	atomicXchg     = 0xe1
	atomicCmpXchg  = 0xf1
	atomicLoadAcq  = 0x100
	atomicStoreRel = 0x110
)

// cell returns the memory operand of a load or store: *(u64 *)(r1 +8).
func cell(in Insn, sign string, base Reg) string { return "*" + pointer(in, sign, base) }

// pointer returns the typed address of a memory operand: (u64 *)(r1 +8).
func pointer(in Insn, sign string, base Reg) string {
	return fmt.Sprintf("(%s%d *)(%v %+d)", sign, 8*in.AccessBytes(), base, in.Off)
}

// ldText returns the text of an instruction of class LD other than a 64-bit immediate load: the
// legacy packet access (RFC 9669 section 5.6).
func ldText(in Insn) string {
	bits := 8 * in.AccessBytes()
	switch {
	case bits == 64:
	case in.Mode() == asm.AbsMode:
		return fmt.Sprintf("r0 = *(u%d *)skb[%d]", bits, in.Imm)
	case in.Mode() == asm.IndMode:
		return fmt.Sprintf("r0 = *(u%d *)skb[%v + %d]", bits, in.Src, in.Imm)
	}
	return fmt.Sprintf("BUG_ld_%02x", in.Code)
}

// ldxText returns the text of a load (RFC 9669 section 5.1 and 5.2).
func ldxText(in Insn) string {
	prefix, sign := "", "u"
	switch in.Mode() {
	case asm.MemMode:
	case asm.MemSXMode:
		sign = "s"
	case modeProbeMem:
		prefix = "probe "
	case modeProbeMemSX:
		prefix, sign = "probe ", "s"
	case modeProbeMem32:
		prefix = "arena "
	case modeProbeMem32SX:
		prefix, sign = "arena ", "s"
	default:
		return fmt.Sprintf("BUG_ldx_%02x", in.Code)
	}
	if sign == "s" && in.Size() == asm.DWord {
		return fmt.Sprintf("BUG_ldx_%02x", in.Code)
	}
	return fmt.Sprintf("%s%v = %s", prefix, in.Dst, cell(in, sign, in.Src))
}

// stText returns the text of a store of a constant (RFC 9669 section 5.1).
func stText(in Insn) string {
	prefix := ""
	switch in.Mode() {
	case asm.MemMode:
	case modeProbeMem32:
		prefix = "arena "
	case modeNospec:
		return "nospec"
	default:
		return fmt.Sprintf("BUG_st_%02x", in.Code)
	}
	return fmt.Sprintf("%s%s = %d", prefix, cell(in, "u", in.Dst), in.Imm)
}

// stxText returns the text of a store of a register (RFC 9669 section 5.1) or
// an atomic operation.
func stxText(in Insn) string {
	switch in.Mode() {
	case asm.MemMode:
		return fmt.Sprintf("%s = %v", cell(in, "u", in.Dst), in.Src)
	case modeProbeMem32:
		return fmt.Sprintf("arena %s = %v", cell(in, "u", in.Dst), in.Src)
	case asm.AtomicMode:
		return atomicText(in)
	case modeProbeAtomic:
		return "probe " + atomicText(in)
	}
	return fmt.Sprintf("BUG_stx_%02x", in.Code)
}

// atomicText returns the text of an atomic operation (RFC 9669 section 5.3).
func atomicText(in Insn) string {
	bits := ""
	if in.Size() == asm.DWord {
		bits = "64"
	}
	at := pointer(in, "u", in.Dst)
	switch in.Imm {
	case atomicLoadAcq:
		return fmt.Sprintf("%v = load_acquire(%s)", in.Dst, pointer(in, "u", in.Src))
	case atomicStoreRel:
		return fmt.Sprintf("store_release(%s, %v)", at, in.Src)
	}
	op, sign := atomicOp(in.Imm)
	switch {
	case in.Size() != asm.DWord && in.Size() != asm.Word:
		return fmt.Sprintf("BUG_stx_%02x", in.Code)
	case in.Imm == atomicXchg:
		return fmt.Sprintf("%v = atomic%s_xchg(%s, %v)", in.Src, bits, at, in.Src)
	case in.Imm == atomicCmpXchg:
		return fmt.Sprintf("r0 = atomic%s_cmpxchg(%s, r0, %v)", bits, at, in.Src)
	case op == "":
		return fmt.Sprintf("BUG_stx_%02x", in.Code)
	case in.Imm&atomicFetch != 0:
		return fmt.Sprintf("%v = atomic%s_fetch_%s(%s, %v)", in.Src, bits, op, at, in.Src)
	}
	return fmt.Sprintf("lock *%s %s %v", at, sign, in.Src)
}

// atomicOp returns the name and the assignment operator of an atomic arithmetic operation, "" if
// there is no such operation.
func atomicOp(imm int32) (name, sign string) {
	switch asm.ALUOp(uint16(imm) &^ atomicFetch) {
	case asm.Add:
		name, sign = "add", "+="
	case asm.Or:
		name, sign = "or", "|="
	case asm.And:
		name, sign = "and", "&="
	case asm.Xor:
		name, sign = "xor", "^="
	}
	if imm>>8 != 0 {
		return "", ""
	}
	return name, sign
}
