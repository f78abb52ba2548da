package abstract

import "strings"

// result says what a helper returns.
type result uint8

const (
	resAnything   result = iota // not known here: a number or a pointer
	resNumber                   // a number
	resValue                    // pointer to a value of the map in r1, or null
	resSize                     // how many bytes of its buffer the helper filled, or an error number
	resVoid                     // nothing
	resTail                     // bpf_tail_call: only when it fails
	resNumberRead               // a number; the helper writes to no memory of the program
	resValueRead                // like resValue; the helper writes to no memory of the program
)

// helper is what is known of a helper function (include/uapi/linux/bpf.h and
// the bpf_func_proto of each, Linux 7.3).
type helper struct {
	args int // number of arguments
	res  result
	// out and size are the registers of a buffer that the helper fills and of
	// its size in bytes; 0 when it has none, or when it is not known.
	out, size uint8
	// callback is the register of a function that the helper calls, with how.
	callback uint8
	how      callbackKind
}

// callbackKind says how a helper calls a function.
type callbackKind uint8

const (
	cbNone   callbackKind = iota
	cbLoop                // bpf_loop: (index, r3)
	cbMap                 // bpf_for_each_map_elem: (map, key, value, r3)
	cbTimer               // bpf_timer_set_callback: (map, key, value), later
	cbVMA                 // bpf_find_vma: (task, vma, r4)
	cbBuffer              // bpf_user_ringbuf_drain: (dynptr, r3)
	cbNodes               // bpf_rbtree_add: (node, node)
	cbOther               // a kfunc that is not known: anything
)

// helperOf returns what is known of helper number n.
func helperOf(n int32) helper {
	if n > 0 && int(n) < len(helpers) && helpers[n] != (helper{}) {
		return helpers[n]
	}
	return helper{args: 5}
}

// kfuncOf returns what is known of a kernel function by its name.
//
// Source of the callbacks: kernel/bpf/verifier.c check_kfunc_call,
// set_rbtree_add_callback_state, set_timer_callback_state and
// set_task_work_schedule_callback_state, Linux 7.3.
func kfuncOf(name string) helper {
	h := helper{args: 5}
	switch strings.TrimSuffix(name, "_impl") {
	case "bpf_rbtree_add":
		h.callback, h.how = 3, cbNodes
	case "bpf_wq_set_callback":
		h.callback, h.how = 2, cbTimer
	case "bpf_task_work_schedule_signal", "bpf_task_work_schedule_resume":
		h.callback, h.how = 4, cbTimer
	default:
		h.how = cbOther
	}
	return h
}

