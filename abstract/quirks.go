package abstract

import (
	"math"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Quirks are the ways in which a kernel's verifier computes values differently from Linux 7.3's.
// They apply to rules Verifier. Facts with quirks may be wrong about executions, as the kernel is.
type Quirks struct {
	// NoDivision: quotients and remainders are unknown (before Linux 7.0).
	NoDivision bool
	// NoNegation: the negative of a number is unknown (before Linux 6.17).
	NoNegation bool
	// NoSwap: so is a number after a change of its byte order, even a constant (before Linux 6.19).
	NoSwap bool
	// NoFork: a number that is 0 or -1 is not followed as either at AND and OR (before Linux 6.19, but for
	// 6.12.117).
	NoFork bool
	// PerhapsFork: whether both is so depends on the stable release (Linux 6.12 to 6.18).
	PerhapsFork bool
	// LostCode: a code address from a table is not known any more once it has been
	// stored on the stack (Linux 6.19).
	LostCode bool
	// NoLoadOffset: the offset in the instruction that loads from a table is ignored (Linux
	// 6.19).
	NoLoadOffset bool
	// NullLookups: a lookup in an array by a constant key may be null (before Linux
	// 6.14).
	NullLookups bool
	// FewNotNull: fewer kinds of pointers are treated as not null (before Linux 6.12).
	FewNotNull bool
	// NoTrust: all kernel objects may be freed, whatever their origin (before Linux 6.12, or
	// earlier).
	NoTrust bool
	// NoIterTrust: so may what the arguments of an iterator lead to (before Linux 6.6, or earlier).
	NoIterTrust bool
	// FewFrames: calls nest 8 deep, not 16, and six linked numbers are followed, not five (before
	// Linux 7.2).
	FewFrames bool
	// EqualByBits: equality is decided by known bits alone (before Linux 6.4).
	EqualByBits bool
	// OnlyConstants: a comparison of two registers without a constant refines nothing unless it
	// is equality, and != refines no ranges (before Linux 6.8).
	OnlyConstants bool
	// NoLinkedAdd: a number plus a constant is not linked to it (before Linux 6.11).
	NoLinkedAdd bool
	// NoLinkedSub: the same for one less a constant, and of 32 bits (before Linux 7.0).
	NoLinkedSub bool
	// PerhapsLinkedSub: whether that is so depends on the stable release (Linux 6.18).
	PerhapsLinkedSub bool
	// NoSame: a register compared with itself is treated as two equal ones; it is not known which
	// stable releases have the newer rule (before Linux 6.19).
	NoSame bool
	// NoTrying: branches are decided by bits and ranges, not by trying both sides (before Linux
	// 7.1).
	NoTrying bool
	// Ranges: a number has one range with a sign and one without, in place of an arc that may wrap
	// (before Linux 7.2).
	Ranges bool
	// Guessed: numbers that are computed, refined or loaded from the stack may be known worse or
	// better than here (before Linux 6.12, but for 6.1).
	Guessed bool
	// RangesFirst: they are known as by Linux 6.1, see first.go.
	RangesFirst bool
	// RangesOld, RangesFew, RangesThrice, RangesMember and RangesTwice are ways in which the parts of
	// a number with ranges refine each other: scalar.SyncOld (6.12.117), SyncFew (6.16.12), SyncThrice
	// (6.17.13 and 6.18.15), SyncMember (6.19.14 and 7.0.13) and SyncTwice (Linux 7.1). With none of
	// them, the way is not known.
	RangesOld, RangesFew, RangesThrice, RangesMember, RangesTwice bool
	// NoMixedZeros: a load of stack bytes that were stored as zeros and of others that
	// are part of a spilled 0 is a number of which nothing is known (before Linux 7.3).
	NoMixedZeros bool
	// KeptZeros: zeros beside a spilled number stay zeros when one is stored there at a variable
	// offset, or do not (before Linux 7.0; in 6.18.15 and 6.19.14 they do, in 6.12.117 they do not).
	KeptZeros bool
	// StaleLinks: the constant that was added to a number stays when its link ends, and a
	// number that is added to itself stays linked, so that the verifier takes other
	// numbers for known than they are (before Linux 7.2, or less in stable releases).
	StaleLinks bool
	// DeadLinks: registers that nothing reads any more may count among the linked numbers, of
	// which the verifier follows only a few (before Linux 6.19).
	DeadLinks bool
	// IdleLinks: so may slots of the stack (before Linux 7.2, or earlier).
	IdleLinks bool
	// MayNotExit: the exit of a function at a legacy packet load is not followed, or may not be
	// (before Linux 7.2; not in 6.12.117 and 6.19.14).
	MayNotExit bool
	// BareResults: objects that kernel functions return may be freed, except those of iterators
	// and allocations (before Linux 7.0).
	BareResults bool
	// HalfPointer: a pointer that is not null may be taken for one whose lower 32 bits
	// are not zero (before Linux 7.2; not in 6.12.117).
	HalfPointer bool
	// StaleResult: the old value of a register may matter when the result of a hook is loaded
	// into it (before Linux 7.2; not in 6.12.117).
	StaleResult bool
	// MixedPlain: a load from objects of which one may be gone may be a plain one
	// (before Linux 7.3).
	MixedPlain bool
	// OuterFrame: a number plus a pointer to the stack of a called function may be treated as one
	// to the stack of the program itself (before Linux 7.3, or earlier).
	OuterFrame bool
	// SharedFill: a number that is loaded from the stack with its sign may stay linked to
	// what was stored, though it is another one (before Linux 7.3, or less).
	SharedFill bool
	// DeadCount: registers that nothing reads any more distinguish states (before Linux 6.15).
	DeadCount bool
	// StrictLinks: a number that is linked distinguishes a state from one in which it is not
	// (from Linux 6.15 to 7.0; not in 6.12.117, and not known of others).
	StrictLinks bool
	// PerhapsBare: it is not known whether BareResults holds (before Linux 7.2).
	PerhapsBare bool
	// AllGlobals: every global function is followed, called or not (before Linux 6.8).
	AllGlobals bool
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
		NullLookups: !k.Has(kernel.ArrayLookups),
		FewNotNull:  !k.Has(kernel.NotNull),
		NoTrust:     !k.Has(kernel.NotNull),
		NoIterTrust: !k.Has(kernel.IterTrust),
		FewFrames:   !k.Has(kernel.DeepCalls),
		NoDivision:  !k.Has(kernel.DivisionRange),
		NoNegation:  !k.Has(kernel.Negation),
		NoSwap:      !k.Has(kernel.SwappedNumbers),
		NoFork:      !k.Has(kernel.ForkedNumbers),
		PerhapsFork: k.Has(kernel.MayFork),

		EqualByBits:   !k.Has(kernel.EqualByRange),
		OnlyConstants: !k.Has(kernel.RangeCompare),
		NoLinkedAdd:   !k.Has(kernel.LinkedAdd),
		NoLinkedSub:   !k.Has(kernel.MayLinkSub) && !k.Has(kernel.LinkedSub),
		NoSame:        !k.Has(kernel.SameRegister),

		PerhapsLinkedSub: k.Has(kernel.MayLinkSub) && !k.Has(kernel.LinkedSub),

		StaleLinks:   k.Has(kernel.LinkedAdd) && !k.Has(kernel.CleanLinks),
		DeadLinks:    k.Has(kernel.LinkedAdd) && !k.Has(kernel.LiveLinks),
		IdleLinks:    k.Has(kernel.LinkedAdd) && !k.Has(kernel.LiveSlots),
		MayNotExit:   !k.Has(kernel.LoadExits),
		BareResults:  k.Has(kernel.BareResults),
		HalfPointer:  !k.Has(kernel.HalfPointers),
		StaleResult:  !k.Has(kernel.FreshResult),
		AllGlobals:   !k.Has(kernel.CalledGlobals),
		MixedPlain:   !k.Has(kernel.MixedProbe),
		OuterFrame:   !k.Has(kernel.OwnFrame),
		SharedFill:   !k.Has(kernel.OwnFill),
		DeadCount:    !k.Has(kernel.LiveRegisters),
		StrictLinks:  k.Has(kernel.LiveRegisters) && !k.Has(kernel.LooseLinks),
		PerhapsBare:  !k.Has(kernel.BareResults) && !k.Has(kernel.TrustedResults),
		NoTrying:     !k.Has(kernel.TryBranches),
		Ranges:       !k.Has(kernel.Arcs),
		Guessed:      !k.Has(kernel.KnownNumbers) && !k.Has(kernel.RangesFirst),
		RangesFirst:  k.Has(kernel.RangesFirst),
		RangesOld:    k.Has(kernel.RangesOld),
		RangesFew:    k.Has(kernel.RangesFew),
		RangesThrice: k.Has(kernel.RangesThrice) && !k.Has(kernel.MayFindMember),
		RangesMember: k.Has(kernel.RangesMember),
		RangesTwice:  k.Has(kernel.RangesTwice),
		NoMixedZeros: !k.Has(kernel.MixedZeros),
		KeptZeros:    !k.Has(kernel.ScrubbedZeros),
		LostCode:     k.Has(kernel.Gotox) && !k.Has(kernel.SpilledCode),
		NoLoadOffset: k.Has(kernel.Gotox) && !k.Has(kernel.TableLoadOffset),
	}
}

