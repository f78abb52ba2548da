package bytecode

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Text returns the instruction at pc as the kernel's verifier writes it in its log, without the
// opcode in front: "r0 = *(u64 *)(r10 -8)", "if w1 > 0xd goto pc+3". It is "" for a slot outside
// insns. Distances count slots from the next slot on, as encoded.
//
// The text is ours where the kernel prints an address, and where it has no text because the
// instruction exists only in other tools or after the verifier:
//
//	r1 = map[fd:3], map[fd:3][0]+8   64-bit load of a map, of its value: unresolved file descriptor
//	r1 = map[idx:0], map[idx:0][0]+8 the same by index in fd_array
//	r1 = btf_id[7], subprog[+5]      address of a kernel variable, of a subprogram
//	callx r1                         indirect call
//	goto_or_nop pc+1, nop_or_goto …  static keys, the default first; also gotol
//	unwind_goto pc+1, unwind_exit    exceptions (LLVM 24)
//	r1 uh*= r2, r1 sh*= r2           high half of a product (LLVM 24)
//	probe r1 = *(u64 *)(r2 +0)       load that survives a fault (inside the kernel)
//	arena r1 = *(u32 *)(r2 +0)       access relative to the arena (inside the kernel); also stores
//	probe r1 = atomic_fetch_add(…)   atomic operation there, as Linux 7.3 prints it
//	tail_call                        rewritten bpf_tail_call (inside the kernel)
//	jcond#4 pc+1                     JCOND with a condition that nobody defines
//	BUG_alu_e7, BUG_jmp_0e, …        no instruction: class and opcode
//
// Reserved fields of an instruction are not shown.
//
// Source: kernel/bpf/disasm.c print_bpf_insn, Linux 7.3; RFC 9669 section 4 for
// what there is.
func Text(insns []Insn, pc PC) string {
	if pc < 0 || int(pc) >= len(insns) {
		return ""
	}
	in := insns[pc]
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return aluText(in)
	case asm.JumpClass, asm.Jump32Class:
		return jumpText(in)
	case asm.LdClass:
		if in.IsWide() && int(pc)+1 < len(insns) {
			return in.Dst.String() + " = " + wideText(in, insns[pc+1])
		}
		return ldText(in)
	case asm.LdXClass:
		return ldxText(in)
	case asm.StXClass:
		return stxText(in)
	default:
		return stText(in)
	}
}

// Text returns the instruction at pc like the function Text, with the names
// that the program knows: maps, jump tables, subprograms, kernel functions and
// variables. Names are made safe to print.
//
//	r1 = map[name:counts], map[name:.rodata][0]+16
//	r2 = jt[BPF.JT.0.0][0]+8     byte 8 of the addresses of a jump table; jt[BPF.JT.0.0] is the map
//	r2 = subprog[+5]#step        the name after the distance
//	call pc+7#step, call bpf_throw#4711, r1 = ksym[bpf_prog_active]
func (p *Program) Text(pc PC) string {
	if pc < 0 || int(pc) >= len(p.Insns) {
		return ""
	}
	in := p.Insns[pc]
	ref, _ := p.RefAt(pc)
	switch {
	case in.Code == CodeCall:
		return p.callText(in, ref, FlowAt(p.Insns, pc))
	case in.IsWide() && int(pc)+1 < len(p.Insns):
		if s := p.refText(ref); s != "" {
			return in.Dst.String() + " = " + s
		}
		if f := FlowAt(p.Insns, pc); f.Kind == FlowFuncAddr {
			return Text(p.Insns, pc) + p.subprogSuffix(f.Callee)
		}
	}
	return Text(p.Insns, pc)
}

// callText returns the text of a call with the name of what is called.
func (p *Program) callText(in Insn, ref Ref, f Flow) string {
	name := visible.Text(ref.Name)
	switch {
	case f.Kind == FlowCall:
		return jumpText(in) + p.subprogSuffix(f.Callee)
	case name != "" && (in.IsKfuncCall() || in.IsHelperCall()):
		return fmt.Sprintf("call %s#%d", name, in.Imm)
	}
	return jumpText(in)
}

// subprogSuffix returns "#" and the name of the subprogram that starts at pc,
// "" when it has none.
func (p *Program) subprogSuffix(pc PC) string {
	i := p.SubprogAt(pc)
	if i < 0 || p.Subprogs[i].Start != pc || p.Subprogs[i].Name == "" {
		return ""
	}
	return "#" + visible.Text(p.Subprogs[i].Name)
}

