package load

import (
	"strconv"
	"strings"
)

// Load flags that a section name implies (include/uapi/linux/bpf.h).
const (
	flagSleepable = 1 << 4 // BPF_F_SLEEPABLE
	flagXDPFrags  = 1 << 5 // BPF_F_XDP_HAS_FRAGS
)

// sectionRule gives the program type and attach type of a section name. The attach type follows
// the name after "="; without it the type is 0 (enum bpf_attach_type in include/uapi/linux/bpf.h,
// Linux 7.3).
type sectionRule struct {
	typ   string // libbpf's name of the program type
	exact string // names that must match as a whole, separated by spaces
	stems string // names that may be followed by a slash and more
	flags uint32
}

// sectionRules are the section names that libbpf 1.8 knows (section_defs in
// tools/lib/bpf/libbpf.c). No name matches two rules, so their order does not matter.
var sectionRules = []sectionRule{
	{typ: "socket_filter", exact: "socket"},
	{typ: "sk_reuseport", exact: "sk_reuseport=39 sk_reuseport/migrate=40"},
	{typ: "sk_lookup", exact: "sk_lookup=36"},
	{typ: "sk_msg", exact: "sk_msg=7"},
	{typ: "sk_skb", exact: "sk_skb sk_skb/verdict=38 sk_skb/stream_parser=4 sk_skb/stream_verdict=5"},
	{typ: "sock_ops", exact: "sockops=3"},
	{typ: "flow_dissector", exact: "flow_dissector=17"},
	{typ: "netfilter", exact: "netfilter=45"},
	{typ: "perf_event", exact: "perf_event"},
	{typ: "lirc_mode2", exact: "lirc_mode2=16"},
	{typ: "lwt_in", exact: "lwt_in"},
	{typ: "lwt_out", exact: "lwt_out"},
	{typ: "lwt_xmit", exact: "lwt_xmit"},
	{typ: "lwt_seg6local", exact: "lwt_seg6local"},
	{typ: "syscall", exact: "syscall", flags: flagSleepable},
	{typ: "xdp", exact: "xdp=37 xdp/devmap=33 xdp/cpumap=35"},
	{typ: "xdp", exact: "xdp.frags=37 xdp.frags/devmap=33 xdp.frags/cpumap=35", flags: flagXDPFrags},
	{typ: "sched_cls", exact: "tc classifier tc/ingress=46 tc/egress=47 tcx/ingress=46 tcx/egress=47 netkit/primary=54 " +
		"netkit/peer=55"},
	{typ: "sched_act", exact: "action"},
	{typ: "cgroup_skb", exact: "cgroup/skb cgroup_skb/ingress cgroup_skb/egress=1"},
	{typ: "cgroup_sock", exact: "cgroup/sock=2 cgroup/sock_create=2 cgroup/sock_release=34 cgroup/post_bind4=12 " +
		"cgroup/post_bind6=13"},
	{typ: "cgroup_sock_addr", exact: "cgroup/bind4=8 cgroup/bind6=9 cgroup/connect4=10 cgroup/connect6=11 " +
		"cgroup/connect_unix=49 cgroup/sendmsg4=14 cgroup/sendmsg6=15 cgroup/sendmsg_unix=50 " +
		"cgroup/recvmsg4=19 cgroup/recvmsg6=20 cgroup/recvmsg_unix=51 cgroup/getpeername4=29 " +
		"cgroup/getpeername6=30 cgroup/getpeername_unix=52 cgroup/getsockname4=31 " +
		"cgroup/getsockname6=32 cgroup/getsockname_unix=53"},
	{typ: "cgroup_sysctl", exact: "cgroup/sysctl=18"},
	{typ: "cgroup_sockopt", exact: "cgroup/getsockopt=21 cgroup/setsockopt=22"},
	{typ: "cgroup_device", exact: "cgroup/dev=6"},
	{typ: "kprobe", stems: "kprobe kretprobe kprobe.multi=42 kretprobe.multi=42 kprobe.session=56 ksyscall " +
		"kretsyscall uprobe uretprobe uprobe.multi=48 uretprobe.multi=48 uprobe.session=57 usdt"},
	{typ: "kprobe", stems: "uprobe.s uretprobe.s uprobe.multi.s=48 uretprobe.multi.s=48 uprobe.session.s=57 usdt.s",
		flags: flagSleepable},
	{typ: "tracepoint", stems: "tracepoint tp"},
	{typ: "tracepoint", stems: "tracepoint.s tp.s", flags: flagSleepable},
	{typ: "raw_tracepoint", stems: "raw_tracepoint raw_tp"},
	{typ: "raw_tracepoint", stems: "raw_tracepoint.s raw_tp.s", flags: flagSleepable},
	{typ: "raw_tracepoint_writable", stems: "raw_tracepoint.w raw_tp.w"},
	{typ: "tracing", stems: "tp_btf=23 fentry=24 fexit=25 fmod_ret=26 fsession=58 iter=28 fentry.multi=59 " +
		"fexit.multi=60 fsession.multi=61"},
	{typ: "tracing", stems: "tp_btf.s=23 fentry.s=24 fexit.s=25 fmod_ret.s=26 fsession.s=58 iter.s=28 " +
		"fentry.multi.s=59 fexit.multi.s=60 fsession.multi.s=61", flags: flagSleepable},
	{typ: "lsm", stems: "lsm=27 lsm_cgroup=43"},
	{typ: "lsm", stems: "lsm.s=27", flags: flagSleepable},
	{typ: "struct_ops", stems: "struct_ops"},
	{typ: "struct_ops", stems: "struct_ops.s", flags: flagSleepable},
	{typ: "ext", stems: "freplace"},
}

