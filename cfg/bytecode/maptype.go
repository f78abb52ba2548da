package bytecode

import "strconv"

// Map types that matter to control flow, values or rewrites: BPF_MAP_TYPE_* of
// include/uapi/linux/bpf.h enum bpf_map_type.
const (
	MapHash        = 1
	MapArray       = 2
	MapProgArray   = 3
	MapPercpuHash  = 5
	MapPercpuArray = 6
	MapLRUHash     = 9
	MapLPMTrie     = 11
	MapArrayOfMaps = 12
	MapHashOfMaps  = 13
	MapSockMap     = 15
	MapXSK         = 17
	MapSockHash    = 18
	MapArena       = 33
	MapInsnArray   = 34
)

// MapTypes returns the names of map types in libbpf's words, by number (Linux 7.3).
func MapTypes() []string {
	return []string{
		"unspec", "hash", "array", "prog_array", "perf_event_array", "percpu_hash", "percpu_array",
		"stack_trace", "cgroup_array", "lru_hash", "lru_percpu_hash", "lpm_trie", "array_of_maps",
		"hash_of_maps", "devmap", "sockmap", "cpumap", "xskmap", "sockhash", "cgroup_storage",
		"reuseport_sockarray", "percpu_cgroup_storage", "queue", "stack", "sk_storage", "devmap_hash",
		"struct_ops", "ringbuf", "inode_storage", "task_storage", "bloom_filter", "user_ringbuf",
		"cgrp_storage", "arena", "insn_array", "rhash",
	}
}

// ProgTypes returns the names of program types in libbpf's words, by number (enum
// bpf_prog_type in include/uapi/linux/bpf.h, Linux 7.3).
func ProgTypes() []string {
	return []string{
		"unspec", "socket_filter", "kprobe", "sched_cls", "sched_act", "tracepoint", "xdp", "perf_event",
		"cgroup_skb", "cgroup_sock", "lwt_in", "lwt_out", "lwt_xmit", "sock_ops", "sk_skb", "cgroup_device",
		"sk_msg", "raw_tracepoint", "cgroup_sock_addr", "lwt_seg6local", "lirc_mode2", "sk_reuseport",
		"flow_dissector", "cgroup_sysctl", "raw_tracepoint_writable", "cgroup_sockopt", "tracing",
		"struct_ops", "ext", "lsm", "sk_lookup", "syscall", "netfilter",
	}
}

// MapTypeName returns the name of a map type, or its number as text.
func MapTypeName(n uint32) string {
	if names := MapTypes(); n < uint32(len(names)) {
		return names[n]
	}
	return strconv.FormatUint(uint64(n), 10)
}
