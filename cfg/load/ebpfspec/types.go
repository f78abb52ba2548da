package ebpfspec

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// typeNames are libbpf's names of the program types, by number (enum
// bpf_prog_type in include/uapi/linux/bpf.h).
func typeNames() []string {
	return []string{
		"", "socket_filter", "kprobe", "sched_cls", "sched_act", "tracepoint", "xdp", "perf_event", "cgroup_skb",
		"cgroup_sock", "lwt_in", "lwt_out", "lwt_xmit", "sock_ops", "sk_skb", "cgroup_device", "sk_msg",
		"raw_tracepoint", "cgroup_sock_addr", "lwt_seg6local", "lirc_mode2", "sk_reuseport", "flow_dissector",
		"cgroup_sysctl", "raw_tracepoint_writable", "cgroup_sockopt", "tracing", "struct_ops", "ext", "lsm",
		"sk_lookup", "syscall", "netfilter",
	}
}

// typeName returns the name of a program type; empty for an unknown one of
// Linux.
func typeName(t ebpf.ProgramType) (string, error) {
	if names := typeNames(); uint64(t) < uint64(len(names)) {
		return names[t], nil
	}
	if uint32(t)>>28 != 0 { // the tag of another system
		return "", fmt.Errorf("type %v: %w", t, ErrSystem)
	}
	return "", nil
}

// typeOf is the inverse of typeName.
func typeOf(name string) (ebpf.ProgramType, error) {
	i := slices.Index(typeNames(), name)
	if i < 0 {
		return 0, fmt.Errorf("type %s: %w", visible.Text(name), ErrNotInSpec)
	}
	return ebpf.ProgramType(i), nil
}
