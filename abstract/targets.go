package abstract

import (
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// targets returns the possible slots of a code address, or the reason why they are not known.
func (a *analyzer) targets(x *Alt) (to []bytecode.PC, why string) {
	switch x.Kind {
	case Insn:
		return a.entryTargets(x), ""
	case Code:
		m := &a.p.Maps[x.Obj]
		for _, i := range codeCells(m, x.Off, x.str) {
			if m.Code[i].Target < 0 {
				return nil, "an entry of " + m.Name + " leads out of the program"
			}
			to = append(to, m.Code[i].Target)
		}
		return to, ""
	case Label:
		return a.labelTargets(x)
	case Func:
		return nil, "the register holds the address of a function"
	case Number:
		return nil, x.notCode("an address from a table")
	}
	return nil, "the register holds a pointer (" + kindNames[x.Kind] + ")"
}

// entryKey is a range of entries of a table.
type entryKey struct {
	table int32
	off   scalar.S
	str   stride
}

// entryTargets returns the slots in the table entries that an alternative selects, ascending and
// without duplicates. It caches its results.
func (a *analyzer) entryTargets(x *Alt) []bytecode.PC {
	key := entryKey{x.Obj, x.Off, x.str}
	if to, ok := a.selected[key]; ok && !x.src.holed() {
		return to
	}
	t := a.p.Tables[x.Obj].Targets
	idx := a.indices(x, len(t))
	to := make([]bytecode.PC, len(idx))
	for j, i := range idx {
		to[j] = t[i]
	}
	slices.Sort(to)
	to = slices.Compact(to)
	a.fuel -= len(idx) / 8
	if len(a.selected) > 1<<10 {
		clear(a.selected)
	}
	if !x.src.holed() {
		a.selected[key] = to
	}
	return to
}

// notCode explains why a number cannot be followed; wanted is the kind of value that it should
// be.
func (a *Alt) notCode(wanted string) string {
	at := bytecode.PC(a.org.pc - 1).String()
	switch a.org.side {
	case writable:
		return "the address was loaded at " + at + " from memory that can be written"
	case arithmetic:
		return "the address was computed at " + at + " from a code address"
	case misaligned:
		return "the load at " + at + " may miss the start of an entry"
	case narrow:
		return "the load at " + at + " takes only a part of an entry"
	}
	return "the register does not hold " + wanted
}

// indices returns the indices of the table entries that an alternative's byte
// offsets select, by the analysis's rules, of n entries.
func (a *analyzer) indices(x *Alt, n int) []int {
	if a.opt.Rules == Verifier {
		return rangeEntries(x.Off, n)
	}
	return exactEntries(x.Off, x.str, x.src, n)
}

// rangeEntries returns every index from the smallest offset to the largest
// (kernel/bpf/verifier.c indirect_jump_min_max_index, Linux 7.3).
func rangeEntries(off scalar.S, n int) []int {
	if off.Empty() || n == 0 {
		return nil
	}
	lo, hi := off.Umin()/8, min(off.Umax()/8, uint64(n-1))
	var out []int
	for i := lo; i <= hi; i++ {
		out = append(out, int(i))
	}
	return out
}

// exactEntries returns the indices whose offsets are in the set, have the stride
// and are no holes.
func exactEntries(off scalar.S, str stride, src *readings, n int) []int {
	if n == 0 {
		return nil
	}
	in := scalar.Meet(off, scalar.Range(0, uint64(n-1)*8))
	offs, _ := in.Enumerate(8 * n)
	var out []int
	for _, o := range offs {
		if o%8 == 0 && str.has(o) && !src.hole(o) {
			out = append(out, int(o/8))
		}
	}
	return out
}

// codeCells returns the indices of the code addresses of a map at these byte
// offsets.
func codeCells(m *bytecode.Map, off scalar.S, str stride) []int {
	if off.Empty() {
		return nil
	}
	var out []int
	i := sort.Search(len(m.Code), func(i int) bool { return uint64(m.Code[i].Off) >= off.Umin() })
	for ; i < len(m.Code) && uint64(m.Code[i].Off) <= off.Umax(); i++ {
		if at := uint64(m.Code[i].Off); off.Contains(at) && str.has(at) {
			out = append(out, i)
		}
	}
	return out
}

// loadCode returns what a load of 8 bytes yields from a map that holds code
// addresses, nil when it loads none.
func (r *run) loadCode(acc access, a *Alt, m *bytecode.Map) *Value {
	off := a.Off
	if acc.off != 0 {
		off = r.a.opt.Rules.offset(a.Off, scalar.Const(uint64(acc.off)), false)
	}
	if len(m.Value) < 8 {
		return nil
	}
	str := strideOf(scalar.Add, a, &constant(uint64(acc.off)).Alt, off)
	off = scalar.Meet(off, scalar.Range(0, uint64(len(m.Value)-8)))
	cells := codeCells(m, off, str)
	if len(cells) == 0 {
		return nil
	}
	out := Alt{Kind: Code, Obj: a.Obj, Off: off, str: str, flags: a.flags & loose, org: a.org, src: a.src}
	if onlyCells(off, str, len(cells)) {
		return &Value{Alt: out}
	}
	// Code addresses among other things. Where the offset is bounded by the
	// section alone, all that can be said is: one of them, or a number.
	out.flags |= loose
	return fromAlts([]Alt{out, {Kind: Number, flags: maybePtr, Off: unknown}})
}

// onlyCells reports whether n numbers of off have the stride, no more.
func onlyCells(off scalar.S, str stride, n int) bool {
	const most = 1 << 16
	offs, few := off.Enumerate(min(n*max(1, int(str.step)), most))
	for _, at := range offs {
		if str.has(at) {
			n--
		}
	}
	return few && n == 0
}

// codeOverlaps reports whether a load would read a part of a code address.
func codeOverlaps(m *bytecode.Map, at int64, size int) bool {
	i := sort.Search(len(m.Code), func(i int) bool { return m.Code[i].Off+8 > at })
	return i < len(m.Code) && m.Code[i].Off < at+int64(size)
}
