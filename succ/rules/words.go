package rules

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// refuses reports whether a kernel refuses a program for a fault that is proven. This package does
// not judge accesses through pointers other than tables, code addresses and stacks: the kernel
// knows more about them (types, packet ranges, references) than the facts do, and would disagree on
// real programs.
func refuses(f abstract.Fault) bool {
	switch f.Kind {
	case abstract.BadMemory:
		return f.Holds == abstract.Insn || f.Holds == abstract.Number && f.Fixed
	case abstract.NullMemory, abstract.NullMath:
		return false
	case abstract.FarPointer:
		return f.Holds != abstract.Other
	}
	return true
}

// errno returns the error that goes with a fault: EACCES for memory and pointer rules, EINVAL for
// rules about indirect jumps and offsets (kernel/bpf/verifier.c, Linux 7.3, as recorded).
func errno(f abstract.Fault) string {
	switch f.Kind {
	case abstract.IndexTooBig:
		return "ERANGE"
	case abstract.TooManyFrames:
		return "E2BIG"
	case abstract.NoCodeAddress, abstract.UnsetTarget, abstract.EntryOutside, abstract.NoFunction, abstract.TableArgument,
		abstract.FarOffset, abstract.FarPointer, abstract.UnboundedOffset, abstract.LargeOffset, abstract.LateArgument,
		abstract.FarArgument, abstract.StructArgument, abstract.CallLocked, abstract.Leaks, abstract.LeavesLocked,
		abstract.MixedPointers, abstract.LaterResult, abstract.ScalarArgument:
		return "EINVAL"
	case abstract.ContextArgument, abstract.MemoryArgument:
		if !f.Max {
			return "EINVAL"
		}
	case abstract.MissingArgument, abstract.Trapped:
		return "EFAULT"
	}
	return "EACCES"
}

// verdict returns the verdict on a fault, in the words of the kernel.
func (s Set) verdict(f abstract.Fault) *Verdict {
	return &Verdict{Message: s.Words(f), Lead: s.leadOf(f), PC: f.PC, Errno: errno(f), Rule: Values, Fault: f}
}

// leadOf returns the kernel's line before that of Words, empty if there is none with more details.
//
// Source: kernel/bpf/verifier.c __check_mem_access and check_reference_leak, Linux 6.1
// to 7.3.
func (s Set) leadOf(f abstract.Fault) string {
	switch f.Kind {
	case abstract.BelowTable, abstract.AboveTable:
		return fmt.Sprintf("invalid access to map value, value_size=%d off=%d size=%d", f.Value, f.Off, f.Size)
	case abstract.Leaks:
		if f.Size > 0 {
			return fmt.Sprintf("Unreleased reference id=%d alloc_insn=%d", f.Size, f.Off)
		}
	case abstract.ScalarArgument:
		return fmt.Sprintf("R%d is not a scalar", f.Reg)
	case abstract.ContextArgument, abstract.MemoryArgument:
		if f.Max {
			return "variable ? access var_off=" + bits(tnum.Unknown()) + " disallowed"
		}
		if f.Kind == abstract.ContextArgument {
			return s.argument(int64(f.Reg)) + " expects pointer to ctx"
		}
		return fmt.Sprintf("R%d type=%s expected=fp", f.Reg, typeName(f))
	}
	return ""
}

// Words returns the kernel's message on a fault.
//
// Source: kernel/bpf/verifier.c, Linux 7.3; how kernels with FixedOffsets differ:
// check_generic_ptr_alignment and check_mem_region_access, Linux 6.19.
func (s Set) Words(f abstract.Fault) string {
	reg := fmt.Sprintf("R%d ", f.Reg)
	switch f.Kind {
	case abstract.UnsetRegister:
		return reg + "!read_ok"
	case abstract.BadMemory, abstract.NullMemory:
		return reg + fmt.Sprintf("invalid mem access '%s'", typeName(f))
	case abstract.Misaligned:
		return s.misaligned(f)
	case abstract.BelowTable:
		return reg + "min" + outsideRange
	case abstract.AboveTable:
		return reg + "max" + outsideRange
	case abstract.NegativeIndex:
		if s.FixedOffsets && f.Fixed {
			return reg + "min" + outsideRange
		}
		return reg + "min value is negative, either use unsigned index or do a if (index >=0) check."
	case abstract.UnboundedIndex:
		return reg + "unbounded memory access, make sure to bounds check any such access"
	case abstract.PartialEntry:
		return fmt.Sprintf("Invalid read of %d bytes from insn_array", f.Size)
	case abstract.TableWrite:
		return fmt.Sprintf("write into map forbidden, value_size=%d off=%d size=%d", insnArrayValueSize, f.Off, f.Size)
	case abstract.StackRead:
		return fmt.Sprintf("invalid read from stack R%d off=%d size=%d", f.Reg, f.Off, f.Size)
	case abstract.StackWrite:
		return fmt.Sprintf("invalid write to stack R%d off=%d size=%d", f.Reg, f.Off, f.Size)
	case abstract.PartialFill:
		return "invalid size of register fill"
	case abstract.BadRegister:
		return reg + "is invalid"
	case abstract.UnsetTarget:
		return reg + "has type ?, expected PTR_TO_INSN"
	case abstract.NoCodeAddress:
		return reg + fmt.Sprintf("has type %s, expected PTR_TO_INSN", typeName(f))
	}
	for _, words := range []func(abstract.Fault) string{mathWords, s.holdWords} {
		if msg := words(f); msg != "" {
			return msg
		}
	}
	return s.callWords(f)
}

