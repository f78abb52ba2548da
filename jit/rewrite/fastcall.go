package rewrite

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// removeFastcallSpills turns stores and loads into no-ops that only keep
// registers over a call that does not need it: of a helper or kernel function
// that is inlined and clobbers no more than its arguments and R0. Compilers put
// them there for kernels that do not inline. The function's stack shrinks
// accordingly (kernel/bpf/verifier.c mark_fastcall_patterns and
// kernel/bpf/fixups.c bpf_remove_fastcall_spills_fills, Linux 7.3).
//
//	*(u64 *)(r10 - 16) = r1
//	call bpf_get_smp_processor_id
//	r1 = *(u64 *)(r10 - 16)
//
// The kernel looks for the pattern at the lowest offset that the function stores
// a register to, and leaves the whole function as it is when any other load or
// store of that part of its stack is seen (check_fastcall_stack_contract).
func removeFastcallSpills(st *state, im *image) (*image, int, error) {
	if !st.kernel.Has(kernel.Fastcall) {
		return im, 0, nil
	}
	out, changed := im, 0
	var targets []bool
	for fn := range im.funcs {
		if !inlinesFastcall(st, im, fn) {
			continue
		}
		if targets == nil {
			targets = jumpTargets(st.src)
		}
		f := fastcalls{st: st, im: im, targets: targets, fn: fn, start: int(im.funcs[fn].start), end: int(im.end(fn))}
		f.find()
		given := f.givenUp()
		if len(f.calls) == 0 || given == cfg.Yes {
			continue
		}
		if out == im {
			out = im.clone()
		}
		if f.opposed {
			f.keep(out)
			continue
		}
		changed += f.remove(out, given == cfg.Maybe)
	}
	return out, changed, nil
}

// argRegs are the registers R1 to R5, as bits, callerSaved R0 to R5.
const (
	argRegs     = 0x3e
	callerSaved = argRegs | 1
)

// fastcall is a call with spills around it.
type fastcall struct{ at, spills int }

// fastcalls finds the calls of one function.
type fastcalls struct {
	st         *state
	im         *image
	targets    []bool // of each source slot, whether a jump leads there
	fn         int
	start, end int
	calls      []fastcall
	pattern    map[int]bool // slots of stores and loads that belong to a call
	low        int          // offset from r10 above which others may use the stack
	keepStack  bool         // a call that is not inlined looks the same
	guess      bool         // the prototype of a call that looks the same is not known
	opposed    bool         // a load or store that may be seen forbids the removal
}

// inlinesFastcall reports whether a function has a call around which spills can
// be removed.
func inlinesFastcall(st *state, im *image, fn int) bool {
	for i := im.funcs[fn].start; i < im.end(fn); i++ {
		if s := im.slots[i]; s.in.Code == bytecode.CodeCall && s.marks&markSecond == 0 {
			if c, ok := summarize(st, im, s); ok && c.inlined {
				return true
			}
		}
	}
	return false
}

// jumpTargets returns which slots jumps lead to (kernel/bpf/cfg.c mark_jump_target,
// Linux 7.3).
func jumpTargets(p *bytecode.Program) []bool {
	out := make([]bool, p.Len()+1)
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		switch f := p.Flow(pc); f.Kind {
		case bytecode.FlowGoto, bytecode.FlowCond:
			if f.Target >= 0 && f.Target < p.Len() {
				out[f.Target] = true
			}
		}
	}
	for _, union := range cfg.Unions(p) {
		for _, to := range union {
			if to >= 0 && to < p.Len() {
				out[to] = true
			}
		}
	}
	return out
}

// find looks for the pattern at the lowest offset that the function stores a
// register to.
func (f *fastcalls) find() {
	lowest := int16(0)
	f.pattern = map[int]bool{}
	for i := f.start; i < f.end; i++ {
		if s := f.im.slots[i]; s.in.Code == stxD && s.in.Dst == bytecode.R10 && s.marks&markSecond == 0 {
			lowest = min(lowest, s.in.Off)
		}
	}
	for i := f.start; i < f.end; i++ {
		s := f.im.slots[i]
		if s.marks&markSecond != 0 || s.in.Code != bytecode.CodeCall {
			continue
		}
		c, ok := summarize(f.st, f.im, s)
		if !ok {
			continue
		}
		n := f.match(i, lowest, callerSaved&^c.clobbers)
		if n == 0 {
			continue
		}
		if c.inlined {
			f.calls = append(f.calls, fastcall{i, n})
		} else {
			f.keepStack, f.guess = true, f.guess || c.guess
		}
		f.low = min(f.low, int(lowest)+8*n)
	}
}

