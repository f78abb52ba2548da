package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// builder makes the image that a pass returns: the pass goes over the old
// slots in order and keeps, drops or patches each. Most passes change nothing in
// most programs, so nothing is copied before the first change: until then out and
// at are nil.
type builder struct {
	old *image
	out []slot
	// at holds for each old slot the first slot of what replaces it. For a
	// dropped one it is ^k, where k is the next slot that is left.
	at []int32
	// skip holds for the start of a function, in old slots, how many slots were
	// inserted before it that jumps to it pass over.
	skip  map[int32]int32
	funcs []function
	// together says that consecutive dropped slots are removed at once.
	together bool
	// entriesSkip makes table entries pass over inserted slots, too.
	entriesSkip bool
	refs        []bytecode.Ref
}

func newBuilder(im *image) *builder {
	return &builder{
		old:   im,
		funcs: append([]function(nil), im.funcs...),
		refs:  im.refs[:len(im.refs):len(im.refs)],
	}
}

// change prepares for the first change: slots before i have been kept.
func (b *builder) change(i int) {
	if b.at != nil {
		return
	}
	n := len(b.old.slots)
	b.out, b.at = make([]slot, 0, n+n/8+8), make([]int32, n)
	for k := range i {
		b.keep(k)
	}
}

// keep copies a slot.
func (b *builder) keep(i int) {
	if b.at != nil {
		b.at[i] = int32(len(b.out))
		b.out = append(b.out, b.old.slots[i])
	}
}

// replace exchanges one slot for one. Unlike patch, it leaves the marks alone.
func (b *builder) replace(i int, s slot) {
	if s == b.old.slots[i] {
		b.keep(i)
		return
	}
	b.change(i)
	b.at[i] = int32(len(b.out))
	b.out = append(b.out, s)
}

// drop leaves a slot out.
func (b *builder) drop(i int) {
	b.change(i)
	b.at[i] = ^int32(len(b.out))
}

// patch replaces a slot by others, as bpf_patch_insn_data does: the new slots execute when the old
// one did, and a gotox that led to it leads to the first of them (kernel/bpf/fixups.c
// adjust_insn_aux_data, Linux 7.3). The replacement of an unpredicted slot is unpredicted, too.
func (b *builder) patch(i int, with ...slot) {
	b.change(i)
	old := b.old.slots[i]
	b.splice(i, old.marks&(markSeen|markMaybe|markUnpredicted|markPending), with)
}

// splice puts slots in the place of a slot, with marks for all of them.
func (b *builder) splice(i int, all marks, with []slot) {
	old := b.old.slots[i]
	base := int32(len(b.out))
	b.at[i] = base
	for k, s := range with {
		s.marks &^= markIndirect
		s.marks |= markPatched | all
		if k == 0 {
			s.marks |= old.marks & markIndirect
		}
		s.orig = old.orig
		if s.marks&markLocal != 0 {
			s.marks = s.marks&^markLocal | markNew
			s.target += base + int32(k)
		}
		b.out = append(b.out, s)
	}
}

// insertBefore puts slots that belong to no source instruction before the
// first one of a function, and keeps that.
func (b *builder) insertBefore(i int, with ...slot) {
	b.change(i)
	b.splice(i, b.old.slots[i].marks&(markSeen|markMaybe), append(with, b.old.slots[i]))
	base := int(b.at[i])
	for k := range with {
		b.out[base+k].orig = none
	}
	if b.skip == nil {
		b.skip = map[int32]int32{}
	}
	b.skip[int32(i)] = int32(len(with))
	b.out[len(b.out)-1].orig = b.old.slots[i].orig
	if b.entriesSkip {
		b.out[len(b.out)-1].marks |= b.out[base].marks & markIndirect
		b.out[base].marks &^= markIndirect
	}
}

// appendFunc adds a hidden function at the end of the program.
func (b *builder) appendFunc(with ...slot) {
	b.change(len(b.old.slots))
	b.funcs = append(b.funcs, function{start: ^int32(len(b.out)), source: none, hidden: true})
	for _, s := range with {
		s.orig = none
		s.marks |= markSeen | markNew
		b.out = append(b.out, s)
	}
}

// addRef adds a reference for a slot of a patch and returns its index.
func (b *builder) addRef(kind bytecode.RefKind, index int, name string) int32 {
	b.refs = append(b.refs, bytecode.Ref{Kind: kind, Index: index, Name: name})
	return int32(len(b.refs) - 1)
}

// callee returns where a call of the function at an old slot leads, or a load of its address.
// Distances into slots that are removed at once stay as they are (kernel/bpf/core.c
// bpf_adj_delta_to_imm, Linux 7.3), and those after the program.
func (b *builder) callee(old int32) int32 {
	if n := int32(len(b.at)); old >= n {
		return int32(len(b.out)) + old - n
	}
	to := b.at[old]
	if to >= 0 {
		return to
	}
	for to = ^to; b.together && old > 0 && b.at[old-1] < 0; old-- {
		to++
	}
	return to
}

// moved returns what b.at holds for an old slot. A target after the program, left by an earlier
// pass, stays there.
func (b *builder) moved(old int32) int32 {
	if int(old) >= len(b.at) {
		return int32(len(b.out))
	}
	return b.at[old]
}

// jumpTarget returns where a jump to an old slot leads.
func (b *builder) jumpTarget(old int32) int32 {
	to := b.moved(old)
	if to < 0 {
		return ^to
	}
	return to + b.skip[old]
}