// helpers lists helpers by number. One that is not here may do anything that a
// helper can.
var helpers = [...]helper{
	1:   {args: 2, res: resValueRead},                              // map_lookup_elem
	2:   {args: 4, res: resNumberRead},                             // map_update_elem
	3:   {args: 2, res: resNumberRead},                             // map_delete_elem
	4:   {args: 3, res: resNumber, out: 1, size: 2},                // probe_read
	5:   {args: 0, res: resNumberRead},                             // ktime_get_ns
	6:   {args: 5, res: resNumberRead},                             // trace_printk
	7:   {args: 0, res: resNumberRead},                             // get_prandom_u32
	8:   {args: 0, res: resNumberRead},                             // get_smp_processor_id
	9:   {args: 5, res: resNumberRead},                             // skb_store_bytes
	10:  {args: 5, res: resNumberRead},                             // l3_csum_replace
	11:  {args: 5, res: resNumberRead},                             // l4_csum_replace
	12:  {args: 3, res: resTail},                                   // tail_call
	13:  {args: 3, res: resNumberRead},                             // clone_redirect
	14:  {args: 0, res: resNumberRead},                             // get_current_pid_tgid
	15:  {args: 0, res: resNumberRead},                             // get_current_uid_gid
	16:  {args: 2, res: resNumber, out: 1, size: 2},                // get_current_comm
	17:  {args: 1, res: resNumberRead},                             // get_cgroup_classid
	18:  {args: 3, res: resNumberRead},                             // skb_vlan_push
	19:  {args: 1, res: resNumberRead},                             // skb_vlan_pop
	20:  {args: 4, res: resNumber, out: 2, size: 3},                // skb_get_tunnel_key
	21:  {args: 4, res: resNumberRead},                             // skb_set_tunnel_key
	22:  {args: 2, res: resNumberRead},                             // perf_event_read
	23:  {args: 2, res: resNumberRead},                             // redirect
	24:  {args: 1, res: resNumberRead},                             // get_route_realm
	25:  {args: 5, res: resNumberRead},                             // perf_event_output
	26:  {args: 4, res: resNumber, out: 3, size: 4},                // skb_load_bytes
	27:  {args: 3, res: resNumberRead},                             // get_stackid
	28:  {args: 5, res: resNumberRead},                             // csum_diff
	29:  {args: 3, res: resNumber, out: 2, size: 3},                // skb_get_tunnel_opt
	30:  {args: 3, res: resNumberRead},                             // skb_set_tunnel_opt
	31:  {args: 3, res: resNumberRead},                             // skb_change_proto
	32:  {args: 2, res: resNumberRead},                             // skb_change_type
	33:  {args: 3, res: resNumberRead},                             // skb_under_cgroup
	34:  {args: 1, res: resNumberRead},                             // get_hash_recalc
	35:  {args: 0, res: resNumberRead},                             // get_current_task
	36:  {args: 3, res: resNumberRead},                             // probe_write_user
	37:  {args: 2, res: resNumberRead},                             // current_task_under_cgroup
	38:  {args: 3, res: resNumberRead},                             // skb_change_tail
	39:  {args: 2, res: resNumberRead},                             // skb_pull_data
	40:  {args: 2, res: resNumberRead},                             // csum_update
	41:  {args: 1, res: resNumberRead},                             // set_hash_invalid
	42:  {args: 0, res: resNumberRead},                             // get_numa_node_id
	43:  {args: 3, res: resNumberRead},                             // skb_change_head
	44:  {args: 2, res: resNumberRead},                             // xdp_adjust_head
	45:  {args: 3, res: resSize, out: 1, size: 2},                  // probe_read_str
	46:  {args: 1, res: resNumberRead},                             // get_socket_cookie
	47:  {args: 1, res: resNumberRead},                             // get_socket_uid
	48:  {args: 2, res: resNumberRead},                             // set_hash
	51:  {args: 3, res: resNumberRead},                             // redirect_map
	54:  {args: 2, res: resNumberRead},                             // xdp_adjust_meta
	65:  {args: 2, res: resNumberRead},                             // xdp_adjust_tail
	67:  {args: 4, res: resSize, out: 2, size: 3},                  // get_stack
	68:  {args: 5, res: resNumber, out: 3, size: 4},                // skb_load_bytes_relative
	69:  {args: 4, res: resNumber, out: 2, size: 3},                // fib_lookup
	80:  {args: 0, res: resNumberRead},                             // get_current_cgroup_id
	93:  {args: 1, res: resVoid},                                   // spin_lock
	94:  {args: 1, res: resVoid},                                   // spin_unlock
	112: {args: 3, res: resNumber, out: 1, size: 2},                // probe_read_user
	113: {args: 3, res: resNumber, out: 1, size: 2},                // probe_read_kernel
	114: {args: 3, res: resSize, out: 1, size: 2},                  // probe_read_user_str
	115: {args: 3, res: resSize, out: 1, size: 2},                  // probe_read_kernel_str
	141: {args: 4, res: resSize, out: 2, size: 3},                  // get_task_stack
	118: {args: 0, res: resNumberRead},                             // jiffies64
	125: {args: 0, res: resNumberRead},                             // ktime_get_boot_ns
	130: {args: 4, res: resNumberRead},                             // ringbuf_output
	131: {args: 3, res: resAnything},                               // ringbuf_reserve
	132: {args: 2, res: resVoid},                                   // ringbuf_submit
	133: {args: 2, res: resVoid},                                   // ringbuf_discard
	160: {args: 0, res: resNumberRead},                             // ktime_get_coarse_ns
	164: {args: 4, res: resNumberRead, callback: 2, how: cbMap},    // for_each_map_elem
	169: {args: 3, res: resNumberRead},                             // timer_init
	170: {args: 2, res: resNumberRead, callback: 2, how: cbTimer},  // timer_set_callback
	171: {args: 3, res: resNumberRead},                             // timer_start
	172: {args: 1, res: resNumberRead},                             // timer_cancel
	180: {args: 5, res: resNumberRead, callback: 3, how: cbVMA},    // find_vma
	181: {args: 4, res: resNumberRead, callback: 2, how: cbLoop},   // loop
	195: {args: 3, res: resValueRead},                              // map_lookup_percpu_elem
	208: {args: 0, res: resNumberRead},                             // ktime_get_tai_ns
	209: {args: 4, res: resNumberRead, callback: 2, how: cbBuffer}, // user_ringbuf_drain
}
