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

// convertAccesses replaces accesses to memory of special kinds
// (kernel/bpf/fixups.c bpf_convert_ctx_accesses): in an arena and through
// pointers that may fault by other modes, in a context by reads of the
// structure behind it, where that lies in the build that the profile stands for.
func convertAccesses(st *state, im *image) (*image, int, error) {
	b, changed := newBuilder(im), 0
	for i, s := range im.slots {
		if s.marks&(markSecond|markPatched) != 0 || s.marks&markSeen == 0 {
			b.keep(i)
			continue
		}
		with := st.convertAccess(&s)
		if st.opt.NoCapPerfmon && mayBeGuarded(s) {
			s.marks |= markUnpredicted
		}
		if with == nil && s.marks&(markBarrierPre|markBarrierPost) == 0 {
			b.replace(i, s)
			continue
		}
		changed++
		if inPlace := s.to == MemArena || s.to == MemObject; inPlace && s.marks&(markBarrierPre|markBarrierPost) == 0 {
			b.replace(i, with[0])
			continue
		}
		if with == nil {
			with = []slot{s}
		}
		b.patch(i, barriers(s.marks, with)...)
	}
	return b.finish(), changed, nil
}

// convertAccess returns the replacement of an access, nil if it stays, and marks an access of which
// the kernel's form is not known.
func (st *state) convertAccess(s *slot) []slot {
	base, ok := accessBase(s.in)
	if !ok || base == bytecode.R10 || base == bytecode.R11 {
		return nil
	}
	if s.marks&markSure == 0 {
		s.marks |= markUnpredicted
	}
	if s.in.Class() == asm.StXClass && s.in.Mode() == asm.AtomicMode && s.to != MemArena {
		return nil // stays in every kernel that accepts it
	}
	var with []slot
	switch s.to {
	case MemArena:
		if arenaAccess(&s.in) {
			with = []slot{*s}
		}
	case MemObject:
		if probeLoad(&s.in) {
			with = []slot{*s}
		}
	case MemUnknown:
		s.marks |= markUnpredicted
	case MemSock:
		with = st.convertField(sockFields(), *s)
	case MemTCPSock:
		with = st.convertField(tcpSockFields(), *s)
	case MemXDPSock:
		with = st.convertField([]field{{0, 4, "xdp_sock.queue_id", fieldWhole, 0}}, *s)
	case MemCtx:
		if st.src.Type == "" || st.src.Type == "ext" { // the type of another program
			s.marks |= markUnpredicted
		}
		if hasConversion(st.src.Type) {
			with = st.convertField(contextFields(st.src.Type), *s)
		}
	}
	special := s.to == MemSock || s.to == MemTCPSock || s.to == MemXDPSock ||
		s.to == MemCtx && hasConversion(st.src.Type)
	switch {
	case special && with == nil:
		s.marks |= markUnpredicted
	case s.marks&markUnpredicted != 0:
		unpredicted(with)
	}
	return with
}

// accessBase returns the register that a load, store or atomic has its address
// from.
func accessBase(in bytecode.Insn) (bytecode.Reg, bool) {
	switch in.Class() {
	case asm.LdXClass:
		return in.Src, true
	case asm.StClass:
		return in.Dst, true
	case asm.StXClass:
		if in.Mode() == asm.AtomicMode && in.Imm == atomicLoadAcq {
			return in.Src, true
		}
		return in.Dst, true
	}
	return 0, false
}

// nospec is the instruction that stops speculation (BPF_ST | BPF_NOSPEC).
const nospec = 0xc2

// barriers returns a patch with the instructions around it that stop speculation.
func barriers(m marks, with []slot) []slot {
	var out []slot
	if m&markBarrierPre != 0 {
		out = append(out, raw(nospec, 0, 0, 0, 0))
	}
	out = append(out, with...)
	if m&markBarrierPost != 0 {
		out = append(out, raw(nospec, 0, 0, 0, 0))
	}
	return out
}

// mayBeGuarded reports whether the verifier may put guards around or in place of the instruction
// for a loader without CAP_PERFMON: arithmetic that may be on a pointer whose limits no fact gives,
// and a store without a fact.
func mayBeGuarded(s slot) bool {
	in := s.in
	switch in.Class() {
	case asm.StClass, asm.StXClass:
		return in.Mode() == asm.MemMode && s.marks&markSure == 0
	case asm.ALU64Class:
		return in.Source() == asm.RegSource && (in.ALUOp() == asm.Add || in.ALUOp() == asm.Sub)
	}
	return false
}

// arenaAccess makes an access relative to the arena.
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

// probeLoad turns a load into one that may fault.
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

// unclones reports whether programs of a type unshare the packet before they write to it
// (gen_prologue of struct bpf_verifier_ops).
func unclones(progType string) bool {
	switch progType {
	case "sched_cls", "sched_act", "lwt_xmit", "sk_skb":
		return true
	}
	return false
}
