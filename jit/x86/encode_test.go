package x86_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// TestEncode checks lines of bytes and text in both directions: a decoder that
// is not ours turns the bytes into the text, the package's functions turn the
// text into the bytes.
func TestEncode(t *testing.T) {
	data, err := os.ReadFile("testdata/encode.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		hexes, text, ok := strings.Cut(strings.TrimSpace(line), " | ")
		want, err := hex.DecodeString(hexes)
		if !ok || err != nil {
			t.Fatalf("malformed line %q", line)
		}
		n++
		plain := text
		if strings.HasPrefix(text, "{") {
			_, plain, _ = strings.Cut(text, "} ")
		}
		in, err := x86asm.Decode(want, 64)
		if err != nil {
			t.Errorf("%s: %v", hexes, err)
			continue
		}
		if got := x86asm.IntelSyntax(in, 0, nil); got != plain || in.Len != len(want) {
			t.Errorf("%s decodes to %q (%d bytes), want %q", hexes, got, in.Len, plain)
		}
		got, err := assemble(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if hex.EncodeToString(got) != hexes {
			t.Errorf("%s encodes to %x, want %s", text, got, hexes)
		}
	}
	if n < 200 {
		t.Errorf("%d lines, want 200 at least", n)
	}
}

// opnd is an operand of an instruction's text.
type opnd struct {
	kind  byte // 'r', 'm', 'i', 'c' (the register cl)
	reg   x86.Reg
	bits  int // of a register or memory operand
	base  x86.Reg
	index bool // r12
	gs    bool
	val   int64 // immediate or displacement
}

// regNames maps names of all widths.
func regNames() map[string]opnd {
	m := map[string]opnd{}
	low := []string{"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"}
	for r := x86.RAX; r <= x86.R15; r++ {
		n := r.String()
		names := map[int]string{64: n, 32: n + "d", 16: n + "w", 8: n + "b"}
		if !r.Extended() {
			names = map[int]string{64: n, 32: "e" + n[1:], 16: n[1:], 8: low[r]}
		}
		for bits, name := range names {
			m[name] = opnd{kind: 'r', reg: r, bits: bits}
		}
	}
	return m
}

// number parses an immediate. The decoder prints negative displacements of 32
// bits without sign.
func number(s string) (int64, error) {
	if v, err := strconv.ParseInt(s, 0, 64); err == nil {
		return v, nil
	}
	v, err := strconv.ParseUint(s, 0, 64)
	return int64(v), err
}

// parseOpnd parses an operand.
func parseOpnd(s string) (opnd, error) {
	if r, ok := regNames()[s]; ok {
		return r, nil
	}
	size, mem, ok := strings.Cut(s, " ptr ")
	if !ok {
		v, err := number(s)
		return opnd{kind: 'i', val: v}, err
	}
	o := opnd{kind: 'm', bits: map[string]int{"byte": 8, "word": 16, "dword": 32, "qword": 64}[size]}
	if rest, ok := strings.CutPrefix(mem, "gs:["); ok {
		o.gs = true
		mem = "[" + rest
	}
	mem = strings.Trim(mem, "[]")
	if i := strings.LastIndexAny(mem, "+-"); i > 0 {
		if v, err := number(mem[i:]); err == nil {
			o.val, mem = v, mem[:i]
		}
	}
	if v, err := number(mem); err == nil {
		o.val = v
		return o, nil
	}
	base, index, _ := strings.Cut(mem, "+")
	o.index = index == "r12"
	if index != "" && !o.index {
		return o, fmt.Errorf("operand %q", s)
	}
	o.base = regNames()[base].reg
	return o, nil
}

// width returns the operand size as REX.W.
func (o opnd) width() x86.Width {
	if o.bits == 64 {
		return x86.W64
	}
	return x86.W32
}

// assembler turns text into code by the package's functions.
type assembler struct {
	x86.Code
	long bool // {imm32}
}

// assemble returns the code of an instruction's text.
func assemble(text string) ([]byte, error) {
	var a assembler
	text, a.long = strings.CutPrefix(text, "{imm32} ")
	text, lock := strings.CutPrefix(text, "lock ")
	if lock {
		a.Byte(0xf0)
	}
	op, rest, _ := strings.Cut(text, " ")
	var ops []opnd
	for s := range strings.SplitSeq(rest, ", ") {
		o, err := parseOpnd(s)
		if err != nil {
			return nil, err
		}
		ops = append(ops, o)
	}
	if !a.emit(op, ops) {
		return nil, fmt.Errorf("no rule for %s %+v", op, ops)
	}
	return a.Bytes(), nil
}

// emit emits an instruction, and reports whether it knows its form.
func (a *assembler) emit(op string, o []opnd) bool {
	arith := map[string]byte{"add": 0, "or": 1, "and": 4, "sub": 5, "xor": 6, "cmp": 7}
	shifts := map[string]byte{"rol": 0, "ror": 1, "shl": 4, "shr": 5, "sar": 7}
	unary := map[string]byte{"neg": 3, "div": 6, "idiv": 7}
	kinds := ""
	for _, x := range o {
		kinds += string(x.kind)
	}
	if d, ok := arith[op]; ok {
		return a.arith(d, kinds, o)
	}
	if d, ok := shifts[op]; ok {
		return a.shift(d, o)
	}
	if d, ok := unary[op]; ok {
		a.RDigit(o[0].width(), 0xf7, d, o[0].reg)
		return true
	}
	switch op + " " + kinds {
	case "push r":
		a.Push(o[0].reg)
	case "pop r":
		a.Pop(o[0].reg)
	case "bswap r":
		a.REX(o[0].width(), 0, o[0].reg)
		a.Put(0x0f, 0xc8|byte(o[0].reg&7))
	case "mov ri":
		if a.long {
			a.MovSigned(o[0].reg, int32(o[1].val))
		} else if o[0].bits == 64 {
			a.MovImm64(o[0].reg, uint64(o[1].val), true)
		} else {
			a.MovImm32(o[0].reg, int32(o[1].val), false)
		}
	case "mov rr":
		a.Mov(o[0].width(), o[0].reg, o[1].reg)
	case "mov rm":
		a.mem(o[0].reg, 0x8b, 0, o[0].bits, o[1])
	case "mov mr":
		a.store(o[1].reg, o[0])
	case "mov mi":
		a.storeImm(o[0], o[1].val)
	case "test rr":
		a.RR(o[0].width(), 0x85, o[1].reg, o[0].reg)
	case "test ri":
		a.RDigit(o[0].width(), 0xf7, 0, o[0].reg)
		a.Imm32(int32(o[1].val))
	case "imul rr":
		a.RR0F(o[0].width(), 0xaf, o[0].reg, o[1].reg)
	case "imul rri":
		if x86.IsInt8(int32(o[2].val)) {
			a.RR(o[0].width(), 0x6b, o[0].reg, o[1].reg)
			a.Byte(byte(o[2].val))
		} else {
			a.RR(o[0].width(), 0x69, o[0].reg, o[1].reg)
			a.Imm32(int32(o[2].val))
		}
	case "cmovz rr":
		a.RR0F(o[0].width(), 0x44, o[0].reg, o[1].reg)
	case "xchg mr":
		a.mem(o[1].reg, 0x87, 0, o[1].bits, o[0])
	case "cmpxchg mr":
		a.mem(o[1].reg, 0x0f, 0xb1, o[1].bits, o[0])
	case "xadd mr":
		a.mem(o[1].reg, 0x0f, 0xc1, o[1].bits, o[0])
	default:
		return a.extend(op, kinds, o)
	}
	return true
}

// arith emits an operation of the ADD group.
func (a *assembler) arith(digit byte, kinds string, o []opnd) bool {
	switch kinds {
	case "rr":
		a.RR(o[0].width(), digit<<3|1, o[1].reg, o[0].reg)
	case "mr":
		a.mem(o[1].reg, digit<<3|1, 0, o[1].bits, o[0])
	case "rm": // only from per-CPU memory
		if !o[1].gs {
			return false
		}
		a.Put(0x65, x86.REX(x86.W64, o[0].reg, 0), digit<<3|3, 4|byte(o[0].reg&7)<<3, 0x25)
		a.Imm32(int32(o[1].val))
	case "mi":
		a.mem(x86.Reg(digit), 0x83, 0, o[0].bits, o[0])
		a.Byte(byte(o[1].val))
	case "ri":
		w, r, v := o[0].width(), o[0].reg, int32(o[1].val)
		switch {
		case x86.IsInt8(v) && !a.long:
			a.RDigit(w, 0x83, digit, r)
			a.Byte(byte(v))
			return true
		case r == x86.RAX && digit != 7: // the kernel has no short CMP
			a.REX(w, 0, r)
			a.Byte(digit<<3 | 5)
		default:
			a.RDigit(w, 0x81, digit, r)
		}
		a.Imm32(v)
	default:
		return false
	}
	return true
}

// shift emits a shift of a register by 1, an immediate, or cl.
func (a *assembler) shift(digit byte, o []opnd) bool {
	if o[0].bits == 16 {
		a.Byte(0x66)
	}
	w, r := o[0].width(), o[0].reg
	switch {
	case o[1].kind == 'r':
		a.RDigit(w, 0xd3, digit, r)
	case o[1].val == 1:
		a.RDigit(w, 0xd1, digit, r)
	default:
		a.RDigit(w, 0xc1, digit, r)
		a.Byte(byte(o[1].val))
	}
	return true
}

// extend emits the sign- and zero-extending moves and the BMI2 shifts.
func (a *assembler) extend(op, kinds string, o []opnd) bool {
	shifts := map[string]uint8{"shlx": x86.SHLX, "sarx": x86.SARX, "shrx": x86.SHRX}
	second := map[string]byte{"movzx 8": 0xb6, "movzx 16": 0xb7, "movsx 8": 0xbe, "movsx 16": 0xbf}
	switch {
	case kinds == "rrr" && o[0].reg == o[1].reg:
		a.ShiftBMI2(o[0].width(), shifts[op], o[0].reg, o[2].reg)
	case op == "movsxd" && kinds == "rr":
		a.RR(o[0].width(), 0x63, o[0].reg, o[1].reg)
	case op == "movsxd" && kinds == "rm":
		a.mem(o[0].reg, 0x63, 0, o[0].bits, o[1])
	case op == "movzx" || op == "movsx":
		code := second[fmt.Sprintf("%s %d", op, o[1].bits)]
		if kinds == "rm" {
			a.mem(o[0].reg, 0x0f, code, o[0].bits, o[1])
			return true
		}
		if o[0].bits == 32 && o[1].bits == 8 { // always a REX prefix
			a.Put(x86.REX(x86.W32, o[0].reg, o[1].reg), 0x0f, code, x86.ModRM(o[0].reg, o[1].reg))
			return true
		}
		a.RR0F(o[0].width(), code, o[0].reg, o[1].reg)
	default:
		return false
	}
	return true
}

// mem emits a one- or two-byte opcode with a register and a memory operand.
func (a *assembler) mem(reg x86.Reg, op, op2 byte, bits int, m opnd) {
	w := x86.W32
	if bits == 64 {
		w = x86.W64
	}
	if m.index {
		a.Byte(x86.REXIndex(w, reg, m.base, x86.R12))
	} else {
		a.REX(w, reg, m.base)
	}
	a.Byte(op)
	if op == 0x0f {
		a.Byte(op2)
	}
	if m.index {
		a.MemIndex(reg, m.base, x86.R12, int32(m.val))
	} else {
		a.Mem(reg, m.base, int32(m.val))
	}
}

// store emits a store of a register.
func (a *assembler) store(r x86.Reg, m opnd) {
	op := byte(0x89)
	switch m.bits {
	case 16:
		a.Byte(0x66)
	case 8:
		op = 0x88
		if r >= x86.RSP && x86.REX(x86.W32, r, m.base) == x86.NoREX {
			a.Byte(x86.NoREX)
		}
	}
	a.mem(r, op, 0, m.bits, m)
}

// storeImm emits a store of an immediate.
func (a *assembler) storeImm(m opnd, v int64) {
	switch m.bits {
	case 8:
		a.mem(0, 0xc6, 0, 8, m)
		a.Byte(byte(v))
	case 16:
		a.Byte(0x66)
		a.mem(0, 0xc7, 0, 16, m)
		a.Imm16(int32(v))
	default:
		a.mem(0, 0xc7, 0, m.bits, m)
		a.Imm32(int32(v))
	}
}

// TestNop checks that each padding is one NOP of its length.
func TestNop(t *testing.T) {
	for n := 1; n <= x86.MaxNop; n++ {
		var c x86.Code
		c.Nop(n)
		in, err := x86asm.Decode(c.Bytes(), 64)
		if err != nil || in.Op != x86asm.NOP || in.Len != n || c.Len() != n {
			t.Errorf("Nop(%d) = %x, decodes to %v (%d bytes), %v", n, c.Bytes(), in, in.Len, err)
		}
	}
}
