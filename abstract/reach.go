package abstract

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// reach says how far a stack frame is used, as bytes from its top down: over all
// states, and over those that are certain.
type reach struct {
	deep, sureDeep int
	// low and sureLow count what callees load and store alone, not what they hand
	// to helpers.
	low, sureLow int
}

// add joins what is known of a frame from elsewhere.
func (r *reach) add(q reach) {
	r.deep, r.sureDeep = max(r.deep, q.deep), max(r.sureDeep, q.sureDeep)
	r.low, r.sureLow = max(r.low, q.low), max(r.sureLow, q.sureLow)
}

// frameUse returns what is known of the use of a frame in sight.
func (r *run) frameUse(frame int) *reach {
	for len(r.depth) <= frame {
		r.depth = append(r.depth, reach{})
	}
	return &r.depth[frame]
}

// touch notes how deep an access to a frame reaches (kernel/bpf/verifier.c
// check_stack_access_within_bounds and grow_stack_state, Linux 7.3).
func (r *run) touch(frame int, lo int64, s *State) {
	u := r.frameUse(frame)
	d := int(min(-lo+7, stackSize)) &^ 7
	if u.deep = max(u.deep, d); s.certain() {
		u.sureDeep = max(u.sureDeep, d)
	}
}

// noteStack notes an access to a frame that the verifier takes for a load or
// store: one of the program, or a helper's to a buffer that it fills, which is
// known if sure (kernel/bpf/verifier.c check_fastcall_stack_contract, Linux 7.3).
func (r *run) noteStack(pc bytecode.PC, frame int, lo int64, s *State, sure bool) {
	sure = sure && s.certain()
	if frame == 0 {
		u := &r.a.f.uses[pc]
		low := int16(max(lo, -1<<15))
		if u.low = min(u.low, low); sure {
			u.sureLow = min(u.sureLow, low)
		}
		return
	}
	u := r.frameUse(frame)
	if u.low = max(u.low, int(-lo)); sure {
		u.sureLow = max(u.sureLow, int(-lo))
	}
}

// Depth returns how many bytes of its stack frame a subprogram touches, a multiple
// of 8, and whether the verifier of a program that it accepts computes this number
// (kernel/bpf/verifier.c grow_stack_state, Linux 7.3).
func (f *Facts) Depth(sub int) (bytes int, certain bool) {
	d := f.depth[sub]
	return d.deep, d.deep == d.sureDeep
}

// LowestByCallees returns how far below the top of a subprogram's frame its
// callees load and store, in bytes: perhaps, and for certain.
func (f *Facts) LowestByCallees(sub int) (maybe, certain int) {
	d := f.depth[sub]
	return d.low, d.sureLow
}
