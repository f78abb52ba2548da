package bytecode

import "github.com/cilium/ebpf/asm"

// LoadsArg reports whether an instruction loads an argument that was passed on
// the stack: the sixth is at r11+8, the next at r11+16.
//
// Source: include/linux/filter.h is_stack_arg_ldx, Linux 7.3.
func (in Insn) LoadsArg() bool {
	return in.Class() == asm.LdXClass && in.Mode() == asm.MemMode && in.AccessBytes() == 8 && in.Src == R11 &&
		in.Off > 0 && in.Off%8 == 0
}

// StoresArg reports whether an instruction stores an argument for a call: the
// sixth at r11-8, the next at r11-16.
//
// Source: include/linux/filter.h is_stack_arg_st and is_stack_arg_stx, Linux 7.3.
func (in Insn) StoresArg() bool {
	store := in.Class() == asm.StClass || in.Class() == asm.StXClass
	return store && in.Mode() == asm.MemMode && in.AccessBytes() == 8 && in.Dst == R11 && in.Off < 0 && in.Off%8 == 0
}
