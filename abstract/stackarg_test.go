package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestArgumentOrder loads the sixth argument of a function before and after what ends the lives of
// its arguments. Linux 7.3.4 says of the late ones that a load through r11 must be before any
// store through it and any call.
func TestArgumentOrder(t *testing.T) {
	load := func(a *progen.Asm) { a.Emit(0x79, 6, bytecode.R11, 8, 0) }
	for _, tt := range []struct {
		name string
		body func(a *progen.Asm)
		want FaultKind
	}{
		{"first", load, NoFault},
		{"twice", func(a *progen.Asm) { load(a); load(a) }, NoFault},
		{"after a store", func(a *progen.Asm) { a.Emit(0x7a, bytecode.R11, 0, -8, 1); load(a) }, LateArgument},
		{"after a helper", func(a *progen.Asm) { a.Helper(5); load(a) }, LateArgument},
		{"after a call", func(a *progen.Asm) { a.Call("none"); load(a) }, LateArgument},
		{"after a call in a branch", func(a *progen.Asm) {
			a.If(0x15, 1, 0, 0, "go on")
			a.Helper(5)
			a.Label("go on")
			load(a)
		}, LateArgument},
		{"not given", func(a *progen.Asm) { a.Emit(0x79, 6, bytecode.R11, 16, 0) }, NoArgument},
	} {
		var a progen.Asm
		a.Func("main", false)
		a.Emit(0x79, 1, 1, 0, 0)
		for r := bytecode.R2; r <= bytecode.R5; r++ {
			a.Emit(0xb7, r, 0, 0, 0)
		}
		a.Emit(0x7a, bytecode.R11, 0, -8, 3)
		a.Call("six")
		leave(&a, 0)
		a.Func("six", false)
		tt.body(&a)
		leave(&a, 0)
		a.Func("none", false)
		leave(&a, 0)
		p := a.Program("arguments")
		p.Subprogs[1].Params = 6
		_, f := fixpoint(t, p)
		got := NoFault
		for _, x := range f.Faults() {
			if x.Proven {
				got = x.Kind
			}
		}
		if got != tt.want {
			t.Errorf("%s: fault %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestParameters counts the arguments of what a call calls, the main program among it: no kernel
// loads that, but the graph of it is there.
func TestParameters(t *testing.T) {
	var a progen.Asm
	a.Func("main", false)
	a.Helper(5)
	a.Helper(1)
	a.Call("six")
	a.Emit(bytecode.CodeCallx, 1, 0, 0, 0)
	leave(&a, 0)
	a.Func("six", false)
	a.Call("main")
	leave(&a, 0)
	p := a.Program("parameters")
	p.Subprogs[0].Params, p.Subprogs[1].Params = 1, 6
	for pc, want := range map[bytecode.PC]int{0: 0, 1: 2, 2: 6, 3: 5 + stackArgs, p.Subprogs[1].Start: 1} {
		if got := Parameters(p, pc); got != want {
			t.Errorf("the call at slot %d has %d parameters, want %d", pc, got, want)
		}
	}
}
