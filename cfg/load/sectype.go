package load

import "strings"

// Load flags that a section name implies (include/uapi/linux/bpf.h).
const (
	flagSleepable = 1 << 4 // BPF_F_SLEEPABLE
	flagXDPFrags  = 1 << 5 // BPF_F_XDP_HAS_FRAGS
)

// sectionRule says which program type a section name stands for.
type sectionRule struct {
	typ   string // libbpf's name of the program type
	exact string // names that must match as a whole, separated by spaces
	stems string // names that may be followed by a slash and more
	flags uint32
}

// sectionRules are the section names that libbpf 1.8 knows (section_defs in
// tools/lib/bpf/libbpf.c). No name matches two rules, so order is of no
// importance.
var sectionRules = []sectionRule{
	{typ: "socket_filter", exact: "socket"},
	{typ: "sk_reuseport", exact: "sk_reuseport sk_reuseport/migrate"},
	{typ: "sk_lookup", exact: "sk_lookup"},
	{typ: "sk_msg", exact: "sk_msg"},
	{typ: "sk_skb", exact: "sk_skb sk_skb/verdict sk_skb/stream_parser sk_skb/stream_verdict"},
	{typ: "sock_ops", exact: "sockops"},
	{typ: "flow_dissector", exact: "flow_dissector"},
	{typ: "netfilter", exact: "netfilter"},
	{typ: "perf_event", exact: "perf_event"},
	{typ: "lirc_mode2", exact: "lirc_mode2"},
	{typ: "lwt_in", exact: "lwt_in"},
	{typ: "lwt_out", exact: "lwt_out"},
	{typ: "lwt_xmit", exact: "lwt_xmit"},
	{typ: "lwt_seg6local", exact: "lwt_seg6local"},
	{typ: "syscall", exact: "syscall", flags: flagSleepable},

	{typ: "xdp", exact: "xdp xdp/devmap xdp/cpumap"},
	{typ: "xdp", exact: "xdp.frags xdp.frags/devmap xdp.frags/cpumap", flags: flagXDPFrags},
	{typ: "sched_cls", exact: "tc classifier tc/ingress tc/egress tcx/ingress tcx/egress netkit/primary netkit/peer"},
	{typ: "sched_act", exact: "action"},

	{typ: "cgroup_skb", exact: "cgroup/skb cgroup_skb/ingress cgroup_skb/egress"},
	{typ: "cgroup_sock", exact: "cgroup/sock cgroup/sock_create cgroup/sock_release cgroup/post_bind4 cgroup/post_bind6"},
	{typ: "cgroup_sock_addr", exact: "cgroup/bind4 cgroup/bind6 " +
		"cgroup/connect4 cgroup/connect6 cgroup/connect_unix " +
		"cgroup/sendmsg4 cgroup/sendmsg6 cgroup/sendmsg_unix " +
		"cgroup/recvmsg4 cgroup/recvmsg6 cgroup/recvmsg_unix " +
		"cgroup/getpeername4 cgroup/getpeername6 cgroup/getpeername_unix " +
		"cgroup/getsockname4 cgroup/getsockname6 cgroup/getsockname_unix"},
	{typ: "cgroup_sysctl", exact: "cgroup/sysctl"},
	{typ: "cgroup_sockopt", exact: "cgroup/getsockopt cgroup/setsockopt"},
	{typ: "cgroup_device", exact: "cgroup/dev"},

	{typ: "kprobe", stems: "kprobe kretprobe kprobe.multi kretprobe.multi kprobe.session ksyscall kretsyscall " +
		"uprobe uretprobe uprobe.multi uretprobe.multi uprobe.session usdt"},
	{typ: "kprobe", stems: "uprobe.s uretprobe.s uprobe.multi.s uretprobe.multi.s uprobe.session.s usdt.s",
		flags: flagSleepable},
	{typ: "tracepoint", stems: "tracepoint tp"},
	{typ: "tracepoint", stems: "tracepoint.s tp.s", flags: flagSleepable},
	{typ: "raw_tracepoint", stems: "raw_tracepoint raw_tp"},
	{typ: "raw_tracepoint", stems: "raw_tracepoint.s raw_tp.s", flags: flagSleepable},
	{typ: "raw_tracepoint_writable", stems: "raw_tracepoint.w raw_tp.w"},
	{typ: "tracing", stems: "tp_btf fentry fexit fmod_ret fsession iter fentry.multi fexit.multi fsession.multi"},
	{typ: "tracing", stems: "tp_btf.s fentry.s fexit.s fmod_ret.s fsession.s iter.s " +
		"fentry.multi.s fexit.multi.s fsession.multi.s", flags: flagSleepable},
	{typ: "lsm", stems: "lsm lsm_cgroup"},
	{typ: "lsm", stems: "lsm.s", flags: flagSleepable},
	{typ: "struct_ops", stems: "struct_ops"},
	{typ: "struct_ops", stems: "struct_ops.s", flags: flagSleepable},
	{typ: "ext", stems: "freplace"},
}

// matchSection returns the program type and load flags for a section name, or
// an empty type.
func matchSection(sec string) (string, uint32) {
	stem, _, _ := strings.Cut(sec, "/")
	for _, r := range sectionRules {
		for name := range strings.FieldsSeq(r.exact) {
			if sec == name {
				return r.typ, r.flags
			}
		}
		for name := range strings.FieldsSeq(r.stems) {
			if stem == name {
				return r.typ, r.flags
			}
		}
	}
	return "", 0
}

// contextTypes names the structure that a program type takes its context in,
// as a C program sees it. The kernel takes a pointer to it as a context
// argument of a global function (include/linux/bpf_types.h, btf_is_prog_ctx_type
// in kernel/bpf/btf.c, Linux 7.3). Types not listed take other contexts, which
// need the tag arg:ctx.
var contextTypes = map[string]string{
	"socket_filter": "__sk_buff", "sched_cls": "__sk_buff", "sched_act": "__sk_buff", "cgroup_skb": "__sk_buff",
	"lwt_in": "__sk_buff", "lwt_out": "__sk_buff", "lwt_xmit": "__sk_buff", "lwt_seg6local": "__sk_buff",
	"sk_skb": "__sk_buff", "flow_dissector": "__sk_buff",
	"xdp": "xdp_md", "cgroup_sock": "bpf_sock", "cgroup_sock_addr": "bpf_sock_addr", "sock_ops": "bpf_sock_ops",
	"sk_msg": "sk_msg_md", "kprobe": "bpf_user_pt_regs_t", "perf_event": "bpf_perf_event_data",
	"raw_tracepoint": "bpf_raw_tracepoint_args", "raw_tracepoint_writable": "bpf_raw_tracepoint_args",
	"cgroup_device": "bpf_cgroup_dev_ctx", "cgroup_sysctl": "bpf_sysctl", "cgroup_sockopt": "bpf_sockopt",
	"sk_reuseport": "sk_reuseport_md", "sk_lookup": "bpf_sk_lookup", "netfilter": "bpf_nf_ctx",
}
