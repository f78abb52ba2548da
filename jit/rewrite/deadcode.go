package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// nop is `goto +0`, the instruction that removed ones turn into.
var nop = bytecode.Insn{Code: bytecode.CodeGoto}

// hardWire makes conditional jumps unconditional when one of their edges was never followed:
// may_goto too, but never a gotox, not even one with a single target (kernel/bpf/fixups.c
// bpf_opt_hard_wire_dead_code_branches). A jump of which it is not proven that both ways were seen
// stays, unpredicted.
func hardWire(st *state, im *image) (*image, int, error) {
	if st.opt.NoCapBPF {
		return im, 0, nil
	}
	out, changed := im, 0
	for i, s := range im.slots {
		if s.marks&markSecond != 0 || !isCondJump(s.in) || s.target == none {
			continue
		}
		next, target := im.seen(i+1), im.seen(int(s.target))
		switch {
		case next == cfg.No:
			s.in = nop
		case target == cfg.No:
			s.in, s.target = nop, int32(i+1)
		case next == cfg.Maybe || target == cfg.Maybe:
			s.marks |= markUnpredicted
		default:
			continue
		}
		if out == im {
			out = im.clone()
		}
		out.slots[i] = s
		changed++
	}
	return out, changed, nil
}

// seen reports whether the verifier found a path to a slot; there is none to slots after the
// program.
func (im *image) seen(i int) cfg.Truth {
	switch {
	case i >= len(im.slots) || im.slots[i].marks&markSeen == 0:
		return cfg.No
	case im.slots[i].marks&markMaybe != 0:
		return cfg.Maybe
	}
	return cfg.Yes
}

// removeDead removes the instructions that were never seen
// (bpf_opt_remove_dead_code). Without CAP_BPF they become jumps to themselves
// instead (kernel/bpf/verifier.c sanitize_dead_code).
func removeDead(st *state, im *image) (*image, int, error) {
	if st.opt.NoCapBPF {
		return trapDead(im)
	}
	b, removed := newBuilder(im), 0
	b.together = true
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
// The kernel goes on at the slot that took the place of a removed one, and after removing a
// may_goto checks the slot before it again, which may have become a no-op. A jump over several
// no-ops therefore stays when it was looked at before they were gone. Working on targets, a jump to
// t from s is a no-op when all between s and t is gone.
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
			if isNop && (mayGoto && !st.kernel.Has(kernel.TimedMayGoto) ||
				s.marks&markIndirect != 0 && st.kernel.Has(kernel.KeepTargetNops)) {
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
	b := newBuilder(im)
	solid := im.solid(gone)
	for i, s := range im.slots {
		switch {
		case gone[i]:
			b.drop(i)
		case s.mayBeNop(int32(i), solid):
			b.replace(i, s.unpredicted())
		default:
			b.keep(i)
		}
	}
	return b.finish(), removed, nil
}

// solid returns for each slot how many before it are certainly left, nil
// when all that are left are.
func (im *image) solid(gone []bool) []int32 {
	any := false
	out := make([]int32, len(im.slots)+1)
	for i, s := range im.slots {
		out[i+1] = out[i]
		maybe := s.marks&markMaybe != 0
		if any = any || maybe; !gone[i] && !maybe {
			out[i+1]++
		}
	}
	if !any {
		return nil
	}
	return out
}

// mayBeNop reports whether a jump would be a no-op without the slots that perhaps were not seen.
func (s *slot) mayBeNop(i int32, solid []int32) bool {
	return solid != nil && s.marks&markSecond == 0 &&
		(s.in.Code == bytecode.CodeGoto || s.in.Code == bytecode.CodeMayGoto) &&
		s.target > i+1 && solid[i+1] == solid[s.target]
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
