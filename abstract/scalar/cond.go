package scalar

// Cond is the condition of a conditional jump.
type Cond uint8

// The conditions of RFC 9669, section 4.3, each followed by its negation.
const (
	JEQ   Cond = iota // a == b
	JNE               // a != b
	JGT               // a > b, unsigned
	JLE               // a <= b, unsigned
	JGE               // a >= b, unsigned
	JLT               // a < b, unsigned
	JSGT              // a > b, signed
	JSLE              // a <= b, signed
	JSGE              // a >= b, signed
	JSLT              // a < b, signed
	JSET              // a & b != 0
	JNSET             // a & b == 0: no instruction, but the fall-through of JSET
	condsCount
)

var condNames = [condsCount]string{"==", "!=", ">", "<=", ">=", "<", "s>", "s<=", "s>=", "s<", "&", "!&"}

// String returns the condition's operator as the verifier's log has it.
func (c Cond) String() string {
	if c < condsCount {
		return condNames[c]
	}
	return "invalid"
}

// Negate returns the condition that holds when c does not: that of the
// fall-through edge.
func (c Cond) Negate() Cond { return c ^ 1 }

// Flip returns the condition for exchanged operands.
func (c Cond) Flip() Cond {
	switch c {
	case JGT:
		return JLT
	case JLT:
		return JGT
	case JGE:
		return JLE
	case JLE:
		return JGE
	case JSGT:
		return JSLT
	case JSLT:
		return JSGT
	case JSGE:
		return JSLE
	case JSLE:
		return JSGE
	}
	return c
}

// CondOf returns the condition of an instruction of class JMP or JMP32 by its opcode byte; is32
// reports class JMP32. ok is false for any other instruction.
func CondOf(code uint8) (c Cond, is32, ok bool) {
	class := code & 7
	if class != 5 && class != 6 {
		return 0, false, false
	}
	is32 = class == 6
	switch code & 0xf0 {
	case 0x10:
		c = JEQ
	case 0x20:
		c = JGT
	case 0x30:
		c = JGE
	case 0x40:
		c = JSET
	case 0x50:
		c = JNE
	case 0x60:
		c = JSGT
	case 0x70:
		c = JSGE
	case 0xa0:
		c = JLT
	case 0xb0:
		c = JLE
	case 0xc0:
		c = JSLT
	case 0xd0:
		c = JSLE
	default:
		return 0, is32, false
	}
	return c, is32, true
}

// Holds reports whether the condition holds for the words x and y, or with
// is32 for their low halves. It is the reference that Decide and Refine are
// tested against.
func Holds(c Cond, is32 bool, x, y uint64) bool {
	if is32 { // sign-extended halves compare as the halves do, either way
		x, y = uint64(int32(x)), uint64(int32(y))
	}
	switch c {
	case JEQ:
		return x == y
	case JNE:
		return x != y
	case JGT:
		return x > y
	case JLE:
		return x <= y
	case JGE:
		return x >= y
	case JLT:
		return x < y
	case JSGT:
		return int64(x) > int64(y)
	case JSLE:
		return int64(x) <= int64(y)
	case JSGE:
		return int64(x) >= int64(y)
	case JSLT:
		return int64(x) < int64(y)
	case JSET:
		return x&y != 0
	}
	return x&y == 0
}

// Outcome says what is known of a conditional jump.
type Outcome int

// The outcomes of a conditional jump.
const (
	Both   Outcome = iota // either edge may be taken
	Always                // the jump is taken
	Never                 // the fall-through is taken
)

// String returns the outcome's name, lower case.
func (o Outcome) String() string {
	switch o {
	case Always:
		return "always"
	case Never:
		return "never"
	}
	return "both"
}

// not swaps the edges.
func (o Outcome) not() Outcome {
	switch o {
	case Always:
		return Never
	case Never:
		return Always
	}
	return o
}
