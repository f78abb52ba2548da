package live

import "strings"

// Attach types that a load needs to know for some sections (enum
// bpf_attach_type in include/uapi/linux/bpf.h; section_defs in
// tools/lib/bpf/libbpf.c, version 1.8).
var attachTypes = map[string]uint32{
	"cgroup_skb/egress": 1, "cgroup/sock": 2, "cgroup/sock_create": 2, "cgroup/sock_release": 34,
	"cgroup/bind4": 8, "cgroup/bind6": 9, "cgroup/connect4": 10, "cgroup/connect6": 11, "cgroup/connect_unix": 49,
	"cgroup/post_bind4": 12, "cgroup/post_bind6": 13, "cgroup/sendmsg4": 14, "cgroup/sendmsg6": 15,
	"cgroup/sendmsg_unix": 50, "cgroup/recvmsg4": 19, "cgroup/recvmsg6": 20, "cgroup/recvmsg_unix": 51,
	"cgroup/getpeername4": 29, "cgroup/getpeername6": 30, "cgroup/getpeername_unix": 52,
	"cgroup/getsockname4": 31, "cgroup/getsockname6": 32, "cgroup/getsockname_unix": 53,
	"cgroup/sysctl": 18, "cgroup/getsockopt": 21, "cgroup/setsockopt": 22, "cgroup/dev": 6,
	"sk_lookup": 36, "sk_reuseport": 39, "sk_reuseport/migrate": 40, "sk_skb/stream_parser": 4,
	"sk_skb/stream_verdict": 5, "sk_skb/verdict": 38, "sk_msg": 7, "sockops": 3, "flow_dissector": 17,
	"lirc_mode2": 16, "netfilter": 45, "xdp/devmap": 33, "xdp/cpumap": 35, "xdp.frags/devmap": 33,
	"xdp.frags/cpumap": 35, "tcx/ingress": 46, "tcx/egress": 47, "kprobe.multi": 42, "kretprobe.multi": 42,
	"uprobe.multi": 48, "uretprobe.multi": 48,
	"tp_btf": 23, "fentry": 24, "fexit": 25, "fmod_ret": 26, "lsm": 27, "iter": 28, "lsm_cgroup": 43,
}

// attachType returns the attach type that a section's programs are loaded with,
// 0 where the kernel asks for none.
func attachType(section string) uint32 {
	section = strings.TrimPrefix(section, "?")
	if t, ok := attachTypes[section]; ok {
		return t
	}
	stem, _, _ := strings.Cut(section, "/")
	return attachTypes[strings.TrimSuffix(stem, ".s")]
}

// attachPrefix is what the kernel puts in front of the name of a function for
// each kind of tracing program that has to name one when it is loaded.
var attachPrefix = map[string]string{
	"tp_btf": "btf_trace_", "fentry": "", "fexit": "", "fmod_ret": "", "lsm": "bpf_lsm_", "iter": "bpf_iter_",
	"lsm_cgroup": "bpf_lsm_",
}

// attachTarget returns the kernel type that a section's programs attach to, and
// whether they need one.
func attachTarget(section string) (name string, needed bool) {
	stem, target, _ := strings.Cut(strings.TrimPrefix(section, "?"), "/")
	prefix, needed := attachPrefix[strings.TrimSuffix(stem, ".s")]
	if !needed {
		return "", false
	}
	return prefix + target, true
}
