package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestElsewhere: a path that is longer than what the verifier follows is a refusal for certain
// only if no other path ended before where this one has been, since the verifier may know less of
// that one than is known here, and find this one covered.
func TestElsewhere(t *testing.T) {
	for _, other := range []bool{false, true} {
		var a progen.Asm
		a.Emit(0x79, 6, 1, 0, 0)
		a.Emit(0xb7, 7, 0, 0, 0)
		if other {
			a.If(0x15, 6, 0, 0, "long")
			a.Emit(0xb7, 7, 0, 0, 1)
			a.Label("long")
		}
		for range 8 {
			a.Emit(0xbf, 2, 6, 0, 0)
		}
		a.Jump("meet")
		a.Label("meet")
		a.Jump("again")
		a.Label("again")
		a.If(0x15, 7, 0, 1, "out")
		a.Label("loop")
		a.Emit(0x07, 7, 0, 0, 2)
		a.If(0x25, 7, 0, 0x7ffffff0, "out")
		a.Jump("loop")
		a.Label("out")
		a.Emit(0xb7, 0, 0, 0, 0)
		a.Emit(0x95, 0, 0, 0, 0)
		p := a.Program("elsewhere")
		g, _ := fixpoint(t, p)
		out := Walk(p, g, WalkOptions{Options: Options{Rules: Verifier}, Steps: MaxWalked,
			Stop: func(bytecode.PC) bool { return false }})
		if out.Ending != TooLong || out.Proven == other {
			t.Errorf("another path %v: ending %v, proven %v", other, out.Ending, out.Proven)
		}
	}
}
