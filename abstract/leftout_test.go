package abstract

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// leftOut is a program in which a slot holds the context, the address of another slot or bytes, by
// the way, and which loads it and stores through it, after what between adds. The verifier follows
// the way of the bytes first, to its end, and leaves out the others.
func leftOut(between func(a *progen.Asm)) *bytecode.Program {
	var a progen.Asm
	a.Emit(0xbf, 6, 1, 0, 0)
	a.Emit(0x61, 2, 1, 0, 0)
	a.If(0x15, 2, 0, 0, "context")
	a.If(0x15, 2, 0, 1, "address")
	a.Emit(0x63, 10, 2, -8, 0)
	a.Emit(0x63, 10, 2, -4, 0)
	a.Jump("meet")
	a.Label("context")
	a.Emit(0x7b, 10, 6, -8, 0)
	a.Jump("meet")
	a.Label("address")
	a.Emit(0xbf, 3, 10, 0, 0)
	a.Emit(0x07, 3, 0, 0, -16)
	a.Emit(0x7b, 10, 3, -8, 0)
	a.Label("meet")
	a.Emit(0xb7, 3, 0, 0, 0)
	a.Emit(0xb7, 6, 0, 0, 0)
	for range 8 {
		a.Emit(0xb7, 2, 0, 0, 0)
	}
	for _, l := range []string{"x", "y", "z"} {
		a.Jump(l)
		a.Label(l)
	}
	a.Emit(0x79, 8, 10, -8, 0)
	between(&a)
	a.Emit(0x62, 8, 0, 8, 42)
	a.Emit(0xb7, 0, 0, 0, 1)
	a.Emit(0x95, 0, 0, 0, 0)
	p := a.Program("left_out")
	p.Type, p.Flags = "syscall", 1<<4 // BPF_F_SLEEPABLE
	return p
}

// TestLeftOut: that a store goes through two kinds of pointers is proven where the way with a number in
// place of them comes to it, too, as the verifier refuses that. Linux 7.2.7 refuses the first two, by "R8 invalid
// mem access 'scalar'", and accepts the others.
func TestLeftOut(t *testing.T) {
	tests := []struct {
		name    string
		refused bool
		between func(a *progen.Asm)
	}{
		{"at once", true, func(*progen.Asm) {}},
		{"not null", true, func(a *progen.Asm) {
			a.If(0x55, 8, 0, 0, "go on")
			a.Emit(0xb7, 0, 0, 0, 0)
			a.Emit(0x95, 0, 0, 0, 0)
			a.Label("go on")
		}},
		{"no number", false, noNumber},
		{"null and not null", false, func(a *progen.Asm) {
			a.If(0x15, 8, 0, 0, "null")
			a.Emit(0xb7, 0, 0, 0, 0)
			a.Emit(0x95, 0, 0, 0, 0)
			a.Label("null")
			a.If(0x55, 8, 0, 0, "go on")
			a.Emit(0xb7, 0, 0, 0, 0)
			a.Emit(0x95, 0, 0, 0, 0)
			a.Label("go on")
		}},
		{"a range of 32 bits", false, func(a *progen.Asm) {
			a.Emit(0xb4, 9, 0, 0, 3)
			a.If(0x1e, 8, 9, 0, "three")
			a.Label("out")
			a.Emit(0xb7, 0, 0, 0, 0)
			a.Emit(0x95, 0, 0, 0, 0)
			a.Label("three")
			a.If(0x66, 8, 0, 5, "go on")
			a.Jump("out")
			a.Label("go on")
		}},
	}
	for _, tt := range tests {
		_, f := fixpoint(t, leftOut(tt.between))
		proven := slices.ContainsFunc(f.Faults(), func(x Fault) bool { return x.Proven && x.Kind == MixedPointers })
		if proven != tt.refused {
			t.Errorf("%s: proven %v, want %v", tt.name, proven, tt.refused)
		}
	}
}
