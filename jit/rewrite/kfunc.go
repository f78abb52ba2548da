package rewrite

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// kfunc returns the replacement of a call of a kernel function, or nil if it stays a plain call
// (kernel/bpf/verifier.c bpf_fixup_kfunc_call, Linux 7.3).
func (f *fixer) kfunc(s slot, name string) []slot {
	if s.marks&markSeen == 0 {
		return nil
	}
	r0, r1 := bytecode.R0, bytecode.R1
	switch name = strings.TrimSuffix(name, "_impl"); name {
	case "bpf_cast_to_kern_ctx", "bpf_rdonly_cast":
		return []slot{raw(w64|opMov|byReg, r0, r1, 0, 0)}
	case "bpf_iter_num_new", "bpf_iter_num_next", "bpf_iter_num_destroy":
		if f.kernel.Has(kernel.InlineIterNum) {
			return numberIterator(name)
		}
		return nil
	case "bpf_session_is_return", "bpf_session_cookie":
		if t := f.opt.AttachType; t == traceFsession || t == traceFsessionMulti {
			return session(name)
		}
		return nil
	}
	if reg, ok := auxArg(name); ok {
		return append(f.auxPointer(reg), s)
	}
	return f.typed(s, name)
}

// auxArg returns the register in which a kernel function gets the program's
// struct bpf_prog_aux from the verifier (is_kfunc_arg_prog_aux).
func auxArg(name string) (bytecode.Reg, bool) {
	switch name {
	case "bpf_stream_print_stack":
		return bytecode.R2, true
	case "bpf_wq_set_callback":
		return bytecode.R4, true
	case "bpf_stream_vprintk", "bpf_task_work_schedule_signal", "bpf_task_work_schedule_resume":
		return bytecode.R5, true
	}
	return 0, false
}

// typed returns a call of a kernel function that gets the verifier's knowledge of the program's
// types: their size, the offset of a node in one, and the address of a description, which is 0 if
// the type has no special members.
func (f *fixer) typed(s slot, name string) []slot {
	meta := func(reg bytecode.Reg) []slot {
		return f.b.address64(reg, bytecode.RefUnknown, "struct btf_struct_meta")
	}
	number := func(reg bytecode.Reg) slot { return raw(w64|opMov, reg, 0, 0, 0).unpredicted() }
	switch name {
	case "bpf_obj_new":
		return f.allocation(s)
	case "bpf_percpu_obj_new", "bpf_percpu_obj_drop": // never with a description
		out := zero64(bytecode.R2)
		if name == "bpf_percpu_obj_new" {
			size := number(bytecode.R1)
			if l, ok := f.allocated(s); ok {
				size = raw(w64|opMov, bytecode.R1, 0, 0, int32(l.Size))
			}
			out = append([]slot{size}, out...)
		}
		return append(out, s)
	case "bpf_obj_drop":
		return append(f.description(), s)
	case "bpf_refcount_acquire":
		return append(meta(bytecode.R2), s)
	case "bpf_list_push_front", "bpf_list_push_back":
		return append(meta(bytecode.R3), f.node(s, bytecode.R4), s)
	case "bpf_list_add", "bpf_rbtree_add":
		return append(meta(bytecode.R4), f.node(s, bytecode.R5), s)
	}
	return nil
}

// zero64 makes the two slots of an immediate load of 0.
func zero64(dst bytecode.Reg) []slot {
	out := []slot{raw(bytecode.CodeLdImm64, dst, 0, 0, 0), raw(bytecode.CodeInvalid, 0, 0, 0, 0)}
	out[1].marks |= markSecond
	return out
}

// node loads the offset in its object of the node that a call inserts.
func (f *fixer) node(s slot, reg bytecode.Reg) slot {
	fact, ok := f.calls[bytecode.PC(s.orig)]
	if !ok || !fact.Certain || fact.Key < 0 {
		return raw(w64|opMov, reg, 0, 0, 0).unpredicted()
	}
	return raw(w64|opMov, reg, 0, 0, int32(fact.Key))
}

// allocated returns the type that a call allocates, when it is known.
func (f *fixer) allocated(s slot) (bytecode.LocalType, bool) {
	fact, ok := f.calls[bytecode.PC(s.orig)]
	if !ok || !fact.Certain {
		return bytecode.LocalType{}, false
	}
	i, found := slices.BinarySearchFunc(f.src.Locals, int32(fact.Key), func(l bytecode.LocalType, id int32) int {
		return cmp.Compare(l.ID, id)
	})
	if !found {
		return bytecode.LocalType{}, false
	}
	return f.src.Locals[i], true
}

