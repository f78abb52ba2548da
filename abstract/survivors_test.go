package abstract_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// bothRules calls f with each set of rules.
func bothRules(f func(abstract.Rules)) {
	f(abstract.Executions)
	f(abstract.Verifier)
}

// TestGivenUp calls a function with more states than are kept apart, each with
// another word on the stack, until its entry is given up. The caller's pointer on the
// stack may be in it still: a store through it changes what it leads to.
func TestGivenUp(t *testing.T) {
	const calls = 30
	var a progen.Asm
	a.Func("p", false)
	for i := range calls {
		a.Emit(st, 10, 0, int16(-24-8*i), 0)
	}
	a.Emit(movX, 2, 10, 0, 0)
	a.Emit(add, 2, 0, 0, -16)
	a.Emit(stx, 10, 2, -8, 0) // fp-8 leads to fp-16
	for i := range calls {
		a.Emit(st, 10, 0, int16(-24-8*i), 1)
		a.Emit(movX, 1, 10, 0, 0)
		a.Emit(add, 1, 0, 0, -24)
		a.Call("f")
	}
	a.Emit(st, 10, 0, -16, 7)
	a.Emit(ldx, 2, 10, -8, 0)
	a.Emit(st, 2, 0, 0, 9)
	a.Emit(ldx, 7, 10, -16, 0)
	a.If(jeq, 7, 0, 7, "same")
	changed := a.PC()
	a.Emit(mov, 0, 0, 0, 1)
	a.Emit(exit, 0, 0, 0, 0)
	a.Label("same")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Func("f", false)
	a.Emit(ldx, 0, 1, 0, 0)
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); !f.Reached(changed) {
			t.Errorf("rules %d: a store through a pointer that a given-up call leaves is not seen", r)
		}
	})
}

// TestZerosAtVariableOffset reads bytes of 0 at an offset that is one of four. Linux
// keeps the zeros (kernel/bpf/verifier.c mark_reg_stack_read).
func TestZerosAtVariableOffset(t *testing.T) {
	var a progen.Asm
	a.Emit(ldx4, 2, 1, 0, 0)
	a.Emit(and, 2, 0, 0, 3)
	for off := int16(-7); off < -3; off++ {
		a.Emit(0x72, 10, 0, off, 0) // *(u8 *)
	}
	a.Emit(movX, 3, 10, 0, 0)
	a.Emit(add, 3, 0, 0, -7)
	a.Emit(addX, 3, 2, 0, 0)
	a.Emit(0x71, 7, 3, 0, 0)
	a.If(jeq, 7, 0, 0, "zero")
	other := a.PC()
	a.Emit(mov, 0, 0, 0, 1)
	a.Label("zero")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); f.Reached(other) {
			t.Errorf("rules %d: zeros at a variable offset are lost", r)
		}
	})
}