// outsideRange is the end of the message about an offset outside of its memory.
const outsideRange = " value is outside of the allowed memory range"

// mathWords is Words for arithmetic on pointers.
func mathWords(f abstract.Fault) string {
	reg := fmt.Sprintf("R%d ", f.Reg)
	switch f.Kind {
	case abstract.FromScalar:
		return reg + "tried to subtract pointer from scalar"
	case abstract.TwoPointers:
		return reg + fmt.Sprintf("pointer %s pointer prohibited", symbol(f.Op))
	case abstract.PointerMath:
		return reg + fmt.Sprintf("pointer arithmetic on %s prohibited", f.Holds)
	case abstract.NullMath:
		return reg + fmt.Sprintf("pointer arithmetic on %s prohibited, null-check it first", typeName(f))
	case abstract.NarrowMath:
		return reg + "32-bit pointer arithmetic prohibited"
	case abstract.BitwiseMath:
		return reg + fmt.Sprintf("bitwise operator %s on pointer prohibited", symbol(f.Op))
	case abstract.OtherMath:
		return reg + fmt.Sprintf("pointer arithmetic with %s operator prohibited", symbol(f.Op))
	case abstract.FarOffset:
		return fmt.Sprintf("math between %s pointer and %d is not allowed", typeName(f), f.Value)
	case abstract.UnboundedOffset:
		return fmt.Sprintf("math between %s pointer and register with unbounded min value is not allowed", typeName(f))
	case abstract.LargeOffset:
		return fmt.Sprintf("value %d makes %s pointer be out of bounds", f.Value, typeName(f))
	case abstract.FarPointer:
		return fmt.Sprintf("%s pointer offset %d is not allowed", typeName(f), f.Value)
	case abstract.IndexTooBig:
		end := "umin"
		if f.Max {
			end = "umax"
		}
		return fmt.Sprintf("the sum of R%d %s_value %d and off %d is too big", f.Reg, end, f.Value, f.Off)
	case abstract.EntryOutside:
		return reg + fmt.Sprintf("points to outside of jump table: [%d,%d] max_entries %d", f.Value, f.Off, f.Size)
	}
	return ""
}

// holdWords is Words for locks, references and sockets.
func (s Set) holdWords(f abstract.Fault) string {
	switch f.Kind {
	case abstract.CallLocked:
		return "function calls are not allowed while holding a lock"
	case abstract.Leaks:
		if f.Value == abstract.LeavePacket && !s.LeakWords {
			return "BPF_LD_[ABS|IND] cannot be mixed with socket references" // check_ld_abs, Linux 6.12
		}
		return leaving(f.Value) + " would lead to reference leak"
	case abstract.LeavesLocked:
		return leaving(f.Value) + " cannot be used inside bpf_spin_lock-ed region"
	case abstract.MixedPointers:
		return "same insn cannot be used with different pointers"
	case abstract.NoSocket:
		const sockets = "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_" // btf_id_sock_common_types
		return fmt.Sprintf("R%d type=%s expected=%s", f.Reg, typeName(f), sockets)
	case abstract.SocketWrite:
		return fmt.Sprintf("R%d cannot write into %s", f.Reg, socketName(abstract.Memory(f.Value)))
	}
	return ""
}

// leaving names a way to leave a program (kernel/bpf/verifier.c check_resource_leak and
// its callers, Linux 7.3).
func leaving(how int64) string {
	switch how {
	case abstract.LeaveTailCall:
		return "tail_call"
	case abstract.LeavePacket:
		return "BPF_LD_[ABS|IND]"
	case abstract.LeaveThrow:
		return "bpf_throw"
	}
	return "BPF_EXIT instruction in main prog"
}

// socketName names the type of a socket (kernel/bpf/log.c reg_type_str, Linux 7.3).
func socketName(m abstract.Memory) string {
	switch m {
	case abstract.MemTCPSock:
		return "tcp_sock"
	case abstract.MemXDPSock:
		return "xdp_sock"
	}
	return "sock"
}

// argument names argument number n of a call (kernel/bpf/verifier.c reg_arg_name,
// Linux 7.3).
func (s Set) argument(n int64) string {
	switch {
	case !s.StackArgs:
		return fmt.Sprintf("arg#%d", n-1)
	case n > 5:
		return fmt.Sprintf("*(R11-%d)", 8*(n-5))
	}
	return fmt.Sprintf("R%d", n)
}

