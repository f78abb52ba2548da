package rewrite

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/reach"
)

// minPrivateStack is the stack depth from which a function gets a private
// stack, in bytes after rounding up to 16 (BPF_PRIV_STACK_MIN_SIZE, Linux 6.13).
const minPrivateStack = 64

// surveyStacks finds out which functions reach a tail call and which get a private stack
// (kernel/bpf/verifier.c check_max_stack_depth, Linux 7.3). It also determines the zero extensions,
// because the kernel computes live registers before. The kernel does this before dead code is
// removed and before loops need room: calls that cannot execute count, later additions do not.
func surveyStacks(st *state, im *image) (*image, int, error) {
	calls := callGraph(im)
	tails := make([]bool, len(im.funcs))
	anyTail := false
	for i, s := range im.slots {
		if s.marks&markSecond == 0 && isTailCall(s.in) {
			tails[im.funcAt(int32(i))], anyTail = true, true
		}
	}
	st.tailReaching = reach.To(calls, tails)
	var err error
	if st.zext, err = findCmpxchg(st, im); err != nil {
		return nil, 0, err
	}
	out := im.clone()
	for i := range out.funcs {
		out.funcs[i].stackArgs = outStackArgs(im, i)
	}

	st.private = make([]bool, len(im.funcs))
	for i := range out.funcs {
		if out.funcs[i].unsure {
			out.slots[out.funcs[i].start].marks |= markUnpredicted
		}
	}
	if anyTail || !privateType(st) || !slices.ContainsFunc(out.funcs, mayBePrivate) ||
		!st.kernel.Has(kernel.PrivateStack) {
		return out, 0, nil
	}
	var async, maybe []bool
	for _, t := range st.facts.AsyncCallback {
		async, maybe = append(async, t == cfg.Yes), append(maybe, t == cfg.Maybe)
	}
	async, maybe = reach.From(calls, async), reach.From(calls, maybe)
	for i, f := range out.funcs {
		wants := f.wantsPrivate()
		st.private[i] = wants && (i >= len(async) || !async[i])
		if st.private[i] && i < len(maybe) && maybe[i] || f.unsure {
			out.markFrame(i)
		}
		if st.private[i] {
			out.markPrologue(st, i)
		}
	}
	return out, 0, nil
}

// wantsPrivate reports whether the stack of a function is large enough to be private, and has no
// arguments of other functions.
func (f *function) wantsPrivate() bool {
	return (f.stackDepth+15)&^15 >= minPrivateStack && f.stackArgs == 0
}

// mayBePrivate reports whether it matters to a function that private stacks exist.
func mayBePrivate(f function) bool { return f.wantsPrivate() || f.unsure }

// markFrame marks in place the slots that depend on where a function's stack is.
func (im *image) markFrame(fn int) {
	im.slots[im.funcs[fn].start].marks |= markUnpredicted
	for i := im.funcs[fn].start; i < im.end(fn); i++ {
		s := &im.slots[i]
		if s.marks&markSecond == 0 && (s.in.Dst == bytecode.R10 || s.in.Src == bytecode.R10) {
			s.marks |= markUnpredicted
		}
	}
}

// markPrologue marks the first slot of a function with a private stack unless the
// profile gives the length of the instruction that loads its address.
func (im *image) markPrologue(st *state, fn int) {
	if st.usedStackForm = true; st.kernel.Has(kernel.ShortMov64) && st.prof.StackForm == "" {
		im.slots[im.funcs[fn].start].marks |= markUnpredicted
	}
}

// privateType reports whether programs of the type may have private stacks
// (kernel/bpf/verifier.c bpf_enable_priv_stack).
func privateType(st *state) bool {
	const traceIter = 28 // BPF_TRACE_ITER
	switch st.src.Type {
	case "kprobe", "tracepoint", "perf_event", "raw_tracepoint":
		return true
	case "tracing":
		return st.opt.AttachType != traceIter
	case "struct_ops":
		return st.opt.PrivateStack
	}
	return false
}

// callGraph returns for each function those that it calls or takes the address
// of, once for each place.
func callGraph(im *image) [][]int {
	calls := make([][]int, len(im.funcs))
	for i, s := range im.slots {
		if s.target != none && isCallLike(s.in) {
			fn := im.funcAt(int32(i))
			calls[fn] = append(calls[fn], im.funcAt(s.target))
		}
	}
	return calls
}

// outStackArgs returns how many slots of outgoing stack arguments a function
// writes, through r11 (Linux 7.3).
func outStackArgs(im *image, fn int) int {
	args := 0
	for i := im.funcs[fn].start; i < im.end(fn); i++ {
		in := im.slots[i].in
		if im.slots[i].marks&(markSecond|markPatched) != 0 || in.Dst != bytecode.R11 {
			continue
		}
		if c := in.Class(); c == asm.StClass || c == asm.StXClass {
			args = max(args, -int(in.Off)/8)
		}
	}
	return args
}
