package abstract_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// leave emits the end of a program and the instruction "at", which is checked.
func leave(a *progen.Asm) (at bytecode.PC) {
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Label("at")
	at = a.PC()
	a.Emit(mov, 0, 0, 0, 1)
	a.Emit(exit, 0, 0, 0, 0)
	return at
}

// TestHelperBuffer fills a buffer on the stack. The word beside it stays what it was
// (kernel/bpf/verifier.c check_stack_range_initialized, Linux 7.3).
func TestHelperBuffer(t *testing.T) {
	const currentComm = 16
	var a progen.Asm
	a.Emit(st, 10, 0, -8, 7)
	a.Emit(movX, 1, 10, 0, 0)
	a.Emit(add, 1, 0, 0, -24)
	a.Emit(mov, 2, 0, 0, 16)
	a.Helper(currentComm)
	a.Emit(ldx, 3, 10, -8, 0)
	a.If(jne, 3, 0, 7, "at")
	at := leave(&a)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); f.Reached(at) {
			t.Errorf("rules %d: the word beside the buffer is lost", r)
		}
	})
}

// TestKfuncNumber passes numbers to a kernel function, which leads to no memory
// (kernel/bpf/verifier.c check_kfunc_args, Linux 7.3).
func TestKfuncNumber(t *testing.T) {
	var a progen.Asm
	a.Emit(st, 10, 0, -8, 7)
	for r := bytecode.R1; r <= bytecode.R5; r++ {
		a.Emit(mov, r, 0, 0, 1)
	}
	a.Kfunc("bpf_kfunc_call_test")
	a.Emit(ldx, 3, 10, -8, 0)
	a.If(jne, 3, 0, 7, "at")
	at := leave(&a)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); f.Reached(at) {
			t.Errorf("rules %d: a number is taken for a pointer to the stack", r)
		}
	})
}

// unread returns a read-only map whose contents are not known here: the
// verifier knows them (kernel/bpf/verifier.c bpf_map_is_rdonly, Linux 7.3).
func unread(a *progen.Asm) int {
	return a.Map(bytecode.Map{Name: "m", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1, ReadOnly: true})
}

// TestUnreadMap branches on a number that the verifier knows and we do not.
func TestUnreadMap(t *testing.T) {
	var a progen.Asm
	a.MapValue(2, unread(&a), 0)
	a.Emit(ldx4, 3, 2, 0, 0)
	a.If(jeq, 3, 0, 5, "at")
	at := leave(&a)
	if _, f := analyze(t, a.Program("p"), abstract.Verifier); f.Reach(at) != cfg.Maybe {
		t.Errorf("a branch on what a read-only map holds: %v, want maybe", f.Reach(at))
	}
}

// TestPerhapsZeroByte stores the byte of a number that may be 0 for the verifier between
// zeros, and reads them all: they may be 0 for it.
func TestPerhapsZeroByte(t *testing.T) {
	var a progen.Asm
	a.MapValue(2, unread(&a), 0)
	a.Emit(ldx4, 3, 2, 0, 0)
	a.Emit(and, 3, 0, 0, 2)
	for off := int16(-4); off < 0; off++ {
		a.Emit(0x72, 10, 0, off, 0) // *(u8 *)
	}
	a.Emit(0x73, 10, 3, -3, 0)
	a.Emit(ldx4, 4, 10, -4, 0)
	a.If(jne, 4, 0, 0, "at")
	at := leave(&a)
	if _, f := analyze(t, a.Program("p"), abstract.Verifier); f.Reach(at) != cfg.Maybe {
		t.Errorf("a branch on bytes that may be 0: %v, want maybe", f.Reach(at))
	}
}

// TestLearntByCallee calls a function that compares a number which its caller has a copy
// of. It gets the number, or a pointer to where it is on the caller's stack. The verifier
// knows afterwards what the copy is (kernel/bpf/verifier.c collect_linked_regs goes
// through the registers and stacks of all callers, Linux 7.3).
func TestLearntByCallee(t *testing.T) {
	for _, pointer := range []bool{false, true} {
		var a progen.Asm
		a.Func("p", false)
		a.Emit(ldx, 6, 1, 0, 0)
		a.Emit(movX, 1, 6, 0, 0)
		if pointer {
			a.Emit(stx, 10, 6, -8, 0)
			a.Emit(movX, 1, 10, 0, 0)
			a.Emit(add, 1, 0, 0, -8)
		}
		a.Call("f")
		a.If(jeq, 0, 0, 1, "out")
		a.If(jgt, 6, 0, 10, "at")
		a.Label("out")
		at := leave(&a)
		a.Func("f", false)
		if pointer {
			a.Emit(ldx, 1, 1, 0, 0)
		}
		a.If(jgt, 1, 0, 10, "large")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("large")
		a.Emit(mov, 0, 0, 0, 1)
		a.Emit(exit, 0, 0, 0, 0)
		if _, f := analyze(t, a.Program("p"), abstract.Verifier); f.Reached(at) {
			t.Errorf("by pointer %v: the caller knows nothing of its copy", pointer)
		}
	}
}

// TestMoreThanParameters calls a global function with more in the registers than it has
// parameters. What they lead to is no business of it.
func TestMoreThanParameters(t *testing.T) {
	var a progen.Asm
	a.Func("p", false)
	a.Emit(st, 10, 0, -8, 7)
	a.Emit(mov, 1, 0, 0, 1)
	a.Emit(movX, 2, 10, 0, 0)
	a.Emit(add, 2, 0, 0, -8)
	a.Call("f")
	a.Emit(ldx, 3, 10, -8, 0)
	a.If(jne, 3, 0, 7, "at")
	at := leave(&a)
	a.Func("f", true, "scalar")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); f.Reached(at) {
			t.Errorf("rules %d: a global function writes behind what is no argument", r)
		}
	})
}

// TestHelperComesBack calls a helper in a function that returns 0: it does not return
// from the helper.
func TestHelperComesBack(t *testing.T) {
	const ktime = 5
	var a progen.Asm
	a.Func("p", false)
	a.Call("f")
	a.If(jne, 0, 0, 0, "at")
	at := leave(&a)
	a.Func("f", false)
	a.Helper(ktime)
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); f.Reached(at) {
			t.Errorf("rules %d: a function ends at a helper", r)
		}
	})
}