// allocation returns a call of bpf_obj_new, which gets the size of the type and its
// description, if it has special members.
func (f *fixer) allocation(s slot) []slot {
	l, known := f.allocated(s)
	size := raw(w64|opMov, bytecode.R1, 0, 0, int32(l.Size))
	out := zero64(bytecode.R2)
	if !known || l.Special {
		out = f.b.address64(bytecode.R2, bytecode.RefUnknown, "struct btf_struct_meta")
	}
	if !known {
		size, out[0] = size.unpredicted(), out[0].unpredicted()
	}
	return append(append([]slot{size}, out...), s)
}

// description loads the description of the type that a call of bpf_obj_drop frees. The type was
// allocated by this program or another one: if all such types of the object have special members,
// or none has, it does not matter which it is.
func (f *fixer) description() []slot {
	special, plain := false, false
	for _, l := range f.src.Locals {
		if l.Held || f.allocates(l.ID) {
			special, plain = special || l.Special, plain || !l.Special
		}
	}
	if plain && !special && !f.guessesTypes() {
		return zero64(bytecode.R2)
	}
	out := f.b.address64(bytecode.R2, bytecode.RefUnknown, "struct btf_struct_meta")
	if plain || !special || f.guessesTypes() {
		out[0] = out[0].unpredicted()
	}
	return out
}

// allocates reports whether a call of the program allocates a type.
func (f *fixer) allocates(id int32) bool {
	for pc, c := range f.calls {
		if f.isAllocation(pc) && c.Key == int64(id) {
			return true
		}
	}
	return false
}

// isAllocation reports whether the call at a source slot allocates an object.
func (f *fixer) isAllocation(pc bytecode.PC) bool {
	ref, ok := f.src.RefAt(pc)
	return ok && ref.Kind == bytecode.RefKfunc && strings.Contains(ref.Name, "obj_new")
}

// guessesTypes reports whether a call allocates a type that is not known.
func (f *fixer) guessesTypes() bool {
	for pc, c := range f.calls {
		if f.isAllocation(pc) && (!c.Certain || c.Key < 0) {
			return true
		}
	}
	return false
}

// numberIterator returns the body of a function of the iterator over numbers:
// struct bpf_iter_num is the current number and the end, 4 bytes each.
func numberIterator(name string) []slot {
	r0, r1, r2, r3 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3
	fail := func(errno int32) []slot {
		return []slot{raw(stD, r1, 0, 0, 0), raw(w64|opMov, r0, 0, 0, -errno)}
	}
	switch name {
	case "bpf_iter_num_new":
		out := []slot{
			raw(j32|jsgt|byReg, r2, r3, 8, 0),
			raw(w32|opMov|byReg, r0, r3, 0, 0),
			raw(w32|opSub|byReg, r0, r2, 0, 0),
			raw(j64|jgt, r0, 0, 8, maxLoops),
			raw(w32|opAdd, r2, 0, 0, -1),
			raw(stxW, r1, r2, 0, 0),
			raw(stxW, r1, r3, 4, 0),
			raw(w64|opMov, r0, 0, 0, 0),
			raw(bytecode.CodeGoto, 0, 0, 5, 0),
		}
		out = append(out, fail(eInval)...)
		out = append(out, raw(bytecode.CodeGoto, 0, 0, 2, 0))
		return append(out, fail(e2Big)...)
	case "bpf_iter_num_next":
		return append([]slot{
			raw(ldxW, r0, r1, 0, 0),
			raw(w32|opAdd, r0, 0, 0, 1),
			raw(ldxW, r2, r1, 4, 0),
			raw(j32|jsge|byReg, r0, r2, 3, 0),
			raw(stxW, r1, r0, 0, 0),
			raw(w64|opMov|byReg, r0, r1, 0, 0),
			raw(bytecode.CodeGoto, 0, 0, 2, 0),
		}, fail(0)...)
	}
	return []slot{raw(bytecode.CodeGoto, 0, 0, 0, 0)}
}

// session returns the body of a function that reads what the trampoline of an
// fsession put before the arguments.
func session(name string) []slot {
	r0, r1 := bytecode.R0, bytecode.R1
	if name == "bpf_session_is_return" {
		return []slot{
			raw(ldxD, r0, r1, traceEntryNoArgs, 0),
			raw(w64|opRsh, r0, 0, 0, 63),
			raw(w64|opAnd, r0, 0, 0, 1),
		}
	}
	return []slot{
		raw(ldxD, r0, r1, traceEntryNoArgs, 0),
		raw(w64|opRsh, r0, 0, 0, 8),
		raw(w64|opAnd, r0, 0, 0, 0xff),
		raw(w64|opLsh, r0, 0, 0, 3),
		raw(w64|opSub|byReg, r0, r1, 0, 0),
		raw(w64|opNeg, r0, 0, 0, 0),
	}
}
