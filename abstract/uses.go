package abstract

import (
	"math"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Memory is the kind of memory that a pointer points to, as far as Linux rewrites accesses to it
// (kernel/bpf/fixups.c bpf_convert_ctx_accesses, Linux 7.3). It is the Obj of an alternative of
// kind Other.
type Memory uint8

// The kinds of memory.
const (
	MemUnknown Memory = iota // any of the others
	MemPlain                 // accessed as it is: stack, map value
	MemPacket                // packet data, accessed as it is
	MemCtx                   // the program's context
	MemSock                  // struct bpf_sock
	MemTCPSock               // struct bpf_tcp_sock
	MemXDPSock               // struct bpf_xdp_sock
	MemObject                // kernel object that may be gone: loads may fault
	MemTrusted               // kernel object that is there, accessed as it is
	MemArena                 // an arena
	MemBuffer                // bytes of known number, accessed as they are: ring buffer, slice
	MemRCU                   // kernel object that stays until the RCU read-side critical section ends, accessed as it is
)

// memoryBits are the bits of Alt.Obj that hold a Memory. Those above hold the
// number of the object's type in the kernel's BTF, 0 when it is not known.
const memoryBits = 8

// memoryOf returns what an alternative of kind Other leads to.
func memoryOf(obj int32) Memory { return Memory(obj & (1<<memoryBits - 1)) }

// Use describes the memory that a load, store or atomic accesses.
type Use struct {
	PC      bytecode.PC
	To      Memory
	Certain bool // the verifier has such a pointer there
	// Low is the lowest offset from the top of the own stack frame that is
	// accessed, SureLow that of certain states; 0 for none.
	Low, SureLow int
}

// Call holds the arguments of a helper call that decide how Linux rewrites it, over all states.
type Call struct {
	PC bytecode.PC
	// Map is the index of the map in Program.Maps, -1 for none or when it differs
	// between states; Inner says that it is one that Maps[Map], a map of maps, gave.
	Map   int
	Inner bool
	Key   int64 // constant in r3, or see noteAllocation; -1 for none
	Func  int   // subprogram in r2, -1 for none
	Zero  bool  // r4 is 0

	// Whether each of these holds for the verifier, too, also that there is none.
	MapCertain, KeyCertain, FuncCertain, ZeroCertain bool
}

// use holds the kinds of memory that an instruction was seen to access, as bits,
// in certain states and in others.
type use struct {
	certain, maybe uint16
	low, sureLow   int16 // see Use
	// noPointer says that it loads a part of a slot of the stack that was seen to hold
	// something else than a pointer.
	noPointer bool
}

// memory returns the kind of memory that an alternative points to.
func (a *Alt) memory(p *bytecode.Program) Memory {
	switch a.Kind {
	case Stack, Table, MapPtr, TablePtr:
		return MemPlain
	case Ctx:
		return MemCtx
	case MapValue:
		if p.Maps[a.Obj].Type == bytecode.MapArena {
			return MemArena
		}
		return MemPlain
	case Other:
		return memoryOf(a.Obj).known()
	case Number:
		if a.flags&object != 0 {
			return MemObject
		}
	}
	return MemUnknown
}

// noteUse records an access through a value. A number among the alternatives is ignored, because
// a program that reaches the access with it is refused.
func (r *run) noteUse(pc bytecode.PC, base *Value, s *State, write bool) {
	u := &r.a.f.uses[pc]
	base.each(func(a *Alt) {
		m := a.memory(r.a.p)
		if a.Kind == Number && m == MemUnknown && a.flags&(maybePtr|maybeLocal) == 0 {
			return
		}
		if s.certain() {
			if u.certain |= 1 << m; u.certain&(1<<MemObject) != 0 {
				r.a.f.usedQuirks.MixedPlain = true
			}
		} else {
			u.maybe |= 1 << m
		}
		if write && (m == MemPacket || m == MemUnknown && a.Kind != Other) { // packets come from the context
			r.a.f.writesPacket(m == MemPacket && s.certain())
		}
	})
}

// writesPacket records that the program may write to packet data.
func (f *Facts) writesPacket(certain bool) {
	f.packet.maybe = 1
	if certain {
		f.packet.certain = 1
	}
}

// WritesPacket reports whether the program writes to packet data.
func (f *Facts) WritesPacket() (maybe, certain bool) {
	return f.packet.maybe != 0, f.packet.certain != 0
}

// Uses returns what the loads, stores and atomics that are reached go through,
// by instruction.
func (f *Facts) Uses() []Use {
	var out []Use
	for pc, u := range f.uses {
		if u != (use{}) {
			to, certain := u.memory(f.mixedPlain)
			out = append(out, Use{bytecode.PC(pc), to, certain, int(u.low), int(u.sureLow)})
		}
	}
	return out
}

// memory combines all kinds into one. Linux refuses a program in which one instruction
// accesses memory of two kinds, if one of them is rewritten, so what a certain state
// has decides. Of objects and buffers, which may mix, those decide that may be gone
// (kernel/bpf/verifier.c save_aux_ptr_type and merge_ptr_types, Linux 7.3).
func (u use) memory(mixedPlain bool) (Memory, bool) {
	const plain, objects = 1<<MemPlain | 1<<MemPacket, 1<<MemObject | 1<<MemTrusted | 1<<MemRCU | 1<<MemBuffer
	known := u.certain &^ (1 << MemUnknown)
	switch all := u.certain | u.maybe; {
	case known&plain != 0 && known&^plain == 0:
		return MemPlain, true
	case known&objects != 0 && known&^objects == 0:
		if known&(1<<MemObject) != 0 {
			return MemObject, !mixedPlain || known == 1<<MemObject
		}
		return MemTrusted, all&(1<<MemObject|1<<MemUnknown) == 0
	case known != 0 && known&(known-1) == 0:
		return single(known), true
	case u.certain != 0 || all&(1<<MemUnknown) != 0 || all == 0:
	case all&^plain == 0: // states that only cover the verifier's have nothing else
		return MemPlain, true
	case all&^objects == 0 && all&(1<<MemObject) == 0:
		return MemTrusted, true
	case all&(all-1) == 0:
		return single(all), true
	}
	return MemUnknown, false
}

// single returns the only member of a set.
func single(set uint16) Memory {
	m := MemUnknown
	for ; set > 1; set >>= 1 {
		m++
	}
	return m
}

// noteCall notes the arguments of a call of a helper that takes a map, a key or
// a callback.
func (r *run) noteCall(pc bytecode.PC, in bytecode.Insn, s *State) {
	if !in.IsHelperCall() {
		r.noteAllocation(pc, s)
		return
	}
	mapReg := bytecode.R1
	if in.Imm == bytecode.HelperTailCall {
		mapReg = bytecode.R2
	}
	a := callArgs{noArg(s), noArg(s), noArg(s), noArg(s)}
	switch m := s.get(mapReg); {
	case m.is(MapPtr):
		a[argMap] = arg(int64(m.Obj), s)
	case !m.has(func(a *Alt) bool { return a.Kind == MapPtr }):
		a[argMap].some = false // it is one that is not followed
	}
	a[argKey] = numberArg(s.get(bytecode.R3), math.MaxUint32, s)
	if f := s.get(bytecode.R2); f.is(Func) {
		a[argFunc] = arg(int64(f.Obj), s)
	}
	if s.get(bytecode.R4).zero() {
		a[argZero] = arg(0, s)
	}
	r.note(pc, a)
}

// noteAllocation notes, as the key of a call, the type that bpf_obj_new and the like
// allocate, and where in an object the node is that goes into a list or tree.
func (r *run) noteAllocation(pc bytecode.PC, s *State) {
	ref, ok := r.a.p.RefAt(pc)
	if !ok || ref.Kind != bytecode.RefKfunc {
		return
	}
	a := callArgs{unknownArg, unknownArg, unknownArg, unknownArg}
	switch name := strings.TrimSuffix(ref.Name, "_impl"); name {
	case "bpf_obj_new", "bpf_percpu_obj_new":
		if a[argKey] = numberArg(s.get(bytecode.R1), math.MaxInt32, s); a[argKey].all == none {
			a[argKey].some = false
		}
	case "bpf_list_push_front", "bpf_list_push_back", "bpf_list_add", "bpf_rbtree_add":
		node := s.get(bytecode.R2)
		if off, ok := node.Off.IsConst(); ok && node.is(Other) && off <= math.MaxInt32 {
			a[argKey] = arg(int64(off), s)
		}
	default:
		return
	}
	r.note(pc, a)
}

// nodeResult reports whether a kernel function returns a pointer to the node of an
// object, so that where the object starts is not known here.
func nodeResult(name string) bool {
	switch strings.TrimSuffix(name, "_impl") {
	case "bpf_list_pop_front", "bpf_list_pop_back", "bpf_list_front", "bpf_list_back", "bpf_list_del",
		"bpf_rbtree_remove", "bpf_rbtree_first", "bpf_rbtree_root", "bpf_rbtree_left", "bpf_rbtree_right":
		return true
	}
	return false
}

// HelperCalls returns what is known of the helper calls that are reached, by
// instruction.
func (f *Facts) HelperCalls() []Call {
	out := make([]Call, 0, len(f.calls))
	for _, pc := range sortedKeys(f.calls) {
		out = append(out, f.calls[pc].call(pc))
	}
	return out
}

// Async reports whether a timer, workqueue or similar calls the subprogram later.
func (f *Facts) Async(sub int) (maybe, certain bool) {
	u := f.async[sub]
	return u.maybe|u.certain != 0, u.certain != 0
}

// later records that a subprogram is called later.
func (r *run) later(sub int, certain bool) {
	u := r.a.f.async[sub]
	if u.maybe = 1; certain {
		u.certain = 1
	}
	r.a.f.async[sub] = u
}