// decide returns what the kernel knows of a conditional jump of which 7.3 knows newest, and
// whether that is a guess: then it may decide a jump that is not decided here.
//
// Source: kernel/bpf/verifier.c is_branch_taken, Linux 6.1, 6.12, 6.18.15, 6.19.11, 7.1.13 and 7.3.
func (q Quirks) decide(
	newest scalar.Outcome, c scalar.Cond, is32 bool, a, b scalar.S, same bool,
) (out scalar.Outcome, guess bool) {
	switch {
	case q.RangesFirst:
		return scalar.DecideFirst(c, is32, scalar.RangesOf(a), scalar.RangesOf(b)), false
	case !q.Ranges || same && !q.NoSame:
		return newest, false
	}
	equality := c == scalar.JEQ || c == scalar.JNE
	x, y := scalar.ConstAt(a, is32), scalar.ConstAt(b, is32)
	switch {
	case q.EqualByBits && equality && (!x || !y), q.OnlyConstants && !y:
		return scalar.Both, same
	}
	out = scalar.DecideRanges(c, is32, scalar.RangesOf(a), scalar.RangesOf(b), q.deciding())
	return out, out == scalar.Both && same
}

// guessed returns a number as one for which a kernel with Quirks.Guessed may have any other.
func (r *run) guessed(v *Value) *Value {
	if r.a.opt.Rules != Verifier || !v.is(Number) {
		return v
	}
	r.a.f.usedQuirks.Guessed, r.a.f.usedQuirks.RangesFirst = true, true
	if !r.a.opt.Quirks.Guessed {
		return v
	}
	w := v.standsForAny()
	w.ranges = nil
	return w
}

