package abstract

import (
	"math/bits"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A ghost is a register that nothing reads any more and that is linked to others. With
// Quirks.DeadLinks it still counts among the linked numbers, of which the verifier follows only a
// few, so it stays in the state: as any number with that link, or as a bit of State.ghosts alone
// if it is not known to which numbers it is linked.
//
// Source: kernel/bpf/verifier.c collect_linked_regs, Linux 6.12 and 6.18.

// forgetDead drops the registers that nothing reads any more.
func (a *analyzer) forgetDead(s *State, live uint16) {
	s.ghosts &^= live
	for reg := range bytecode.R10 {
		switch v := s.regs[reg]; {
		case v == nil || live>>reg&1 != 0:
		case a.lingers(v):
			s.ghosts |= 1 << reg
			s.regs[reg] = forgotten[0].linked(v.id, 0, 0)
		default:
			s.regs[reg] = nil
		}
	}
}

// layGhosts drops the ghosts that were linked to nothing else.
func (s *State) layGhosts() {
	for reg := bytecode.R0; reg < bytecode.R10 && s.ghosts != 0; reg++ {
		if v := s.regs[reg]; s.ghosts>>reg&1 != 0 && v != nil && v.id == 0 {
			s.regs[reg] = nil
			s.ghosts &^= 1 << reg
		}
	}
}

// lingers reports whether a value counts as a linked number even if nothing reads it.
func (a *analyzer) lingers(v *Value) bool {
	if a.opt.Rules != Verifier || v == nil || v.id == 0 || !v.is(Number) {
		return false
	}
	a.f.usedQuirks.DeadLinks = true
	return a.opt.Quirks.DeadLinks
}

// alone reports whether at most one value has a link.
func (s *State) alone(id uint32) bool {
	_, all := s.count(func(v *Value) bool { return v != nil && v.id == id })
	return all <= 1
}

// looseGhosts returns the ghosts of which it is not known to what they are linked.
func (s *State) looseGhosts() (out uint16) {
	for reg := bytecode.R0; reg < bytecode.R10 && s.ghosts != 0; reg++ {
		if v := s.regs[reg]; v == nil || v.id == 0 {
			out |= s.ghosts & (1 << reg)
		}
	}
	return out
}

// ghostsBehind returns State.hiddenGhosts of a function that is called in a state.
func (s *State) ghostsBehind() uint8 {
	return s.hiddenGhosts + uint8(bits.OnesCount16(s.looseGhosts()&keptRegs))
}

// read returns the values that the callers of a state may read.
func (up *callerFrame) read(s *State) []*Value {
	vals := s.outer.all()
	own := false
	for i := 0; up != nil; up, i = up.up, i+callerRegs {
		for reg := bytecode.R6; reg < bytecode.R10; reg++ {
			at := i + int(reg-bytecode.R6)
			if up.ghosts>>reg&1 == 0 || vals[at] == nil {
				continue
			}
			if !own {
				vals, own = slices.Clone(vals), true
			}
			vals[at] = nil
		}
	}
	return vals
}

// keptRegs are the registers that a callee keeps for its caller.
const keptRegs = 1<<bytecode.R6 | 1<<bytecode.R7 | 1<<bytecode.R8 | 1<<bytecode.R9
