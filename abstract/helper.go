package abstract

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// callee describes a helper or kernel function.
type callee struct {
	calls.Proto
	known  bool // the prototype is
	calls  bool // it may call its function arguments, in unknown ways
	helper int32
	pc     bytecode.PC // of the call, where it is carried out
	// callback is the number of the argument that it calls, with the way of the call; 0 if there
	// is none.
	callback int
	how      callbackKind
	// buffer is the number of the argument with the size of the buffer that it fills, and the
	// part of it that r0 returns; 0 if r0 returns something else.
	buffer int
	object bool // a kernel function that returns an object of the kernel, without special rules
	shares bool // it returns another reference to the object in r1, which may be null if that is not the program's own
}

// helperCPU is the number of bpf_get_smp_processor_id.
const helperCPU = 8

// callbackKind is the way in which a function is called back.
type callbackKind uint8

// The kinds of callback, with their arguments in r1, r2, …
//
// Source: kernel/bpf/verifier.c set_loop_callback_state and the others of that
// name, Linux 7.3.
const (
	cbNone   callbackKind = iota
	cbLoop                // (index, r3)
	cbMap                 // (map, key, value, r3)
	cbTimer               // (map, key, value), later
	cbVMA                 // (task, vma, r4)
	cbBuffer              // (dynptr, r3)
	cbNodes               // (node, node)
)

// fullSocket reports whether the helper returns a socket of type struct bpf_sock
// (RET_PTR_TO_SOCKET_OR_NULL in net/core/filter.c, Linux 7.3): sk_lookup_tcp,
// sk_lookup_udp, sk_fullsock, get_listener_sock.
func (h callee) fullSocket() bool {
	return h.helper == helperSkLookupTCP || h.helper == helperSkLookupUDP || h.helper == 95 || h.helper == 98
}

// calleeAt returns the description of the helper or kernel function that an instruction calls.
func calleeAt(p *bytecode.Program, pc bytecode.PC) callee {
	in := p.Insns[pc]
	if in.IsHelperCall() {
		return helperOf(in.Imm)
	}
	if ref, ok := p.RefAt(pc); ok && ref.Kind == bytecode.RefKfunc {
		return kfuncOf(p, ref.Name)
	}
	return unknownCallee()
}

// Parameters returns the maximum number of arguments of the function that an instruction calls:
// that of its prototype, or the maximum there can be.
func Parameters(p *bytecode.Program, pc bytecode.PC) int {
	f := p.Flow(pc)
	if f.Kind != bytecode.FlowCall {
		return calleeAt(p, pc).Params
	}
	if sub := p.SubprogAt(f.Callee); sub >= 0 && p.Subprogs[sub].Start == f.Callee {
		return p.Subprogs[sub].Params
	}
	return 5 + stackArgs
}

// unknownCallee may do anything with its arguments: write through every pointer, and call every
// function.
func unknownCallee() callee {
	c := callee{Proto: calls.Proto{Params: 5 + stackArgs}}
	for i := range c.Args {
		c.Args[i].Use = calls.Write
	}
	return c
}

// special reports whether the verifier knows the result of a kernel function better than its
// prototype: memory that it allocates, elements of iterators, a context.
//
// Source: kernel/bpf/verifier.c check_special_kfunc and check_kfunc_call, Linux 6.12,
// 7.2 and 7.3.
func special(name string) bool {
	starts := []string{"bpf_obj_new", "bpf_percpu_obj_new", "bpf_refcount_acquire", "bpf_list_", "bpf_rbtree_"}
	for _, start := range starts {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return name == "bpf_cast_to_kern_ctx" || strings.HasPrefix(name, "bpf_iter_") && strings.HasSuffix(name, "_next")
}

// helperOf returns the description of helper number n. It adds properties that prototypes do not
// have.
//
// Source: kernel/bpf/verifier.c check_helper_call and do_refine_retval_range,
// Linux 7.3.
func helperOf(n int32) callee {
	p, ok := calls.Helper(n)
	if !ok {
		return unknownCallee()
	}
	c := callee{Proto: p, known: true, helper: n}
	switch n {
	case bytecode.HelperTailCall:
		c.Result = calls.Number // it returns only when it fails
	case 45, 114, 115: // probe_read_str, probe_read_user_str, probe_read_kernel_str
		c.buffer = 2
	case 67, 141: // get_stack, get_task_stack
		c.buffer = 3
	case 164: // for_each_map_elem
		c.callback, c.how = 2, cbMap
	case 170: // timer_set_callback
		c.callback, c.how = 2, cbTimer
	case 180: // find_vma
		c.callback, c.how = 3, cbVMA
	case 181: // loop
		c.callback, c.how = 2, cbLoop
	case 209: // user_ringbuf_drain
		c.callback, c.how = 2, cbBuffer
	}
	return c
}

// kfuncOf returns the description of a kernel function by its name.
//
// Source: kernel/bpf/verifier.c check_kfunc_call, Linux 7.3.
func kfuncOf(prog *bytecode.Program, name string) callee {
	p, ok := calls.Kfunc(name)
	if !ok {
		if p, ok = calls.Kfunc(strings.TrimSuffix(name, "_impl")); !ok {
			if k := prog.Kfunc(name); k != nil {
				return declared(k)
			}
			return unknownCallee()
		}
		p.Params = len(p.Args) // the parameters that Linux adds are among the arguments
	}
	c := callee{Proto: p, known: true, object: !special(name)}
	switch strings.TrimSuffix(name, "_impl") {
	case "bpf_rbtree_add":
		c.callback, c.how = 3, cbNodes
	case "bpf_refcount_acquire":
		c.Result, c.shares = calls.Trusted, true
	case "bpf_wq_set_callback":
		c.callback, c.how = 2, cbTimer
	case "bpf_task_work_schedule_signal", "bpf_task_work_schedule_resume":
		c.callback, c.how = 4, cbTimer
	}
	return c
}
