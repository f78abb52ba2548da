package jit_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// TestOldKernels states what is known of kernels that no record is of, from
// reading emit_prologue and emit_bpf_tail_call_* of Linux 6.6: assembled by
// hand, not compared with a running kernel.
func TestOldKernels(t *testing.T) {
	tail := []bytecode.Insn{
		{Code: bytecode.CodeTailCall},
		{Code: bytecode.CodeTailCall, Imm: 1},
		{Code: bytecode.CodeCall, Imm: 1},
		{Code: bytecode.CodeLdImm64, Dst: 1, Imm: -1}, {Imm: -1},
		{Code: bytecode.CodeExit},
	}
	plain := []bytecode.Insn{{Code: 0xb7}, {Code: bytecode.CodeExit}}
	tests := []struct {
		profile string
		insns   []bytecode.Insn
		fn      jit.Func
		want    string
	}{
		{"linux-6.6-ibt-sls+plain", plain, jit.Func{}, `
			0f1f440000 6690 55 4889e5
			31c0 c9 c3`},
		{"linux-6.6-sls+plain", tail, jit.Func{StackDepth: 12, TailCallReachable: true}, `
			f30f1efa 0f1f440000 31c0 55 4889e5 f30f1efa 4881ec10000000 50
			89d2 395644 7634 8b85ecffffff 83f821 7329 83c001 8985ecffffff
			488b8cd630010000 4885c9 7413 58 4881c410000000 488b4948 4883c10f ffe1 cc
			8b85ecffffff 83f821 731b 83c001 8985ecffffff e90d000000 58 4881c410000000 0f1f440000
			488b85e8ffffff e800000000
			48bfffffffffffffffff
			c9 c3`},
		{"linux-6.12-ibt-sls+plain", plain, jit.Func{}, `
			0f1f440000 0f1f00 55 4889e5
			31c0 c9 c3`},
	}
	for _, tt := range tests {
		prof, err := jit.LookupProfile(tt.profile)
		if err != nil {
			t.Fatal(err)
		}
		tt.fn.End = bytecode.PC(len(tt.insns))
		img, err := jit.Compile(&jit.Program{Insns: tt.insns, Funcs: []jit.Func{tt.fn}}, prof)
		if err != nil {
			t.Errorf("%s: %v", tt.profile, err)
			continue
		}
		want := strings.Join(strings.Fields(tt.want), "")
		if got := hex.EncodeToString(img.Code); got != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.profile, got, want)
		}
	}
}
