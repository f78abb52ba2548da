package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// stackArgs is how many arguments a call passes on the stack at most
// (include/linux/bpf_verifier.h MAX_STACK_ARG_SLOTS, Linux 7.3). They are no part
// of a stack frame: a caller stores the sixth argument at r11-8, the next one at
// r11-16, and the callee loads them from r11+8, r11+16.
const stackArgs = 7

// value returns what register number i holds or, from numRegs on, an argument on the stack.
func (s *State) value(i int) *Value {
	switch {
	case i < numRegs:
		return s.regs[i]
	case s.args == nil:
		return nil
	}
	return s.args[i-numRegs]
}

// put changes what value returns.
func (s *State) put(i int, v *Value) {
	switch {
	case i < numRegs:
		s.regs[i] = v
	case s.value(i) != v:
		args := [stackArgs]*Value{}
		if s.args != nil {
			args = *s.args
		}
		args[i-numRegs] = v
		s.args = &args
	}
}

// values returns the number of values that value may return: there are no more.
func (s *State) values() int {
	if s.args == nil {
		return numRegs
	}
	return numValues
}

// argRegister returns the number in State.value of argument number i, from 1.
func argRegister(i int) int {
	if i > 5 {
		return numRegs + i - 6
	}
	return i
}

// argOf returns the number in State.value of the argument on the stack that an instruction loads or
// stores, and true, if it does.
func argOf(in bytecode.Insn) (int, bool) {
	off := int(in.Off)
	switch {
	case in.LoadsArg():
	case in.StoresArg():
		off = -off
	default:
		return 0, false
	}
	slot := off / 8
	return numRegs + slot - 1, slot >= 1 && slot <= stackArgs
}

// loadArg loads an argument that the caller passed on the stack
// (kernel/bpf/verifier.c check_stack_arg_read, Linux 7.3).
func (r *run) loadArg(pc bytecode.PC, in bytecode.Insn, s *State) {
	slot, has := int(in.Off)/8, max(r.a.p.Subprogs[r.sub].Params-5, 0)
	f := Fault{PC: pc, Reg: in.Src, Off: int64(in.Off), Size: int64(has) * 8}
	v := anything
	switch {
	case s.sent:
		f.Kind = LateArgument
	case slot > has:
		f.Kind = NoArgument
	case slot <= stackArgs && s.value(numRegs+slot-1) != nil:
		v = s.value(numRegs + slot - 1)
	case r.a.p.Subprogs[r.sub].Distrusted && s.certain():
		v = nil // the verifier checks only at the first call that it was stored
	}
	if f.Kind != NoFault {
		r.fault(&anything.Alt, f)
	}
	s.set(in.Dst, v)
}

// storeArg stores an argument for a call (kernel/bpf/verifier.c
// check_stack_arg_write, Linux 7.3).
func (r *run) storeArg(pc bytecode.PC, in bytecode.Insn, s *State) {
	val := r.a.constant(uint64(int64(in.Imm)))
	if in.Class() == asm.StXClass {
		val = r.read(pc, s, in.Src)
	}
	if !s.sent {
		s.endArgs()
	}
	slot := int(-in.Off) / 8
	if slot > stackArgs {
		r.fault(&anything.Alt, Fault{PC: pc, Kind: FarArgument, Reg: in.Dst, Off: int64(in.Off), Size: stackArgs})
		return
	}
	s.put(numRegs+slot-1, val)
}

// checkArgs reports an argument on the stack that a function with so many
// parameters has and that was not stored (kernel/bpf/verifier.c
// check_outgoing_stack_args, Linux 7.3). Of a function with a prototype that the
// kernel does not go by it does so at the first call alone, which Walk knows.
func (r *run) checkArgs(pc bytecode.PC, s *State, params int) {
	for i := 6; i <= min(params, 5+stackArgs); i++ {
		if !s.sent || s.value(argRegister(i)) == nil {
			r.fault(&anything.Alt, Fault{PC: pc, Kind: MissingArgument, Value: int64(i - 5), Size: int64(params)})
			return
		}
	}
}

// endArgs ends the life of the arguments on the stack, as a call does.
func (s *State) endArgs() {
	s.args = nil
	s.sent = true
}
