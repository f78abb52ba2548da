package abstract

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// pointed returns the value of a loaded pointer by the kernel's types, nil if they do not describe
// it.
func (s *State) pointed(p bytecode.Pointer) *Value {
	var m Memory
	switch p.Kind {
	case bytecode.PointerNumber:
		return unknownNumber
	case bytecode.PointerTrusted:
		m = MemTrusted
	case bytecode.PointerRCU:
		m = MemRCU
	case bytecode.PointerObject:
		m = MemObject
	case bytecode.PointerBuffer:
		m = MemBuffer
	case bytecode.PointerArena:
		m = MemArena
	default:
		return nil
	}
	v := memoryPointer(m)
	v.Obj |= p.Type << memoryBits
	if p.Vague {
		return v
	}
	if v.flags &^= foreign; !p.Null {
		return v
	}
	v.flags |= maybeNull
	return v.linked(s.newID(), 0, 0)
}

// distrust returns what a pointer is to a kernel that trusts none.
func distrust(p bytecode.Pointer) bytecode.Pointer {
	if p.Kind == bytecode.PointerTrusted || p.Kind == bytecode.PointerRCU {
		p.Kind, p.Null, p.Vague = bytecode.PointerObject, false, false
	}
	return p
}

// objectField returns what is loaded from a kernel object whose type is known, nil
// when that is not known.
func (r *run) objectField(acc access, a *Alt, s *State) *Value {
	base := bytecode.Pointer{Type: a.Obj >> memoryBits}
	switch memoryOf(a.Obj) {
	case MemTrusted, memHanded:
		base.Kind = bytecode.PointerTrusted
	case MemRCU:
		base.Kind = bytecode.PointerRCU
	case MemObject:
		base.Kind = bytecode.PointerObject
	default:
		return nil
	}
	off, fixed := a.Off.IsConst()
	if r.a.p.Kernel == nil || base.Type == 0 || !fixed || acc.size != 8 {
		return nil
	}
	to := r.a.p.Kernel.Member(r.a.p, base, int64(off)+acc.off, acc.size)
	if r.a.f.usedQuirks.NoTrust = true; r.a.opt.Quirks.NoTrust {
		to = distrust(to)
	}
	return s.pointed(to)
}

// argument returns an argument of the kernel function that a program is bound to, nil
// when its type is not known.
func (r *run) argument(off int64, size int, s *State) *Value {
	p := r.a.p
	if p.Kernel == nil {
		return nil
	}
	to := p.Kernel.Argument(p, off, size)
	no := r.a.opt.Quirks.NoTrust
	if r.a.f.usedQuirks.NoTrust = true; p.Type == "tracing" && p.AttachType == traceIter {
		r.a.f.usedQuirks.NoIterTrust = true
		no = r.a.opt.Quirks.NoIterTrust
	}
	if no {
		to = distrust(to)
	}
	return s.pointed(to)
}

// typedResult returns the result of a call with the type of the object, if the kernel's types give
// it.
func (r *run) typedResult(pc bytecode.PC, h callee, v *Value, s *State) *Value {
	const currentTask = 158 // bpf_get_current_task_btf
	k := r.a.p.Kernel
	ref, ok := r.a.p.RefAt(pc)
	if k == nil || v == nil || h.helper != currentTask && (!ok || ref.Kind != bytecode.RefKfunc) {
		return v
	}
	typ := int32(0)
	switch {
	case h.helper == currentTask:
		typ = k.Struct("task_struct")
	case ref.Name == "bpf_rdonly_cast":
		id, ok := s.get(bytecode.R2).constant()
		if !ok || id >= 1<<20 {
			return v
		}
		return s.pointed(bytecode.Pointer{Kind: bytecode.PointerObject, Type: int32(id)})
	case ref.Name == "bpf_cast_to_kern_ctx":
		typ = k.Struct(kernelContext(r.a.p.Type))
	default:
		typ = k.Result(ref.Name)
	}
	if !v.is(Other) || v.Obj>>memoryBits != 0 {
		return v
	}
	switch m := memoryOf(v.Obj).known(); m {
	case MemTrusted, MemRCU, MemObject:
		if memoryOf(v.Obj) == memHanded {
			m = memHanded
		}
		if typ != 0 {
			w := *v
			w.Obj = int32(m) | typ<<memoryBits
			return &w
		}
	}
	return v
}

// kernelContext names the structure behind the context of a program type
// (include/linux/bpf_types.h, Linux 7.3).
func kernelContext(progType string) string {
	switch progType {
	case "socket_filter", "sched_cls", "sched_act", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local",
		"sk_skb":
		return "sk_buff"
	case "xdp":
		return "xdp_buff"
	case "cgroup_sock_addr":
		return "bpf_sock_addr_kern"
	case "sock_ops":
		return "bpf_sock_ops_kern"
	case "perf_event":
		return "bpf_perf_event_data_kern"
	}
	return ""
}
