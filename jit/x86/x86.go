// Package x86 encodes the x86-64 instructions that Linux's BPF JIT uses.
//
//	var c x86.Code
//	c.RR(x86.W64, 0x01, x86.RDI, x86.R13) // add r13, rdi
//	fmt.Printf("%x", c.Bytes())           // 4901fd
//
// The functions compute single bytes (prefixes, ModRM); Code strings them
// together for one BPF instruction. The package knows instruction formats, not
// which instruction to choose: that is package jit's. It encodes what the JIT
// can produce and nothing else: no ModRM with mod 0, no scale but 1, no base
// register rsp or r12.
//
// Source: Intel SDM volume 2, chapter 2 ("Instruction Format").
package x86

// Reg is a general-purpose register by its number in encodings.
type Reg uint8

// The general-purpose registers.
const (
	RAX Reg = iota
	RCX
	RDX
	RBX
	RSP
	RBP
	RSI
	RDI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
)

var names = [16]string{
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
}

// String returns the 64-bit name: rax to r15.
func (r Reg) String() string { return names[r&15] }

// Extended reports whether the register needs a bit in a REX prefix.
func (r Reg) Extended() bool { return r >= R8 }

// Width is an operand size, as the value of REX.W.
type Width uint8

// The operand sizes. Operations of 8 and 16 bits have opcodes and prefixes of
// their own and use W32.
const (
	W32 Width = 0
	W64 Width = 1
)

// NoREX is the value of a REX prefix that says nothing.
const NoREX = 0x40

// REX returns the REX prefix of an instruction with these operands: reg goes
// to ModRM.reg, rm to ModRM.rm or the opcode. The result may be NoREX, which
// most instructions leave out.
//
//	0100 W R X B    R: reg, X: index, B: rm or base
//
// Source: Intel SDM volume 2, section 2.2.1.
func REX(w Width, reg, rm Reg) byte {
	return NoREX | byte(w)<<3 | byte(reg>>3)<<2 | byte(rm>>3)
}

// REXIndex is REX for a memory operand with an index register.
func REXIndex(w Width, reg, base, index Reg) byte {
	return REX(w, reg, base) | byte(index>>3)<<1
}

// ModRM returns the ModRM byte for two registers.
//
//	11 reg rm
func ModRM(reg, rm Reg) byte { return 0xc0 | byte(reg&7)<<3 | byte(rm&7) }

// Digit returns the ModRM byte for one register and an opcode extension, which
// the SDM writes as /digit.
func Digit(digit uint8, rm Reg) byte { return 0xc0 | digit<<3 | byte(rm&7) }

// IsInt8 reports whether v fits a sign-extended byte.
func IsInt8(v int32) bool { return v == int32(int8(v)) }

// FitsInt32 reports whether v is the sign extension of its low half.
func FitsInt32(v uint64) bool { return v == uint64(int64(int32(v))) }

// nops holds the NOP of each length that the kernel uses for padding
// (arch/x86/include/asm/nops.h, P6 NOPs of 64-bit kernels).
var nops = [...]string{
	1:  "\x90",
	2:  "\x66\x90",
	3:  "\x0f\x1f\x00",
	4:  "\x0f\x1f\x40\x00",
	5:  "\x0f\x1f\x44\x00\x00",
	6:  "\x66\x0f\x1f\x44\x00\x00",
	7:  "\x0f\x1f\x80\x00\x00\x00\x00",
	8:  "\x0f\x1f\x84\x00\x00\x00\x00\x00",
	9:  "\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",
	10: "\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",
	11: "\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",
}

// MaxNop is the length of the longest single NOP.
const MaxNop = len(nops) - 1
