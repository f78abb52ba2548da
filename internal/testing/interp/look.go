package interp

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// With the methods below an observer (Config.OnStep) learns what addresses mean. They are valid
// during a run.

// CtxAddr returns the address of the context.
func (vm *VM) CtxAddr() uint64 { return vm.ctx.base }

// Frames returns how many stack frames there are.
func (vm *VM) Frames() int { return len(vm.frames) }

// FrameTop returns the address of the end of a stack frame, which is what R10
// holds in it: 0 is the current frame, 1 its caller's. ok is false when there are
// not so many.
func (vm *VM) FrameTop(up int) (top uint64, ok bool) {
	if up < 0 || up >= len(vm.frames) {
		return 0, false
	}
	return vm.frames[len(vm.frames)-1-up].stack.base + FrameSize, true
}

// Frame returns the bytes of a stack frame by the same number, nil when there are not
// so many. They are the frame itself.
func (vm *VM) Frame(up int) []byte {
	if up < 0 || up >= len(vm.frames) {
		return nil
	}
	return vm.frames[len(vm.frames)-1-up].stack.data
}

// MapAddr returns the address that stands for the map with this index in
// Program.Maps.
func (vm *VM) MapAddr(i int) uint64 { return vm.mapObj[i] }

// TableMapAddr returns the address that stands for the map of the jump table with
// this index in Program.Tables.
func (vm *VM) TableMapAddr(i int) uint64 { return vm.tabObj[i] }

// TableAddr returns the address of the cells of a jump table.
func (vm *VM) TableAddr(i int) uint64 { return vm.tables[i] }

// ValueAt returns the index of the map in whose values an address lies, and the address of that
// value.
func (vm *VM) ValueAt(addr uint64) (index int, start uint64, ok bool) {
	r, _ := vm.mem.find(addr)
	if r == nil || r.value == nil {
		return 0, 0, false
	}
	for i, m := range vm.maps {
		if m == r.value {
			return i, r.base, true
		}
	}
	return 0, 0, false
}

// Program returns the program that the machine runs.
func (vm *VM) Program() *bytecode.Program { return vm.p }

// ValueAddr returns the address of the first element of the array with this index
// in Program.Maps, 0 when the map is no array.
func (vm *VM) ValueAddr(i int) uint64 {
	if m := vm.maps[i]; m.isArray() {
		if r := m.elem(0); r != nil {
			return r.base
		}
	}
	return 0
}
