package rewrite

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// mayGotoBytes is the stack that a function with may_goto needs for its timed
// counter: the count, then the start of the time slice.
const mayGotoBytes = 16

// maxTimedLoops is the count of rounds between readings of the clock
// (BPF_MAX_TIMED_LOOPS, Linux 6.15).
const maxTimedLoops = 0xffff

// mayGotoTimer is the kernel function that reads the clock. It takes the
// counter's place on the stack in AX and returns the new count there.
const mayGotoTimer = "arch_bpf_timed_may_goto"

// mayGotoBody returns the replacement of a may_goto: leave when the counter is used up
// (kernel/bpf/fixups.c bpf_do_misc_fixups, Linux 7.3; x86-64 has the timed form since Linux 6.15).
func mayGotoBody(b *builder, ax bytecode.Reg, depth int, target int32) []slot {
	count := int16(-depth - mayGotoBytes)
	return []slot{
		raw(ldxD, ax, bytecode.R10, count, 0),
		jumpTo(j64|jeq, ax, 0, target),
		raw(w64|opSub, ax, 0, 0, 1),
		raw(j64|jne, ax, 0, 2, 0),
		raw(w64|opMov, ax, 0, 0, int32(count)),
		b.kernelCall(mayGotoTimer),
		raw(stxD, bytecode.R10, ax, count, 0),
	}
}

// plainMayGoto is mayGotoBody for kernels before Linux 6.15, which count to 2^23
// and have no clock.
func plainMayGoto(ax bytecode.Reg, depth int, target int32) []slot {
	count := int16(-depth - mayGotoBytes/2)
	return []slot{
		raw(ldxD, ax, bytecode.R10, count, 0),
		jumpTo(j64|jeq, ax, 0, target),
		raw(w64|opSub, ax, 0, 0, 1),
		raw(stxD, bytecode.R10, ax, count, 0),
	}
}

// insertLoopCounters sets up the counter at the start of each function with a
// may_goto. Jumps to the start of the function pass over that; entries of
// instruction arrays do not, up to Linux 7.3.
func insertLoopCounters(st *state, im *image) (*image, int, error) {
	if !slices.ContainsFunc(im.funcs, func(f function) bool { return f.stackExtra != 0 }) {
		return im, 0, nil
	}
	b, changed := newBuilder(im), 0
	b.entriesSkip = st.kernel.Has(kernel.TargetsSkipPrologue)
	fn := 0
	for i := range im.slots {
		for fn+1 < len(im.funcs) && int(im.funcs[fn+1].start) <= i {
			fn++
		}
		f := im.funcs[fn]
		if f.stackExtra == 0 || int(f.start) != i {
			b.keep(i)
			continue
		}
		count := int16(-f.stackDepth)
		with := []slot{raw(stD, bytecode.R10, 0, count, maxLoops)}
		if st.kernel.Has(kernel.TimedMayGoto) {
			with = []slot{
				raw(stD, bytecode.R10, 0, count, maxTimedLoops),
				raw(stD, bytecode.R10, 0, count+8, 0),
			}
		}
		if f.unsure {
			with = unpredicted(with)
		}
		b.insertBefore(i, with...)
		changed++
	}
	if changed == 0 {
		return im, 0, nil
	}
	return b.finish(), changed, nil
}
