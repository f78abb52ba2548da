package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A part of an instruction that the loader fills in may be any number here, and results that
// depend on it are loose: the target kernel's loader knows the number, so the verifier has one of
// these values, not all.

// pendingNumber returns the value of an immediate that the loader fills in.
func (r *run) pendingNumber(pc bytecode.PC) *Value {
	rel, _ := r.a.p.RelocAt(pc)
	off := unknown
	switch {
	case rel.Max != 0:
		off = scalar.Range(0, rel.Max)
	case rel.Part == bytecode.PartImm: // of 32 bits, sign-extended
		off = r.a.opt.Rules.alu(scalar.MovSX32, false, unknown, unknown)
	}
	return &Value{Alt: Alt{Kind: Number, flags: loose, Off: off}}
}

// loosened returns the value, marked as over-approximating the verifier's.
func (v *Value) loosened() *Value {
	w := *v
	w.flags |= loose
	w.copyRest()
	for i := range w.more() {
		w.more()[i].flags |= loose
	}
	return &w
}

// pendingAccess carries out a load or store whose offset the loader fills in: it may read and
// write anywhere in the memory that the base points to. The verifier does not know a field's
// value either, wherever the field is. A different size of the field in another kernel is
// ignored.
func (r *run) pendingAccess(pc bytecode.PC, in bytecode.Insn, s *State) {
	base := in.Dst
	if in.Class() == asm.LdXClass {
		base = in.Src
	}
	ptr := r.read(pc, s, base)
	// Fields that lie apart in the context's type of the program do so in the kernel's.
	acc := access{off: int64(in.Off), size: in.AccessBytes(), signed: in.Mode() == modeMemSX}
	s.tested |= ctxOf(r.storedCtx(in, ptr, acc))
	old := r.field(access{size: acc.size, signed: acc.signed}, nil)
	if ptr.has(isStack) {
		old = anything.loosened()
	}
	switch {
	case in.Class() == asm.LdXClass:
		s.set(in.Dst, old)
		r.fresh(pc, in.Dst, r.ctxField(ptr, acc), s)
	case in.Class() == asm.StClass:
		r.pendingStore(ptr, unknownNumber, s)
	case in.Mode() == modeAtomic:
		r.pendingStore(ptr, anything, s)
		switch {
		case in.Imm == atomicCmpXchg:
			s.set(bytecode.R0, old)
		case in.Imm&atomicFetch != 0:
			s.set(in.Src, old)
		}
	default:
		r.pendingStore(ptr, r.read(pc, s, in.Src), s)
	}
}

// storedCtx returns the readings of the context that a store changes.
func (r *run) storedCtx(in bytecode.Insn, ptr *Value, acc access) uint64 {
	if in.Class() == asm.LdXClass {
		return 0
	}
	return r.ctxField(ptr, acc)
}

// mayBeLocal reports whether the alternative may lead to a stack or the context.
func mayBeLocal(a *Alt) bool { return isLocal(a) || a.flags&maybeLocal != 0 }

// pendingStore stores a value somewhere in the memory that a pointer points to.
func (r *run) pendingStore(ptr, val *Value, s *State) {
	ptr.each(func(a *Alt) {
		switch {
		case a.Kind == Stack && int(a.Obj) < len(s.frames):
			f := s.edit(int(a.Obj))
			f.localPointer = f.localPointer || val.has(mayBeLocal)
			f.weak(-stackSize, 0, byteMisc)
			s.cover = true
		case a.flags&maybeLocal != 0:
			forgetFrames(s)
		}
	})
}
