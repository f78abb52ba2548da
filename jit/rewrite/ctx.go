package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// Modes of loads, stores and atomics that only rewritten programs have
// (include/linux/filter.h).
const (
	modeProbeMem     = 0x20
	modeProbeMemSX   = 0x40
	modeProbeMem32   = 0xa0
	modeProbeMem32SX = 0xc0
	modeProbeAtomic  = 0xe0
	modeBits         = 0xe0
)

// convertAccesses replaces accesses through pointers of special kinds
// (kernel/bpf/fixups.c bpf_convert_ctx_accesses): in an arena and through
// pointers that may fault by other modes, in a context by reads of the
// structure behind it. That structure's layout is the kernel build's, so such
// an access stays and is marked, except for the packet pointers of XDP
// (struct xdp_buff begins with data, data_end and data_meta since Linux 4.18).
func convertAccesses(st *state, im *image) (*image, int, error) {
	b, changed := newBuilder(im), 0
	for i, s := range im.slots {
		if s.marks&markSecond != 0 || s.marks&markSeen == 0 {
			b.keep(i)
			continue
		}
		with := st.convertAccess(&s)
		if st.opt.NoCapPerfmon && st.mayBeGuarded(s.in) {
			s.marks |= markUnpredicted
		}
		if !with && s.marks&(markBarrierPre|markBarrierPost) == 0 {
			b.replace(i, s)
			continue
		}
		changed++
		b.patch(i, barriers(s)...)
	}
	out := b.finish()
	if (st.facts.DirectWrite || st.mayWrite) && unclones(st.src.Type) {
		if out == im {
			out = im.clone()
		}
		out.slots[0].marks |= markUnpredicted
	}
	return out, changed, nil
}

// convertAccess converts an access in place and reports whether it did.
func (st *state) convertAccess(s *slot) bool {
	switch {
	case s.marks&markArena != 0:
		return arenaAccess(&s.in)
	case s.marks&markProbe != 0:
		return probeLoad(&s.in)
	case s.marks&markOtherCtx != 0:
		s.marks |= markUnpredicted
	case s.marks&markCtx == 0 || !hasConversion(st.src.Type):
	case st.src.Type == "xdp" && (st.mustCtx == nil || st.mustCtx[s.orig]) && xdpPointer(&s.in):
		return true
	default:
		s.marks |= markUnpredicted
	}
	return false
}

// nospec is the instruction that stops speculation (BPF_ST | BPF_NOSPEC).
const nospec = 0xc2

// barriers returns a slot with what stops speculation around it.
func barriers(s slot) []slot {
	var out []slot
	if s.marks&markBarrierPre != 0 {
		out = append(out, raw(nospec, 0, 0, 0, 0))
	}
	out = append(out, s)
	if s.marks&markBarrierPost != 0 {
		out = append(out, raw(nospec, 0, 0, 0, 0))
	}
	return out
}

// mayBeGuarded reports whether the verifier may put something around or in
// place of the instruction for a loader without CAP_PERFMON: arithmetic that
// may be on a pointer, of whose limits no fact tells; and, unless facts tell, a
// first store to a stack slot.
func (st *state) mayBeGuarded(in bytecode.Insn) bool {
	switch in.Class() {
	case asm.StClass, asm.StXClass:
		return st.facts.Accesses == nil && in.Mode() == asm.MemMode
	case asm.ALU64Class:
		return in.Source() == asm.RegSource && (in.ALUOp() == asm.Add || in.ALUOp() == asm.Sub)
	}
	return false
}

// arenaAccess makes an access one relative to the arena.
func arenaAccess(in *bytecode.Insn) bool {
	mode := uint8(0)
	switch in.Mode() {
	case asm.MemMode:
		mode = modeProbeMem32
	case asm.MemSXMode:
		mode = modeProbeMem32SX
	case asm.AtomicMode:
		mode = modeProbeAtomic
	default:
		return false
	}
	in.Code = in.Code&^modeBits | mode
	return true
}

// probeLoad makes a load one that may fault.
func probeLoad(in *bytecode.Insn) bool {
	if in.Class() != asm.LdXClass {
		return false
	}
	mode := uint8(modeProbeMem)
	if in.Mode() == asm.MemSXMode {
		mode = modeProbeMemSX
	}
	in.Code = in.Code&^modeBits | mode
	return true
}

// xdpPointer makes a load of data, data_end or data_meta from struct xdp_md the
// same from struct xdp_buff.
func xdpPointer(in *bytecode.Insn) bool {
	if in.Code != ldxW || in.Off < 0 || in.Off > 8 || in.Off%4 != 0 {
		return false
	}
	in.Code, in.Off = ldxD, in.Off*2
	return true
}

// hasConversion reports whether the context of a program type is a view of
// another structure (convert_ctx_access of struct bpf_verifier_ops, Linux 7.3).
func hasConversion(progType string) bool {
	switch progType {
	case "socket_filter", "sched_cls", "sched_act", "xdp", "perf_event", "cgroup_skb", "cgroup_sock",
		"lwt_in", "lwt_out", "lwt_xmit", "sock_ops", "sk_skb", "sk_msg", "cgroup_sock_addr",
		"lwt_seg6local", "sk_reuseport", "flow_dissector", "cgroup_sysctl", "cgroup_sockopt", "sk_lookup":
		return true
	}
	return false
}

// unclones reports whether programs of a type make the packet their own before
// they write to it (gen_prologue of struct bpf_verifier_ops).
func unclones(progType string) bool {
	return progType == "sched_cls" || progType == "sched_act" || progType == "sk_skb"
}
