package native_test

import (
	"encoding/binary"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
)

// Opcode parts as RFC 9669 numbers them.
const (
	alu32, alu64, jmp, jmp32 = 0x04, 0x07, 0x05, 0x06

	add, sub, mul, div, or, and, lsh, rsh, neg, mod, xor, mov, arsh, end = 0x00, 0x10, 0x20, 0x30, 0x40, 0x50,
		0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0
	jeq, jgt, jge, jset, jne, jsgt, jsge, jlt, jle, jslt, jsle = 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0,
		0xb0, 0xc0, 0xd0

	sizeW, sizeH, sizeB, sizeDW = 0x00, 0x08, 0x10, 0x18
)

type code = []bytecode.Insn

// k is an arithmetic instruction with an immediate, x one with a register.
func k(class, op uint8, dst bytecode.Reg, imm int32) code {
	return code{{Code: op | class, Dst: dst, Imm: imm}}
}
func x(class, op uint8, dst, src bytecode.Reg) code {
	return code{{Code: op | 8 | class, Dst: dst, Src: src}}
}

// signed is a division, remainder or move with the offset that makes it signed.
func signed(in code, off int16) code { in[0].Off = off; return in }

// big loads 64 bits.
func big(dst bytecode.Reg, v uint64) code {
	return code{{Code: 0x18, Dst: dst, Imm: int32(uint32(v))}, {Imm: int32(uint32(v >> 32))}}
}

// jump leads over one slot.
func jump(class, op uint8, dst bytecode.Reg, imm int32) code {
	return code{{Code: op | class, Dst: dst, Imm: imm, Off: 1}}
}
func jumpX(class, op uint8, dst, src bytecode.Reg) code {
	return code{{Code: op | 8 | class, Dst: dst, Src: src, Off: 1}}
}

func ldx(size uint8, dst, src bytecode.Reg, off int16) code {
	return code{{Code: 0x61 | size, Dst: dst, Src: src, Off: off}}
}
func ldsx(size uint8, dst, src bytecode.Reg, off int16) code {
	return code{{Code: 0x81 | size, Dst: dst, Src: src, Off: off}}
}
func stx(size uint8, dst, src bytecode.Reg, off int16) code {
	return code{{Code: 0x63 | size, Dst: dst, Src: src, Off: off}}
}
func st(size uint8, dst bytecode.Reg, off int16, imm int32) code {
	return code{{Code: 0x62 | size, Dst: dst, Off: off, Imm: imm}}
}
func atomic(size uint8, dst, src bytecode.Reg, off int16, op int32) code {
	return code{{Code: 0xc3 | size, Dst: dst, Src: src, Off: off, Imm: op}}
}

// join puts instructions one after the other, with an exit after.
func join(parts ...code) code {
	var all code
	for _, p := range parts {
		all = append(all, p...)
	}
	return append(all, bytecode.Insn{Code: bytecode.CodeExit})
}

// branch returns a program that returns 1 if a jump is taken and 0 if not, with
// r1 and r2 as given. They go through the context, which no verifier follows:
// otherwise the jump would be decided before it is compiled.
func branch(r1, r2 uint64, j code) code {
	return join(big(3, r1), stx(sizeDW, 1, 3, 0), big(3, r2), stx(sizeDW, 1, 3, 8),
		ldx(sizeDW, 2, 1, 8), ldx(sizeDW, 1, 1, 0), k(alu64, mov, 0, 1), j, k(alu64, mov, 0, 0))
}

const (
	minus1 = 0xffff_ffff_ffff_ffff
	min64  = 0x8000_0000_0000_0000
	min32  = 0x8000_0000
)

