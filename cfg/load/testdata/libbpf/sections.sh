#!/bin/sh
# Writes sections.txt: for section names, one object each, the program type and
# the load flags that libbpf submits. SUBMIT is the tool built by build.sh.
set -e
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
for sec in socket sk_reuseport sk_reuseport/migrate sk_lookup sk_msg sk_skb sk_skb/verdict sk_skb/stream_parser \
	sk_skb/stream_verdict sockops flow_dissector netfilter perf_event lirc_mode2 lwt_in lwt_out lwt_xmit \
	lwt_seg6local syscall xdp xdp/devmap xdp/cpumap xdp.frags xdp.frags/devmap xdp.frags/cpumap tc classifier \
	tc/ingress tc/egress tcx/ingress tcx/egress netkit/primary netkit/peer action cgroup/skb cgroup_skb/ingress \
	cgroup_skb/egress cgroup/sock cgroup/sock_create cgroup/sock_release cgroup/post_bind4 cgroup/post_bind6 \
	cgroup/bind4 cgroup/bind6 cgroup/connect4 cgroup/connect6 cgroup/connect_unix cgroup/sendmsg4 cgroup/sendmsg6 \
	cgroup/sendmsg_unix cgroup/recvmsg4 cgroup/recvmsg6 cgroup/recvmsg_unix cgroup/getpeername4 cgroup/getpeername6 \
	cgroup/getpeername_unix cgroup/getsockname4 cgroup/getsockname6 cgroup/getsockname_unix cgroup/sysctl \
	cgroup/getsockopt cgroup/setsockopt cgroup/dev kprobe kprobe/do_exit kretprobe/x kprobe.multi/x \
	kretprobe.multi/x kprobe.session/x ksyscall/x kretsyscall/x uprobe/x uretprobe/x uprobe.multi/x \
	uretprobe.multi/x uprobe.session/x usdt/x uprobe.s/x uretprobe.s/x uprobe.multi.s/x uretprobe.multi.s/x \
	uprobe.session.s/x usdt.s/x tracepoint/a/b tp/a/b tracepoint.s/a/b tp.s/a/b raw_tracepoint/x raw_tp/x raw_tp \
	raw_tracepoint.s/x raw_tp.s/x raw_tracepoint.w/x raw_tp.w/x tp_btf/sched_switch tp_btf.s/sys_enter \
	fentry/bpf_fentry_test1 fexit/bpf_fentry_test1 fmod_ret/bpf_fentry_test1 fentry.s/bpf_fentry_test1 \
	fexit.s/bpf_fentry_test1 fmod_ret.s/bpf_fentry_test1 iter/task iter.s/task lsm/file_open lsm.s/file_open \
	lsm_cgroup/file_open fsession/bpf_fentry_test1 fsession.s/bpf_fentry_test1 fentry.multi/x fexit.multi/x \
	fsession.multi/x fentry.multi.s/x fexit.multi.s/x fsession.multi.s/x '?xdp' \
	other xdp/other kprobes kprobe.s/x tc/other socket/x syscall/x struct_ops.x
do
	printf '__attribute__((section("%s"), used)) int f(void *c) { return 0; }\n' "$sec" |
		"${CLANG:-clang-22}" --target=bpfel -O2 -g -x c -c - -o "$tmp/x.o"
	# Programs without a type are submitted as socket filters.
	printf '%s ' "$sec"
	"$SUBMIT" "$tmp/x.o" 2>/dev/null | sed -n 's/^program f \(type=[^ ]*\) \(flags=[^ ]*\) \(attach=[^ ]*\) .*/\1 \2 \3/p; s/^error.*/error/p' |
		head -1
done >sections.txt
