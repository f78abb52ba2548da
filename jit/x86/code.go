package x86

import "encoding/binary"

// MaxCode is how many bytes a Code can hold. It is more than any sequence that
// package jit writes at once: writing more is a bug there and panics.
const MaxCode = 256

// Code collects machine code, at most MaxCode bytes. The zero value is empty.
// It is an array and not a slice so that walks that only measure a program
// need no memory.
type Code struct {
	n   int
	buf [MaxCode]byte
}

// Len returns the number of bytes written.
func (c *Code) Len() int { return c.n }

// Reset empties c.
func (c *Code) Reset() { c.n = 0 }

// Bytes returns the bytes written. They are valid until the next Reset.
func (c *Code) Bytes() []byte { return c.buf[:c.n] }

// Byte appends one byte.
func (c *Code) Byte(b byte) {
	c.buf[c.n] = b
	c.n++
}

// Put appends bytes.
func (c *Code) Put(b ...byte) { c.n += copy(c.buf[c.n:], b) }

// PutString appends the bytes of s.
func (c *Code) PutString(s string) { c.n += copy(c.buf[c.n:], s) }

// SetByte overwrites the byte at off, which must have been written. It fills
// in the displacement of a jump whose target was not known.
func (c *Code) SetByte(off int, b byte) { c.buf[:c.n][off] = b }

// Imm16 appends two bytes, little endian, as all immediates are.
func (c *Code) Imm16(v int32) {
	binary.LittleEndian.PutUint16(c.buf[c.n:], uint16(v))
	c.n += 2
}

// Imm32 appends four bytes.
func (c *Code) Imm32(v int32) {
	binary.LittleEndian.PutUint32(c.buf[c.n:], uint32(v))
	c.n += 4
}

// Imm64 appends eight bytes.
func (c *Code) Imm64(v uint64) {
	binary.LittleEndian.PutUint64(c.buf[c.n:], v)
	c.n += 8
}

// REX appends a REX prefix unless it says nothing.
func (c *Code) REX(w Width, reg, rm Reg) {
	if p := REX(w, reg, rm); p != NoREX {
		c.Byte(p)
	}
}

// RR appends an instruction with a one-byte opcode and two register operands;
// reg goes to ModRM.reg. For ADD and its like reg is the source, rm the
// destination.
func (c *Code) RR(w Width, op byte, reg, rm Reg) {
	c.REX(w, reg, rm)
	c.Byte(op)
	c.Byte(ModRM(reg, rm))
}

// RR0F is RR with the two-byte opcode 0F op.
func (c *Code) RR0F(w Width, op byte, reg, rm Reg) {
	c.REX(w, reg, rm)
	c.Byte(0x0f)
	c.Byte(op)
	c.Byte(ModRM(reg, rm))
}

// RDigit appends an instruction with a register operand and an opcode
// extension.
func (c *Code) RDigit(w Width, op byte, digit uint8, rm Reg) {
	c.REX(w, 0, rm)
	c.Byte(op)
	c.Byte(Digit(digit, rm))
}

// Mem appends the ModRM byte and displacement of the memory operand
// [base+off]. A displacement is written even if zero, in one byte if it fits.
// base must not be rsp or r12, whose encodings mean something else (Intel SDM
// volume 2, table 2-2).
func (c *Code) Mem(reg, base Reg, off int32) {
	m := byte(reg&7)<<3 | byte(base&7)
	if IsInt8(off) {
		c.Byte(0x40 | m)
		c.Byte(byte(off))
		return
	}
	c.Byte(0x80 | m)
	c.Imm32(off)
}

// MemIndex appends the ModRM and SIB bytes and the displacement of the memory
// operand [base+index*1+off]. index must not be rsp.
func (c *Code) MemIndex(reg, base, index Reg, off int32) {
	sib := byte(index&7)<<3 | byte(base&7)
	m := byte(reg&7)<<3 | 4
	if IsInt8(off) {
		c.Byte(0x40 | m)
		c.Byte(sib)
		c.Byte(byte(off))
		return
	}
	c.Byte(0x80 | m)
	c.Byte(sib)
	c.Imm32(off)
}