// refText returns the operand of a 64-bit load according to its reference, "" if the reference
// does not determine it.
func (p *Program) refText(ref Ref) string {
	name := visible.Text(ref.Name)
	switch ref.Kind {
	case RefMap, RefMapValue:
		if ref.Index < 0 || ref.Index >= len(p.Maps) {
			return ""
		}
		name = "map[name:" + visible.Text(p.Maps[ref.Index].Name) + "]"
	case RefTable, RefTableMap:
		if ref.Index < 0 || ref.Index >= len(p.Tables) {
			return ""
		}
		name = "jt[" + visible.Text(p.Tables[ref.Index].Name) + "]"
	case RefKsym, RefKfunc:
		return "ksym[" + name + "]"
	case RefBTFID:
		return fmt.Sprintf("btf_id[%d]", ref.Index)
	case RefUnknown:
		return "unknown[" + name + "]"
	default:
		return ""
	}
	if ref.Kind == RefMapValue || ref.Kind == RefTable {
		return fmt.Sprintf("%s[0]%+d", name, ref.Off)
	}
	return name
}

// wideText returns the operand of a 64-bit immediate load. The second slot has the high half, or
// the offset in a map's value (RFC 9669 section 5.4).
func wideText(in, hi Insn) string {
	switch in.Src {
	case LdMapFD:
		return fmt.Sprintf("map[fd:%d]", in.Imm)
	case LdMapValue:
		return fmt.Sprintf("map[fd:%d][0]%+d", in.Imm, uint32(hi.Imm))
	case LdBTFID:
		return fmt.Sprintf("btf_id[%d]", in.Imm)
	case LdFunc:
		return fmt.Sprintf("subprog[%+d]", in.Imm)
	case LdMapIdx:
		return fmt.Sprintf("map[idx:%d]", in.Imm)
	case LdMapIdxValue:
		return fmt.Sprintf("map[idx:%d][0]%+d", in.Imm, uint32(hi.Imm))
	}
	return fmt.Sprintf("0x%x", uint64(uint32(hi.Imm))<<32|uint64(uint32(in.Imm)))
}

// reg returns a register as a 64-bit or 32-bit one: r1 or w1.
func reg(r Reg, wide bool) string {
	if wide {
		return r.String()
	}
	return fmt.Sprintf("w%d", uint8(r))
}

// aluText returns the text of an instruction of class ALU or ALU64
// (RFC 9669 sections 4.1 and 4.2).
func aluText(in Insn) string {
	wide := in.Class() == asm.ALU64Class
	dst, fromReg := reg(in.Dst, wide), in.Source() == asm.RegSource
	switch op := in.ALUOp(); {
	case op == asm.Swap && wide:
		return fmt.Sprintf("%v = bswap%d %v", in.Dst, in.Imm, in.Dst)
	case op == asm.Swap && fromReg:
		return fmt.Sprintf("%v = be%d %v", in.Dst, in.Imm, in.Dst)
	case op == asm.Swap:
		return fmt.Sprintf("%v = le%d %v", in.Dst, in.Imm, in.Dst)
	case op == asm.Neg:
		return dst + " = -" + dst
	case op == asm.Mov && fromReg:
		return movText(in, wide)
	case aluSign(in) == "":
		return fmt.Sprintf("BUG_alu_%02x", in.Code)
	case fromReg:
		return dst + " " + aluSign(in) + " " + reg(in.Src, wide)
	}
	return fmt.Sprintf("%s %s %d", dst, aluSign(in), in.Imm)
}

// Offsets that turn a register move into another operation. The second exists in rewritten
// programs only (include/linux/filter.h BPF_ADDR_PERCPU).
const (
	movAddrSpaceCast = 1
	movPerCPU        = -1
)

// movText returns the text of a move between registers.
func movText(in Insn, wide bool) string {
	dst, src := reg(in.Dst, wide), reg(in.Src, wide)
	switch {
	case in.Off == 8, in.Off == 16, in.Off == 32:
		return fmt.Sprintf("%s = (s%d)%s", dst, in.Off, src)
	case wide && in.Off == movAddrSpaceCast:
		return fmt.Sprintf("%s = addr_space_cast(%s, %d, %d)", dst, src, uint32(in.Imm)>>16, uint16(in.Imm))
	case wide && in.Off == movPerCPU:
		return dst + " = &(void __percpu *)(" + src + ")"
	}
	return dst + " = " + src
}

// aluSign returns the assignment operator of an arithmetic instruction, "" if there is no such
// instruction.
func aluSign(in Insn) string {
	switch in.ALUOp() {
	case asm.Add:
		return "+="
	case asm.Sub:
		return "-="
	case asm.Mul:
		if in.Class() == asm.ALU64Class && in.Source() == asm.RegSource {
			switch in.Off {
			case 1:
				return "uh*="
			case 2:
				return "sh*="
			}
		}
		return "*="
	case asm.Div:
		if in.Off == 1 {
			return "s/="
		}
		return "/="
	case asm.Or:
		return "|="
	case asm.And:
		return "&="
	case asm.LSh:
		return "<<="
	case asm.RSh:
		return ">>="
	case asm.Mod:
		if in.Off == 1 {
			return "s%="
		}
		return "%="
	case asm.Xor:
		return "^="
	case asm.Mov:
		return "="
	case asm.ArSh:
		return "s>>="
	}
	return ""
}
