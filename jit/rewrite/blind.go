package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// blind hides the constants of a program behind random numbers, so that no program can choose bytes
// of the machine code (kernel/bpf/core.c bpf_jit_blind_constants
// and bpf_jit_blind_insn, Linux 7.3). Constants of shifts stay.
func blind(st *state, im *image) (*image, int, error) {
	bl := &blinder{ax: bytecode.Reg(st.prof.AXReg), random: st.opt.Random}
	b, changed := newBuilder(im), 0
	for i := 0; i < len(im.slots); i++ {
		s := im.slots[i]
		if s.in.IsWide() && s.marks&markSecond == 0 {
			if s.in.Src == bytecode.LdFunc {
				b.keep(i)
				b.keep(i + 1)
			} else {
				bl.immediate(b, i)
				changed += 2
			}
			i++
			continue
		}
		if with := bl.insn(s); with != nil {
			b.patch(i, with...)
			changed++
			continue
		}
		b.keep(i)
	}
	return b.finish(), changed, nil
}

// blinder hides single instructions.
type blinder struct {
	ax     bytecode.Reg
	random func() uint32
}

// next returns the random number for an instruction. Without a source, it is a placeholder.
func (bl *blinder) next() int32 {
	if bl.random == nil {
		const anyNumber = 0x5bd1e995
		return anyNumber
	}
	return int32(bl.random())
}

// value makes the two slots that put a constant into AX, or its low half when
// the class is that of arithmetic on low halves.
func (bl *blinder) value(class uint8, imm, rnd int32) []slot {
	out := []slot{raw(class|opMov, bl.ax, 0, 0, rnd^imm), raw(class|opXor, bl.ax, 0, 0, rnd)}
	if bl.random == nil {
		for k := range out {
			out[k].marks |= markUnpredicted
		}
	}
	return out
}

// insn returns what replaces an instruction of one slot, or nil. Instructions
// that name AX are the verifier's own and have no constants to hide.
func (bl *blinder) insn(s slot) []slot {
	in := s.in
	if in.Dst == bl.ax || in.Src == bl.ax {
		return nil
	}
	// The kernel draws a number before it looks at the opcode.
	rnd := bl.next()
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return bl.arithmetic(s, rnd)
	case asm.JumpClass, asm.Jump32Class:
		if !isCondJump(in) || in.Source() != asm.ImmSource || in.JumpOp() == asm.JCOND {
			return nil
		}
		class := w64
		if in.Class() == asm.Jump32Class {
			class = w32
		}
		s.in.Code |= byReg
		s.in.Src, s.in.Imm = bl.ax, 0
		return append(bl.value(class, in.Imm, rnd), s)
	case asm.StClass:
		if in.Mode() != asm.MemMode && in.Code&modeBits != modeProbeMem32 {
			return nil
		}
		s.in.Code = in.Code&^7 | uint8(asm.StXClass)
		s.in.Src, s.in.Imm = bl.ax, 0
		return append(bl.value(w64, in.Imm, rnd), s)
	}
	return nil
}

// arithmetic hides the constant of an arithmetic instruction.
func (bl *blinder) arithmetic(s slot, rnd int32) []slot {
	in := s.in
	if in.Source() != asm.ImmSource {
		return nil
	}
	switch in.ALUOp() {
	case asm.Mov:
		if in.Imm == 0 {
			return []slot{raw(w64|opXor|byReg, in.Dst, in.Dst, 0, 0)}
		}
	case asm.Add, asm.Sub, asm.And, asm.Or, asm.Xor, asm.Mul, asm.Div, asm.Mod:
	default:
		return nil
	}
	out := bl.value(uint8(in.Class()), in.Imm, rnd)
	if s.ref != none { // the address of a per-CPU variable of the kernel
		hideAddress(out)
	}
	s.in.Code |= byReg
	s.in.Src, s.in.Imm, s.ref = bl.ax, 0, none
	return append(out, s)
}

// immediate hides both halves of a 64-bit immediate load: the high half first,
// so that the second slot can add the low one.
func (bl *blinder) immediate(b *builder, i int) {
	first, second := b.old.slots[i], b.old.slots[i+1]
	dst := first.in.Dst
	high := append(bl.value(w64, second.in.Imm, bl.next()),
		raw(w64|opLsh, bl.ax, 0, 0, 32),
		raw(w64|opMov|byReg, dst, bl.ax, 0, 0))
	low := append(bl.value(w32, first.in.Imm, bl.next()), raw(w64|opOr|byReg, dst, bl.ax, 0, 0))
	if first.ref != none {
		hideAddress(high)
		hideAddress(low)
	}
	b.patch(i, high...)
	b.patch(i+1, low...)
}

// hideAddress marks a value that is computed from an address of the running kernel.
func hideAddress(value []slot) {
	for k := range 2 {
		value[k].marks |= markUnpredicted | markHidden
	}
}
