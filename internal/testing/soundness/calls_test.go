package soundness

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
)

// buffers says which helpers fill memory (include/uapi/linux/bpf.h): the argument
// that points to it, and the one that holds its size, or the size itself below 0.
var buffers = map[int32][2]int{
	4: {1, 2}, 16: {1, 2}, 45: {1, 2}, 112: {1, 2}, 113: {1, 2}, 114: {1, 2}, 115: {1, 2}, // probe_read…, get_current_comm
	105: {4, -8}, 106: {4, -8}, 183: {3, -8}, 184: {2, -8}, // strtol, strtoul, get_func_arg, get_func_ret
	197: {4, -16}, 201: {1, 2}, // dynptr_from_mem, dynptr_read
}

// kernel carries out what Mixed programs call: with random results, and with every
// callback.
type kernel struct {
	rnd   *rand.Rand
	iters map[uint64][2]uint32 // by address: the next number and the end
}

// helpers returns the helpers of Mixed programs.
func (k *kernel) helpers() map[int32]interp.Helper {
	h := helpers(k.rnd)
	for n, b := range buffers {
		h[n] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
			size := -b[1]
			if b[1] > 0 {
				size = int(uint32(a[b[1]-1]))
			}
			mem, err := vm.Bytes(a[b[0]-1], size, true)
			if err != nil {
				return 0, err
			}
			done := k.write(mem)
			if n == 45 || n >= 114 && n <= 115 { // what they return is how much they wrote
				return uint64(int64(done)), nil
			}
			return uint64(int64(int32(word(k.rnd)))), nil
		}
	}
	h[12] = func(*interp.VM, [5]uint64) (uint64, error) {
		if k.rnd.IntN(4) == 0 {
			return word(k.rnd), interp.ErrExit
		}
		return ^uint64(0), nil
	}
	h[164] = k.forEach
	h[170] = func(vm *interp.VM, a [5]uint64) (uint64, error) { return k.later(vm, a[1], a[0]) }
	h[180] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		if k.rnd.IntN(3) == 0 {
			return ^uint64(1), nil
		}
		return vm.Call(a[2], [5]uint64{a[0], vm.Object(), a[3]}) // with the task that it was given
	}
	h[209] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		return k.rounds(func(int) (uint64, error) { return vm.Call(a[1], [5]uint64{vm.Object(), a[2]}) })
	}
	return h
}

// write fills none, some or all of the bytes, and returns how many.
func (k *kernel) write(mem []byte) int {
	n := len(mem)
	switch k.rnd.IntN(4) {
	case 0:
		n = 0
	case 1:
		n = k.rnd.IntN(n + 1)
	}
	small := k.rnd.IntN(2) == 0
	for i := range mem[:n] {
		mem[i] = byte(k.rnd.Uint32())
		if small {
			mem[i] = byte(k.rnd.IntN(3)) >> (i & 1)
		}
	}
	return n
}

// rounds calls a function up to three times, until it returns another number than 0.
func (k *kernel) rounds(call func(i int) (uint64, error)) (uint64, error) {
	n := k.rnd.IntN(4)
	for i := range n {
		if r0, err := call(i); err != nil || r0 != 0 {
			return uint64(i + 1), err
		}
	}
	return uint64(n), nil
}

// forEach is bpf_for_each_map_elem for elements that are there.
func (k *kernel) forEach(vm *interp.VM, a [5]uint64) (uint64, error) {
	m, err := vm.MapAt(a[0])
	if err != nil {
		return 0, err
	}
	return k.rounds(func(i int) (uint64, error) {
		key, err := vm.Bytes(vm.Object(), 4, true)
		if err != nil {
			return 0, err
		}
		binary.LittleEndian.PutUint32(key, uint32(i))
		value := m.Lookup(key)
		if value == 0 {
			return 0, nil
		}
		return vm.Call(a[1], [5]uint64{a[0], vm.Object(), value, a[2]})
	})
}

// later calls a function as timers and work queues do, though at once.
func (k *kernel) later(vm *interp.VM, fn, value uint64) (uint64, error) {
	if k.rnd.IntN(3) > 0 {
		if _, err := vm.Call(fn, [5]uint64{vm.MapAddr(0), vm.Object(), value}); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// kfuncs returns the kernel functions of Mixed programs.
func (k *kernel) kfuncs() map[string]interp.Helper {
	h := interp.CommonKfuncs()
	h["bpf_mystery"] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		for _, addr := range a {
			if mem, err := vm.Bytes(addr, 8, true); err == nil {
				k.write(mem)
			}
		}
		return word(k.rnd), nil
	}
	h["bpf_wq_set_callback_impl"] = func(vm *interp.VM, a [5]uint64) (uint64, error) { return k.later(vm, a[1], a[0]) }
	h["bpf_task_work_schedule_signal_impl"] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		return k.later(vm, a[3], a[1])
	}
	h["bpf_rbtree_add_impl"] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		return k.rounds(func(int) (uint64, error) { return vm.Call(a[2], [5]uint64{vm.Object(), vm.Object()}) })
	}
	h["bpf_iter_num_new"] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		k.iters[a[0]] = [2]uint32{uint32(a[1]), uint32(a[2])}
		mem, err := vm.Bytes(a[0], 8, true)
		fill(k.rnd, mem)
		return 0, err
	}
	h["bpf_iter_num_next"] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		it := k.iters[a[0]]
		mem, err := vm.Bytes(a[0], 8, true)
		if err != nil || it[0] >= it[1] {
			return 0, err
		}
		binary.LittleEndian.PutUint32(mem, it[0])
		k.iters[a[0]] = [2]uint32{it[0] + 1, it[1]}
		return a[0], nil // Linux returns a pointer into the iterator, too
	}
	h["bpf_iter_num_destroy"] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		mem, err := vm.Bytes(a[0], 8, true)
		fill(k.rnd, mem)
		return 0, err
	}
	return h
}
