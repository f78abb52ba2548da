// Package disasm decodes x86-64 machine code one instruction at a time, with a
// decoder that is not ours: golang.org/x/arch.
//
//	in, err := disasm.Decode(code, 0)
//	fmt.Println(in.Len, in.Text) // 4 endbr64
//
// x/arch takes endbr64 for a one-byte repeat prefix, which would lose the
// place in the stream, and prints operands that a nop does not have. Decode
// treats these itself: endbr64, endbr32 (Intel SDM volume 2A), the hint
// instruction IBHF, and nops of every length. Known not to decode: rdpid, stac,
// clac, serialize, none of which a BPF JIT emits. The package knows nothing of
// BPF.
package disasm

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// Insn is a decoded instruction.
type Insn struct {
	Offset int    // in the code it was decoded from
	Len    int    // bytes
	Text   string // AT&T syntax; jump targets are offsets in the code: "jne 0x4f"
	// Inst is x/arch's view. Its Op is 0 for the hints that are treated here.
	Inst x86asm.Inst
}

// IsEndbr reports whether the instruction marks a target of indirect jumps.
func (in Insn) IsEndbr() bool { return in.Text == "endbr64" }

// IsNop reports whether the instruction does nothing; endbr64 is none.
func (in Insn) IsNop() bool { return in.Inst.Op == x86asm.NOP || in.Text == "nop" }

// Target returns the offset that a direct jump or call leads to, which may lie
// outside the code, and whether the instruction is one.
func (in Insn) Target() (off int, ok bool) {
	for _, a := range in.Inst.Args {
		if rel, isRel := a.(x86asm.Rel); isRel {
			return in.Offset + in.Len + int(rel), true
		}
	}
	return 0, false
}

// hints are the instructions that x/arch does not know.
var hints = []struct {
	bytes []byte
	text  string
}{
	{[]byte{0xf3, 0x0f, 0x1e, 0xfa}, "endbr64"},
	{[]byte{0xf3, 0x0f, 0x1e, 0xfb}, "endbr32"},
	{[]byte{0xf3, 0x48, 0x0f, 0x1e, 0xf8}, "ibhf"},
}

// Decode decodes the instruction at code[off:]. The error names the offset and
// the first bytes.
func Decode(code []byte, off int) (Insn, error) {
	in, err := Scan(code, off)
	if err == nil {
		in.Text = in.String()
	}
	return in, err
}

// Scan is Decode without Text, which takes most of the time; nops and hints have
// it all the same.
func Scan(code []byte, off int) (Insn, error) {
	if off < 0 || off >= len(code) {
		return Insn{}, fmt.Errorf("decode x86 at +0x%x: outside the code of %d bytes", off, len(code))
	}
	rest := code[off:]
	for _, h := range hints {
		if bytes.HasPrefix(rest, h.bytes) {
			return Insn{Offset: off, Len: len(h.bytes), Text: h.text}, nil
		}
	}
	inst, err := x86asm.Decode(rest, 64)
	if err != nil {
		return Insn{}, fmt.Errorf("decode x86 at +0x%x (% x): %w", off, rest[:min(8, len(rest))], err)
	}
	in := Insn{Offset: off, Len: inst.Len, Inst: inst}
	if inst.Op == x86asm.NOP {
		in.Text = nopText(inst.Len)
	}
	return in, nil
}

// String returns the Text of the instruction, even if it comes from Scan.
func (in Insn) String() string {
	if in.Text != "" {
		return in.Text
	}
	text := x86asm.GNUSyntax(in.Inst, uint64(in.Offset), nil)
	if to, ok := in.Target(); ok {
		name, _, _ := strings.Cut(text, " ")
		return fmt.Sprintf("%s %#x", name, to)
	}
	return text
}

// nopText names a nop by its length, as objdump does by its operand.
func nopText(n int) string {
	if n == 1 {
		return "nop"
	}
	return fmt.Sprintf("nop%d", n)
}

// All decodes code from its first to its last byte. On error it returns the
// instructions before it.
func All(code []byte) ([]Insn, error) {
	var out []Insn
	for off := 0; off < len(code); {
		in, err := Decode(code, off)
		if err != nil {
			return out, err
		}
		out = append(out, in)
		off += in.Len
	}
	return out, nil
}