// finish makes the image.
func (b *builder) finish() *image {
	if b.at == nil {
		return b.old
	}
	b.shiftGotox()
	for i := range b.out {
		s := &b.out[i]
		switch {
		case s.marks&markNew != 0:
			s.marks &^= markNew
		case s.target == none:
		case isCallLike(s.in):
			s.target = b.callee(s.target)
		default:
			s.target = b.jumpTarget(s.target)
		}
	}
	im := &image{slots: b.out, refs: b.refs}
	im.funcs = b.moveFuncs()
	for _, list := range b.old.entries {
		im.entries = append(im.entries, b.moveEntries(list))
	}
	return im
}

// shiftGotox gives a gotox right before a function with inserted slots the meaningless distance
// that the kernel gives it, because the kernel takes it for a jump to the next instruction
// (kernel/bpf/fixups.c adjust_jmp_off, Linux 7.3).
func (b *builder) shiftGotox() {
	for start, n := range b.skip {
		if start == 0 {
			continue
		}
		i := b.at[start] - 1
		if s := &b.out[i]; s.in.IsGotox() && s.target == none {
			s.target, s.marks = b.at[start]+n, s.marks|markNew
		}
	}
}

// moveFuncs returns the functions at their new places, without those that have
// lost all slots (kernel/bpf/fixups.c adjust_subprog_starts_after_remove).
func (b *builder) moveFuncs() []function {
	out := b.funcs[:0:0]
	for _, f := range b.funcs {
		if f.start < 0 {
			f.start = ^f.start
		} else if f.start = b.at[f.start]; f.start < 0 {
			f.start = ^f.start
		}
		if k := len(out); k > 0 && out[k-1].start == f.start {
			out = out[:k-1]
		}
		out = append(out, f)
	}
	if k := len(out); k > 0 && int(out[k-1].start) == len(b.out) {
		out = out[:k-1]
	}
	return out
}

// moveEntries moves the entries of an instruction array: to the first slot of
// a patch, and out of the array when the instruction was removed
// (kernel/bpf/bpf_insn_array.c, Linux 7.3).
func (b *builder) moveEntries(list []int32) []int32 {
	out := make([]int32, len(list))
	for i, old := range list {
		out[i] = none
		if old != none && b.at[old] >= 0 {
			out[i] = b.at[old]
			if b.entriesSkip {
				out[i] += b.skip[old]
			}
		}
	}
	return out
}

// raw makes a slot for a patch. The distance of a jump counts slots of the
// patch, or the one after it.
func raw(code uint8, dst, src bytecode.Reg, off int16, imm int32) slot {
	s := slot{in: bytecode.Insn{Code: code, Dst: dst, Src: src, Off: off, Imm: imm}, target: none, ref: none}
	if code == bytecode.CodeGoto || isCondJump(s.in) {
		s.marks |= markLocal
		s.target = 1 + int32(off)
	}
	return s
}

// jumpTo makes a jump of a patch to a slot outside it.
func jumpTo(code uint8, dst bytecode.Reg, imm int32, target int32) slot {
	return slot{in: bytecode.Insn{Code: code, Dst: dst, Imm: imm}, target: target, ref: none}
}

// with returns the slot with a reference.
func (s slot) with(ref int32) slot {
	s.ref = ref
	return s
}

// unpredicted returns the slot with the mark for an unknown instruction.
func (s slot) unpredicted() slot {
	s.marks |= markUnpredicted
	return s
}

// unpredicted marks all slots of a patch.
func unpredicted(patch []slot) []slot {
	for i := range patch {
		patch[i].marks |= markUnpredicted
	}
	return patch
}

// Opcodes of the instructions that patches consist of.
const (
	w32 = uint8(asm.ALUClass)   // arithmetic on the low halves
	w64 = uint8(asm.ALU64Class) // arithmetic on whole registers
	j32 = uint8(asm.Jump32Class)
	j64 = uint8(asm.JumpClass)

	byReg = uint8(asm.RegSource)

	ldxB = uint8(asm.LdXClass) | uint8(asm.MemMode) | uint8(asm.Byte)
	ldxW = uint8(asm.LdXClass) | uint8(asm.MemMode) | uint8(asm.Word)
	ldxD = uint8(asm.LdXClass) | uint8(asm.MemMode) | uint8(asm.DWord)
	stxW = uint8(asm.StXClass) | uint8(asm.MemMode) | uint8(asm.Word)
	stxD = uint8(asm.StXClass) | uint8(asm.MemMode) | uint8(asm.DWord)
	stB  = uint8(asm.StClass) | uint8(asm.MemMode) | uint8(asm.Byte)
	stD  = uint8(asm.StClass) | uint8(asm.MemMode) | uint8(asm.DWord)

	opAdd  = uint8(asm.Add)
	opSub  = uint8(asm.Sub)
	opMul  = uint8(asm.Mul)
	opDiv  = uint8(asm.Div)
	opOr   = uint8(asm.Or)
	opAnd  = uint8(asm.And)
	opLsh  = uint8(asm.LSh)
	opRsh  = uint8(asm.RSh)
	opNeg  = uint8(asm.Neg)
	opMod  = uint8(asm.Mod)
	opXor  = uint8(asm.Xor)
	opMov  = uint8(asm.Mov)
	opArsh = uint8(asm.ArSh)

	jeq  = uint8(asm.JEq)
	jne  = uint8(asm.JNE)
	jgt  = uint8(asm.JGT)
	jge  = uint8(asm.JGE)
	jset = uint8(asm.JSet)
	jle  = uint8(asm.JLE)
	jsgt = uint8(asm.JSGT)
	jsge = uint8(asm.JSGE)
)
