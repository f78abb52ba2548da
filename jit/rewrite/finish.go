package rewrite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit"
)

// finish makes the result of the last image.
func (r *Result) finish(st *state, im *image) (*Result, error) {
	var err error
	if r.Program, err = encode(st, im); err != nil {
		return nil, err
	}
	if r.plain == nil {
		r.plain = r.Program
	}
	r.Original = make([]bytecode.PC, len(im.slots))
	for i, s := range im.slots {
		r.Original[i] = bytecode.PC(s.orig)
		if s.marks&(markUnpredicted|markPending) != 0 {
			r.Unpredicted = append(r.Unpredicted, bytecode.PC(i))
		}
		if s.marks&markHidden != 0 {
			r.hidden = append(r.hidden, bytecode.PC(i))
		}
		if im.lostCallee(s) {
			r.unlinked = append(r.unlinked, bytecode.PC(i))
		}
	}
	r.Build, r.maps = st.build, st.src.Maps
	all := im.entries[len(im.entries)-1]
	r.Xlated = make([]bytecode.PC, len(all))
	for i, to := range all {
		r.Xlated[i] = toPC(to)
	}
	return r, nil
}

// encode makes the JIT's program of an image: distances from targets, and the
// facts about functions.
//
// Source registers of 64-bit immediate loads mark the kind of load until the
// verifier clears them, at its end. A program with several functions has been
// compiled by then, so they stay, and count as uses of those registers
// (kernel/bpf/verifier.c convert_pseudo_ld_imm64).
func encode(st *state, im *image) (*jit.Program, error) {
	p := &jit.Program{Insns: make([]bytecode.Insn, len(im.slots)), IndirectTarget: nil}
	for i, s := range im.slots {
		in, err := im.operands(s, int32(i))
		if lost := (*CalleeError)(nil); errors.As(err, &lost) {
			lost.old = !st.kernel.Has(kernel.BugWords)
		}
		if err != nil {
			return nil, err
		}
		if in.IsWide() && s.marks&markSecond == 0 && in.Src != bytecode.LdFunc && len(im.funcs) == 1 {
			in.Src = bytecode.LdImm64
		}
		p.Insns[i] = in
		if s.marks&markIndirect != 0 {
			if p.IndirectTarget == nil {
				p.IndirectTarget = make([]bool, len(im.slots))
			}
			p.IndirectTarget[i] = true
		}
		if ref, ok := im.finalRef(s, in); ok {
			ref.PC = bytecode.PC(i)
			p.Refs = append(p.Refs, ref)
		}
	}
	for _, list := range im.entries[:len(im.entries)-1] {
		table := make([]bytecode.PC, len(list))
		for i, to := range list {
			table[i] = toPC(to)
		}
		p.Tables = append(p.Tables, table)
	}
	encodeFuncs(st, im, p)
	encodeTailCalls(st, im, p)
	for _, m := range st.src.Maps {
		p.ArenaUsed = p.ArenaUsed || m.Type == mapArena
	}
	return p, nil
}

// finalRef returns the reference of a slot. A 64-bit immediate load whose
// source register says that it loads an address gets one if it has none.
func (im *image) finalRef(s slot, in bytecode.Insn) (bytecode.Ref, bool) {
	if im.lostCallee(s) {
		name := fmt.Sprintf("__bpf_call_base%+#x", in.Imm)
		return bytecode.Ref{Kind: bytecode.RefKfunc, Name: name}, !in.IsWide()
	}
	ref, ok := im.refAt(s)
	if !ok && s.in.IsWide() && s.marks&markSecond == 0 {
		ok = true
		switch s.in.Src {
		case bytecode.LdImm64:
			return ref, false
		case bytecode.LdFunc:
			ref.Kind = bytecode.RefFunc
		case bytecode.LdBTFID:
			ref.Kind, ref.Index = bytecode.RefBTFID, int(s.in.Imm)
		default:
			ref.Kind, ref.Name = bytecode.RefUnknown, "address without reference"
		}
	}
	if ref.Kind == bytecode.RefFunc {
		ref.Index = int(s.target)
	}
	return ref, ok
}

// operands returns the instruction in a slot with its target as a distance.
func (im *image) operands(s slot, i int32) (bytecode.Insn, error) {
	switch {
	case !im.lostCallee(s):
	case len(im.funcs) > 1:
		sure := s.marks&markMaybe == 0 && im.certainFuncs() > 1
		return s.in, &CalleeError{Insn: bytecode.PC(s.orig), Slot: bytecode.PC(s.target), Certain: sure}
	default:
		return unlinked(s, i), nil
	}
	in, err := distance(s, i, int32(len(im.slots)))
	if errors.Is(err, errTooFar) {
		err = im.tooFar(i)
	}
	return in, err
}

// lostCallee reports whether a slot refers to a removed function at whose place no other function
// begins.
func (im *image) lostCallee(s slot) bool {
	return s.target != none && isCallLike(s.in) &&
		(int(s.target) >= len(im.slots) || im.funcs[im.funcAt(s.target)].start != s.target)
}

