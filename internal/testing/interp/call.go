package interp

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxStackArgs bounds the arguments that are passed on the stack: 12 in all, 5
// of them in registers (MAX_BPF_FUNC_ARGS, include/linux/bpf.h, Linux 7.3).
const maxStackArgs = 7

// frame is a subprogram that is being run.
type frame struct {
	call    bytecode.PC // the call to return after, -1 for an entry from outside
	saved   [4]uint64   // the caller's R6 to R9
	fp      uint64      // the caller's R10
	stack   *region
	mayGoto int
	out     [maxStackArgs]uint64 // outgoing stack arguments
}

// push enters the subprogram at pc: a new frame, whose address is in R10.
func (vm *VM) push(pc, call bytecode.PC, regs *Regs) error {
	if pc < 0 || pc >= vm.p.Len() {
		return fmt.Errorf("call of slot %d, outside the program", int(pc))
	}
	if len(vm.frames) == MaxFrames {
		return fmt.Errorf("more than %d nested calls", MaxFrames)
	}
	f := frame{call: call, fp: regs[bytecode.R10], stack: vm.stacks[len(vm.frames)], mayGoto: vm.cfg.MayGoto}
	copy(f.saved[:], regs[bytecode.R6:bytecode.R10])
	clear(f.stack.data)
	if vm.cfg.Stack != nil {
		vm.cfg.Stack(f.stack.data)
	}
	if vm.cfg.Clobber != nil {
		vm.cfg.Clobber(regs[bytecode.R6:bytecode.R10])
	}
	vm.frames = append(vm.frames, f)
	regs[bytecode.R10] = f.stack.base + FrameSize
	return nil
}

// Call runs the subprogram that starts at an address, as helpers do with callbacks, and returns its
// R0. Only Helpers may use it.
func (vm *VM) Call(addr uint64, args [5]uint64) (uint64, error) {
	pc, ok := vm.codeAt(addr)
	if !ok {
		return 0, fmt.Errorf("call of %#x, which is not a function", addr)
	}
	var regs Regs
	copy(regs[bytecode.R1:], args[:])
	from := vm.pc
	if vm.cfg.OnEdge != nil {
		vm.cfg.OnEdge(from, pc, Callback)
	}
	if err := vm.push(pc, -1, &regs); err != nil {
		return 0, err
	}
	r0, err := vm.run(pc, regs)
	vm.pc = from
	return r0, err
}

// pop leaves the innermost frame and returns the call to go on after.
func (vm *VM) pop(regs *Regs) bytecode.PC {
	f := &vm.frames[len(vm.frames)-1]
	copy(regs[bytecode.R6:bytecode.R10], f.saved[:])
	regs[bytecode.R10] = f.fp
	if vm.cfg.Clobber != nil {
		vm.cfg.Clobber(regs[bytecode.R1:bytecode.R6])
	}
	vm.frames = vm.frames[:len(vm.frames)-1]
	return f.call
}

// top returns the innermost frame.
func (vm *VM) top() *frame { return &vm.frames[len(vm.frames)-1] }