// TestUnsetOnOneWay reads a register that one of two ways has set. The state of the
// other is not covered by that of the first, whichever comes first.
func TestUnsetOnOneWay(t *testing.T) {
	for _, first := range []bool{false, true} {
		for _, known := range []bool{false, true} {
			set := func(a *progen.Asm) {
				if known {
					a.Emit(mov, 2, 0, 0, 5)
				} else {
					a.Emit(ldx4, 2, 1, 8, 0)
				}
			}
			var a progen.Asm
			a.Emit(ldx4, 3, 1, 0, 0)
			a.If(jeq, 3, 0, 0, "other")
			if first {
				set(&a)
			}
			a.Jump("meet")
			a.Label("other")
			if !first {
				set(&a)
			}
			a.Label("meet")
			a.Emit(movX, 0, 2, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
			_, f := analyze(t, a.Program("p"), abstract.Verifier)
			if !slices.ContainsFunc(f.Faults(), func(x abstract.Fault) bool { return x.Kind == abstract.UnsetRegister && x.Proven }) {
				t.Errorf("set on the first way %v, known %v: the read on the other way is no proven fault", first, known)
			}
		}
	}
}

// TestAnyFunction calls an unknown number: each function whose address is
// taken may be meant, also where nothing but the instruction says that it is one.
func TestAnyFunction(t *testing.T) {
	var a progen.Asm
	a.Func("p", false)
	a.FuncAddr(2, "f")
	a.Emit(ldx, 3, 1, 0, 0)
	a.Emit(bytecode.CodeCallx, 3, 0, 0, 0)
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Func("f", false)
	inside := a.PC()
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	for _, refs := range []bool{true, false} {
		p := a.Program("p")
		if !refs {
			p.Refs = nil
		}
		bothRules(func(r abstract.Rules) {
			if _, f := analyze(t, p, r); !f.Reached(inside) {
				t.Errorf("references %v, rules %d: the function is not reached", refs, r)
			}
		})
	}
}

// TestWhyUnresolved jumps to a number of a map that holds no code: nothing is said of
// a table.
func TestWhyUnresolved(t *testing.T) {
	var a progen.Asm
	m := a.Map(bytecode.Map{Name: "m", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	a.MapValue(2, m, 0)
	a.Emit(ldx, 2, 2, 0, 0)
	a.Emit(bytecode.CodeGotox, 2, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	_, f := analyze(t, a.Program("p"), abstract.Verifier)
	for _, d := range f.Indirect() {
		if d.Unresolved == "" || strings.Contains(d.Unresolved, "written") {
			t.Errorf("unresolved because %q", d.Unresolved)
		}
	}
	if len(f.Indirect()) != 1 {
		t.Error("the jump is not there")
	}
}

// TestResultBehindJump sets r0 before an indirect jump and returns it after.
func TestResultBehindJump(t *testing.T) {
	var a progen.Asm
	a.Emit(mov, 0, 0, 0, 5)
	a.Jump("next")
	a.Label("next")
	a.Table(3, "there")
	a.Emit(ldx, 3, 3, 0, 0)
	a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
	a.Label("there")
	a.If(jeq, 0, 0, 5, "same")
	other := a.PC()
	a.Emit(mov, 0, 0, 0, 1)
	a.Label("same")
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		_, f := analyze(t, a.Program("p"), r)
		if f.Reached(other) || len(f.Faults()) > 0 {
			t.Errorf("rules %d: r0 is lost: %v", r, f.Faults())
		}
	})
}

// TestZerosBesideSpill overwrites a part of a spilled 0 beside which zeros were stored:
// Linux forgets them (kernel/bpf/verifier.c scrub_spilled_slot, Linux 7.2).
func TestZerosBesideSpill(t *testing.T) {
	var a progen.Asm
	a.Emit(ldx4, 7, 1, 0, 0)
	a.Emit(mov, 2, 0, 0, 0)
	a.Emit(0x63, 10, 2, -4, 0) // *(u32 *)
	a.Emit(0x63, 10, 2, -8, 0)
	a.Emit(0x73, 10, 7, -6, 0) // *(u8 *)
	a.Emit(ldx4, 3, 10, -4, 0)
	a.If(jeq, 3, 0, 0, "zero")
	other := a.PC()
	a.Emit(mov, 0, 0, 0, 1)
	a.Label("zero")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	if _, f := analyze(t, a.Program("p"), abstract.Verifier); !f.Reached(other) {
		t.Error("zeros beside a spilled value that is overwritten in part are kept")
	}
}

// TestManyLinks spills more numbers in one block than links are numbered without an
// allocation.
func TestManyLinks(t *testing.T) {
	var a progen.Asm
	for i := range 150 {
		a.Emit(ldx, 2, 1, int16(8*(i%8)), 0)
		a.Emit(stx, 10, 2, int16(-8*(i%60+1)), 0)
	}
	a.Emit(ldx, 3, 10, int16(-8*(149%60+1)), 0)
	a.If(jeq, 3, 0, 7, "same")
	a.Emit(mov, 0, 0, 0, 1)
	a.Emit(exit, 0, 0, 0, 0)
	a.Label("same")
	a.If(jne, 2, 0, 7, "other")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Label("other")
	other := a.PC()
	a.Emit(mov, 0, 0, 0, 2)
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); f.Reached(other) {
			t.Errorf("rules %d: what is filled is no more the number that was spilled", r)
		}
	})
}
