package verify_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// TestUnknownCallee proves a program that calls a function which another object has: what
// it calls is not known, and it is a call all the same.
func TestUnknownCallee(t *testing.T) {
	var a progen.Asm
	a.Kfunc("of_another_object")
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	p := a.Program("p")
	p.Refs[0].Kind = bytecode.RefUnknown
	p.Insns[0].Imm = 0
	found := compile(t, "linux-7.3", p, "linux-7.3")
	if len(found) != 1 {
		t.Fatal("not compiled")
	}
	c := found[0]
	if r := verify.Check(c.p, c.img, pipeline.VerifyKernel(c.prof)); len(r.Mismatches) > 0 || r.Calls != 1 {
		t.Errorf("%d calls, %v", r.Calls, r.Mismatches)
	}
}
