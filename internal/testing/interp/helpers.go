package interp

import "math"

// CommonHelpers returns the helpers of a machine on which only the program runs: maps, bpf_loop,
// and helpers for time, CPU, process and random numbers, which return fixed or counted values.
// bpf_tail_call finds no program. Numbers: include/uapi/linux/bpf.h.
func CommonHelpers() map[int32]Helper {
	now, seed := uint64(0), uint64(1)
	clock := func(*VM, [5]uint64) (uint64, error) { now += 1000; return now, nil }
	zero := func(*VM, [5]uint64) (uint64, error) { return 0, nil }
	return map[int32]Helper{
		1: mapLookup,
		2: mapUpdate,
		3: mapDelete,
		5: clock, // bpf_ktime_get_ns
		6: zero,  // bpf_trace_printk
		7: func(*VM, [5]uint64) (uint64, error) { // bpf_get_prandom_u32
			seed = seed*6364136223846793005 + 1442695040888963407
			return seed >> 32, nil
		},
		8:   zero, // bpf_get_smp_processor_id
		12:  func(*VM, [5]uint64) (uint64, error) { return math.MaxUint64, nil },
		14:  zero,  // bpf_get_current_pid_tgid
		15:  zero,  // bpf_get_current_uid_gid
		118: clock, // bpf_jiffies64
		125: clock, // bpf_ktime_get_boot_ns
		181: loop,
	}
}

// CommonKfuncs returns bpf_throw, and kernel functions that have no effect on a machine on which
// only the program runs.
func CommonKfuncs() map[string]Helper {
	zero := func(*VM, [5]uint64) (uint64, error) { return 0, nil }
	return map[string]Helper{
		"bpf_rcu_read_lock":   zero,
		"bpf_rcu_read_unlock": zero,
		"bpf_preempt_disable": zero,
		"bpf_preempt_enable":  zero,
		"bpf_throw":           func(_ *VM, a [5]uint64) (uint64, error) { return 0, &throw{a[0]} },
	}
}

// Errors of helpers, as they come back in R0.
const (
	eNoEnt = -2
	e2Big  = -7
	eInval = -22
)

// errno returns a negative error number as R0 holds it.
func errno(n int64) uint64 { return uint64(n) }

// mapArgs returns the map and the key that the first two arguments name.
func mapArgs(vm *VM, a [5]uint64) (*Map, []byte, error) {
	m, err := vm.MapAt(a[0])
	if err != nil {
		return nil, nil, err
	}
	key, err := vm.Bytes(a[1], m.KeySize(), false)
	return m, key, err
}

// mapLookup is bpf_map_lookup_elem.
func mapLookup(vm *VM, a [5]uint64) (uint64, error) {
	m, key, err := mapArgs(vm, a)
	if err != nil {
		return 0, err
	}
	return m.Lookup(key), nil
}

// mapUpdate is bpf_map_update_elem with any flags.
func mapUpdate(vm *VM, a [5]uint64) (uint64, error) {
	m, key, err := mapArgs(vm, a)
	if err != nil {
		return 0, err
	}
	value, err := vm.Bytes(a[2], m.ValueSize(), false)
	if err != nil {
		return 0, err
	}
	if !m.Update(key, value) {
		return errno(e2Big), nil
	}
	return 0, nil
}

// mapDelete is bpf_map_delete_elem.
func mapDelete(vm *VM, a [5]uint64) (uint64, error) {
	m, key, err := mapArgs(vm, a)
	switch {
	case err != nil:
		return 0, err
	case m.isArray():
		return errno(eInval), nil
	case m.byKey[string(key)] == nil:
		return errno(eNoEnt), nil
	}
	delete(m.byKey, string(key))
	return 0, nil
}

// maxLoops bounds bpf_loop (BPF_MAX_LOOPS, include/linux/bpf.h).
const maxLoops = 8 << 20

// loop is bpf_loop(n, callback, its second argument, flags): it calls callback(i, arg) until that
// returns another value than 0, and returns the number of calls (kernel/bpf/bpf_iter.c bpf_loop,
// Linux 7.3).
func loop(vm *VM, a [5]uint64) (uint64, error) {
	n := uint64(uint32(a[0]))
	switch {
	case a[3] != 0:
		return errno(eInval), nil
	case n > maxLoops:
		return errno(e2Big), nil
	}
	for i := range n {
		r0, err := vm.Call(a[1], [5]uint64{i, a[2]})
		if err != nil {
			return 0, err
		}
		if r0 != 0 {
			return i + 1, nil
		}
	}
	return n, nil
}
