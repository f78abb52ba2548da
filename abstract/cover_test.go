package abstract_test

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestNarrowGoesOn: where any number and one of 0 to 15 meet, the first covers the second.
// Behind x != 5 Linux 7.2 keeps of the first all numbers but 5, and of the second the range
// whole (an arc cannot have a hole); so x == 5 after it is followed for the second alone.
// With only the first it is dead.
func TestNarrowGoesOn(t *testing.T) {
	const narrow, wide, flag = 6, 7, 8
	meet := func(a *progen.Asm, both bool, leave func()) {
		a.Emit(movX, 1, wide, 0, 0)
		leave()
		if both {
			a.If(jeq, flag, 0, 0, "meet")
			a.Emit(movX, 1, narrow, 0, 0)
			leave()
			a.Label("meet")
		}
	}
	ways := map[string]func(a *progen.Asm, both bool){
		"register": func(a *progen.Asm, both bool) { meet(a, both, func() {}) },
		"slot": func(a *progen.Asm, both bool) {
			meet(a, both, func() { a.Emit(stx, 10, 1, -8, 0); a.Emit(mov, 1, 0, 0, 0) })
			a.Emit(ldx, 1, 10, -8, 0)
		},
		"result of a function": func(a *progen.Asm, both bool) {
			a.Emit(movX, 1, wide, 0, 0)
			a.Emit(movX, 2, narrow, 0, 0)
			a.Emit(movX, 3, flag, 0, 0)
			if !both {
				a.Emit(mov, 3, 0, 0, 0)
			}
			a.Call("f")
			a.Emit(movX, 1, 0, 0, 0)
		},
	}
	for name, way := range ways {
		for _, both := range []bool{false, true} {
			var a progen.Asm
			a.Func("p", false)
			a.Emit(ldx, wide, 1, 0, 0)
			a.Emit(ldx, narrow, 1, 8, 0)
			a.Emit(and, narrow, 0, 0, 15)
			a.Emit(ldx, flag, 1, 16, 0)
			way(&a, both)
			a.If(jeq, 1, 0, 5, "out")
			a.If(jeq, 1, 0, 5, "again")
			a.Label("out")
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("again")
			again := a.PC()
			a.Emit(mov, 0, 0, 0, 1)
			a.Emit(exit, 0, 0, 0, 0)
			a.Func("f", false)
			a.Emit(movX, 0, 1, 0, 0)
			a.If(jeq, 3, 0, 0, "wide")
			a.Emit(movX, 0, 2, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("wide")
			a.Emit(exit, 0, 0, 0, 0)
			_, f := analyze(t, a.Program("p"), abstract.Verifier)
			want := cfg.No
			if both {
				want = cfg.Maybe
			}
			if got := f.Reach(again); got != want {
				t.Errorf("%s, both %v: x == 5 behind x != 5 is reached: %v, want %v", name, both, got, want)
			}
		}
	}
}

// TestCallbackOfMap reads the map that bpf_for_each_map_elem hands to its callback
// (kernel/bpf/verifier.c set_map_elem_callback_state, Linux 7.3).
func TestCallbackOfMap(t *testing.T) {
	var a progen.Asm
	a.Func("p", false)
	a.MapAddr(1, a.Map(bytecode.Map{Name: "m", Type: bytecode.MapHash, KeySize: 4, ValueSize: 8, MaxEntries: 2}))
	a.FuncAddr(2, "f")
	a.Emit(mov, 3, 0, 0, 0)
	a.Emit(mov, 4, 0, 0, 0)
	a.Helper(164)
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Func("f", false)
	a.Emit(movX, 6, 1, 0, 0)
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	_, f := analyze(t, a.Program("p"), abstract.Verifier)
	if i := slices.IndexFunc(f.Faults(), func(x abstract.Fault) bool { return x.Kind == abstract.UnsetRegister }); i >= 0 {
		t.Errorf("the callback's map is a fault: %+v", f.Faults()[i])
	}
}

// TestCallbackKeepsStack: a callback that is known and is handed no pointer to the stack
// leaves it as it is.
func TestCallbackKeepsStack(t *testing.T) {
	var a progen.Asm
	a.Func("p", false)
	a.Emit(st, 10, 0, -8, 7)
	a.Emit(mov, 1, 0, 0, 3)
	a.FuncAddr(2, "f")
	a.Emit(mov, 3, 0, 0, 0)
	a.Emit(mov, 4, 0, 0, 0)
	a.Helper(181)
	a.Emit(ldx, 7, 10, -8, 0)
	a.If(jeq, 7, 0, 7, "same")
	changed := a.PC()
	a.Emit(mov, 8, 0, 0, 0)
	a.Label("same")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Func("f", false)
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); f.Reached(changed) {
			t.Errorf("rules %d: what was stored before a callback is lost", r)
		}
	})
}

// TestAnyCallback passes bpf_loop an unknown number: no kernel accepts it, but what
// follows is still right about it. Each function whose address is taken may be called, and
// change what the stack holds.
func TestAnyCallback(t *testing.T) {
	var a progen.Asm
	a.Func("p", false)
	a.FuncAddr(9, "f")
	a.Emit(st, 10, 0, -8, 7)
	a.Emit(ldx, 2, 1, 0, 0)
	a.Emit(movX, 3, 10, 0, 0)
	a.Emit(add, 3, 0, 0, -8)
	a.Emit(mov, 1, 0, 0, 3)
	a.Emit(mov, 4, 0, 0, 0)
	a.Helper(181)
	a.Emit(ldx, 7, 10, -8, 0)
	a.If(jeq, 7, 0, 7, "same")
	changed := a.PC()
	a.Emit(mov, 8, 0, 0, 0)
	a.Label("same")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Func("f", false)
	inside := a.PC()
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	bothRules(func(r abstract.Rules) {
		if _, f := analyze(t, a.Program("p"), r); !f.Reached(inside) || !f.Reached(changed) {
			t.Errorf("rules %d: a callback that nobody knows: called %v, stack changed %v",
				r, f.Reached(inside), f.Reached(changed))
		}
	})
}