// Mov appends a move from src to dst. A move of 32 bits zeroes the upper half.
func (c *Code) Mov(w Width, dst, src Reg) { c.RR(w, 0x89, src, dst) }

// MovImm32 appends the shortest move of v to r: sign-extended to 64 bits if
// signed is set, else zero-extended. Zero becomes an XOR, which changes flags.
func (c *Code) MovImm32(r Reg, v int32, signed bool) {
	switch {
	case signed && v < 0:
		c.MovSigned(r, v)
	case v == 0:
		c.RR(W32, 0x31, r, r)
	default:
		c.MovLow(r, v)
	}
}

// MovLow appends a move of v, zero-extended to 64 bits, in 5 or 6 bytes whatever the
// value.
func (c *Code) MovLow(r Reg, v int32) {
	c.REX(W32, 0, r)
	c.Byte(0xb8 | byte(r&7))
	c.Imm32(v)
}

// MovSigned appends a move of v, sign-extended to 64 bits, in 7 bytes whatever
// the value.
func (c *Code) MovSigned(r Reg, v int32) {
	c.RDigit(W64, 0xc7, 0, r)
	c.Imm32(v)
}

// MovAbs appends a move of v to r in 10 bytes, whatever the value.
func (c *Code) MovAbs(r Reg, v uint64) {
	c.Byte(REX(W64, 0, r))
	c.Byte(0xb8 | byte(r&7))
	c.Imm64(v)
}

// MovImm64 appends the shortest move of v to r. With short unset the 7-byte
// form is not used, as by kernels before 6.10.
func (c *Code) MovImm64(r Reg, v uint64, short bool) {
	switch {
	case v>>32 == 0:
		c.MovImm32(r, int32(uint32(v)), false)
	case short && FitsInt32(v):
		c.MovSigned(r, int32(uint32(v)))
	default:
		c.MovAbs(r, v)
	}
}

// Push appends a push of r.
func (c *Code) Push(r Reg) {
	c.REX(W32, 0, r)
	c.Byte(0x50 | byte(r&7))
}

// Pop appends a pop to r.
func (c *Code) Pop(r Reg) {
	c.REX(W32, 0, r)
	c.Byte(0x58 | byte(r&7))
}

// Nop appends one NOP instruction of n bytes, 0 to MaxNop.
func (c *Code) Nop(n int) { c.PutString(nops[n]) }

// Endbr64 appends ENDBR64, the landing pad of indirect branches.
func (c *Code) Endbr64() { c.PutString("\xf3\x0f\x1e\xfa") }

// Patch overwrites the 5 bytes at off, which must have been written, with an
// opcode and a displacement.
func (c *Code) Patch(off int, op byte, rel int32) {
	b := c.buf[off:c.n]
	b[0] = op
	binary.LittleEndian.PutUint32(b[1:], uint32(rel))
}

// The shifts of BMI2, by VEX.pp.
const (
	SHLX uint8 = 1
	SARX uint8 = 2
	SHRX uint8 = 3
)

// ShiftBMI2 appends SHLX, SARX or SHRX d, d, s, which counts in any register.
// The prefix holds the extension bits of registers inverted; X, which an index
// register would have, is 1.
//
//	c4 | R X B mmmmm | W vvvv L pp | f7 | ModRM
//
// Source: Intel SDM volume 2, section 2.3.5.
func (c *Code) ShiftBMI2(w Width, op uint8, d, s Reg) {
	low := byte(1) // R and B inverted
	if d.Extended() {
		low = 0
	}
	c.Put(0xc4, low<<7|1<<6|low<<5|2, byte(w)<<7|byte(^s&15)<<3|op, 0xf7, ModRM(d, d))
}
