package verify_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// TestExitIsTarget compiles a program whose first exit is the target of an
// indirect jump, and has ENDBR64 in an IBT build: later exits jump to that.
func TestExitIsTarget(t *testing.T) {
	p := &bytecode.Program{
		Name: "main", Type: "syscall",
		Insns: []bytecode.Insn{
			{Code: 0xb7},                 // r0 = 0
			{Code: 0x79, Dst: 2, Src: 1}, // r2 = *(u64 *)(r1 +0)
			{Code: 0x57, Dst: 2, Imm: 8}, // r2 &= 8
			{Code: 0x18, Dst: 3, Src: 2}, // r3 = jt[…][0]+0
			{},                           //
			{Code: 0x0f, Dst: 3, Src: 2}, // r3 += r2
			{Code: 0x79, Dst: 4, Src: 3}, // r4 = *(u64 *)(r3 +0)
			{Code: 0x0d, Dst: 4},         // gotox r4
			{Code: bytecode.CodeExit},    // 8
			{Code: 0xb7, Imm: 1},         // 9: r0 = 1
			{Code: bytecode.CodeExit},    //
		},
		Tables: []bytecode.JumpTable{{Name: "jt", Targets: []bytecode.PC{8, 9}}},
		Refs:   []bytecode.Ref{{PC: 3, Kind: bytecode.RefTable}},
	}
	p.Subprogs = []bytecode.Subprogram{{Name: "main", End: p.Len()}}
	for _, profile := range []string{"linux-7.3+ibt", "linux-7.3-ibt", "linux-6.19+ibt"} {
		found := compile(t, profile, p, profile)
		if len(found) != 1 {
			t.Fatalf("%s: not compiled", profile)
		}
		c := found[0]
		if r := verify.Check(c.p, c.img, pipeline.VerifyKernel(c.prof)); len(r.Mismatches) > 0 || r.Exits != 2 {
			t.Errorf("%s: %d exits, %v", profile, r.Exits, r.Mismatches)
		}
	}
}
