package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A call returns either data, such as the time or a random number, or an outcome. Data may be any
// number. An outcome is 0 for success and some other number, by rules Executions not known which,
// for failure. That a call can do either is an assumption, like the one that what a program reads
// from outside may be anything.

// isData reports whether a helper returns data that is free of what the program knows otherwise
// (net/core/filter.c, kernel/bpf/helpers.c and kernel/bpf/core.c, Linux 7.3).
func isData(helper int32) bool {
	switch bytecode.HelperName(helper) {
	case "bpf_ktime_get_ns", "bpf_ktime_get_boot_ns", "bpf_ktime_get_coarse_ns", "bpf_ktime_get_tai_ns", "bpf_jiffies64",
		"bpf_get_current_pid_tgid", "bpf_get_current_uid_gid", "bpf_get_current_cgroup_id",
		"bpf_get_current_ancestor_cgroup_id", "bpf_skb_cgroup_id", "bpf_skb_ancestor_cgroup_id", "bpf_sk_cgroup_id",
		"bpf_sk_ancestor_cgroup_id", "bpf_get_socket_cookie", "bpf_get_netns_cookie", "bpf_get_attach_cookie",
		"bpf_get_func_ip", "bpf_get_prandom_u32", "bpf_get_hash_recalc", "bpf_get_cgroup_classid",
		"bpf_get_route_realm", "bpf_get_socket_uid":
		return true
	}
	return false
}

// freshResult is fresh for the result of the call at pc.
func (r *run) freshResult(pc bytecode.PC, s *State) {
	if r.a.opt.Rules != Executions {
		return
	}
	h, v := calleeAt(r.a.p, pc), s.regs[bytecode.R0]
	if h.Result.Kind() != calls.Number || h.buffer != 0 || h.helper == helperCPU || isData(h.helper) ||
		v == nil || v.src != nil || v.fixed() {
		r.fresh(pc, bytecode.R0, 0, s)
		return
	}
	w := v.loosened()
	// The number of rounds of a loop is neither: a call with good arguments does not fail.
	w.src = &readings{from: r.a.readingAt(pc, 0), bits: ^uint64(0), outcome: h.callback == 0 || h.how != cbLoop}
	s.set(bytecode.R0, w)
}

// outcome reports whether the comparison tests whether a call has succeeded: then executions take
// both edges.
func (c *compare) outcome(cond scalar.Cond) bool {
	a := &c.a.Alt
	if a.src == nil || !a.src.outcome || a.src.tested != 0 || !a.Off.Contains(0) ||
		a.Off.Smin() >= 0 && (!c.is32 || a.Off.Umax() <= 1<<31) {
		return false
	}
	switch k, _ := c.b.constant(); cond {
	case scalar.JEQ, scalar.JNE, scalar.JSLT, scalar.JSGE:
		return c.b.zero()
	case scalar.JSGT, scalar.JSLE:
		return int64(k) == -1
	}
	return false
}