// certainFuncs returns how many functions have something that was seen for certain.
func (im *image) certainFuncs() int {
	n := 0
	for f := range im.funcs {
		body := im.slots[im.funcs[f].start:im.end(f)]
		if slices.ContainsFunc(body, func(s slot) bool { return s.marks&markMaybe == 0 }) {
			n++
		}
	}
	return n
}

// unlinked returns a call of a function that was removed, or a load of its address, as the JIT
// takes it in a program of one function: functions are linked only if there are several
// (kernel/bpf/fixups.c jit_subprogs, Linux 7.3), so the distance is a number like any other.
func unlinked(s slot, i int32) bytecode.Insn {
	in := s.in
	in.Src, in.Off, in.Imm = 0, 0, s.target-i-1
	return in
}

// CalleeError says that an instruction refers to a function that Linux has removed as dead, in a
// program of several functions. Linux cannot link it and refuses the program with EFAULT. An
// example is a bpf_loop of no rounds.
type CalleeError struct {
	Insn bytecode.PC // source slot of the instruction
	Slot bytecode.PC // rewritten slot at which no function begins
	// Certain reports whether the kernel certainly refuses: the instruction remains, and several functions.
	Certain bool
	old     bool // of kernels that report it only in their own log
}

// Error returns Linux's message (kernel/bpf/verifier.c jit_subprogs, Linux 6.12, and
// kernel/bpf/fixups.c, Linux 7.3).
func (e *CalleeError) Error() string {
	if e.old {
		return fmt.Sprintf("verifier bug. No program starts at insn %d", e.Slot)
	}
	return fmt.Sprintf("verifier bug: No program to jit at insn %d (subprog < 0)", e.Slot)
}

// RangeError says that a jump of 16 bits does not reach its target any more once the
// verifier has made an instruction longer: it refuses the program with ENOMEM.
type RangeError struct {
	Insn bytecode.PC // source slot of the instruction that is made longer
}

// Error returns Linux's message (kernel/bpf/fixups.c bpf_patch_insn_data, Linux 7.3).
func (e *RangeError) Error() string {
	return fmt.Sprintf("insn %d cannot be patched due to 16-bit range", e.Insn)
}

// errTooFar is what distance returns for such a jump.
var errTooFar = errors.New("too far for 16 bits")

// tooFar returns the error about the jump in a slot. The instructions between it and its target
// grow one after the other, so the error names the first one that makes it too long.
func (im *image) tooFar(i int32) *RangeError {
	lo, hi := i, im.slots[i].target-1
	if hi < lo {
		lo, hi = hi+1, i
	}
	far := int32(math.MaxInt16)
	d := im.slots[hi].orig - im.slots[lo].orig
	for at := lo + 1; at <= hi; at++ {
		s := &im.slots[at]
		if s.orig != im.slots[at-1].orig || s.marks&markSecond != 0 {
			continue
		}
		if d++; d > far {
			return &RangeError{bytecode.PC(s.orig)}
		}
	}
	return &RangeError{bytecode.PC(im.slots[i].orig)}
}

// distance returns the instruction with its target as a distance.
func distance(s slot, i, n int32) (bytecode.Insn, error) {
	in := s.in
	if s.target == none {
		return in, nil
	}
	if s.target >= n {
		return in, fmt.Errorf("slot %d: its target was removed", s.orig)
	}
	d := s.target - i - 1
	switch {
	case isCallLike(in), in.Code == bytecode.CodeGotol:
		in.Imm = d
	case d < math.MinInt16 || d > math.MaxInt16:
		return in, errTooFar
	default:
		in.Off = int16(d)
	}
	return in, nil
}

// encodeFuncs fills in the JIT's input about each function.
func encodeFuncs(st *state, im *image, p *jit.Program) {
	for i, f := range im.funcs {
		out := jit.Func{
			Start: bytecode.PC(f.start), End: bytecode.PC(im.end(i)),
			StackDepth: f.stackDepth, Hidden: f.hidden, OutStackArgs: f.stackArgs,
			ExceptionBoundary: i == 0 && st.throws != cfg.No,
			ExceptionCallback: f.hidden,
		}
		if f.source != none {
			s := st.src.Subprogs[f.source]
			out.Name = s.Name
			out.ExceptionCallback = s.Exception
			out.TailCallReachable = st.tailReaching[f.source]
			out.PrivateStack = st.private[f.source]
		} else if !f.hidden {
			out.TailCallReachable, out.PrivateStack = st.tailReaching[0], st.private[0]
		}
		p.Funcs = append(p.Funcs, out)
	}
}

// encodeTailCalls moves the direct tail calls to their xlated slots.
func encodeTailCalls(st *state, im *image, p *jit.Program) {
	where := im.entries[len(im.entries)-1]
	for _, t := range st.tailCalls {
		if to := where[t.PC]; to != none {
			// A patch may have put slots before it.
			for p.Insns[to].Code != bytecode.CodeTailCall {
				to++
			}
			t.PC = bytecode.PC(to)
			p.TailCalls = append(p.TailCalls, t)
		}
	}
	sort.Slice(p.TailCalls, func(a, b int) bool { return p.TailCalls[a].PC < p.TailCalls[b].PC })
}