// summary holds the registers that a call clobbers by its prototype, as bits, and whether it is
// inlined and clobbers no others.
type summary struct {
	clobbers uint16
	inlined  bool
	guess    bool // the prototype is not known
}

// summarize returns the summary of a call of a helper or kernel function, false
// when its prototype is not known (kernel/bpf/verifier.c bpf_get_call_summary and
// bpf_verifier_inlines_helper_call, Linux 7.3).
func summarize(st *state, im *image, s slot) (summary, bool) {
	clobbers := func(params int, void bool) uint16 {
		mask := uint16(1)<<(params+1) - 1
		if void {
			mask &^= 1
		}
		return mask
	}
	switch s.in.Src {
	case bytecode.CallHelper:
		n, ok := bytecode.HelperParams(s.in.Imm)
		c := summary{clobbers: clobbers(n, bytecode.HelperIsVoid(s.in.Imm))}
		switch asm.BuiltinFunc(s.in.Imm) {
		case asm.FnGetSmpProcessorId:
			c.inlined = true
		}
		return c, ok
	case bytecode.CallKfunc:
		ref, _ := im.refAt(s)
		switch ref.Name {
		case "bpf_cast_to_kern_ctx":
			return summary{clobbers: clobbers(1, false), inlined: true}, true
		case "bpf_rdonly_cast":
			return summary{clobbers: clobbers(2, false), inlined: true}, true
		}
		// Of others the prototype is in the kernel's BTF. Most take one at least.
		return summary{clobbers: clobbers(1, false), guess: true}, true
	}
	return summary{}, false
}

// match returns how many pairs of a store and a load are around the call at i, from the inside out.
// Only the outermost store may be a jump's target; older kernels do not check this.
func (f *fastcalls) match(i int, off int16, free uint16) int {
	n := 0
	for k := 1; k <= 6 && i-k >= 0 && i+k < len(f.im.slots); k++ {
		jumped := f.targets[f.im.slots[i-k+1].orig] || f.targets[f.im.slots[i+k].orig]
		if jumped && f.st.kernel.Has(kernel.JumpIntoFastcall) {
			break
		}
		store, load := f.im.slots[i-k].in, f.im.slots[i+k].in
		if store.Code != stxD || load.Code != ldxD || store.Dst != bytecode.R10 || load.Src != bytecode.R10 ||
			store.Src != load.Dst || free>>store.Src&1 == 0 || store.Off != off || load.Off != off {
			break
		}
		f.guess = f.guess || jumped // some stable releases look for jumps
		free &^= 1 << store.Src
		f.pattern[i-k], f.pattern[i+k] = true, true
		off += 8
		n++
	}
	return n
}

// givenUp reports whether the verifier sees another load or store of the part of
// the stack below f.low.
func (f *fastcalls) givenUp() cfg.Truth {
	out := cfg.No
	if f.guess {
		out = cfg.Maybe
	}
	note := func(low, sure int) {
		if low < f.low {
			out, f.opposed = out.Or(cfg.Maybe), true
		}
		if sure < f.low {
			out = cfg.Yes
		}
	}
	all := f.st.facts.Accesses
	first, _ := slices.BinarySearchFunc(all, bytecode.PC(f.start), func(a AccessFact, pc bytecode.PC) int {
		return cmp.Compare(a.PC, pc)
	})
	for _, a := range all[first:] {
		if int(a.PC) >= f.end {
			break
		}
		if !f.pattern[int(a.PC)] {
			note(a.Low, a.SureLow)
		}
	}
	if f.st.facts.Stack != nil {
		s := f.st.facts.Stack[f.fn]
		note(-s.Low, -s.SureLow)
	} else {
		out = out.Or(cfg.Maybe)
	}
	return out
}

// keep leaves the stores and loads in place, but the kernel may remove them: code that forbids the
// removal is perhaps not seen.
func (f *fastcalls) keep(out *image) {
	for _, c := range f.calls {
		out.slots[c.at].marks |= markUnpredicted
	}
	out.funcs[f.fn].unsure = true
}

// remove turns the stores and loads into no-ops and returns how many there are.
func (f *fastcalls) remove(out *image, unsure bool) int {
	changed := 0
	for _, c := range f.calls {
		for k := 1; k <= c.spills; k++ {
			for _, i := range []int{c.at - k, c.at + k} {
				s := &out.slots[i]
				s.in, s.target, s.to = nop, int32(i+1), MemPlain
			}
		}
		if unsure {
			out.slots[c.at].marks |= markUnpredicted
		}
		changed += 2 * c.spills
	}
	if fn := &out.funcs[f.fn]; !f.keepStack {
		fn.stackDepth, fn.unsure = -f.low, unsure
	} else if unsure {
		fn.unsure = true
	}
	return changed
}
