package abstract

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Fault is something that a kernel verifier refuses when it computes values.
type Fault struct {
	PC   bytecode.PC
	Text string // the kernel's message
	// Detail is the line that the kernel prints before Text, empty if none.
	Detail string
	// Fixed reports whether the offset of the pointer that it is about, if it is
	// about one, is a constant.
	Fixed bool
	// Loose reports whether the fault may not be one: it was seen on paths that
	// had been joined.
	Loose bool
}

// fault notes a fault of an instruction; a is what it was seen on.
func (r *run) fault(pc bytecode.PC, a *Alt, format string, args ...any) {
	if old, seen := r.a.f.faultAt[pc]; seen && (!r.a.f.faults[old].Loose || !r.proves(a)) {
		return // before the text is made: there may be many
	}
	_, fixed := a.Off.IsConst()
	r.note(Fault{PC: pc, Text: fmt.Sprintf(format, args...), Loose: !r.proves(a), Fixed: fixed})
}

// proves reports whether the verifier itself holds what a says at this point, on
// some path: what is wrong with it is wrong for the verifier, too.
func (r *run) proves(a *Alt) bool { return r.sure && a.flags&loose == 0 }

// note adds a fault, or puts it in the place of one that is less certain.
func (r *run) note(n Fault) {
	f := r.a.f
	old, seen := f.faultAt[n.PC]
	switch {
	case !seen:
		f.faultAt[n.PC] = len(f.faults)
		f.faults = append(f.faults, n)
	case f.faults[old].Loose && !n.Loose:
		f.faults[old] = n
	}
}

// outside notes an access outside of a map's value of size bytes; end is "min"
// or "max", off where that end of the offsets is.
func (r *run) outside(acc access, a *Alt, size int64, end string, off int64) {
	r.note(Fault{
		PC: acc.pc, Loose: !r.proves(a),
		Text:   fmt.Sprintf("R%d %s value is outside of the allowed memory range", acc.reg, end),
		Detail: fmt.Sprintf("invalid access to map value, value_size=%d off=%d size=%d", size, off, acc.size),
	})
}

// Faults returns what a kernel verifier would refuse when it computes values,
// by instruction. There is at most one for each.
func (f *Facts) Faults() []Fault {
	out := slices.Clone(f.faults)
	slices.SortFunc(out, func(a, b Fault) int { return cmp.Compare(a.PC, b.PC) })
	return out
}

// read returns what a register holds for an instruction that uses it.
func (r *run) read(pc bytecode.PC, s *State, reg bytecode.Reg) *Value {
	if reg < numRegs && s.regs[reg] != nil {
		return s.regs[reg]
	}
	r.fault(pc, &anything.Alt, "R%d !read_ok", reg)
	return anything
}

// typeName returns the type of a value as the kernel names it.
func typeName(a *Alt) string {
	if a.flags&maybeNull != 0 {
		return kindNames[a.Kind] + "_or_null"
	}
	return kindNames[a.Kind]
}

// bitsText prints known bits as the kernel does (kernel/bpf/tnum.c tnum_strn).
func bitsText(t tnum.T) string {
	if t.IsConst() {
		return fmt.Sprint(int64(t.Value))
	}
	return fmt.Sprintf("(%#x; %#x)", t.Value, t.Mask)
}

// constBits returns the known bits of a constant.
func constBits(v int64) tnum.T { return tnum.Const(uint64(v)) }
