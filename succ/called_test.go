package succ_test

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// switchOn ends a function with a jump through a table of n entries by r2.
func switchOn(a *progen.Asm, labels ...string) {
	a.If(0x25, 2, 0, int32(len(labels)-1), "out")
	a.Emit(0x67, 2, 0, 0, 3)
	a.Table(3, labels...)
	a.Emit(0x0f, 3, 2, 0, 0)
	a.Emit(0x79, 4, 3, 0, 0)
	a.Emit(bytecode.CodeGotox, 4, 0, 0, 0)
	for _, l := range append(labels, "out") {
		a.Label(l)
		a.Emit(0xb7, 0, 0, 0, 1)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
}

// loop calls "callee" so many times, with a pointer to the top of the stack.
func loop(a *progen.Asm, rounds int32) {
	a.Emit(0xb7, 1, 0, 0, rounds)
	a.FuncAddr(2, "callee")
	a.Emit(0xbf, 3, 10, 0, 0)
	a.Emit(0x07, 3, 0, 0, -8)
	a.Emit(0xb7, 4, 0, 0, 0)
	a.Emit(bytecode.CodeCall, 0, 0, 0, 181)
}

// leave ends a function at a label with 0.
func leave(a *progen.Asm, label string) {
	a.Label(label)
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}

// loopSets jumps by the word at the top of the stack, after a loop has set it to 2.
func loopSets(a *progen.Asm) {
	loop(a, 2)
	a.Emit(0x79, 2, 10, -8, 0)
	switchOn(a, "a", "b", "c", "d")
	a.Func("callee", false)
	a.Emit(0x7a, 2, 0, 0, 2)
	leave(a, "none")
}

// TestExactCalls reads a field of the context again in another function, or after its return:
// what a branch has decided by the field holds for both.
func TestExactCalls(t *testing.T) {
	begin := func(a *progen.Asm) {
		a.Func("main", false)
		a.Emit(0xbf, 6, 1, 0, 0)
	}
	load := func(a *progen.Asm, base bytecode.Reg) { a.Emit(0x71, 2, base, 0, 0) }
	for _, tt := range []struct {
		name  string
		build func(a *progen.Asm)
		exact bool
	}{
		{"in a callee", func(a *progen.Asm) {
			load(a, 1)
			a.If(0x25, 2, 0, 1, "none")
			a.Call("callee")
			leave(a, "none")
			a.Func("callee", false)
			load(a, 1)
			switchOn(a, "a", "b", "c", "d")
		}, false},
		{"after a call", func(a *progen.Asm) {
			load(a, 1)
			a.If(0x25, 2, 0, 1, "out")
			a.Call("callee")
			load(a, 6)
			switchOn(a, "a", "b", "c", "d")
			a.Func("callee", false)
			leave(a, "none")
		}, false},
		{"decided in a callee", func(a *progen.Asm) {
			a.Call("callee")
			load(a, 6)
			a.If(0x15, 0, 0, 0, "out")
			switchOn(a, "a", "b", "c", "d")
			a.Func("callee", false)
			load(a, 1)
			a.If(0x25, 2, 0, 1, "none")
			a.Emit(0xb7, 0, 0, 0, 1)
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
			leave(a, "none")
		}, false},
		{"of a call among many", func(a *progen.Asm) {
			load(a, 1)
			a.Emit(0x57, 2, 0, 0, 3)
			a.Emit(0xbf, 1, 2, 0, 0)
			a.Call("callee")
			for i := range 20 {
				a.Emit(0xb7, 1, 0, 0, int32(100+i))
				a.Call("callee")
			}
			a.Emit(0xb7, 1, 0, 0, 2)
			a.Call("callee")
			a.Emit(0xbf, 2, 0, 0, 0)
			switchOn(a, "a", "b", "c", "d")
			a.Func("callee", false)
			a.Emit(0xbf, 0, 1, 0, 0)
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		}, false},
		{"a number given to a global function", func(a *progen.Asm) {
			a.Emit(0xb7, 1, 0, 0, 2)
			a.Call("callee")
			leave(a, "none")
			a.Func("callee", true, "scalar")
			a.Emit(0xbf, 2, 1, 0, 0)
			switchOn(a, "a", "b", "c", "d")
		}, false},
		{"memory given to a global function", func(a *progen.Asm) {
			a.Emit(0x7a, 10, 0, -8, 2)
			a.Emit(0xbf, 1, 10, 0, 0)
			a.Emit(0x07, 1, 0, 0, -8)
			a.Call("callee")
			leave(a, "none")
			a.Func("callee", true, "nonnull:8")
			a.Emit(0x79, 2, 1, 0, 0)
			switchOn(a, "a", "b", "c", "d")
		}, false},
		{"a context given to a global function", func(a *progen.Asm) {
			load(a, 1)
			a.If(0x25, 2, 0, 1, "none")
			a.Call("callee")
			leave(a, "none")
			a.Func("callee", true, "ctx")
			load(a, 1)
			switchOn(a, "a", "b", "c", "d")
		}, false},
		{"the result of a global function", func(a *progen.Asm) {
			a.Call("callee")
			a.Emit(0xbf, 2, 0, 0, 0)
			switchOn(a, "a", "b", "c", "d")
			a.Func("callee", true, "ctx")
			a.Emit(0xb7, 0, 0, 0, 2)
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		}, false},
		{"memory that a global function writes", func(a *progen.Asm) {
			a.Emit(0x7a, 10, 0, -8, 0)
			a.Emit(0xbf, 1, 10, 0, 0)
			a.Emit(0x07, 1, 0, 0, -8)
			a.Call("callee")
			a.Emit(0x79, 2, 10, -8, 0)
			switchOn(a, "a", "b", "c", "d")
			a.Func("callee", true, "nonnull:8")
			a.Emit(0x7a, 1, 0, 0, 2)
			leave(a, "none")
		}, false},
		{"memory that a callback writes", func(a *progen.Asm) {
			a.Emit(0x7a, 10, 0, -8, 0)
			loopSets(a)
		}, false},
		{"memory that a callback sets to one of its numbers", func(a *progen.Asm) {
			load(a, 1)
			a.Emit(0x57, 2, 0, 0, 3)
			a.Emit(0x7b, 10, 2, -8, 0)
			loopSets(a)
		}, false},
		{"the number of a round", func(a *progen.Asm) {
			loop(a, 2)
			leave(a, "none")
			a.Func("callee", false)
			a.Emit(0xbf, 2, 1, 0, 0)
			switchOn(a, "a", "b", "c", "d")
		}, false},
		{"the result of a loop", func(a *progen.Asm) {
			loop(a, 2)
			a.Emit(0xbf, 2, 0, 0, 0)
			switchOn(a, "a", "b", "c", "d")
			a.Func("callee", false)
			leave(a, "none")
		}, false},
		{"a byte of a number", func(a *progen.Asm) {
			load(a, 1)
			a.Emit(0x57, 2, 0, 0, 1)
			a.Emit(0x07, 2, 0, 0, 255)
			a.Emit(0x7b, 10, 2, -8, 0)
			a.Emit(0x71, 2, 10, -8, 0)
			switchOn(a, "a", "b", "c", "d")
		}, false},
		{"a word within a slot", func(a *progen.Asm) {
			a.Emit(0x62, 10, 0, -4, 2)
			a.Emit(0x61, 2, 10, -4, 0)
			switchOn(a, "a", "b", "c", "d")
		}, false},
		{"not decided", func(a *progen.Asm) {
			a.Call("callee")
			load(a, 6)
			switchOn(a, "a", "b", "c", "d")
			a.Func("callee", false)
			leave(a, "none")
		}, true},
	} {
		var a progen.Asm
		begin(&a)
		tt.build(&a)
		p := a.Program("calls")
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d, runs := r.Indirect[0], selects(p)
		if len(runs) == 0 || (d.Status == succ.Exact) != tt.exact || tt.exact && !slices.Equal(d.Exact, runs) {
			t.Errorf("%s: %s %v, executions go to %v", tt.name, d.Status, d.Exact, runs)
		}
		for _, pc := range d.Proven {
			if !slices.Contains(runs, pc) {
				t.Errorf("%s: slot %d is proven, executions go to %v", tt.name, pc, runs)
			}
		}
	}
}
