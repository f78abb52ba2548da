package scalar

import "math/bits"

// Op is an ALU operation. The operations that the instruction set distinguishes by the offset or
// immediate field are Ops of their own.
type Op uint8

// The ALU operations of RFC 9669, sections 4.1 and 4.2. The byte order ones
// are those of a little-endian machine, and 64 bits wide in either class.
const (
	OpInvalid Op = iota
	Add
	Sub
	Mul
	Div  // unsigned; by 0 gives 0
	SDiv // signed; by 0 gives 0, smallest/-1 the smallest
	Mod  // unsigned; by 0 leaves dst
	SMod // signed, the sign is that of dst; by 0 leaves dst, smallest%-1 is 0
	Or
	And
	Lsh  // the shift is taken modulo the width
	Rsh  // fills with zeros
	Arsh // fills with the sign
	Neg  // of dst; src has no part
	Xor
	Mov
	MovSX8 // of src's low bits, sign-extended to the operation's width
	MovSX16
	MovSX32  // 64-bit only
	ToLE16   // truncates dst; src has no part, as with all that follow
	ToLE32   // truncates
	ToLE64   // does nothing
	ToBE16   // truncates and swaps
	ToBE32   // truncates and swaps
	ToBE64   // swaps
	Bswap16  // truncates and swaps, on any machine
	Bswap32  // truncates and swaps
	Bswap64  // swaps
	opsCount // number of Ops and OpInvalid
)

var opNames = [opsCount]string{
	"invalid", "add", "sub", "mul", "div", "sdiv", "mod", "smod", "or", "and", "lsh", "rsh", "arsh", "neg", "xor",
	"mov", "movsx8", "movsx16", "movsx32", "le16", "le32", "le64", "be16", "be32", "be64",
	"bswap16", "bswap32", "bswap64",
}

// String returns the operation's name, lower case.
func (op Op) String() string {
	if op < opsCount {
		return opNames[op]
	}
	return opNames[OpInvalid]
}

// Unary reports whether the result does not depend on src.
func (op Op) Unary() bool { return op == Neg || op >= ToLE16 }

// Reorders reports whether the operation changes the order of bytes, or is one that does so on
// other machines.
func (op Op) Reorders() bool {
	n, _ := op.endBytes()
	return n != 0
}

// endBytes returns the width of a byte order operation and whether it swaps;
// 0 for the others.
func (op Op) endBytes() (bytes int, swap bool) {
	switch op {
	case ToLE16, ToBE16, Bswap16:
		bytes = 2
	case ToLE32, ToBE32, Bswap32:
		bytes = 4
	case ToLE64, ToBE64, Bswap64:
		bytes = 8
	}
	return bytes, op >= ToBE16
}

// sxBytes returns how many bytes of src a sign-extending move takes, or 0.
func (op Op) sxBytes() int {
	switch op {
	case MovSX8:
		return 1
	case MovSX16:
		return 2
	case MovSX32:
		return 4
	}
	return 0
}

// OpOf returns the operation of an instruction of class ALU or ALU64 by its opcode byte, offset and
// immediate; is32 reports class ALU. ok is false for any other class and for encodings that RFC
// 9669 does not have.
func OpOf(code uint8, off int16, imm int32) (op Op, is32, ok bool) {
	class := code & 7
	if class != 4 && class != 7 {
		return OpInvalid, false, false
	}
	is32 = class == 4
	switch code & 0xf0 {
	case 0x30:
		op = pick(off, Div, SDiv)
	case 0x90:
		op = pick(off, Mod, SMod)
	case 0xb0:
		op = movOf(code, off, is32)
	case 0xd0:
		op = endOf(code, off, imm, is32)
	case 0xe0, 0xf0:
		return OpInvalid, is32, false
	default:
		op = pick(off, [...]Op{Add, Sub, Mul, Div, Or, And, Lsh, Rsh, Neg, Mod, Xor, Mov, Arsh}[code>>4], OpInvalid)
	}
	return op, is32, op != OpInvalid
}

// pick chooses between the operations with offset 0 and 1.
func pick(off int16, zero, one Op) Op {
	switch off {
	case 0:
		return zero
	case 1:
		return one
	}
	return OpInvalid
}

func movOf(code uint8, off int16, is32 bool) Op {
	fromReg := code&8 != 0
	switch {
	case off == 0:
		return Mov
	case off == 8 && fromReg:
		return MovSX8
	case off == 16 && fromReg:
		return MovSX16
	case off == 32 && fromReg && !is32:
		return MovSX32
	}
	return OpInvalid
}

func endOf(code uint8, off int16, imm int32, is32 bool) Op {
	first := Bswap16
	switch {
	case off != 0 || !is32 && code&8 != 0:
		return OpInvalid
	case is32 && code&8 != 0:
		first = ToBE16
	case is32:
		first = ToLE16
	}
	switch imm {
	case 16:
		return first
	case 32:
		return first + 1
	case 64:
		return first + 2
	}
	return OpInvalid
}

// Eval returns the result of op on the words x (dst) and y (src): RFC 9669, sections 4.1 and 4.2.
// With is32 the operation is done on the low halves and its result zero-extended, except byte order
// operations, which have no 32-bit form. It is the reference that all sets are tested against.
func Eval(op Op, is32 bool, x, y uint64) uint64 {
	if bytes, swap := op.endBytes(); bytes != 0 {
		if swap {
			return bits.ReverseBytes64(x << (64 - 8*bytes))
		}
		return x & (^uint64(0) >> (64 - 8*bytes))
	}
	if !is32 {
		return eval64(op, x, y)
	}
	switch op {
	case Rsh, Div, Mod: // the high half must not come down
		x, y = uint64(uint32(x)), uint64(uint32(y))
	case Arsh, SDiv, SMod: // nor be lost to the sign
		x, y = uint64(int32(x)), uint64(int32(y))
	}
	switch op {
	case Lsh, Rsh, Arsh:
		y &= 31
	}
	return uint64(uint32(eval64(op, x, y)))
}

// eval64 does the operation on 64 bits. The low half of the result is right
// for 32 bits too, if the operands are extended as the operation needs.
func eval64(op Op, x, y uint64) uint64 {
	switch op {
	case Add:
		return x + y
	case Sub:
		return x - y
	case Mul:
		return x * y
	case Or:
		return x | y
	case And:
		return x & y
	case Xor:
		return x ^ y
	case Lsh:
		return x << (y & 63)
	case Rsh:
		return x >> (y & 63)
	case Arsh:
		return uint64(int64(x) >> (y & 63))
	case Neg:
		return -x
	case Mov:
		return y
	case MovSX8:
		return uint64(int8(y))
	case MovSX16:
		return uint64(int16(y))
	case MovSX32:
		return uint64(int32(y))
	case Div, SDiv, Mod, SMod:
		return divide(op, x, y)
	}
	return x
}

// divide gives Go's quotients, which are those of RFC 9669: truncated, and
// smallest / -1 wraps to the smallest.
func divide(op Op, x, y uint64) uint64 {
	switch {
	case y == 0 && (op == Div || op == SDiv):
		return 0
	case y == 0:
		return x
	case op == Div:
		return x / y
	case op == Mod:
		return x % y
	case op == SDiv:
		return uint64(int64(x) / int64(y))
	}
	return uint64(int64(x) % int64(y))
}