// semantics lists programs with the R0 that RFC 9669 gives them, worked out by
// hand. R1 points to 16 bytes: 88 77 66 55 44 33 22 11, then zeros.
var semantics = []struct {
	name string
	code code
	want uint64
}{
	// Section 4.1: a 64-bit operation sign-extends its immediate.
	{"add64", join(k(alu64, mov, 0, 5), k(alu64, add, 0, -7)), minus1 - 1},
	{"add64 wraps", join(big(0, minus1), k(alu64, add, 0, 2)), 1},
	{"add32 clears the high half", join(big(0, 0x1_0000_0005), k(alu32, add, 0, -7)), 0xffff_fffe},
	{"add32 wraps", join(big(0, 0xffff_ffff), k(alu32, add, 0, 2)), 1},
	{"sub64 register", join(k(alu64, mov, 0, 3), k(alu64, mov, 2, 5), x(alu64, sub, 0, 2)), minus1 - 1},
	{"sub32 register", join(k(alu64, mov, 0, 3), k(alu64, mov, 2, 5), x(alu32, sub, 0, 2)), 0xffff_fffe},
	{"mul64 keeps the low half", join(big(0, 0x1_0000_0001), big(2, 0x1_0000_0003), x(alu64, mul, 0, 2)), 0x4_0000_0003},
	{"mul64 negative", join(k(alu64, mov, 0, 7), k(alu64, mul, 0, -3)), minus1 - 20},
	{"mul32", join(big(0, 0xffff_ffff_8000_0001), k(alu32, mul, 0, 4)), 4},
	{"or64 sign-extends", join(k(alu64, mov, 0, 0), k(alu64, or, 0, -1)), minus1},
	{"or32", join(big(0, 0xffff_ffff_0000_0000), k(alu32, or, 0, -1)), 0xffff_ffff},
	{"and64 sign-extends", join(big(0, 0x1234_5678_9abc_def0), k(alu64, and, 0, -16)), 0x1234_5678_9abc_def0},
	{"and32 clears the high half", join(big(0, 0x1234_5678_9abc_def5), k(alu32, and, 0, -16)), 0x9abc_def0},
	{"xor64", join(big(0, 0xff00_ff00_0000_0000), k(alu64, xor, 0, -1)), 0x00ff_00ff_ffff_ffff},
	{"xor32 register", join(big(0, 0x1_0f0f_0f0f), big(2, 0x2_ffff_0000), x(alu32, xor, 0, 2)), 0xf0f0_0f0f},
	{"neg64", join(k(alu64, mov, 0, 1), k(alu64, neg, 0, 0)), minus1},
	{"neg64 of the smallest", join(big(0, min64), k(alu64, neg, 0, 0)), min64},
	{"neg32", join(big(0, 0x5_0000_0001), k(alu32, neg, 0, 0)), 0xffff_ffff},

	{"lsh64", join(k(alu64, mov, 0, 1), k(alu64, lsh, 0, 63)), min64},
	{"lsh64 masks a register by 63", join(k(alu64, mov, 0, 1), k(alu64, mov, 2, 65), x(alu64, lsh, 0, 2)), 2},
	{"lsh32 masks a register by 31", join(k(alu64, mov, 0, 1), k(alu64, mov, 2, 33), x(alu32, lsh, 0, 2)), 2},
	{"lsh32 drops high bits", join(big(0, 0xffff_ffff), k(alu32, lsh, 0, 4)), 0xffff_fff0},
	{"rsh64", join(big(0, min64), k(alu64, rsh, 0, 63)), 1},
	{"rsh64 masks", join(k(alu64, mov, 0, 8), k(alu64, mov, 2, 66), x(alu64, rsh, 0, 2)), 2},
	{"rsh32 ignores the high half", join(big(0, 0xffff_ffff_8000_0000), k(alu32, rsh, 0, 31)), 1},
	{"rsh32 masks", join(big(0, 0x80), k(alu64, mov, 2, 35), x(alu32, rsh, 0, 2)), 0x10},
	{"arsh64", join(big(0, min64), k(alu64, arsh, 0, 63)), minus1},
	{"arsh64 masks", join(big(0, min64), k(alu64, mov, 2, 127), x(alu64, arsh, 0, 2)), minus1},
	{"arsh32 takes bit 31 as sign", join(big(0, min32), k(alu32, arsh, 0, 31)), 0xffff_ffff},
	{"arsh32 ignores the high half", join(big(0, 0xffff_ffff_4000_0000), k(alu32, arsh, 0, 30)), 1},
	{"shift by itself", join(k(alu64, mov, 4, 3), x(alu64, lsh, 4, 4), x(alu64, mov, 0, 4)), 24},

	// Division: by zero gives 0, remainder by zero the dividend.
	{"div64 is unsigned", join(big(0, minus1), k(alu64, div, 0, 2)), 0x7fff_ffff_ffff_ffff},
	{"div64 by a negative immediate", join(big(0, minus1), k(alu64, div, 0, -1)), 1},
	{"div64 by zero", join(k(alu64, mov, 0, 7), k(alu64, mov, 2, 0), x(alu64, div, 0, 2)), 0},
	{"div32", join(big(0, 0x1_ffff_fffe), k(alu32, div, 0, 2)), 0x7fff_ffff},
	{"div32 by a register with high bits only", join(k(alu64, mov, 0, 7), big(2, 1<<32), x(alu32, div, 0, 2)), 0},
	{"mod64", join(k(alu64, mov, 0, 17), k(alu64, mod, 0, 5)), 2},
	{"mod64 by zero", join(big(0, minus1), k(alu64, mov, 2, 0), x(alu64, mod, 0, 2)), minus1},
	{"mod32 by zero clears the high half", join(big(0, 0x7_0000_0009), k(alu64, mov, 2, 0), x(alu32, mod, 0, 2)), 9},
	{"mod32", join(big(0, 0x1_0000_0011), k(alu32, mod, 0, 5)), 2},
	{"sdiv64 truncates", join(k(alu64, mov, 0, -13), signed(k(alu64, div, 0, 4), 1)), minus1 - 2},
	{"sdiv64 by a negative number", join(k(alu64, mov, 0, 13), signed(k(alu64, div, 0, -4), 1)), minus1 - 2},
	{"sdiv64 of the smallest by -1", join(big(0, min64), big(2, minus1), signed(x(alu64, div, 0, 2), 1)), min64},
	{"sdiv64 by zero", join(k(alu64, mov, 0, -13), k(alu64, mov, 2, 0), signed(x(alu64, div, 0, 2), 1)), 0},
	{"sdiv32", join(big(0, 0x1_ffff_fff3), signed(k(alu32, div, 0, 4), 1)), 0xffff_fffd},
	{"sdiv32 of the smallest by -1", join(big(0, min32), big(2, minus1), signed(x(alu32, div, 0, 2), 1)), min32},
	{"smod64 has the dividend's sign", join(k(alu64, mov, 0, -13), signed(k(alu64, mod, 0, 4), 1)), minus1},
	{"smod64 by a negative number", join(k(alu64, mov, 0, 13), signed(k(alu64, mod, 0, -4), 1)), 1},
	{"smod64 of the smallest by -1", join(big(0, min64), big(2, minus1), signed(x(alu64, mod, 0, 2), 1)), 0},
	{"smod64 by zero", join(k(alu64, mov, 0, -13), k(alu64, mov, 2, 0), signed(x(alu64, mod, 0, 2), 1)), minus1 - 12},
	{"smod32", join(big(0, 0x1_ffff_fff3), signed(k(alu32, mod, 0, 4), 1)), 0xffff_ffff},
	{"smod32 of the smallest by -1", join(big(0, min32), big(2, minus1), signed(x(alu32, mod, 0, 2), 1)), 0},

	// Moves and byte order (section 4.2), on a little-endian machine.
	{"mov64 sign-extends", join(k(alu64, mov, 0, -2)), minus1 - 1},
	{"mov32 zero-extends", join(k(alu32, mov, 0, -2)), 0xffff_fffe},
	{"mov32 register", join(big(2, minus1), x(alu32, mov, 0, 2)), 0xffff_ffff},
	{"movsx8 to 64", join(big(2, 0x1280), signed(x(alu64, mov, 0, 2), 8)), 0xffff_ffff_ffff_ff80},
	{"movsx16 to 64", join(big(2, 0x18000), signed(x(alu64, mov, 0, 2), 16)), 0xffff_ffff_ffff_8000},
	{"movsx32 to 64", join(big(2, min32), signed(x(alu64, mov, 0, 2), 32)), 0xffff_ffff_8000_0000},
	{"movsx32 of a positive number", join(big(2, 0xf_7fff_ffff), signed(x(alu64, mov, 0, 2), 32)), 0x7fff_ffff},
	{"movsx8 to 32", join(big(2, 0x1280), signed(x(alu32, mov, 0, 2), 8)), 0xffff_ff80},
	{"movsx16 to 32", join(big(2, 0x8000), signed(x(alu32, mov, 0, 2), 16)), 0xffff_8000},
	{"le16 truncates", join(big(0, 0x1122_3344_5566_7788), k(alu32, end, 0, 16)), 0x7788},
	{"le32 truncates", join(big(0, 0x1122_3344_5566_7788), k(alu32, end, 0, 32)), 0x5566_7788},
	{"le64", join(big(0, 0x1122_3344_5566_7788), k(alu32, end, 0, 64)), 0x1122_3344_5566_7788},
	{"be16 swaps", join(big(0, 0x1122_3344_5566_7788), k(alu32, end|8, 0, 16)), 0x8877},
	{"be32 swaps", join(big(0, 0x1122_3344_5566_7788), k(alu32, end|8, 0, 32)), 0x8877_6655},
	{"be64 swaps", join(big(0, 0x1122_3344_5566_7788), k(alu32, end|8, 0, 64)), 0x8877_6655_4433_2211},
	{"bswap16", join(big(0, 0x1122_3344_5566_7788), k(alu64, end, 0, 16)), 0x8877},
	{"bswap32", join(big(0, 0x1122_3344_5566_7788), k(alu64, end, 0, 32)), 0x8877_6655},
	{"bswap64", join(big(0, 0x1122_3344_5566_7788), k(alu64, end, 0, 64)), 0x8877_6655_4433_2211},

	// Jumps (section 4.3).
	{"jeq sign-extends", branch(minus1, 0, jump(jmp, jeq, 1, -1)), 1},
	{"jeq compares 64 bits", branch(0xffff_ffff, 0, jump(jmp, jeq, 1, -1)), 0},
	{"jeq32 compares 32 bits", branch(0x5_0000_0001, 0, jump(jmp32, jeq, 1, 1)), 1},
	{"jne32", branch(0x5_0000_0001, 0, jump(jmp32, jne, 1, 1)), 0},
	{"jne", branch(0x5_0000_0001, 0, jump(jmp, jne, 1, 1)), 1},
	{"jgt is unsigned", branch(minus1, 1, jumpX(jmp, jgt, 1, 2)), 1},
	{"jgt of equal numbers", branch(3, 3, jumpX(jmp, jgt, 1, 2)), 0},
	{"jge of equal numbers", branch(3, 3, jumpX(jmp, jge, 1, 2)), 1},
	{"jlt is unsigned", branch(minus1, 1, jumpX(jmp, jlt, 1, 2)), 0},
	{"jle of equal numbers", branch(3, 3, jumpX(jmp, jle, 1, 2)), 1},
	{"jsgt is signed", branch(minus1, 1, jumpX(jmp, jsgt, 1, 2)), 0},
	{"jsge is signed", branch(minus1, 0, jump(jmp, jsge, 1, -1)), 1},
	{"jslt is signed", branch(minus1, 1, jumpX(jmp, jslt, 1, 2)), 1},
	{"jsle is signed", branch(min64, 0, jump(jmp, jsle, 1, 0)), 1},
	{"jsgt32 takes bit 31 as sign", branch(min32, 0, jump(jmp32, jsgt, 1, 0)), 0},
	{"jsgt of the same number", branch(min32, 0, jump(jmp, jsgt, 1, 0)), 1},
	{"jslt32", branch(0x1_ffff_ffff, 1, jumpX(jmp32, jslt, 1, 2)), 1},
	{"jgt32 ignores the high half", branch(0x1_0000_0000, 0, jump(jmp32, jgt, 1, 0)), 0},
	{"jset", branch(6, 0, jump(jmp, jset, 1, 4)), 1},
	{"jset without a common bit", branch(6, 0, jump(jmp, jset, 1, 8)), 0},
	{"jset sign-extends", branch(1<<40, 0, jump(jmp, jset, 1, -1<<31)), 1},
	{"jset32 ignores the high half", branch(1<<40, 0, jump(jmp32, jset, 1, -1)), 0},
	{"goto", join(k(alu64, mov, 0, 1), code{{Code: bytecode.CodeGoto, Off: 1}}, k(alu64, mov, 0, 2)), 1},
	{"gotol", join(k(alu64, mov, 0, 1), code{{Code: bytecode.CodeGotol, Imm: 1, Off: 77}}, k(alu64, mov, 0, 2)), 1},
	{"loop", join(k(alu64, mov, 0, 0), k(alu64, mov, 2, 5), x(alu64, add, 0, 2), k(alu64, sub, 2, 1),
		code{{Code: jne | jmp, Dst: 2, Off: -3}}), 15},

	// Loads and stores (section 5). R1 points to 88 77 66 55 44 33 22 11.
	{"load byte", join(ldx(sizeB, 0, 1, 0)), 0x88},
	{"load half", join(ldx(sizeH, 0, 1, 0)), 0x7788},
	{"load word", join(ldx(sizeW, 0, 1, 0)), 0x5566_7788},
	{"load double word", join(ldx(sizeDW, 0, 1, 0)), 0x1122_3344_5566_7788},
	{"load at a distance", join(ldx(sizeB, 0, 1, 7)), 0x11},
	{"load with a negative distance", join(k(alu64, add, 1, 8), ldx(sizeH, 0, 1, -8)), 0x7788},
	{"load signed byte", join(ldsx(sizeB, 0, 1, 0)), 0xffff_ffff_ffff_ff88},
	{"load signed half", join(ldsx(sizeH, 0, 1, 0)), 0x7788},
	{"load signed word", join(st(sizeW, 1, 8, -2), ldsx(sizeW, 0, 1, 8)), minus1 - 1},
	{"store byte", join(k(alu64, mov, 2, 0x1ff), stx(sizeB, 1, 2, 1), ldx(sizeW, 0, 1, 0)), 0x5566_ff88},
	{"store half", join(k(alu64, mov, 2, -2), stx(sizeH, 1, 2, 0), ldx(sizeW, 0, 1, 0)), 0x5566_fffe},
	{"store word", join(k(alu64, mov, 2, -2), stx(sizeW, 1, 2, 0), ldx(sizeDW, 0, 1, 0)), 0x1122_3344_ffff_fffe},
	{"store immediate sign-extends", join(st(sizeDW, 1, 8, -2), ldx(sizeDW, 0, 1, 8)), minus1 - 1},
	{"store immediate byte", join(st(sizeB, 1, 8, 0x1234), ldx(sizeDW, 0, 1, 8)), 0x34},
	{"stack", join(k(alu64, mov, 2, 9), stx(sizeDW, 10, 2, -512), ldx(sizeDW, 0, 10, -512)), 9},
	{"64-bit immediate", join(big(0, 0x8765_4321_fedc_ba98)), 0x8765_4321_fedc_ba98},

	// Atomic operations (section 5.3). The cell at r1 + 8 is 0 at first.
	{"atomic add", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 4), atomic(sizeDW, 1, 2, 8, 0x00),
		ldx(sizeDW, 0, 1, 8)), 9},
	{"atomic add leaves the source", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 4), atomic(sizeDW, 1, 2, 8, 0x00),
		x(alu64, mov, 0, 2)), 5},
	{"atomic add of a word", join(k(alu64, mov, 2, -1), atomic(sizeW, 1, 2, 8, 0x00),
		ldx(sizeDW, 0, 1, 8)), 0xffff_ffff},
	{"fetch add", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 4), atomic(sizeDW, 1, 2, 8, 0x01), x(alu64, mov, 0, 2)), 4},
	{"fetch add of a word zero-extends", join(k(alu64, mov, 2, -1), st(sizeW, 1, 8, -3), atomic(sizeW, 1, 2, 8, 0x01),
		x(alu64, mov, 0, 2)), 0xffff_fffd},
	{"atomic or", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 9), atomic(sizeDW, 1, 2, 8, 0x40),
		ldx(sizeDW, 0, 1, 8)), 13},
	{"fetch or", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 9), atomic(sizeDW, 1, 2, 8, 0x41), x(alu64, lsh, 2, 2),
		ldx(sizeDW, 0, 1, 8)), 13},
	{"fetch and returns the old value", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 12), atomic(sizeDW, 1, 2, 8, 0x51),
		x(alu64, mov, 0, 2)), 12},
	{"fetch and stores the new value", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 12), atomic(sizeDW, 1, 2, 8, 0x51),
		ldx(sizeDW, 0, 1, 8)), 4},
	{"fetch xor of a word", join(k(alu64, mov, 2, 5), st(sizeDW, 1, 8, 12), atomic(sizeW, 1, 2, 8, 0xa1),
		ldx(sizeDW, 0, 1, 8)), 9},
	{"atomic and", join(k(alu64, mov, 2, 6), st(sizeDW, 1, 8, 12), atomic(sizeDW, 1, 2, 8, 0x50),
		ldx(sizeDW, 0, 1, 8)), 4},
	{"atomic xor", join(k(alu64, mov, 2, 6), st(sizeDW, 1, 8, 12), atomic(sizeDW, 1, 2, 8, 0xa0),
		ldx(sizeDW, 0, 1, 8)), 10},
	{"xchg", join(k(alu64, mov, 2, 6), st(sizeDW, 1, 8, 12), atomic(sizeDW, 1, 2, 8, 0xe1), x(alu64, mov, 0, 2)), 12},
	{"xchg of a word stores a word", join(k(alu64, mov, 2, -1), atomic(sizeW, 1, 2, 8, 0xe1),
		ldx(sizeDW, 0, 1, 8)), 0xffff_ffff},
	{"cmpxchg that succeeds", join(k(alu64, mov, 0, 12), k(alu64, mov, 2, 6), st(sizeDW, 1, 8, 12),
		atomic(sizeDW, 1, 2, 8, 0xf1), ldx(sizeDW, 3, 1, 8), k(alu64, lsh, 3, 8), x(alu64, or, 0, 3)), 0x060c},
	{"cmpxchg that fails", join(k(alu64, mov, 0, 11), k(alu64, mov, 2, 6), st(sizeDW, 1, 8, 12),
		atomic(sizeDW, 1, 2, 8, 0xf1), ldx(sizeDW, 3, 1, 8), k(alu64, lsh, 3, 8), x(alu64, or, 0, 3)), 0x0c0c},
	{"cmpxchg of a word compares and zero-extends a word", join(big(0, 0x7_0000_000c), k(alu64, mov, 2, 6),
		st(sizeDW, 1, 8, 12), atomic(sizeW, 1, 2, 8, 0xf1)), 12},
	{"load-acquire", join(code{{Code: 0xdb, Dst: 0, Src: 1, Imm: 0x100}}), 0x1122_3344_5566_7788},
	{"load-acquire of a half", join(code{{Code: 0xcb, Dst: 0, Src: 1, Off: 2, Imm: 0x100}}), 0x5566},
	{"store-release", join(k(alu64, mov, 2, -1), code{{Code: 0xc3, Dst: 1, Src: 2, Off: 8, Imm: 0x110}},
		ldx(sizeDW, 0, 1, 8)), 0xffff_ffff},

	// Calls of local functions (section 4.3.2): R6 to R9 and R10 are kept.
	{"call", append(join(k(alu64, mov, 6, 40), k(alu64, mov, 1, 2), code{{Code: bytecode.CodeCall, Src: 1, Imm: 2}},
		x(alu64, add, 0, 6)), join(k(alu64, mov, 6, 100), x(alu64, mov, 0, 1))...), 42},
	{"call with a frame of its own", append(join(st(sizeDW, 10, -8, 7), code{{Code: bytecode.CodeCall, Src: 1, Imm: 2}},
		ldx(sizeDW, 0, 10, -8)), join(st(sizeDW, 10, -8, 9), k(alu64, mov, 0, 0))...), 7},
	{"call with a pointer to the caller's frame", append(join(x(alu64, mov, 1, 10), k(alu64, add, 1, -8),
		code{{Code: bytecode.CodeCall, Src: 1, Imm: 2}}, ldx(sizeDW, 0, 10, -8)),
		join(st(sizeDW, 1, 0, 9), k(alu64, mov, 0, 0))...), 9},
}

