package verify

import (
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// item is an instruction in the replacement of a source instruction. Hidden constants are restored,
// so that forms need not consider blinding.
type item struct {
	slot int32 // xlated
	in   bytecode.Insn
	high int32 // of a 64-bit immediate load: its upper half
	flow bytecode.Flow
	ref  *bytecode.Ref
}

// strays reports whether an instruction without an address has a reference: its constant would be
// lost.
func (it *item) strays() bool {
	return it.ref != nil && it.in.Code != bytecode.CodeCall && !it.in.IsWide()
}

// collect fills c.items with the instructions in xlated slots.
func (c *source) collect(from, to int32) {
	c.items, c.bare = c.items[:0], false
	for x := from; x < to; {
		in := c.prog.Insns[x]
		it := item{slot: x, in: in, flow: bytecode.FlowAt(c.prog.Insns, bytecode.PC(x)), ref: c.refAt(bytecode.PC(x))}
		if in.IsWide() && int(x)+1 < len(c.prog.Insns) {
			it.high = c.prog.Insns[x+1].Imm
		}
		c.items = append(c.items, it)
		x += int32(in.Slots())
	}
	if c.Blinded {
		c.unblind()
	}
}

// refAt returns the reference of an xlated slot, or nil.
func (c *source) refAt(x bytecode.PC) *bytecode.Ref {
	refs := c.prog.Refs
	lo, hi := 0, len(refs)
	for lo < hi {
		if mid := (lo + hi) / 2; refs[mid].PC < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(refs) && refs[lo].PC == x {
		return &refs[lo]
	}
	return nil
}

// Opcodes of the instructions that insertions consist of.
const (
	w32   = uint8(asm.ALUClass)
	w64   = uint8(asm.ALU64Class)
	j32   = uint8(asm.Jump32Class)
	j64   = uint8(asm.JumpClass)
	byReg = uint8(asm.RegSource)

	opAdd, opSub, opMul = uint8(asm.Add), uint8(asm.Sub), uint8(asm.Mul)
	opOr, opAnd, opXor  = uint8(asm.Or), uint8(asm.And), uint8(asm.Xor)
	opLsh, opRsh        = uint8(asm.LSh), uint8(asm.RSh)
	opNeg, opMov        = uint8(asm.Neg), uint8(asm.Mov)

	jeq, jne, jgt = uint8(asm.JEq), uint8(asm.JNE), uint8(asm.JGT)
	jge, jle      = uint8(asm.JGE), uint8(asm.JLE)
	jsge, jsgt    = uint8(asm.JSGE), uint8(asm.JSGT)
	jset          = uint8(asm.JSet)

	ldxB, ldxW, ldxD, stxD, stB, stD = 0x71, 0x61, 0x79, 0x7b, 0x72, 0x7a
)

// hides returns the constant that a pair of instructions puts into AX, and
// whether it is such a pair: AX = a; AX ^= b.
func (c *source) hides(i int) (value int32, class uint8, ok bool) {
	if i+1 >= len(c.items) {
		return 0, 0, false
	}
	a, b := c.items[i].in, c.items[i+1].in
	class = uint8(a.Class())
	ok = (class == w32 || class == w64) && a == bytecode.Insn{Code: class | opMov, Dst: c.ax, Imm: a.Imm} &&
		b == bytecode.Insn{Code: class | opXor, Dst: c.ax, Imm: b.Imm}
	return a.Imm ^ b.Imm, class, ok
}

// unblind restores hidden constants (kernel/bpf/core.c bpf_jit_blind_insn and
// bpf_jit_blind_constants, Linux 7.3).
func (c *source) unblind() {
	out := c.items[:0]
	for i := 0; i < len(c.items); i++ {
		it := c.items[i]
		if whole, ok := c.unblindWide(i); ok {
			out = append(out, whole)
			i += wideItems - 1
			continue
		}
		v, class, ok := c.hides(i)
		if !ok || i+2 >= len(c.items) || !c.uses(&c.items[i+2], class) {
			c.bare = c.bare || it.shows(c.ax)
			out = append(out, it)
			continue
		}
		use := c.items[i+2]
		use.slot, use.in.Src, use.in.Imm = it.slot, 0, v
		switch use.in.Class() {
		case asm.StXClass:
			use.in.Code = use.in.Code&^7 | uint8(asm.StClass)
		default:
			use.in.Code &^= byReg
		}
		out = append(out, use)
		i += 2
	}
	c.items = out
}

// uses reports whether an instruction may have had a constant that a pair of a class put into AX:
// only at that width is it the same number. Instructions that change or compare AX are the
// verifier's own and hide nothing: AX would be lost.
func (c *source) uses(it *item, class uint8) bool {
	in := it.in
	if in.Src != c.ax || in.Dst == c.ax {
		return false
	}
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return in.Source() == asm.RegSource && uint8(in.Class()) == class
	case asm.JumpClass, asm.Jump32Class:
		return it.flow.Kind == bytecode.FlowCond && in.Source() == asm.RegSource &&
			(in.Class() == asm.JumpClass) == (class == w64)
	case asm.StXClass:
		return class == w64 && (in.Mode() == asm.MemMode || in.Mode() == modeArena)
	}
	return false
}

// shows reports whether a conditional jump compares with a constant that ought to be
// hidden; comparisons of AX are the verifier's own.
func (it *item) shows(ax bytecode.Reg) bool {
	return it.flow.Kind == bytecode.FlowCond && it.in.Source() == asm.ImmSource && it.in.Dst != ax &&
		it.in.JumpOp() != asm.JCOND
}

// wideItems is the number of instructions of a hidden 64-bit constant: its upper half, shifted up,
// and its lower half.
const wideItems = 7

// unblindWide returns the 64-bit immediate load that the items from i on stand for, if they do.
func (c *source) unblindWide(i int) (item, bool) {
	if i+wideItems > len(c.items) {
		return item{}, false
	}
	high, class1, ok1 := c.hides(i)
	low, class2, ok2 := c.hides(i + 4)
	dst := c.items[i+3].in.Dst
	shift := bytecode.Insn{Code: w64 | opLsh, Dst: c.ax, Imm: 32}
	move := bytecode.Insn{Code: w64 | opMov | byReg, Dst: dst, Src: c.ax}
	join := bytecode.Insn{Code: w64 | opOr | byReg, Dst: dst, Src: c.ax}
	if !ok1 || !ok2 || class1 != w64 || class2 != w32 || c.items[i+2].in != shift || c.items[i+3].in != move ||
		c.items[i+6].in != join || dst == c.ax {
		return item{}, false
	}
	it := c.items[i]
	it.in, it.high = bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: dst, Imm: low}, high
	it.flow = bytecode.Flow{Kind: bytecode.FlowNext}
	return it, true
}

// itemsText describes the replacement of an instruction.
func (c *source) itemsText() string {
	var list []string
	for _, it := range c.items {
		list = append(list, bytecode.Text(c.prog.Insns, bytecode.PC(it.slot)))
		if len(list) == 4 && len(c.items) > 5 {
			list = append(list, "…")
			break
		}
	}
	text := strings.Join(list, "; ")
	if len(c.items) > 0 {
		text += " at rewritten slot " + itoa(int(c.items[0].slot))
	}
	return text
}
