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
	out, changed := im.clone(), 0
	context := hasConversion[st.src.Type]
	for i := range out.slots {
		s := &out.slots[i]
		if s.marks&(markCtx|markOtherCtx|markArena|markProbe) == 0 || s.marks&markSeen == 0 {
			continue
		}
		switch {
		case s.marks&markArena != 0:
			changed += arenaAccess(&s.in)
		case s.marks&markProbe != 0:
			changed += probeLoad(&s.in)
		case s.marks&markOtherCtx != 0:
			s.marks |= markUnpredicted
		case context && st.src.Type == "xdp" && xdpPointer(&s.in):
			changed++
		case context:
			s.marks |= markUnpredicted
		}
	}
	if st.facts.DirectWrite && unclones[st.src.Type] {
		out.slots[0].marks |= markUnpredicted
	}
	return out, changed, nil
}

// arenaAccess makes an access one relative to the arena.
func arenaAccess(in *bytecode.Insn) int {
	mode := uint8(0)
	switch in.Mode() {
	case asm.MemMode:
		mode = modeProbeMem32
	case asm.MemSXMode:
		mode = modeProbeMem32SX
	case asm.AtomicMode:
		mode = modeProbeAtomic
	default:
		return 0
	}
	in.Code = in.Code&^modeBits | mode
	return 1
}

// probeLoad makes a load one that may fault.
func probeLoad(in *bytecode.Insn) int {
	if in.Class() != asm.LdXClass {
		return 0
	}
	mode := uint8(modeProbeMem)
	if in.Mode() == asm.MemSXMode {
		mode = modeProbeMemSX
	}
	in.Code = in.Code&^modeBits | mode
	return 1
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

// hasConversion lists the program types whose context is a view of another
// structure (convert_ctx_access of struct bpf_verifier_ops, Linux 7.3).
var hasConversion = map[string]bool{
	"socket_filter": true, "sched_cls": true, "sched_act": true, "xdp": true, "perf_event": true,
	"cgroup_skb": true, "cgroup_sock": true, "lwt_in": true, "lwt_out": true, "lwt_xmit": true,
	"sock_ops": true, "sk_skb": true, "sk_msg": true, "cgroup_sock_addr": true, "lwt_seg6local": true,
	"sk_reuseport": true, "flow_dissector": true, "cgroup_sysctl": true, "cgroup_sockopt": true,
	"sk_lookup": true, "netfilter": false,
}

// unclones lists the program types that make the packet their own before they
// write to it (gen_prologue of struct bpf_verifier_ops).
var unclones = map[string]bool{"sched_cls": true, "sched_act": true, "sk_skb": true}
