package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// staleLink reports whether a computation makes the verifier know a wrong number later:
// it links a number by what is left of a link that has ended, or one that was added to
// itself by the sum. What is left is kept in out.
//
// Source: kernel/bpf/verifier.c adjust_reg_min_max_vals and sync_linked_regs, Linux
// 6.12 and 7.2, and test programs on 6.19.14.
func (r *run) staleLink(in bytecode.Insn, op scalar.Op, dst, out *Value) bool {
	const left = sum | stale
	if r.a.opt.Rules != Verifier || dst.id == 0 && dst.delta == 0 && dst.flags&left == 0 {
		return false
	}
	_, fixed := dst.Off.IsConst()
	own := op == scalar.Add && in.Source() == asm.RegSource && in.Dst == in.Src && fixed && dst.id != 0
	keeps := !own && out.id == 0 && (dst.delta != 0 || dst.flags&left != 0)
	wrong := own || out.id != 0 && (dst.add == 0 && dst.delta != 0 || dst.flags&stale != 0)
	if keeps || wrong {
		r.a.f.usedQuirks.StaleLinks = true
	}
	if !r.a.opt.Quirks.StaleLinks {
		return false
	}
	if keeps {
		if out.delta = dst.delta; dst.flags&left != 0 {
			out.flags = out.flags&^sum | stale
		}
	}
	return wrong
}

// sums says whether a kernel has Quirks.StaleLinks, and notes where that makes a difference. Nil
// stands for states that the quirk does not concern.
type sums struct {
	kept       bool
	usedQuirks *Quirks
}

// open reports whether the kernel has the quirk, or it is not known yet whether that makes
// a difference.
func (m *sums) open() bool { return m != nil && (m.kept || !m.usedQuirks.StaleLinks) }

// differ notes that it makes a difference whether a kernel has the quirk, and reports
// whether it has.
func (m *sums) differ() bool {
	m.usedQuirks.StaleLinks = true
	return m.kept
}

// alone returns a value that is linked to nothing any more without its link, marked if the kernel
// keeps what was added.
func (v *Value) alone(m *sums) *Value {
	w := v.unlinked()
	if m.open() && v.delta != 0 && v.Kind == Number && m.differ() {
		if w.flags |= stale; v.add != 0 {
			w.flags = v.flags&^stale | sum
		}
	}
	return w
}

// cleared returns a value that is linked by a sum without the link and without that mark.
func (v *Value) cleared() *Value {
	w := *v
	w.id, w.delta, w.add = 0, 0, 0
	w.flags &^= sum
	return &w
}

// leqSum reports whether a kernel that keeps what was added when a link ends keeps of v
// no more than of t.
func (v *Value) leqSum(t *Value) bool {
	if v == nil || t == nil {
		return true
	}
	return v.flags&^t.flags&(sum|stale) == 0 && (t.id != 0 || v.delta == t.delta)
}

// joinSum returns the value that a and b are joined to; what a kernel keeps of either when
// a link ends is kept, as something that is not known.
func (v *Value) joinSum(a, b *Value) *Value {
	left := (a.flags | b.flags) & (sum | stale)
	if a.delta != b.delta || a.delta != 0 && (a.id == 0 || b.id == 0 || a.add != b.add) {
		left |= stale
	}
	if v == nil || v.flags&left == left {
		return v
	}
	w := *v
	w.flags |= left
	return &w
}
