package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Locks and references that a program holds are known in simple cases: a lock until it is released;
// a reference until the next call with arguments, which may release it, or until its pointer turns
// out to be null. Otherwise nothing is reported.

// Helpers that acquire and release.
const (
	helperSkLookupTCP    = 84
	helperSkLookupUDP    = 85
	helperSkRelease      = 86
	helperSpinLock       = 93
	helperSpinUnlock     = 94
	helperSkcLookupTCP   = 99
	helperRingbufReserve = 131
)

// acquires reports whether a call returns a reference that the program must release if it is not
// null.
//
// Source: kernel/bpf/verifier.c is_acquire_function, Linux 6.1 to 7.3; bpf_obj_new is
// KF_ACQUIRE in kernel/bpf/helpers.c, Linux 6.3 to 7.3.
func acquires(p *bytecode.Program, pc bytecode.PC, in bytecode.Insn) bool {
	if in.IsHelperCall() {
		switch in.Imm {
		case helperSkLookupTCP, helperSkLookupUDP, helperSkcLookupTCP, helperRingbufReserve:
			return true
		}
		return false
	}
	ref, ok := p.RefAt(pc)
	return ok && ref.Kind == bytecode.RefKfunc && (ref.Name == "bpf_obj_new" || ref.Name == "bpf_obj_new_impl")
}

// hold records the references and locks that are held after a call.
func (r *run) hold(pc bytecode.PC, in bytecode.Insn, s *State) {
	if r.a.opt.Rules != Verifier {
		return
	}
	switch h := calleeAt(r.a.p, pc); {
	case s.regs[bytecode.R0].is(Other) && acquires(r.a.p, pc, in):
		s.held = int32(pc) + 1
	case h.helper == 0 || !h.known || h.Params > 0: // it may release its arguments
		s.held = 0
	}
	if in.IsHelperCall() && (in.Imm == helperSpinLock || in.Imm == helperSpinUnlock) {
		s.locked = in.Imm == helperSpinLock
	}
}

// released records, on the edge on which a pointer is null, that it may be the held one.
func (c *compare) released(taken, fall *State) (*State, *State) {
	if !c.a.has(func(a *Alt) bool { return a.flags&(maybeNull|maybePtr) != 0 }) {
		return taken, fall
	}
	if taken != nil && c.cond != scalar.JNE {
		taken.held = 0
	}
	if fall != nil && c.cond != scalar.JEQ {
		fall.held = 0
	}
	return taken, fall
}

// leaves reports a fault if the program may end while it holds a reference or a lock.
//
// Source: kernel/bpf/verifier.c check_resource_leak and check_reference_leak, Linux 7.3.
func (r *run) leaves(pc bytecode.PC, how int64, s *State) {
	if how == LeaveExit && r.nested > 0 {
		return // the caller may give it back
	}
	f := Fault{PC: pc, Value: how}
	switch {
	case s.locked:
		f.Kind = LeavesLocked
	case s.held == 0, how != LeaveThrow && r.nested > 0: // of the program alone, but for exceptions
		return
	case r.a.p.Type == "struct_ops" && how == LeaveExit: // it may return it
		return
	case how == LeaveThrow && len(r.a.p.Cleanups) > 0: // they may give it back
		return
	default:
		f.Kind, f.Off = Leaks, int64(s.held-1)
		f.Size = int64(r.a.numberOf(bytecode.PC(s.held - 1)))
	}
	r.certainFault(&anything.Alt, f)
}

// certainFault reports only a fault that is proven: held references and memory sizes are too
// often unknown to report more.
func (r *run) certainFault(a *Alt, f Fault) {
	if r.proves(a) {
		r.fault(a, f)
	}
}

// accessFault is certainFault for a fault of an access through a, which is no number: see State.left.
func (r *run) accessFault(a *Alt, f Fault) {
	sure := r.sure
	r.sure = r.sure || r.left
	r.certainFault(a, f)
	r.sure = sure
}

