package abstract

import (
	"math"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// kernelPtr is a number or a pointer to a kernel object that may have been freed.
var kernelPtr = &Value{Alt: Alt{Kind: Number, flags: maybePtr | foreign | object | atStart, Off: unknown}}

// tracedPtr is kernelPtr for pointers that the verifier does not trust: it never treats such a
// pointer, or one read from its object, as not null.
var tracedPtr = &Value{Alt: Alt{Kind: Number, flags: maybePtr | object | atStart, Off: unknown}}

// More kinds of memory, which only this package distinguishes.
const (
	memValue      Memory = 1<<memoryBits - 1 - iota // a value of a map that is not known
	memPacketEnd                                    // the end of packet data
	memPacketPast                                   // packet data, at its end or after it
	memFile                                         // struct file that is trusted
	memHanded                                       // referenced, so its fields are trusted; loads may fault
	memFullSock                                     // a socket that is known to be a full one
	memKey                                          // the key of an element, for a function that is called back later
	memElement                                      // the value of such an element
	memNumbers                                      // a value of an inner map that has no pointers
)

// known returns the exported kind of memory.
func (m Memory) known() Memory {
	switch m {
	case memValue, memKey, memElement, memNumbers:
		return MemPlain
	case memPacketEnd, memPacketPast:
		return MemPacket
	case memFile:
		return MemTrusted
	case memFullSock:
		return MemSock
	case memHanded:
		return MemObject
	}
	return m
}

// numbers reports whether the verifier treats a load from the memory as a number
// (kernel/bpf/verifier.c check_mem_access, Linux 7.3).
func (m Memory) numbers() bool {
	switch m.known() {
	case MemPlain, MemBuffer, MemPacket, MemSock, MemTCPSock, MemXDPSock, MemArena:
		return m != memValue && m != memElement
	}
	return false
}

// memoryPointer returns a pointer to the start of memory that is not modelled. That memory may be
// released, and then Linux does not treat the pointer as not null.
func memoryPointer(m Memory) *Value {
	off := scalar.Const(0)
	if m.numbers() {
		off = unknown
	}
	return &Value{Alt: Alt{Kind: Other, flags: foreign, Obj: int32(m), Off: off}}
}

// memoryOrNull is memoryPointer for one that may be null.
func (s *State) memoryOrNull(m Memory) *Value {
	v := memoryPointer(m)
	v.flags |= maybeNull
	return v.linked(s.newID(), 0, 0)
}

// contextPointer returns the memory that a context field of so many bytes points to, MemUnknown for
// a number; whether the pointer may be null; and whether both are known (include/uapi/linux/bpf.h;
// is_valid_access of struct bpf_verifier_ops, Linux 7.3).
func contextPointer(progType string, off int64, size int) (m Memory, null, known bool) {
	switch progType {
	case "syscall", "raw_tracepoint", "raw_tracepoint_writable", "tracepoint", "kprobe", "perf_event",
		"cgroup_device", "cgroup_sysctl", "lirc_mode2":
		return MemUnknown, false, true
	case "socket_filter", "sched_cls", "sched_act", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local",
		"sk_skb", "flow_dissector":
		return skbPointer(progType, off, size)
	case "xdp":
		switch {
		case off == 4 && size == 4:
			return memPacketEnd, false, true
		case off <= 8 && size == 4:
			return MemPacket, false, true
		}
		return MemUnknown, false, true
	}
	if progType == "netfilter" && size == 8 {
		return MemTrusted, false, true
	}
	pointers, nullable, known := contextPointers(progType)
	if size < 8 {
		return MemUnknown, false, known
	}
	return pointers[off], off == nullable, known
}

// contextPointers returns the fields of 8 bytes of a context that are pointers, by offset, and the
// one that may be null, -1 for none; and whether they are known. All other fields are numbers.
func contextPointers(progType string) (at map[int64]Memory, nullable int64, known bool) {
	switch progType {
	case "sk_reuseport":
		return map[int64]Memory{0: MemPacket, 8: memPacketEnd, 40: MemSock, 48: MemSock}, 48, true
	case "sk_msg":
		return map[int64]Memory{0: MemPacket, 8: memPacketEnd, 72: MemSock}, -1, true
	case "sk_lookup":
		return map[int64]Memory{0: MemSock}, 0, true
	case "cgroup_sock_addr":
		return map[int64]Memory{64: MemSock}, -1, true
	case "cgroup_sockopt":
		return map[int64]Memory{0: MemSock, 8: MemPacket, 16: memPacketEnd}, -1, true
	case "sock_ops":
		return map[int64]Memory{184: MemSock, 192: MemPacket, 200: memPacketEnd}, 184, true
	case "cgroup_sock":
		return nil, -1, true
	}
	return nil, -1, false
}

// skbPointer is contextPointer for struct __sk_buff.
func skbPointer(progType string, off int64, size int) (m Memory, null, known bool) {
	switch {
	case size == 4 && off == 80 && progType != "socket_filter":
		return memPacketEnd, false, true
	case size == 4 && (off == 76 || off == 140) && progType != "socket_filter":
		return MemPacket, false, true
	case size == 8 && off == 144 && progType == "flow_dissector":
		return MemPlain, false, true
	case size == 8 && off == 168 && progType != "flow_dissector":
		return MemSock, true, true
	}
	return MemUnknown, false, true
}

// tracedPointer returns what 8 bytes of the context of a tracing program hold at an
// offset, the argument of a kernel function or of an iterator. Which of them are
// pointers is in the kernel's BTF.
//
// Source: kernel/bpf/btf.c btf_ctx_access and prog_args_trusted, and the
// bpf_iter_reg of each iterator, Linux 7.3.
func tracedPointer(p *bytecode.Program, off int64) *Value {
	const rawTP = 23 // BPF_TRACE_RAW_TP
	if p.Type != "tracing" || p.AttachType == 0 || p.AttachType == rawTP {
		return unknownPtr
	}
	if p.AttachType != traceIter {
		return tracedPtr // an argument of fentry and the like may be freed
	}
	switch name := strings.TrimPrefix(p.AttachTo, "bpf_iter_"); {
	case off == 0: // bpf_iter__*.meta
		return memoryPointer(MemTrusted)
	case name == "":
		return unknownPtr
	case name == "bpf_map_elem", name == "bpf_sk_storage_map", name == "sockmap":
		if off == 8 { // their map is not null
			return unknownPtr
		}
		return unknownCell // keys and values are buffers
	case slices.Contains([]string{"bpf_map", "cgroup", "kmem_cache", "task", "tcp", "udp"}, name) && off == 8:
		return unknownCell // trusted
	}
	return tracedPtr
}

// traceIter is BPF_TRACE_ITER of enum bpf_attach_type.
const traceIter = 28

// trustedField reports whether a kernel object may have a pointer at an offset that
// the verifier takes for not null: seq of bpf_iter_meta, f_inode of file, file of
// linux_binprm, and d_inode of dentry before Linux 6.15. These are their offsets in all builds
// that were looked at.
//
// Source: kernel/bpf/verifier.c BTF_TYPE_SAFE_TRUSTED and type_is_trusted, Linux 6.12
// to 7.3.
func (r *run) trustedField(off int64) bool {
	iter := r.a.p.Type == "" || r.a.p.Type == "tracing" && (r.a.p.AttachType == traceIter || r.a.p.AttachType == 0)
	return off == 0 && iter || off >= 32 && off <= 48 || off >= 64 && off <= 128
}

// checkField reports an access of the context that does not match a field, for types whose fields
// are all numbers of 4 bytes except for some pointers (net/core/filter.c sk_msg_is_valid_access,
// Linux 7.3).
func (r *run) checkField(acc access, a *Alt, off int64) {
	if r.a.p.Type != "sk_msg" {
		return
	}
	const numbers, pointers = 16, 72 // data and data_end are before, sk is after
	ok := acc.size == 8 && (off == 0 || off == 8 || off == pointers) ||
		acc.size == 4 && off >= numbers && off < pointers && off%4 == 0
	if !ok {
		r.fault(a, acc.fault(BadContext, off, tnum.T{}))
	}
}

// loadCtx returns the result of a load from the context. Some program types have pointers to
// packet data in fields of 4 bytes, which are loaded as 8.
func (r *run) loadCtx(acc access, a *Alt, s *State) *Value {
	off, fixed := a.Off.IsConst()
	if !fixed {
		if acc.size < 4 {
			return r.field(acc, nil)
		}
		return unknownPtr
	}
	r.checkField(acc, a, int64(off)+acc.off)
	m, null, known := contextPointer(r.a.p.Type, int64(off)+acc.off, acc.size)
	switch {
	case known && m == MemUnknown:
		return number(r.a.opt.Rules.narrow(unknown, acc.size, acc.signed))
	case known && null:
		return s.memoryOrNull(m)
	case known:
		return r.packet(m, int64(off)+acc.off)
	case acc.size == 8:
		if v := r.argument(int64(off)+acc.off, acc.size, s); v != nil {
			return r.hookResult(v)
		}
		return r.hookResult(tracedPointer(r.a.p, int64(off)+acc.off))
	case acc.size == 4 && (r.a.p.Type == "" || r.a.p.Type == "ext"):
		return unknownPtr // the context of another type
	}
	return r.field(acc, nil)
}

// hookResult returns a value loaded from the context if it may be the result of a hook. Less is
// known of it in kernels where the old value of the register matters (Quirks.StaleResult).
func (r *run) hookResult(v *Value) *Value {
	if r.a.p.Type != "lsm" {
		return v
	}
	r.a.f.usedQuirks.StaleResult = true
	switch {
	case !r.a.opt.Quirks.StaleResult:
	case v.is(Number):
		return v.loosened()
	case strings.HasPrefix(r.a.p.AttachTo, "bpf_lsm_bdev_"):
		return unknownPtr // trusted on 6.19.14, not so on 7.2
	}
	return v
}

// lookedUp returns the result of a lookup in a map whose values are not in its own memory.
func (r *run) lookedUp(h callee, m *Alt, s *State) *Value {
	if m.Obj < 0 { // an element of a map of maps
		inner := r.a.p.Maps[^m.Obj].Inner
		found, value := cfg.Maybe, memValue
		if inner != nil {
			found = r.finds(h, inner, s)
			if inner.NoKptrs {
				value = memNumbers
			}
		} else if r.finds(h, &bytecode.Map{Type: bytecode.MapArray, KeySize: 4, MaxEntries: math.MaxUint32}, s) == cfg.No {
			found = cfg.No
		}
		v := s.memoryOrNull(value)
		switch found {
		case cfg.Yes:
			return memoryPointer(value)
		case cfg.Maybe:
			v.flags |= loose
		}
		return v
	}
	switch r.a.p.Maps[m.Obj].Type {
	case bytecode.MapArrayOfMaps, bytecode.MapHashOfMaps:
		v := &Value{Alt: Alt{Kind: MapPtr, Obj: ^m.Obj, Off: scalar.Const(0), flags: maybeNull}}
		return v.linked(s.newID(), 0, 0)
	case bytecode.MapSockMap, bytecode.MapSockHash:
		return s.memoryOrNull(MemSock)
	case bytecode.MapXSK:
		return s.memoryOrNull(MemXDPSock)
	}
	return nil
}

// castValue returns the result of a cast between address spaces: from 1 to 0 it makes a pointer
// into the arena.
func castValue(in bytecode.Insn) *Value {
	if in.Class() == asm.ALU64Class && in.Off == 1 && in.Imm == 1 {
		return &Value{Alt: Alt{Kind: Other, Obj: int32(MemArena), Off: unknown}}
	}
	return unknownPtr
}

// isArena reports whether the value is a pointer into an arena.
func isArena(v *Value) bool { return isMemory(v, MemArena) }

// arenaALU carries out arithmetic with a pointer into an arena, which yields one
// (kernel/bpf/verifier.c adjust_reg_min_max_vals, Linux 7.3).
func (r *run) arenaALU(pc bytecode.PC, in bytecode.Insn, s *State) {
	v := &Value{Alt: Alt{Kind: Other, Obj: int32(MemArena), Off: unknown}}
	r.noteUse(pc, v, s, false)
	s.set(in.Dst, v)
}
