package jit

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// Values of Off in a register move that are no sign extension.
const (
	offPercpu   = -1 // add this CPU's base (BPF_ADDR_PERCPU)
	offCast     = 1  // arena address cast (BPF_ADDR_SPACE_CAST)
	immCastUser = 1 << 16
)

// isCastUser reports whether in turns an arena pointer into a user address.
func isCastUser(in bytecode.Insn) bool {
	return in.Code == codeMov64X && in.Off == offCast && in.Imm == immCastUser
}

// Opcodes of moves between registers and from an immediate.
const (
	codeMov32X = 0xbc
	codeMov64X = 0xbf
	codeMov32K = 0xb4
	codeMov64K = 0xb7
)

// movReg emits a register move. In the sign-extending forms (RFC 9669
// section 4.1, MOVSX) source and destination change places in ModRM.
func (c *function) movReg(in bytecode.Insn, w x86.Width, d, s x86.Reg) {
	x := &c.x
	switch {
	case isCastUser(in):
		c.castUser(d, s)
	case w == x86.W64 && in.Off == offPercpu:
		c.mov(w, d, s)
		c.addThisCPU(d)
	case in.Off == 0:
		c.mov(w, d, s)
	case in.Off == 8 && w == x86.W32:
		// The byte registers of rsi and rdi exist only with a REX prefix; the
		// kernel writes one for all.
		x.Byte(x86.REX(w, d, s))
		x.Put(0x0f, 0xbe, x86.ModRM(d, s))
	case in.Off == 8:
		x.RR0F(w, 0xbe, d, s)
	case in.Off == 16:
		x.RR0F(w, 0xbf, d, s)
	default: // 32
		x.RR(w, 0x63, d, s)
	}
}

// mov emits a plain move. A 64-bit move of a register to itself is nothing, a
// 32-bit one clears the upper half.
func (c *function) mov(w x86.Width, d, s x86.Reg) {
	if w == x86.W32 || d != s {
		c.x.Mov(w, d, s)
	}
}

// movImm emits a move of an immediate, which ALU64 sign-extends. An operand
// that stands for a kernel address has its 7-byte form; of 32 bits, it is moved as such.
func (c *function) movImm(in bytecode.Insn, w x86.Width, d x86.Reg) {
	if op := c.operand(); op != nil {
		if v := int32(uint32(op.value)); w == x86.W32 {
			c.x.MovLow(d, v)
		} else {
			c.x.MovSigned(d, v)
		}
		c.relocOperand(4, RelAbs32S, op.known, op)
		return
	}
	c.x.MovImm32(d, in.Imm, w == x86.W64)
}

// loadImm64 emits a 64-bit immediate load. Only the value decides its length.
func (c *function) loadImm64(in bytecode.Insn, d x86.Reg) {
	if op := c.operand(); op != nil {
		c.movOperand(d, op)
		return
	}
	v := uint64(uint32(in.Imm)) | uint64(uint32(c.insns[c.slot+1].Imm))<<32
	c.x.MovImm64(d, v, c.prof.MovImm64Short)
}

// addThisCPU turns the per-CPU address in r into this CPU's:
//
//	add r, gs:[this_cpu_off]
func (c *function) addThisCPU(r x86.Reg) {
	if !c.prof.SMP {
		return
	}
	addr, known := c.prof.ThisCPUOff, c.prof.ThisCPUOff != 0
	if !known {
		addr, known = c.symbol("this_cpu_off")
	}
	c.x.Put(0x65, x86.REX(x86.W64, r, 0), 0x03, 0x04|byte(r&7)<<3, 0x25)
	c.x.Imm32(int32(uint32(addr)))
	c.reloc(4, RelAbs32S, known, "this_cpu_off", 0)
}

// castUser emits the cast of an arena pointer to a user address: the upper
// half of the arena's user address joins the pointer's lower half, but null
// stays null.
func (c *function) castUser(d, s x86.Reg) {
	x := &c.x
	if d != s {
		x.Mov(x86.W32, d, s)
	}
	x.RDigit(x86.W64, 0xc1, 4, d) // shl d, 32
	x.Byte(32)
	x.REX(x86.W64, 0, d) // or d, imm32: the long form even for small values
	if d == x86.RAX {
		x.Byte(0x0d)
	} else {
		x.Put(0x81, x86.Digit(1, d))
	}
	x.Imm32(int32(c.prog.UserStart >> 32))
	c.reloc(4, RelAbs32S, c.prog.UserStart != 0, "upper half of the arena's user address", 0)
	x.RDigit(x86.W64, 0xc1, 0, d) // rol d, 32
	x.Byte(32)
	x.RR(x86.W64, 0x31, regScratch, regScratch)
	x.RR(x86.W32, 0x85, d, d)
	x.RR0F(x86.W64, 0x44, d, regScratch) // cmove d, r11
}