// callWords is Words for calls.
func (s Set) callWords(f abstract.Fault) string {
	switch f.Kind {
	case abstract.TooManyFrames:
		return fmt.Sprintf("the call stack of %d frames is too deep", f.Value)
	case abstract.TableArgument:
		n := int32(f.Value)
		return fmt.Sprintf("cannot pass map_type %d into func %s#%d", bytecode.MapInsnArray, bytecode.HelperName(n), n)
	case abstract.NoCallback:
		return fmt.Sprintf("R%d type=%s expected=func", f.Reg, f.Holds)
	case abstract.LateArgument:
		return "r11 load must be before any r11 store or call insn"
	case abstract.NoArgument:
		return fmt.Sprintf("invalid read from stack arg off %d depth %d", f.Off, f.Size)
	case abstract.FarArgument:
		return fmt.Sprintf("stack arg write offset %d exceeds max %d stack args", f.Off, f.Size)
	case abstract.ScalarArgument, abstract.ContextArgument, abstract.MemoryArgument:
		msg := fmt.Sprintf("Caller passes invalid args into func#%d", f.Value)
		if s.Quirks.AllGlobals { // since Linux 6.8 the message has the name, too
			return msg
		}
		return msg + fmt.Sprintf(" ('%s')", f.Type)
	case abstract.MissingArgument:
		return fmt.Sprintf("callee expects %d args, stack arg%d is not initialized", f.Size, f.Value)
	case abstract.StructArgument:
		kind := "STRUCT"
		if f.Max {
			kind = "UNION"
		}
		return fmt.Sprintf("Unrecognized %s type %s", s.argument(f.Value), kind)
	case abstract.NoNumber:
		return fmt.Sprintf("R%d type=%s expected=scalar", f.Reg, typeName(f))
	case abstract.NegativeSize:
		return fmt.Sprintf("R%d min value is negative, either use unsigned or 'var &= const'", f.Reg)
	case abstract.UnboundedSize:
		return fmt.Sprintf("R%d unbounded memory access, use 'var &= const' or 'if (var < const)'", f.Reg)
	case abstract.BadContext:
		return fmt.Sprintf("invalid bpf_context access off=%d size=%d", f.Off, f.Size)
	case abstract.Trapped:
		return "unexpected __bpf_trap() due to uninitialized variable?"
	case abstract.LaterResult:
		return fmt.Sprintf("At async callback return the register R%d is not a known value (%s)", f.Reg, f.Type)
	case abstract.CallbackResult:
		return "R0 not a scalar value"
	case abstract.ModifiedFunc:
		switch {
		case !f.Fixed:
			return fmt.Sprintf("variable func access var_off=%s disallowed", bits(f.Bits))
		case f.Value < 0:
			return fmt.Sprintf("negative offset func ptr R%d off=%d disallowed", f.Reg, f.Value)
		}
		return fmt.Sprintf("dereference of modified func ptr R%d off=%d disallowed", f.Reg, f.Value)
	case abstract.NoFunction:
		return fmt.Sprintf("R%d has type %s, expected func", f.Reg, typeName(f))
	}
	panic(fmt.Sprintf("bug: no words for fault %d", f.Kind))
}

// misaligned is the message about an access that is not aligned. Where a part of the offset is
// variable, kernels with FixedOffsets print a constant part of zero, unless the program adds a
// constant, too.
func (s Set) misaligned(f abstract.Fault) string {
	what := "value"
	if f.Holds == abstract.Stack {
		what = "stack"
	}
	off := bits(f.Bits)
	switch {
	case s.FixedOffsets && f.Bits.IsConst():
		off = "0+" + off
	case s.FixedOffsets:
		off += "+0"
	}
	return fmt.Sprintf("misaligned %s access off %s+%d size %d", what, off, f.Off, f.Size)
}

// bits prints known bits as the kernel does (kernel/bpf/tnum.c tnum_strn).
func bits(t tnum.T) string {
	if t.IsConst() {
		return fmt.Sprint(int64(t.Value))
	}
	return fmt.Sprintf("(%#x; %#x)", t.Value, t.Mask)
}

// typeName returns the kernel's name of the type in a fault.
func typeName(f abstract.Fault) string {
	if f.Packet {
		return "pkt"
	}
	if f.Null {
		return f.Holds.String() + "_or_null"
	}
	return f.Holds.String()
}

// symbol returns an operator as the kernel's messages have it
// (kernel/bpf/disasm.c bpf_alu_string).
func symbol(op scalar.Op) string {
	return map[scalar.Op]string{
		scalar.Add: "+=", scalar.Sub: "-=", scalar.Mul: "*=", scalar.Div: "/=", scalar.SDiv: "s/=", scalar.Or: "|=",
		scalar.And: "&=", scalar.Lsh: "<<=", scalar.Rsh: ">>=", scalar.Mod: "%=", scalar.SMod: "s%=",
		scalar.Xor: "^=", scalar.Arsh: "s>>=",
	}[op]
}
