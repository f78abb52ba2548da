package verify

import (
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// want is an x86 instruction that must be at its place. Everything else must be absent: no other
// prefix, operand or length of a jump.
type want struct {
	op   x86asm.Op
	args [3]arg
	lock bool // LOCK prefix
	half bool // 16-bit operands
	hint hint // an instruction that the decoder has no operation for

	to    jump
	long  bool   // a jump of 5 bytes, whatever its distance
	place int    // where a jump leads: an offset in the function, or an index of wants
	away  string // for awayFrom: symbol, "" for any
	pad   bool   // Linux may put a nop before it to keep the size
}

// hint is an instruction without an x86asm operation.
type hint uint8

const (
	noHint hint = iota
	endbr
	ibhf
	nop2
	nop3
	nop4
	nop5
)

// jump says how the target of a want is given.
type jump uint8

const (
	noJump   jump = iota
	toOffset      // place is an offset in the function
	toWant        // place is the index of a want, or their number for the end
	awayFrom      // leaves the image: by a relocation
	toFunc        // calls the function with index place
)

// arg is an operand.
type arg struct {
	kind  argKind
	reg   x86asm.Reg // register, or base of memory
	index x86asm.Reg // of memory
	scale uint8
	gs    bool
	value int64 // immediate or displacement
	wide  bool  // all 64 bits of the immediate count
	size  uint8 // bytes of memory, or of an immediate that is stored; 0: not looked at
}

type argKind uint8

const (
	noArg argKind = iota
	regArg
	immArg
	anyImm // an immediate that only the kernel knows
	memArg
	anyMem // memory whose displacement only the kernel knows
)

func reg(r x86asm.Reg) arg          { return arg{kind: regArg, reg: r} }
func imm(v int64) arg               { return arg{kind: immArg, value: v} }
func imm64(v int64) arg             { return arg{kind: immArg, value: v, wide: true} }
func mem(b x86asm.Reg, d int32) arg { return arg{kind: memArg, reg: b, value: int64(d)} }

// of returns the operand with the size of the access, in bytes.
func (a arg) of(size int) arg {
	a.size = uint8(size)
	return a
}

// same reports whether an operand is the one that was decoded.
func (a arg) same(have x86asm.Arg) bool {
	switch a.kind {
	case noArg:
		return have == nil
	case regArg:
		r, ok := have.(x86asm.Reg)
		return ok && r == a.reg
	case anyImm:
		_, ok := have.(x86asm.Imm)
		return ok
	case immArg:
		v, ok := have.(x86asm.Imm)
		return ok && a.sameImm(int64(v))
	}
	m, ok := have.(x86asm.Mem)
	if !ok || m.Base != a.reg || m.Index != a.index || (m.Segment == x86asm.GS) != a.gs || !a.gs && m.Segment != 0 {
		return false
	}
	return (a.kind == anyMem || int32(m.Disp) == int32(a.value)) && (a.index == 0 || m.Scale == a.scale)
}

// sameImm compares immediates at the width of the operation: a decoder may or
// may not extend their sign.
func (a arg) sameImm(v int64) bool {
	switch {
	case a.wide:
		return v == a.value
	case a.size == 1:
		return uint8(v) == uint8(a.value)
	case a.size == 2:
		return uint16(v) == uint16(a.value)
	}
	return int32(v) == int32(a.value)
}

// String returns the operand in AT&T syntax.
func (a arg) String() string {
	switch a.kind {
	case regArg:
		return "%" + strings.ToLower(a.reg.String())
	case immArg:
		return fmt.Sprintf("$%#x", a.value)
	case anyImm:
		return "an address"
	case memArg, anyMem:
		s := ""
		if a.gs {
			s = "%gs:"
		}
		if a.kind == memArg {
			s += fmt.Sprintf("%#x", a.value)
		}
		if a.reg != 0 {
			s += "(%" + strings.ToLower(a.reg.String())
			if a.index != 0 {
				s += ",%" + strings.ToLower(a.index.String())
			}
			s += ")"
		}
		return s
	}
	return ""
}

// hintTexts names hints as package disasm does.
var hintTexts = [...]string{
	endbr: "endbr64", ibhf: "ibhf", nop2: "nop2", nop3: "nop3", nop4: "nop4", nop5: "nop5",
}

// String returns the instruction in words.
func (w *want) String() string {
	if w.hint != noHint {
		return hintTexts[w.hint]
	}
	s := strings.ToLower(w.op.String())
	if w.lock {
		s = "lock " + s
	}
	var args []string
	for i := len(w.args) - 1; i >= 0; i-- {
		if w.args[i].kind != noArg {
			args = append(args, w.args[i].String())
		}
	}
	switch w.to {
	case toOffset:
		args = append(args, fmt.Sprintf("%#x", w.place))
	case awayFrom:
		if w.away == "" {
			args = append(args, "a kernel function")
		}
		args = append(args, w.away)
	case toFunc:
		args = append(args, fmt.Sprintf("function %d", w.place))
	}
	return strings.TrimSpace(s + " " + strings.Join(args, ","))
}

// is reports whether the decoded instruction is the wanted one, apart from
// where it jumps to.
func (w *want) is(in *disasm.Insn, code []byte) bool {
	if w.hint != noHint {
		return w.isHint(in, code)
	}
	if in.Inst.Op != w.op || !w.prefixes(&in.Inst) {
		return false
	}
	if w.to != noJump {
		return true
	}
	args := in.Inst.Args
	if w.op == x86asm.XCHG && len(args) > 1 { // both operands change: their order has no meaning
		if _, first := args[0].(x86asm.Reg); first {
			args[0], args[1] = args[1], args[0]
		}
	}
	for i := range w.args {
		a := &w.args[i]
		if !a.same(args[i]) || (a.kind == memArg || a.kind == anyMem) && a.size != 0 && int(a.size) != in.Inst.MemBytes {
			return false
		}
	}
	return args[len(w.args)] == nil
}

// padding holds the nops that Linux emits inside programs
// (arch/x86/include/asm/nops.h, Linux 7.3; Intel SDM volume 2B, NOP).
var padding = [...]string{
	nop2: "\x66\x90", nop3: "\x0f\x1f\x00", nop4: "\x0f\x1f\x40\x00", nop5: "\x0f\x1f\x44\x00\x00",
}

func (w *want) isHint(in *disasm.Insn, code []byte) bool {
	switch w.hint {
	case endbr:
		return in.IsEndbr()
	case ibhf:
		return in.Text == hintTexts[ibhf]
	}
	return string(code[in.Offset:in.Offset+in.Len]) == padding[w.hint]
}

// prefixes reports whether the instruction has no prefix but those that the
// wanted one must have; REX is part of the operands, and no jump has one.
func (w *want) prefixes(in *x86asm.Inst) bool {
	lock := false
	for i, p := range in.Prefix {
		if p == 0 {
			break
		}
		if p&(x86asm.PrefixIgnored|x86asm.PrefixInvalid) != 0 {
			return false
		}
		switch p &^= x86asm.PrefixImplicit; {
		case isVEX(w.op):
			return i == 0 && p == x86asm.PrefixVEX3Bytes
		case p&0xfff == x86asm.PrefixLOCK:
			lock = true
		case p&0xff == x86asm.PrefixDataSize:
			if !w.half {
				return false
			}
		case p&0xfff == x86asm.PrefixGS:
			if !w.args[0].gs && !w.args[1].gs {
				return false
			}
		case p.IsREX() && p&0xff00 == 0:
			if w.to != noJump {
				return false
			}
		default:
			return false
		}
	}
	return lock == w.lock && !isVEX(w.op)
}

func isVEX(op x86asm.Op) bool { return op == x86asm.SHLX || op == x86asm.SHRX || op == x86asm.SARX }
