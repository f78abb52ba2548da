package interp

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// jump carries out an instruction of class JMP or JMP32 (RFC 9669 section 4.3).
func (vm *VM) jump(pc bytecode.PC, in bytecode.Insn, regs *Regs) (bytecode.PC, EdgeKind, error) {
	switch f := vm.p.Flow(pc); f.Kind {
	case bytecode.FlowGoto:
		return f.Target, Jump, nil
	case bytecode.FlowKey:
		jumps := f.Jumps
		if vm.cfg.Key != nil {
			jumps = vm.cfg.Key(pc)
		}
		return either(f, jumps)
	case bytecode.FlowCond:
		return vm.cond(f, in, regs)
	case bytecode.FlowIndirect:
		to, ok := vm.codeAt(regs[in.Dst])
		if !ok {
			return 0, 0, fmt.Errorf("jump to %#x, which is no instruction", regs[in.Dst])
		}
		return to, Indirect, nil
	case bytecode.FlowCall:
		return f.Callee, Call, vm.push(f.Callee, pc, regs)
	case bytecode.FlowCallx:
		r := in.CallxReg()
		to, ok := vm.codeAt(regs[r])
		if h := vm.cfg.Helpers[int32(regs[r])]; vm.cfg.CallNumbers && h != nil && regs[r]>>31 == 0 {
			return f.Next, Next, vm.callHelper(h, pc, regs)
		}
		if !ok {
			return 0, 0, fmt.Errorf("call of %#x, which is no instruction", regs[r])
		}
		return to, Call, vm.push(to, pc, regs)
	case bytecode.FlowHelper:
		return f.Next, Next, vm.helper(pc, in, regs)
	case bytecode.FlowExit:
		if in.Src != 0 {
			return 0, 0, fmt.Errorf("exit of kind %d, which nobody defines", in.Src)
		}
		return leave, Return, nil
	}
	return 0, 0, fmt.Errorf("no such jump: code %#x", in.Code)
}

// either is the step of a two-way jump.
func either(f bytecode.Flow, jumps bool) (bytecode.PC, EdgeKind, error) {
	if jumps {
		return f.Target, Taken, nil
	}
	return f.Next, Next, nil
}

// cond carries out a conditional jump or may_goto.
func (vm *VM) cond(f bytecode.Flow, in bytecode.Insn, regs *Regs) (bytecode.PC, EdgeKind, error) {
	if in.Code == bytecode.CodeMayGoto {
		if in.Src != 0 {
			return 0, 0, fmt.Errorf("conditional jump of kind %d, which nobody defines", in.Src)
		}
		// The kernel's counter starts at the limit, is checked for 0 first and
		// then counted down (kernel/bpf/fixups.c bpf_do_misc_fixups, Linux 7.3).
		top := vm.top()
		if top.mayGoto == 0 {
			return either(f, true)
		}
		top.mayGoto--
		return either(f, false)
	}
	c, is32, ok := scalar.CondOf(in.Code)
	if !ok {
		return 0, 0, fmt.Errorf("no such jump: code %#x", in.Code)
	}
	y := uint64(int64(in.Imm))
	if in.Source() == asm.RegSource {
		y = regs[in.Src]
	}
	return either(f, scalar.Holds(c, is32, regs[in.Dst], y))
}

// helper carries out a call of a helper or kfunc.
func (vm *VM) helper(pc bytecode.PC, in bytecode.Insn, regs *Regs) error {
	var h Helper
	name := ""
	switch {
	case in.Code != bytecode.CodeCall:
		return fmt.Errorf("no such call: code %#x", in.Code)
	case in.IsKfuncCall():
		ref, _ := vm.p.RefAt(pc)
		h, name = vm.cfg.Kfuncs[ref.Name], fmt.Sprintf("kernel function %q", ref.Name)
	case in.IsHelperCall():
		h, name = vm.cfg.Helpers[in.Imm], fmt.Sprintf("helper %d", in.Imm)
	default:
		return fmt.Errorf("call of kind %d, which nobody defines", in.Src)
	}
	if h == nil {
		return fmt.Errorf("%s is not modelled", name)
	}
	return vm.callHelper(h, pc, regs)
}

// callHelper carries out a helper or kfunc.
func (vm *VM) callHelper(h Helper, pc bytecode.PC, regs *Regs) error {
	vm.pc = pc
	r0, err := h(vm, [5]uint64(regs[bytecode.R1:bytecode.R6]))
	if vm.cfg.Clobber != nil {
		vm.cfg.Clobber(regs[bytecode.R1:bytecode.R6])
	}
	regs[bytecode.R0] = r0
	return err
}
