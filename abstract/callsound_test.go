package abstract_test

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestCallsForget calls code that may change the stack that a pointer leads to: a branch on
// what was there before stays open. Each shape is one that a smaller model of calls
// gets wrong: a buffer at a variable offset, its last argument, links that a
// callback breaks, what a global function writes after a pointer of unknown kind,
// an argument that is a pointer on one path alone.
func TestCallsForget(t *testing.T) {
	const probe, loop = 113, 181
	store := func(a *progen.Asm) { a.Emit(st, 10, 0, -8, 7) }
	buffer := func(a *progen.Asm, reg bytecode.Reg) {
		a.Emit(movX, reg, 10, 0, 0)
		a.Emit(add, reg, 0, 0, -8)
	}
	for _, c := range []struct {
		name string
		make func(a *progen.Asm)
		tail func(a *progen.Asm)
	}{
		{"buffer at a variable offset", func(a *progen.Asm) {
			a.Emit(ldx4, 6, 1, 0, 0)
			a.Emit(and, 6, 0, 0, 8)
			store(a)
			a.Emit(st, 10, 0, -16, 7)
			buffer(a, 1)
			a.Emit(add, 1, 0, 0, -8)
			a.Emit(addX, 1, 6, 0, 0)
			a.Emit(mov, 2, 0, 0, 8)
			a.Emit(mov, 3, 0, 0, 0)
			a.Helper(probe)
		}, nil},
		{"last argument", func(a *progen.Asm) {
			store(a)
			buffer(a, 4)
			a.Emit(mov, 1, 0, 0, 0)
			a.Emit(mov, 2, 0, 0, 0)
			a.Emit(mov, 3, 0, 0, 0)
			a.Jump("call")
			a.Label("call")
			a.Helper(105) // bpf_strtol: the result is its fourth argument
		}, nil},
		{"callback", func(a *progen.Asm) {
			store(a)
			buffer(a, 3)
			a.Emit(mov, 1, 0, 0, 4)
			a.FuncAddr(2, "callback")
			a.Emit(mov, 4, 0, 0, 0)
			a.Helper(loop)
		}, func(a *progen.Asm) {
			a.Func("callback", false)
			a.Emit(st, 2, 0, 0, 9)
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}},
		{"global function", func(a *progen.Asm) {
			store(a)
			buffer(a, 1)
			a.Call("global")
		}, func(a *progen.Asm) {
			a.Func("global", true, "other")
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}},
		{"unknown kernel function", func(a *progen.Asm) {
			store(a)
			buffer(a, 1)
			a.Kfunc("bpf_no_such_function")
		}, nil},
	} {
		var a progen.Asm
		a.Func("p", false)
		c.make(&a)
		a.Emit(ldx, 7, 10, -8, 0)
		a.If(jeq, 7, 0, 7, "same")
		a.Emit(mov, 0, 0, 0, 1)
		changed := a.PC() - 1
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("same")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		if c.tail != nil {
			c.tail(&a)
		}
		p := a.Program("p")
		p.Type = "socket_filter"
		for _, rules := range []abstract.Rules{abstract.Executions, abstract.Verifier} {
			if _, f := analyze(t, p, rules); !f.Reached(changed) {
				t.Errorf("%s (rules %d): what the call writes is not seen", c.name, rules)
			}
		}
	}
}

// TestCallsKeep calls what leaves the rest of the stack alone: an iterator of 8
// bytes below a bounded number. Linux 7.3.4 keeps the number.
func TestCallsKeep(t *testing.T) {
	var a progen.Asm
	a.Emit(st, 10, 0, -8, 7)
	a.Emit(movX, 1, 10, 0, 0)
	a.Emit(add, 1, 0, 0, -16)
	a.Emit(mov, 2, 0, 0, 0)
	a.Emit(mov, 3, 0, 0, 4)
	a.Kfunc("bpf_iter_num_new")
	a.Emit(ldx, 7, 10, -8, 0)
	a.If(jeq, 7, 0, 7, "same")
	changed := a.PC()
	a.Emit(mov, 0, 0, 0, 1)
	a.Label("same")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	for _, rules := range []abstract.Rules{abstract.Executions, abstract.Verifier} {
		_, f := analyze(t, a.Program("p"), rules)
		if f.Reached(changed) || slices.ContainsFunc(f.Faults(), func(x abstract.Fault) bool { return x.Proven }) {
			t.Errorf("rules %d: the number above the iterator is lost", rules)
		}
	}
}

// TestArrayLookup looks up a constant key in an array: never null from Linux 6.14
// on. A key outside of it, or in a hash, may be null.
func TestArrayLookup(t *testing.T) {
	for _, c := range []struct {
		typ   uint32
		key   int32
		quirk bool
		null  bool
	}{
		{bytecode.MapArray, 0, false, false}, {bytecode.MapArray, 3, false, false}, {bytecode.MapPercpuArray, 3, false, false},
		{bytecode.MapArray, 4, false, true}, {bytecode.MapHash, 3, false, true}, {bytecode.MapArray, 3, true, true},
	} {
		var a progen.Asm
		m := a.Map(bytecode.Map{Name: "m", Type: c.typ, KeySize: 4, ValueSize: 8, MaxEntries: 4})
		a.MapAddr(1, m)
		a.Emit(0x62, 10, 0, -8, c.key)
		a.Emit(movX, 2, 10, 0, 0)
		a.Emit(add, 2, 0, 0, -8)
		a.Helper(1)
		a.If(jeq, 0, 0, 0, "null")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("null")
		null := a.PC()
		a.Emit(mov, 0, 0, 0, 1)
		a.Emit(exit, 0, 0, 0, 0)
		p := a.Program("p")
		_, f := analyzeWith(t, p, abstract.Options{Rules: abstract.Verifier, Quirks: abstract.Quirks{NullLookups: c.quirk}})
		if f.Reached(null) != c.null {
			t.Errorf("%+v: the null branch is reached: %v", c, f.Reached(null))
		}
	}
}

// TestInnerKey looks up an element of a map in a map of maps. If the size of its key is known, it is certain
// what the lookup reads, in kernels that take it for a write, too.
func TestInnerKey(t *testing.T) {
	for _, inner := range []*bytecode.Map{nil, {Type: bytecode.MapHash, KeySize: 4, ValueSize: 8, MaxEntries: 4}} {
		var a progen.Asm
		m := a.Map(bytecode.Map{Name: "m", Type: bytecode.MapHashOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 4,
			Inner: inner})
		a.Emit(0x62, 10, 0, -8, 1)
		for range 2 {
			a.Emit(movX, 2, 10, 0, 0)
			a.Emit(add, 2, 0, 0, -8)
			if m >= 0 {
				a.MapAddr(1, m)
			}
			a.Helper(1)
			a.If(jeq, 0, 0, 0, "null")
			a.Emit(movX, 1, 0, 0, 0)
			m = -1
		}
		found := a.PC()
		a.Label("null")
		a.Emit(mov, 0, 0, 0, 1)
		a.Emit(exit, 0, 0, 0, 0)
		p := a.Program("p")
		_, f := analyzeWith(t, p, abstract.Options{Rules: abstract.Verifier, Quirks: abstract.Quirks{NullLookups: true}})
		if got, want := f.Reach(found-1), cfg.Yes; (got == want) != (inner != nil) {
			t.Errorf("inner map %v: after the second lookup: %v", inner, got)
		}
	}
}
