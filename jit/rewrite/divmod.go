package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// guardDivision returns what replaces a division or remainder that could trap:
// one by a register, and a signed one by the constant -1. By RFC 9669 section
// 4.1, x / 0 is 0, x % 0 is x, and the most negative number by -1 is itself
// (kernel/bpf/fixups.c bpf_do_misc_fixups). It returns nil for others. Before
// Linux 6.12 the divisor -1 is not looked at.
func guardDivision(s slot, ax bytecode.Reg, minusOne bool) []slot {
	in := s.in
	class := in.Class()
	if class != asm.ALUClass && class != asm.ALU64Class {
		return nil
	}
	wide := class == asm.ALU64Class
	isDiv := in.ALUOp() == asm.Div
	if !isDiv && in.ALUOp() != asm.Mod {
		return nil
	}
	signed := in.Off == 1 && minusOne
	switch {
	case in.Source() == asm.ImmSource && signed && in.Imm == -1:
		if isDiv {
			return []slot{raw(uint8(class)|opNeg, in.Dst, 0, 0, 0)}
		}
		return []slot{raw(w32|opMov, in.Dst, 0, 0, 0)}
	case in.Source() == asm.ImmSource:
		return nil
	case isDiv && signed:
		return signedDiv(s, ax)
	case signed:
		return signedMod(s, ax, wide)
	case isDiv:
		return []slot{
			raw(jumpClass(wide)|jne, in.Src, 0, 2, 0),
			raw(w32|opXor|byReg, in.Dst, in.Dst, 0, 0),
			raw(bytecode.CodeGoto, 0, 0, 1, 0),
			s,
		}
	case wide:
		return []slot{raw(j64|jeq, in.Src, 0, 1, 0), s}
	}
	return []slot{
		raw(j32|jeq, in.Src, 0, 2, 0),
		s,
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		raw(w32|opMov|byReg, in.Dst, in.Dst, 0, 0),
	}
}

// jumpClass returns the class of jumps that compare registers of the width.
func jumpClass(wide bool) uint8 {
	if wide {
		return j64
	}
	return j32
}

// signedDiv takes divisors 0 and -1 out: AX is the divisor plus one, so that
// one unsigned comparison finds both.
func signedDiv(s slot, ax bytecode.Reg) []slot {
	in := s.in
	class := uint8(in.Class())
	jump := jumpClass(in.Class() == asm.ALU64Class)
	return []slot{
		raw(w64|opMov|byReg, ax, in.Src, 0, 0),
		raw(class|opAdd, ax, 0, 0, 1),
		raw(jump|jgt, ax, 0, 4, 1),
		raw(jump|jeq, ax, 0, 1, 0),
		raw(class|opMov, in.Dst, 0, 0, 0),
		raw(class|opNeg, in.Dst, 0, 0, 0),
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		s,
	}
}

// signedMod is signedDiv for remainders. The low half of a 32-bit result is
// cleared above when the dividend is kept.
func signedMod(s slot, ax bytecode.Reg, wide bool) []slot {
	in := s.in
	class, jump := uint8(in.Class()), jumpClass(wide)
	keep := int16(4)
	if wide {
		keep = 3
	}
	out := []slot{
		raw(w64|opMov|byReg, ax, in.Src, 0, 0),
		raw(class|opAdd, ax, 0, 0, 1),
		raw(jump|jgt, ax, 0, 3, 1),
		raw(jump|jeq, ax, 0, keep, 1),
		raw(w32|opMov, in.Dst, 0, 0, 0),
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		s,
	}
	if wide {
		return out
	}
	return append(out,
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		raw(w32|opMov|byReg, in.Dst, in.Dst, 0, 0))
}