// deciding returns how a kernel with ranges decides a conditional jump.
func (q Quirks) deciding() scalar.Deciding {
	return scalar.Deciding{Try: !q.NoTrying, NoBits: q.RangesFew}
}

// links reports whether a number that a constant was added to stays linked.
func (q Quirks) links(delta int64, is32 bool) bool {
	return !q.NoLinkedAdd && (!q.NoLinkedSub || delta >= 0 && !is32)
}

// quotient returns the result of a computation, as far as the kernel knows it.
func (r *run) quotient(op scalar.Op, s scalar.S) scalar.S {
	if flat := s.Flat(); flat != s {
		if r.a.f.usedQuirks.Ranges = true; r.a.opt.Quirks.Ranges {
			s = flat
		}
	}
	switch op {
	case scalar.Div, scalar.SDiv, scalar.Mod, scalar.SMod:
		r.a.f.usedQuirks.NoDivision = true
		if r.a.opt.Quirks.NoDivision {
			return unknown
		}
	}
	return s
}

// lost returns the result of an operation after which the kernel knows nothing of a number, nil of
// another one.
//
// Source: kernel/bpf/verifier.c check_alu_op, Linux 6.1, 6.12.117 and 6.18.15.
func (r *run) lost(op scalar.Op) *Value {
	if r.a.opt.Rules != Verifier {
		return nil
	}
	q, used := &r.a.opt.Quirks, &r.a.f.usedQuirks
	switch {
	case op == scalar.Neg:
		if used.NoNegation = true; q.NoNegation {
			return unknownNumber
		}
	case op.Reorders():
		used.NoSwap, used.PerhapsFork = true, true
		if q.PerhapsFork {
			return forgotten[0]
		}
		if q.NoSwap {
			return unknownNumber
		}
	}
	return nil
}

// stored returns what the stack keeps of a value.
func (r *run) stored(v *Value) *Value {
	if v == nil || !v.has(func(a *Alt) bool { return a.Kind == Insn }) {
		return v
	}
	r.a.f.usedQuirks.LostCode = true
	switch {
	case !r.a.opt.Quirks.LostCode:
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

// uncalled returns the functions that the kernel follows whether something calls them or
// not.
//
// Source: kernel/bpf/verifier.c do_check_subprogs, Linux 6.1; a bit for called functions
// since 6.8.
func (a *analyzer) uncalled() []int {
	var out []int
	for sub := 1; sub < len(a.p.Subprogs) && a.opt.Rules == Verifier; sub++ {
		if a.p.Subprogs[sub].Global && !a.p.Subprogs[sub].Exception {
			a.f.usedQuirks.AllGlobals = true
			out = append(out, sub)
		}
	}
	if !a.opt.Quirks.AllGlobals {
		return nil
	}
	return out
}
