package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Compilers make label differences for jumps like goto *(&&a + offsets[i]): a code address from a
// table plus a number of bytes from a table of constants. No kernel accepts that, and it would be
// wrong for machine addresses, because the numbers count slots of 8 bytes. It is resolved here as
// the compiler intends it. Other arithmetic on code addresses is not resolved.

// maxLabels bounds the targets of a code address to which a number is added, and
// the numbers that are taken from memory one by one.
const maxLabels = 64

// label returns a code address plus a number from a table of constants, and reports whether its
// targets are known.
func (r *run) label(pc bytecode.PC, reg bytecode.Reg, op scalar.Op, p, n *Alt) (Alt, bool) {
	if op != scalar.Add || n.flags&datum == 0 {
		return Alt{}, false
	}
	end := uint64(r.a.p.Len()) * bytecode.SlotSize
	out := Alt{Kind: Label, flags: (p.flags | n.flags) & loose, org: origin{int32(pc) + 1, uint8(reg), arithmetic}}
	var starts []Alt
	if p.Kind == Label {
		starts = []Alt{*p}
	} else {
		to, why := r.a.targets(p)
		if why != "" || len(to) == 0 || len(to) > maxLabels {
			return Alt{}, false
		}
		for _, t := range to {
			starts = append(starts, Alt{Kind: Label, Off: scalar.Const(uint64(t) * bytecode.SlotSize)})
		}
	}
	for i := range starts {
		off := scalar.ALU(op, false, starts[i].Off, n.Off)
		x := Alt{Kind: Label, Off: off, str: strideOf(op, &starts[i], n, off)}
		if i == 0 {
			out.Off, out.str = x.Off, x.str
			continue
		}
		org := out.org
		out = mergeAlts(out, x)
		out.org = org
	}
	return out, out.Off.Umax() < end
}

// labelTargets returns the instructions that a computed code address may be.
func (a *analyzer) labelTargets(x *Alt) (to []bytecode.PC, why string) {
	to, all := labelSlots(a.p, x.Off, x.str)
	to = slices.DeleteFunc(to, func(pc bytecode.PC) bool { return !a.g.InsnAt(pc) })
	if len(to) == 0 || !all {
		return nil, x.notCode("an address from a table")
	}
	return to, ""
}

// labelSlots returns the slots at byte offsets of a program, and whether there
// were few enough to list them all.
func labelSlots(p *bytecode.Program, off scalar.S, str stride) ([]bytecode.PC, bool) {
	offs, few := off.Enumerate(bytecode.SlotSize * maxLabels)
	var to []bytecode.PC
	for _, o := range offs {
		if pc := bytecode.PC(o / bytecode.SlotSize); o%bytecode.SlotSize == 0 && pc < p.Len() && str.has(o) {
			to = append(to, pc)
		}
	}
	return to, few
}

// constants returns the result of a load from a read-only map at a few possible offsets. The
// kernel uses the value only at a constant offset.
func (r *run) constants(acc access, a *Alt, m *bytecode.Map) *Value {
	if r.a.opt.Rules == Verifier {
		return nil
	}
	offs, few := a.Off.Enumerate(maxLabels * bytecode.SlotSize)
	if !few {
		return nil
	}
	var out *Alt
	n := 0
	for _, off := range offs {
		at := int64(off) + acc.off
		if !a.str.has(off) {
			continue
		}
		if n++; n > maxLabels || at < 0 || at+int64(acc.size) > int64(len(m.Value)) || codeOverlaps(m, at, acc.size) {
			return nil
		}
		r.noteConfig(a.Obj, at, acc.size)
		if _, pending := m.UnknownAt(at, acc.size); pending {
			return nil
		}
		x := Alt{Kind: Number, Off: scalar.Const(r.valueAt(acc, m, at)), flags: a.flags&loose | datum}
		if out == nil {
			out = &x
			continue
		}
		*out = mergeAlts(*out, x)
	}
	if out == nil {
		return nil
	}
	return &Value{Alt: *out}
}

// valueAt returns the result of a load at byte at of a map's value.
func (r *run) valueAt(acc access, m *bytecode.Map, at int64) uint64 {
	return r.extend(r.a.p.Number(m.Value[at:at+int64(acc.size)]), acc)
}
