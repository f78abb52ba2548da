package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestPartOfPointer states that the sign-extended part of a pointer is any number to the
// verifier: Linux 7.2.7 writes "R8=scalar()" after r8 = (s32)r5 with a pointer in r5, and
// follows both edges of what no such part decides otherwise.
func TestPartOfPointer(t *testing.T) {
	var a progen.Asm
	a.Emit(0xbf, 8, 10, 32, 0)
	a.If(0x65, 8, 0, 0x7fffffff, "more")
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	a.Label("more")
	more := a.PC()
	a.Emit(0xb7, 0, 0, 0, 1)
	a.Emit(0x95, 0, 0, 0, 0)
	p := a.Program("part")
	_, f := fixpoint(t, p)
	if f.Reach(more) != cfg.Yes || f.Reach(bytecode.PC(2)) != cfg.Yes {
		t.Errorf("more than 31 bits %v, less %v, want both", f.Reach(more), f.Reach(2))
	}
}
