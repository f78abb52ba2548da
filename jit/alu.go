package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// alu emits an instruction of class ALU or ALU64 (RFC 9669 section 4.1).
func (c *function) alu(in bytecode.Insn, w x86.Width, d, s x86.Reg) {
	reg := in.Source() == asm.RegSource
	switch in.ALUOp() {
	case asm.Add, asm.Sub, asm.Or, asm.And, asm.Xor:
		digit := aluDigit(in.ALUOp())
		if reg {
			c.x.RR(w, digit<<3|1, s, d)
		} else {
			c.aluImm(w, digit, d, in.Imm)
		}
	case asm.Mov:
		if reg {
			c.movReg(in, w, d, s)
		} else {
			c.movImm(in, w, d)
		}
	case asm.Neg:
		c.x.RDigit(w, 0xf7, 3, d)
	case asm.Mul:
		c.mul(in, w, d, s)
	case asm.Div, asm.Mod:
		c.divMod(in, w, d, s)
	case asm.LSh, asm.RSh, asm.ArSh:
		c.shift(in, w, d, s)
	case asm.Swap:
		c.swap(in, d)
	}
}

// aluDigit returns the number that x86 gives the operation: opcode extension
// of the forms with an immediate, and bits 5:3 of all other opcodes (Intel SDM
// volume 2, ADD, OR, AND, SUB, XOR).
func aluDigit(op asm.ALUOp) uint8 {
	switch op {
	case asm.Add:
		return 0
	case asm.Or:
		return 1
	case asm.And:
		return 4
	case asm.Sub:
		return 5
	default: // asm.Xor
		return 6
	}
}

// aluImm emits an operation with an immediate in its shortest form. Adding 1
// is no exception.
func (c *function) aluImm(w x86.Width, digit uint8, d x86.Reg, imm int32) {
	c.x.REX(w, 0, d)
	switch {
	case x86.IsInt8(imm):
		c.x.Byte(0x83)
		c.x.Byte(x86.Digit(digit, d))
		c.x.Byte(byte(imm))
		return
	case d == x86.RAX:
		c.x.Byte(digit<<3 | 5)
	default:
		c.x.Byte(0x81)
		c.x.Byte(x86.Digit(digit, d))
	}
	c.x.Imm32(imm)
}

// mul emits a multiplication. The low half of the product is the same for
// signed and unsigned operands.
func (c *function) mul(in bytecode.Insn, w x86.Width, d, s x86.Reg) {
	if in.Source() == asm.RegSource {
		c.x.RR0F(w, 0xaf, d, s)
		return
	}
	if x86.IsInt8(in.Imm) {
		c.x.RR(w, 0x6b, d, d)
		c.x.Byte(byte(in.Imm))
		return
	}
	c.x.RR(w, 0x69, d, d)
	c.x.Imm32(in.Imm)
}
