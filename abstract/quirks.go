package abstract

import (
	"math"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Quirks are ways in which a kernel's verifier computes values otherwise than
// Linux 7.3's. They go with rules Kernel: what executions can do is another
// matter, and facts with quirks may be wrong about it, as the kernel is.
type Quirks struct {
	// NoDivision: nothing is known of a quotient or remainder (before Linux 7.0).
	NoDivision bool
	// LostCode: a code address from a table is not known any more once it has been
	// stored on the stack (Linux 6.19).
	LostCode bool
	// NoLoadOffset: the offset in the instruction that loads from a table does not
	// count for which entry is loaded (Linux 6.19).
	NoLoadOffset bool
	// NullLookups: a lookup in an array by a constant key may be null (before Linux
	// 6.14).
	NullLookups bool
	// FewNotNull: fewer kinds of pointers are taken for not null (before Linux 6.12).
	FewNotNull bool
	// NoTrust: objects of the kernel may be gone, whoever hands them out (before
	// Linux 6.12, or less).
	NoTrust bool
	// FewFrames: calls nest 8 deep, not 16 (before Linux 7.2).
	FewFrames bool
}

// frames returns how many frames a chain of calls may have (MAX_CALL_FRAMES).
func (q Quirks) frames() int {
	if q.FewFrames {
		return 8
	}
	return 16
}

// QuirksOf returns the quirks of a kernel. Those about tables need one that has
// indirect jumps.
func QuirksOf(k kernel.Features) Quirks {
	return Quirks{
		NullLookups:  !k.Has(kernel.ArrayLookups),
		FewNotNull:   !k.Has(kernel.NotNull),
		NoTrust:      !k.Has(kernel.NotNull),
		FewFrames:    !k.Has(kernel.DeepCalls),
		NoDivision:   !k.Has(kernel.DivisionRange),
		LostCode:     k.Has(kernel.Gotox) && !k.Has(kernel.SpilledCode),
		NoLoadOffset: k.Has(kernel.Gotox) && !k.Has(kernel.TableLoadOffset),
	}
}

// number returns the result of a computation, as far as the kernel knows it.
func (q Quirks) number(op scalar.Op, s scalar.S) scalar.S {
	switch op {
	case scalar.Div, scalar.SDiv, scalar.Mod, scalar.SMod:
		if q.NoDivision {
			return unknown
		}
	}
	return s
}

// stored returns what the stack keeps of a value.
func (q Quirks) stored(v *Value) *Value {
	switch {
	case !q.LostCode || v == nil || !v.has(func(a *Alt) bool { return a.Kind == Insn }):
		return v
	case codeOnly(v):
		return unknownNumber
	}
	return unknownPtr
}

// checkEntries reports the fault of an indirect jump whose entries are outside of
// the table, which only happens when the load's offset was not counted.
//
// Source: kernel/bpf/verifier.c indirect_jump_min_max_index, Linux 6.19.
func (r *run) checkEntries(pc bytecode.PC, reg bytecode.Reg, a *Alt) {
	n := uint64(len(r.a.p.Tables[a.Obj].Targets))
	lo, hi := a.Off.Umin(), a.Off.Umax()
	const limit = math.MaxUint32 * 8
	switch off, fixed := a.Off.IsConst(); {
	case fixed && off > limit:
		r.fault(a, Fault{PC: pc, Kind: IndexTooBig, Reg: reg, Off: int64(uint32(off))})
	case lo > limit:
		r.fault(a, Fault{PC: pc, Kind: IndexTooBig, Reg: reg, Value: int64(lo)})
	case hi > limit:
		r.fault(a, Fault{PC: pc, Kind: IndexTooBig, Reg: reg, Value: int64(hi), Max: true})
	case hi/8 >= n:
		r.fault(a, Fault{
			PC: pc, Kind: EntryOutside, Reg: reg, Value: int64(lo / 8), Off: int64(hi / 8), Size: int64(n),
		})
	}
}
