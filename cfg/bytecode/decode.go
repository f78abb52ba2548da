package bytecode

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrTruncated is returned for code that does not end on a slot boundary.
var ErrTruncated = errors.New("code is not a whole number of 8-byte slots")

// Decode returns the instruction slots in data, whose length must be a multiple of 8 bytes
// (otherwise the error wraps ErrTruncated and names the length). It accepts every bit pattern;
// Encode gives the same bytes back.
//
// Byte orders differ in the two multi-byte fields and in the register byte:
//
//	little-endian  Code | Src:4 Dst:4 | Off, Imm low byte first
//	big-endian     Code | Dst:4 Src:4 | Off, Imm high byte first
//
// where the left nibble is the high one. Source: RFC 9669 section 3.1.
func Decode(data []byte, order binary.ByteOrder) ([]Insn, error) {
	if len(data)%SlotSize != 0 {
		return nil, fmt.Errorf("%d bytes: %w", len(data), ErrTruncated)
	}
	swapped := isBigEndian(order)
	insns := make([]Insn, len(data)/SlotSize)
	for i := range insns {
		slot := data[i*SlotSize:][:SlotSize]
		dst, src := slot[1]&0x0f, slot[1]>>4
		if swapped {
			dst, src = src, dst
		}
		insns[i] = Insn{
			Code: slot[0],
			Dst:  Reg(dst),
			Src:  Reg(src),
			Off:  int16(order.Uint16(slot[2:])),
			Imm:  int32(order.Uint32(slot[4:])),
		}
	}
	return insns, nil
}

// Encode returns the bytes of the instruction slots, 8 for each. It is the inverse of Decode.
// Only the low four bits of Dst and Src count.
func Encode(insns []Insn, order binary.ByteOrder) []byte {
	swapped := isBigEndian(order)
	data := make([]byte, len(insns)*SlotSize)
	for i, in := range insns {
		slot := data[i*SlotSize:][:SlotSize]
		dst, src := uint8(in.Dst)&0x0f, uint8(in.Src)&0x0f
		if swapped {
			dst, src = src, dst
		}
		slot[0] = in.Code
		slot[1] = src<<4 | dst
		order.PutUint16(slot[2:], uint16(in.Off))
		order.PutUint32(slot[4:], uint32(in.Imm))
	}
	return data
}

// isBigEndian reports whether order puts the high byte first. It tests the order with a number,
// so that binary.NativeEndian works too.
func isBigEndian(order binary.ByteOrder) bool {
	return order.Uint16([]byte{0, 1}) == 1
}
