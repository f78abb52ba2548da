package bytecode

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// jumpText returns the text of an instruction of class JMP or JMP32 (RFC 9669 section 4.3).
// FlowAt decides which opcodes are jumps and where they go; this switch must list the same
// opcodes.
func jumpText(in Insn) string {
	switch in.Code {
	case CodeGoto:
		return fmt.Sprintf("%s pc%+d", keyName(in, "goto"), in.Off)
	case CodeGotol:
		return fmt.Sprintf("%s pc%+d", keyName(in, "gotol"), in.Imm)
	case CodeGotox:
		return "gotox " + in.Dst.String()
	case CodeCallx:
		return "callx " + in.CallxReg().String()
	case CodeTailCall:
		return "tail_call"
	case CodeExit:
		if in.Src == 1 {
			return "unwind_exit"
		}
		return "exit"
	case CodeMayGoto:
		switch in.Src {
		case 0:
			return fmt.Sprintf("may_goto pc%+d", in.Off)
		case 1:
			return fmt.Sprintf("unwind_goto pc%+d", in.Off)
		}
		return fmt.Sprintf("jcond#%d pc%+d", in.Src, in.Off)
	case CodeCall:
		switch in.Src {
		case CallSubprogram:
			return fmt.Sprintf("call pc%+d", in.Imm)
		case CallKfunc:
			return fmt.Sprintf("call kfunc#%d", in.Imm)
		}
		return fmt.Sprintf("call %s#%d", HelperName(in.Imm), in.Imm)
	}
	wide := in.Class() == asm.JumpClass
	switch sign := jumpSign(in.JumpOp()); {
	case sign == "":
		return fmt.Sprintf("BUG_jmp_%02x", in.Code)
	case in.Source() == asm.RegSource:
		return fmt.Sprintf("if %s %s %s goto pc%+d", reg(in.Dst, wide), sign, reg(in.Src, wide), in.Off)
	default:
		return fmt.Sprintf("if %s %s 0x%x goto pc%+d", reg(in.Dst, wide), sign, uint32(in.Imm), in.Off)
	}
}

// keyName returns the name of a direct jump, which may be a static key.
func keyName(in Insn, name string) string {
	switch in.Src {
	case 1:
		return name + "_or_nop"
	case 3:
		return "nop_or_" + name
	}
	return name
}

// jumpSign returns the comparison of a conditional jump, "" if there is no such jump.
func jumpSign(op asm.JumpOp) string {
	switch op {
	case asm.JEq:
		return "=="
	case asm.JGT:
		return ">"
	case asm.JGE:
		return ">="
	case asm.JSet:
		return "&"
	case asm.JNE:
		return "!="
	case asm.JSGT:
		return "s>"
	case asm.JSGE:
		return "s>="
	case asm.JLT:
		return "<"
	case asm.JLE:
		return "<="
	case asm.JSLT:
		return "s<"
	case asm.JSLE:
		return "s<="
	}
	return ""
}

// maxHelper is the largest number of a helper. The list is closed: new kernel
// functions are kfuncs (Documentation/bpf/kfuncs.rst, Linux 6.2).
const maxHelper = 211

// HelperName returns the name of the helper with this number, as in "bpf_map_lookup_elem", or
// "unknown". Names come from the list of cilium/ebpf, which spells them differently:
// FnMapLookupElem.
func HelperName(id int32) string {
	if id < 0 || id > maxHelper {
		return "unknown"
	}
	name := []byte("bpf")
	for _, c := range []byte(asm.BuiltinFunc(id).String()[len("Fn"):]) {
		if c >= 'A' && c <= 'Z' {
			name = append(name, '_')
			c += 'a' - 'A'
		}
		name = append(name, c)
	}
	return string(name)
}
