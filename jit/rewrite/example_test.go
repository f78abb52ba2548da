package rewrite_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// A division by a register gets a guard of three instructions, and the code
// that the verifier found no way to is removed.
func ExamplePredict() {
	p := &bytecode.Program{
		Insns: []bytecode.Insn{
			{Code: 0xb7, Dst: 0, Imm: 100},        // r0 = 100
			{Code: 0x55, Dst: 10, Off: 1, Imm: 0}, // if r10 != 0 goto +1
			{Code: 0xb7, Dst: 0, Imm: 7},          // r0 = 7
			{Code: 0x3f, Dst: 0, Src: 1},          // r0 /= r1
			{Code: 0x95},                          // exit
		},
		Tables: []bytecode.JumpTable{{Name: "jt", Targets: []bytecode.PC{2, 3, 4}}},
	}
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		panic(err)
	}
	facts := rewrite.Facts{Seen: []cfg.Truth{cfg.Yes, cfg.Yes, cfg.No, cfg.Yes, cfg.Yes}}
	r, err := rewrite.Predict(p, facts, prof, rewrite.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println("source to xlated:", r.Xlated)
	fmt.Println("xlated to source:", r.Original)
	fmt.Println("table:", r.Program.Tables[0])
	for _, p := range r.Passes {
		if p.Changed > 0 {
			fmt.Printf("%s: %d changed, %d slots\n", p.Name, p.Changed, p.Slots)
		}
	}
	// Output:
	// source to xlated: [0 -1 -1 1 5]
	// xlated to source: [0 3 3 3 3 4]
	// table: [-1 1 5]
	// dead branches: 1 changed, 5 slots
	// dead code: 1 changed, 4 slots
	// nops: 1 changed, 3 slots
	// fixups: 1 changed, 6 slots
}