// leavesByCall is leaves for a tail call or an exception, neither of which is allowed while a lock
// is held. Which other functions may be called then depends on the kernel.
//
// Source: kernel/bpf/verifier.c do_check, Linux 6.1 to 7.3.
func (r *run) leavesByCall(pc bytecode.PC, how int64, s *State) {
	if s.locked {
		r.certainFault(&anything.Alt, Fault{PC: pc, Kind: CallLocked})
		return
	}
	r.leaves(pc, how, s)
}

// checkSocket reports a fault for a write to a socket.
func (r *run) checkSocket(acc access, a *Alt) {
	if a.Kind != Other || a.flags&maybeNull != 0 {
		return
	}
	if m := memoryOf(a.Obj); m == memFullSock || m == MemTCPSock || m == MemXDPSock {
		r.accessFault(a, Fault{PC: acc.pc, Kind: SocketWrite, Reg: acc.reg, Value: int64(m)})
	}
}

// checkSame reports a fault if the pointer of an access has different kinds on two paths and the
// kernel rewrites accesses by the kind.
//
// Source: kernel/bpf/verifier.c save_aux_ptr_type and reg_type_mismatch, Linux 6.1 to 7.3.
func (r *run) checkSame(pc bytecode.PC, v *Value) {
	kind, rewritten := pointerKind(v)
	if kind == 0 || !r.left && !r.proves(&v.Alt) || v.flags&loose != 0 {
		return
	}
	was := r.a.kinds[pc]
	if was.kind == 0 {
		r.a.kinds[pc] = accessKind{kind, rewritten}
		return
	}
	if was.kind != kind && (was.rewritten || rewritten) {
		r.accessFault(&v.Alt, Fault{PC: pc, Kind: MixedPointers})
	}
}

// accessKind is a kind of pointer that is accessed through: see checkSame.
type accessKind struct {
	kind      int32
	rewritten bool
}

// pointerKind returns a number for the kind of a pointer, 0 when it may be of several,
// and whether accesses through it are rewritten.
func pointerKind(v *Value) (kind int32, rewritten bool) {
	switch {
	case v.rest != nil || v.flags&maybeNull != 0:
		return 0, false
	case v.Kind == Ctx:
		return int32(v.Kind), true
	case v.Kind == Stack, v.Kind == MapValue:
		return int32(v.Kind), false
	case v.Kind == Other:
		if m := memoryOf(v.Obj); m == memFullSock || m == MemTCPSock || m == MemXDPSock {
			return 1<<memoryBits | int32(m), true
		}
	}
	return 0, false
}

// checkRelease reports a fault for the release of anything but a socket.
//
// Source: kernel/bpf/verifier.c check_reg_type, btf_id_sock_common_types, Linux 7.3.
func (r *run) checkRelease(pc bytecode.PC, in bytecode.Insn, s *State) {
	if !in.IsHelperCall() || in.Imm != helperSkRelease {
		return
	}
	v := s.regs[bytecode.R1]
	if v == nil || v.rest != nil || v.flags&(maybeNull|maybePtr) != 0 {
		return
	}
	switch v.Kind {
	case Number, Ctx, Stack, MapPtr, MapValue:
		r.certainFault(&v.Alt, Fault{PC: pc, Kind: NoSocket, Reg: bytecode.R1})
	}
}

// checkValue reports an access outside of a map's value. Data sections are left to the
// kernel, because a loader may make them larger; so are maps that may only be read or only be
// written, and atomic instructions. The kernel refuses an unaligned access with another message if
// the loader requests strict alignment (BPF_F_STRICT_ALIGNMENT).
//
// Source: kernel/bpf/verifier.c check_map_access, Linux 7.3.
func (r *run) checkValue(acc access, a *Alt) {
	const oneSided = 1<<7 | 1<<8 // BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG
	m := &r.a.p.Maps[a.Obj]
	in := r.a.p.Insns[acc.pc]
	if !r.proves(a) || a.flags&maybeNull != 0 ||
		m.Value != nil || len(m.Symbols) > 0 || m.ValueSize == 0 || m.Flags&oneSided != 0 ||
		in.Class() == asm.StXClass && in.Mode() == modeAtomic ||
		acc.size > 1 && !a.Off.Var.Add(constBits(acc.off)).IsAligned(uint64(acc.size)) {
		return
	}
	r.checkRegion(acc, a, int64(m.ValueSize))
}
