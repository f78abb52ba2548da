package abstract

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// checkResult reports a function that the kernel verifies on its own, such as the program, and that
// must return a value but does not.
//
// Source: kernel/bpf/verifier.c check_return_code, program_returns_void and
// check_global_subprog_return_code, Linux 7.3. The results of hooks are in the
// kernel's BTF and not known here.
func (r *run) checkResult(pc bytecode.PC, s *State) {
	if r.nested > 0 {
		return // a caller that uses the result has the fault
	}
	if v := s.regs[bytecode.R0]; v != nil {
		r.checkLater(pc, v)
		return
	}
	sub := &r.a.p.Subprogs[r.sub]
	if hook := r.a.p.Type == "lsm" || r.a.p.Type == "struct_ops"; hook && r.sub == 0 {
		return
	}
	if sub.Result != "void" || r.sub == 0 && !r.a.p.TypedEntry() {
		r.read(pc, s, bytecode.R0)
	}
}

// checkLater reports a function that is called back later and returns a pointer.
//
// Source: kernel/bpf/verifier.c check_return_code, Linux 7.3.
func (r *run) checkLater(pc bytecode.PC, v *Value) {
	if r.a.f.async[r.sub].certain == 0 || v.rest != nil || v.flags&(maybeNull|maybePtr) != 0 {
		return
	}
	name := ""
	switch v.Kind {
	case Stack, MapValue, Ctx:
		name = v.Kind.String()
	case Other:
		name = laterName(memoryOf(v.Obj))
	}
	if name != "" {
		r.certainFault(&v.Alt, Fault{PC: pc, Kind: LaterResult, Reg: bytecode.R0, Type: name})
	}
}

// laterName returns the kernel's name of memory that arguments of a function point to which is
// called back later, empty for other memory (kernel/bpf/log.c reg_type_str, Linux 7.3).
func laterName(m Memory) string {
	switch m {
	case memKey:
		return "map_key"
	case memElement:
		return "map_value"
	}
	return ""
}

// checkCallback reports a callback that returns no number. When it has several
// exits, the first one is named.
//
// Source: kernel/bpf/verifier.c prepare_func_exit, Linux 7.3.
func (r *run) checkCallback(sub int, outs []*State) {
	for _, out := range outs {
		v := out.regs[bytecode.R0]
		if v.is(Number) || v != nil && v.has(func(a *Alt) bool { return a.Kind == Number }) {
			continue
		}
		sure := r.sure
		r.sure = out.certain()
		r.fault(&anything.Alt, Fault{PC: r.a.exitOf(sub), Kind: CallbackResult})
		r.sure = sure
	}
}

// exitOf returns the first exit of a subprogram.
func (a *analyzer) exitOf(sub int) bytecode.PC {
	s := &a.p.Subprogs[sub]
	for pc := s.Start; pc < s.End; pc += a.p.Insns[pc].Slots() {
		if a.p.Flow(pc).Kind == bytecode.FlowExit {
			return pc
		}
	}
	return s.Start
}
