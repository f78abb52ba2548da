package bytecode

import "slices"

// IsUnwindGoto reports whether the instruction is LLVM 24's unwind_goto: may_goto with 1 in Src.
// It follows a call and jumps if that call threw an exception.
func (in Insn) IsUnwindGoto() bool { return in.Code == CodeMayGoto && in.Src == 1 }

// IsUnwindExit reports whether the instruction is LLVM 24's unwind_exit: exit with 1 in
// Src. It leaves the function with the exception.
func (in Insn) IsUnwindExit() bool { return in.Code == CodeExit && in.Src == 1 }

// PadOf returns the landing pad of the call at pc according to Cleanups.
func (p *Program) PadOf(pc PC) (pad PC, ok bool) {
	i, found := slices.BinarySearchFunc(p.Cleanups, pc, func(c Cleanup, pc PC) int { return int(c.Start - pc) })
	if !found {
		i--
	}
	if i < 0 || pc >= p.Cleanups[i].End {
		return 0, false
	}
	switch p.Flow(pc).Kind {
	case FlowCall, FlowCallx, FlowHelper:
		return p.Cleanups[i].Pad, true
	}
	return 0, false
}

// Unwinds returns the first instruction at which an exception may continue inside the program, or
// leave a function other than by bpf_throw: a call with a landing pad, unwind_goto, unwind_exit.
func (p *Program) Unwinds() (pc PC, ok bool) {
	for pc = 0; pc < p.Len(); pc += p.Insns[pc].Slots() {
		if in := p.Insns[pc]; in.IsUnwindGoto() || in.IsUnwindExit() {
			return pc, true
		}
		if _, ok := p.PadOf(pc); ok {
			return pc, true
		}
	}
	return -1, false
}

// Caught reports whether unwind_goto follows the instruction at pc in the same function. If that
// instruction throws an exception, control continues there.
func (p *Program) Caught(pc PC) bool {
	next := pc + p.Insns[pc].Slots()
	return next < p.Len() && p.Insns[next].IsUnwindGoto() && p.SubprogAt(next) == p.SubprogAt(pc)
}
