package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// nop is `goto +0`, the instruction that removed ones turn into.
var nop = bytecode.Insn{Code: bytecode.CodeGoto}

// hardWire makes conditional jumps unconditional when one of their ways was
// never seen: may_goto too, but never a gotox, not even one with a single
// target (kernel/bpf/fixups.c bpf_opt_hard_wire_dead_code_branches).
func hardWire(st *state, im *image) (*image, int, error) {
	if st.opt.NoCapBPF {
		return im, 0, nil
	}
	out, changed := im, 0
	seen := func(i int) bool { return i < len(im.slots) && im.slots[i].marks&markSeen != 0 }
	for i, s := range im.slots {
		if s.marks&markSecond != 0 || !isCondJump(s.in) || s.target == none {
			continue
		}
		switch {
		case !seen(i + 1):
			s.in = nop
		case !seen(int(s.target)):
			s.in, s.target = nop, int32(i+1)
		default:
			continue
		}
		if changed == 0 {
			out = im.clone()
		}
		out.slots[i] = s
		changed++
	}
	return out, changed, nil
}

// removeDead removes the instructions that were never seen
// (bpf_opt_remove_dead_code). Without CAP_BPF they become jumps to themselves
// instead (kernel/bpf/verifier.c sanitize_dead_code).
func removeDead(st *state, im *image) (*image, int, error) {
	if st.opt.NoCapBPF {
		return trapDead(im)
	}
	b, removed := newBuilder(im), 0
	for i, s := range im.slots {
		if s.marks&markSeen != 0 {
			b.keep(i)
			continue
		}
		b.drop(i)
		removed++
	}
	if removed == 0 {
		return im, 0, nil
	}
	return b.finish(), removed, nil
}

func trapDead(im *image) (*image, int, error) {
	out, changed := im.clone(), 0
	for i := range out.slots {
		s := &out.slots[i]
		if s.marks&markSeen != 0 {
			continue
		}
		s.in = bytecode.Insn{Code: bytecode.CodeGoto}
		s.target, s.ref, s.marks = int32(i), none, s.marks&^markSecond
		changed++
	}
	return out, changed, nil
}

// removeNops removes `goto +0` and, since Linux 6.15, `may_goto +0`
// (bpf_opt_remove_nops). gotol +0 stays.
//
// The kernel goes on at the slot that took the place of a removed one, and
// after a removed may_goto looks at the one before it once more, which its
// removal may have made a no-op. A jump over several no-ops therefore stays
// when it was looked at before they were gone. Working on targets, a jump
// to t from s is a no-op when all between s and t is gone.
func removeNops(st *state, im *image) (*image, int, error) {
	if st.opt.NoCapBPF {
		return im, 0, nil
	}
	n := len(im.slots)
	gone := make([]bool, n)
	// prev holds for each slot that is left the one before it that is left.
	prev := make([]int32, n)
	last, removed := int32(none), 0
	for i := range n {
		at, next := int32(i), int32(i+1)
		for {
			s := im.slots[at]
			if at == int32(i) {
				prev[at] = last
			}
			mayGoto, isNop := nopKind(s, at, next)
			if mayGoto && !st.kernel.Has(kernel.TimedMayGoto) || st.kernel.Has(kernel.KeepTargetNops) && s.marks&markIndirect != 0 {
				isNop = false
			}
			if !isNop {
				last = at
				break
			}
			gone[at] = true
			removed++
			last = prev[at]
			if !mayGoto || last == none {
				break
			}
			at = last
		}
	}
	if removed == 0 {
		return im, 0, nil
	}
	b := newBuilder(im)
	for i := range im.slots {
		if gone[i] {
			b.drop(i)
		} else {
			b.keep(i)
		}
	}
	return b.finish(), removed, nil
}

// nopKind reports whether the slot, once all between it and next is gone, is
// one of the two no-ops, and which.
func nopKind(s slot, at, next int32) (mayGoto, isNop bool) {
	if s.marks&markSecond != 0 || s.target == none || s.target <= at || s.target > next {
		return false, false
	}
	plain := s.in.Dst == 0 && s.in.Src == 0 && s.in.Imm == 0
	mayGoto = s.in.Code == bytecode.CodeMayGoto
	return mayGoto, plain && (mayGoto || s.in.Code == bytecode.CodeGoto)
}