// program makes a program of the instructions, with the subprograms that its
// calls name.
func program(name string, insns code) *bytecode.Program {
	p := &bytecode.Program{Name: name, Type: "syscall", Insns: insns}
	p.Subprogs = []bytecode.Subprogram{{Name: name, End: p.Len()}}
	for pc := range p.Insns {
		if f := p.Flow(bytecode.PC(pc)); f.Kind == bytecode.FlowCall {
			p.Subprogs[0].End = f.Callee
			p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Name: "callee", Start: f.Callee, End: p.Len()})
		}
	}
	return p
}

func memory() []byte {
	return append(binary.LittleEndian.AppendUint64(nil, 0x1122_3344_5566_7788), make([]byte, 8)...)
}

// TestSemantics runs each program in the interpreter.
func TestSemantics(t *testing.T) {
	for _, c := range semantics {
		vm, err := interp.New(program(c.name, c.code), interp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := vm.Run(interp.Input{Ctx: memory()}); err != nil || got != c.want {
			t.Errorf("%s: %#x, %v, want %#x", c.name, got, err, c.want)
		}
	}
	t.Logf("%d programs", len(semantics))
}

// TestSemanticsNative runs each program as machine code.
func TestSemanticsNative(t *testing.T) {
	if !inChild(t) {
		return
	}
	for _, name := range profiles {
		prof := profile(t, name)
		if skipBMI2(t, prof) {
			continue
		}
		for _, c := range semantics {
			begin(t, "%s, %s", name, c.name)
			code, why := place(t, program(c.name, c.code), prof)
			if why != "" {
				t.Errorf("%s: %s: %s", name, c.name, why)
				continue
			}
			if got, err := code.Run(memory()); err != nil || got != c.want {
				t.Errorf("%s: %s: %#x, %v, want %#x; code %x", name, c.name, got, err, c.want, code.Image().Code)
			}
			code.Close()
		}
	}
	t.Logf("%d programs", len(semantics))
}
