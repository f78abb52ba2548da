package rewrite

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// kfunc returns what replaces a call of a kernel function, or nil when it stays
// a plain call (kernel/bpf/verifier.c bpf_fixup_kfunc_call, Linux 7.3).
func (f *fixer) kfunc(s slot, name string) []slot {
	if s.marks&markSeen == 0 {
		return nil
	}
	r0, r1 := bytecode.R0, bytecode.R1
	switch name {
	case "bpf_cast_to_kern_ctx", "bpf_rdonly_cast":
		return []slot{raw(w64|opMov|byReg, r0, r1, 0, 0)}
	}
	if takesTypeInfo(name) {
		return []slot{s.unpredicted()}
	}
	return nil
}

// takesTypeInfo reports whether a kernel function gets arguments or a body from
// the verifier that depend on BTF objects of the kernel or on its build.
func takesTypeInfo(name string) bool {
	switch strings.TrimSuffix(name, "_impl") {
	case "bpf_obj_new", "bpf_percpu_obj_new", "bpf_obj_drop", "bpf_percpu_obj_drop", "bpf_refcount_acquire",
		"bpf_list_push_front", "bpf_list_push_back", "bpf_list_add", "bpf_rbtree_add",
		"bpf_iter_num_new", "bpf_iter_num_next", "bpf_iter_num_destroy",
		"bpf_session_is_return", "bpf_session_cookie",
		"bpf_wq_set_callback", "bpf_stream_vprintk", "bpf_stream_print_stack",
		"bpf_task_work_schedule_signal", "bpf_task_work_schedule_resume":
		return true
	}
	return false
}