// sectionKind is the kind of the programs in a section, by its name.
type sectionKind struct {
	typ    string // libbpf's name of the program type, empty if the name is not known
	flags  uint32 // load flags
	attach uint32 // attach type
}

// kindOf returns the kind for a section name: by libbpf's rules, or else by those of loaders that
// accept every name which begins with a whole one (libbpf before 1.0, and cilium/ebpf v0.22,
// elf_reader.go matchSectionName): "tc/tail", "socket1".
func kindOf(sec string) sectionKind {
	k := matchSection(sec)
	if k.typ != "" {
		return k
	}
	longest := 0
	for _, r := range sectionRules {
		for word := range strings.FieldsSeq(r.exact) {
			name, _, _ := strings.Cut(word, "=")
			if len(name) > longest && strings.HasPrefix(sec, name) {
				longest, k = len(name), matchSection(name)
			}
		}
	}
	return k
}

// matchSection returns the kind that libbpf gives a section name.
func matchSection(sec string) sectionKind {
	stem, _, _ := strings.Cut(sec, "/")
	for _, r := range sectionRules {
		for _, list := range []struct{ names, want string }{{r.exact, sec}, {r.stems, stem}} {
			for word := range strings.FieldsSeq(list.names) {
				name, attach, _ := strings.Cut(word, "=")
				if name != list.want {
					continue
				}
				n, _ := strconv.ParseUint(attach, 10, 32)
				return sectionKind{r.typ, r.flags, uint32(n)}
			}
		}
	}
	return sectionKind{}
}

// Attach types of programs that are bound to a target at load time (enum bpf_attach_type in
// include/uapi/linux/bpf.h).
const (
	traceRawTP    = 23
	traceFentry   = 24
	traceFexit    = 25
	modifyReturn  = 26
	lsmMAC        = 27
	traceIter     = 28
	lsmCgroup     = 43
	traceFsession = 58
)

// attachPrefixes are the prefixes that the kernel adds to a target's name, by attach type
// (libbpf_find_attach_btf_id in tools/lib/bpf/libbpf.c).
var attachPrefixes = map[uint32]string{
	traceRawTP: "btf_trace_", traceFentry: "", traceFexit: "", modifyReturn: "", traceFsession: "",
	lsmMAC: "bpf_lsm_", lsmCgroup: "bpf_lsm_", traceIter: "bpf_iter_",
}

// AttachName returns the kernel's name of the target to which a program is bound at load time. It
// takes the program type, the attach type, and the target in a section name or specification: a
// function, or the type of a tracepoint. A program of type ext is bound to a function of another
// program. The result is empty if the program is bound to nothing.
func AttachName(progType string, attach uint32, target string) string {
	prefix, ok := attachPrefixes[attach]
	switch {
	case target == "":
	case progType == "ext":
		return target
	case ok && (progType == "tracing" || progType == "lsm"):
		return prefix + target
	}
	return ""
}

// contextTypes names the structure of each program type's context, as a C program sees it. The
// kernel accepts a pointer to it as a context argument of a global function
// (include/linux/bpf_types.h, btf_is_prog_ctx_type in kernel/bpf/btf.c, Linux 7.3). Types that
// are not listed have other contexts, which need the tag arg:ctx.
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
