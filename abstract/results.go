package abstract

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// pointed says what a call returns: a pointer to memory, perhaps null.
type pointed struct {
	to   Memory
	null bool
}

// helperPointer returns what a helper returns that returns a pointer, nil when it
// is not known here (struct bpf_func_proto of each, Linux 7.3).
func (r *run) helperPointer(number int32, s *State) *Value {
	switch number {
	case 81: // get_local_storage
		return memoryPointer(MemPlain)
	case 107, 145, 147, 156, 210: // storage_get of sk, inode, task, cgrp
		return s.memoryOrNull(MemPlain)
	case 131, 203: // ringbuf_reserve, dynptr_data
		return s.memoryOrNull(MemBuffer)
	case 84, 85, 95, 98, 99: // lookups of sockets, sk_fullsock, get_listener_sock
		return s.memoryOrNull(MemSock)
	case 96: // tcp_sock
		return s.memoryOrNull(MemTCPSock)
	case 136, 137, 138, 139, 140, 178, 196: // skc_to_…
		return s.memoryOrNull(MemObject)
	case 153: // per_cpu_ptr: of a type that decides
		return s.memoryOrNull(MemUnknown)
	case 158: // get_current_task_btf
		return memoryPointer(MemTrusted)
	case 194: // kptr_xchg
		return s.memoryOrNull(MemTrusted)
	}
	return nil
}

// kfuncPointer returns what a kernel function returns that returns a pointer, nil
// when it is not known here (kernel/bpf/verifier.c check_kfunc_call and
// check_special_kfunc, Linux 7.3).
func (r *run) kfuncPointer(pc bytecode.PC, s *State) *Value {
	ref, ok := r.a.p.RefAt(pc)
	if !ok || ref.Kind != bytecode.RefKfunc {
		return nil
	}
	k, ok := kfuncResult(ref.Name)
	switch {
	case !ok:
		return nil
	case k.null:
		return s.memoryOrNull(k.to)
	}
	return memoryPointer(k.to)
}

// kfuncResult returns the result of a kernel function by its type and by its flags
// KF_ACQUIRE, KF_RET_NULL and KF_RCU_PROTECTED, which no kernel since the function
// came has otherwise (BTF_ID_FLAGS of the file that defines it, Linux 7.3).
func kfuncResult(name string) (pointed, bool) {
	switch name {
	case "bpf_cgroup_acquire", "bpf_cgroup_ancestor", "bpf_cgroup_from_id", "bpf_cpumask_create",
		"bpf_crypto_ctx_acquire", "bpf_crypto_ctx_create", "bpf_iter_css_task_next", "bpf_iter_dmabuf_next",
		"bpf_iter_kmem_cache_next", "bpf_iter_task_vma_next", "bpf_lookup_system_key", "bpf_lookup_user_key",
		"bpf_task_acquire", "bpf_task_from_pid", "bpf_task_from_vpid", "bpf_task_get_cgroup1",
		"bpf_get_task_exe_file", "bpf_get_mem_cgroup", "bpf_get_root_mem_cgroup", "bpf_xdp_get_xfrm_state",
		"bpf_obj_new", "bpf_obj_new_impl", "bpf_percpu_obj_new", "bpf_percpu_obj_new_impl",
		"bpf_list_pop_front", "bpf_list_pop_back", "bpf_list_del", "bpf_rbtree_remove":
		return pointed{MemTrusted, true}, true
	case "bpf_cpumask_acquire", "bpf_cast_to_kern_ctx", "scx_bpf_task_cgroup", "scx_bpf_get_online_cpumask",
		"scx_bpf_get_possible_cpumask", "scx_bpf_get_idle_cpumask", "scx_bpf_get_idle_smtmask":
		return pointed{MemTrusted, false}, true
	case "bpf_iter_task_next", "bpf_iter_css_next", "scx_bpf_cpu_curr",
		"bpf_list_front", "bpf_list_back", "bpf_rbtree_first", "bpf_rbtree_root", "bpf_rbtree_left", "bpf_rbtree_right":
		return pointed{MemRCU, true}, true
	case "bpf_iter_num_next", "bpf_iter_bits_next", "bpf_dynptr_slice", "bpf_dynptr_slice_rdwr":
		return pointed{MemBuffer, true}, true
	case "bpf_session_cookie":
		return pointed{MemBuffer, false}, true
	case "bpf_rdonly_cast", "bpf_get_kmem_cache":
		return pointed{MemObject, false}, true
	case "bpf_arena_alloc_pages":
		return pointed{MemArena, false}, true
	}
	return pointed{}, false
}
