package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// addPrologue puts before the main program, and in the place of its exits, the code that the
// program type requires (kernel/bpf/fixups.c bpf_convert_ctx_accesses; gen_prologue and
// gen_epilogue of struct bpf_verifier_ops, Linux 7.3). Jumps to the first instruction pass over it.
func addPrologue(st *state, im *image) (*image, int, error) {
	switch write := st.writesPacket(im); {
	case unclones(st.src.Type) && write != cfg.No:
		with := st.unclone()
		if write == cfg.Maybe {
			unpredicted(with)
		}
		return st.insertFirst(im, with)
	case st.src.Type == "struct_ops":
		return st.structOps(im)
	}
	return im, 0, nil
}

// insertFirst puts slots before the program.
func (st *state) insertFirst(im *image, with []slot) (*image, int, error) {
	b := newBuilder(im)
	b.refs = append(b.refs, st.added...)
	b.entriesSkip = st.kernel.Has(kernel.TargetsSkipPrologue)
	b.insertBefore(0, with...)
	for i := 1; i < len(im.slots); i++ {
		b.keep(i)
	}
	return b.finish(), len(with), nil
}

// writesPacket reports whether the program writes to packet data.
func (st *state) writesPacket(im *image) cfg.Truth {
	out := st.facts.DirectWrite
	for _, s := range im.slots {
		if !s.in.IsKfuncCall() || s.marks&markSeen == 0 {
			continue
		}
		if ref, ok := im.refAt(s); ok && ref.Name == "bpf_dynptr_slice_rdwr" {
			if s.marks&markMaybe == 0 {
				return cfg.Yes
			}
			out = out.Or(cfg.Maybe)
		}
	}
	return out
}

// unclone returns the prologue of programs that write to packets: a shared packet is copied first
// (net/core/filter.c bpf_unclone_prologue).
func (st *state) unclone() []slot {
	const (
		shot     = 2  // TC_ACT_SHOT
		pullData = 39 // bpf_skb_pull_data
	)
	verdict := int32(shot)
	if st.src.Type == "sk_skb" {
		verdict = 0 // SK_DROP
	}
	cloned, ok := st.member("sk_buff.__cloned_offset")
	r0, r1, r2, r6 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R6
	out := []slot{
		ldx(1, r6, r1, int16(cloned.off)),
		raw(w32|opAnd, r6, 0, 0, 1),
		raw(j64|jeq, r6, 0, 7, 0),
		raw(w64|opMov|byReg, r6, r1, 0, 0),
		raw(w64|opXor|byReg, r2, r2, 0, 0),
		raw(bytecode.CodeCall, 0, 0, 0, pullData),
		raw(j64|jeq, r0, 0, 2, 0),
		raw(w32|opMov, r0, 0, 0, verdict),
		raw(bytecode.CodeExit, 0, 0, 0, 0),
		raw(w64|opMov|byReg, r1, r6, 0, 0),
	}
	if st.build = st.members.build; !ok {
		unpredicted(out)
	}
	return out
}

// Members of struct Qdisc_ops (include/net/sch_generic.h), by number.
const (
	qdiscInit    = 8
	qdiscReset   = 9
	qdiscDestroy = 10
)

// structOps adds the code that a kind of struct_ops has around its programs, as queueing
// disciplines do (net/sched/bpf_qdisc.c). For unknown kinds, such as those of modules, the prologue
// is unpredicted.
func (st *state) structOps(im *image) (*image, int, error) {
	switch st.src.AttachTo {
	case "struct tcp_congestion_ops", "struct sched_ext_ops", "struct hid_bpf_ops", "struct bpf_dummy_ops",
		"struct smc_hs_ctrl":
		return im, 0, nil
	case "struct Qdisc_ops":
		switch st.opt.AttachType {
		case qdiscInit:
			return st.qdiscInit(im)
		case qdiscReset, qdiscDestroy:
			return st.qdiscExit(im)
		}
		return im, 0, nil
	}
	out := im.clone()
	out.slots[0].marks |= markUnpredicted
	return out, 0, nil
}

// kernelRef adds a reference to a kernel function for a slot of insertFirst.
func (st *state) kernelRef(im *image, name string) int32 {
	st.added = append(st.added, bytecode.Ref{Kind: bytecode.RefKfunc, Name: name})
	return int32(len(im.refs) + len(st.added) - 1)
}

// qdiscInit calls a function of the kernel first, which may refuse.
func (st *state) qdiscInit(im *image) (*image, int, error) {
	r0, r1, r2, r6 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R6
	call := raw(bytecode.CodeCall, 0, bytecode.CallKfunc, 0, 0)
	return st.insertFirst(im, []slot{
		raw(w64|opMov|byReg, r6, r1, 0, 0),
		ldx(8, r2, r1, 16),
		ldx(8, r1, r1, 0),
		call.with(st.kernelRef(im, "bpf_qdisc_init_prologue")),
		raw(j64|jeq, r0, 0, 1, 0),
		raw(bytecode.CodeExit, 0, 0, 0, 0),
		raw(w64|opMov|byReg, r1, r6, 0, 0),
	})
}

// qdiscExit keeps the context on the stack and calls a function of the kernel in
// the place of the main program's first exit, to which the others jump.
func (st *state) qdiscExit(im *image) (*image, int, error) {
	b := newBuilder(im)
	b.entriesSkip = st.kernel.Has(kernel.TargetsSkipPrologue)
	depth := im.funcs[0].stackDepth + 8
	b.funcs[0].stackDepth = depth
	r1 := bytecode.R1
	b.insertBefore(0, raw(stxD, bytecode.R10, r1, int16(-depth), 0))
	first := int32(none)
	for i := 1; i < len(im.slots); i++ {
		switch s := im.slots[i]; {
		case s.in.Code != bytecode.CodeExit || s.marks&markSecond != 0 || i >= int(im.end(0)):
			b.keep(i)
		case first == none:
			first = int32(i)
			b.patch(i, st.qdiscEpilogue(b, depth)...)
		default:
			b.patch(i, slot{in: bytecode.Insn{Code: bytecode.CodeGotol}, target: first, ref: none})
		}
	}
	if im.slots[0].in.Code == bytecode.CodeExit { // the program is only an exit
		last := len(b.out) - 1
		tail := st.qdiscEpilogue(b, depth)
		for k := range tail {
			tail[k].orig, tail[k].marks = im.slots[0].orig, markPatched|markSeen
		}
		b.out = append(b.out[:last], tail...)
	}
	return b.finish(), 2, nil
}

// qdiscEpilogue is the code in the place of an exit.
func (st *state) qdiscEpilogue(b *builder, depth int) []slot {
	r1 := bytecode.R1
	call := raw(bytecode.CodeCall, 0, bytecode.CallKfunc, 0, 0)
	return []slot{
		ldx(8, r1, bytecode.R10, int16(-depth)),
		ldx(8, r1, r1, 0),
		call.with(b.addRef(bytecode.RefKfunc, 0, "bpf_qdisc_reset_destroy_epilogue")),
		raw(bytecode.CodeExit, 0, 0, 0, 0),
	}
}
