package rewrite

import (
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
	if takesTypeInfo[name] {
		return []slot{s.unpredicted()}
	}
	return nil
}

// takesTypeInfo lists the kernel functions that get arguments or a body from
// the verifier that depend on BTF objects of the kernel or on kernel builds.
var takesTypeInfo = map[string]bool{
	"bpf_obj_new_impl": true, "bpf_obj_new": true, "bpf_percpu_obj_new_impl": true, "bpf_percpu_obj_new": true,
	"bpf_obj_drop_impl": true, "bpf_obj_drop": true, "bpf_percpu_obj_drop_impl": true, "bpf_percpu_obj_drop": true,
	"bpf_refcount_acquire_impl": true, "bpf_refcount_acquire": true,
	"bpf_list_push_front_impl": true, "bpf_list_push_back_impl": true, "bpf_list_push_front": true,
	"bpf_list_push_back": true, "bpf_list_add": true, "bpf_rbtree_add_impl": true, "bpf_rbtree_add": true,
	"bpf_iter_num_new": true, "bpf_iter_num_next": true, "bpf_iter_num_destroy": true,
	"bpf_session_is_return": true, "bpf_session_cookie": true,
	"bpf_wq_set_callback_impl": true, "bpf_wq_set_callback": true, "bpf_stream_vprintk_impl": true,
	"bpf_stream_vprintk": true, "bpf_task_work_schedule_signal_impl": true, "bpf_task_work_schedule_signal": true,
	"bpf_task_work_schedule_resume_impl": true, "bpf_task_work_schedule_resume": true,
	"bpf_dynptr_from_skb": true, "bpf_arena_alloc_pages": true, "bpf_arena_free_pages": true,
	"bpf_arena_reserve_pages": true,
}
