package abstract_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// What is known of registers where a branch goes, and a branch that is decided.
func ExampleAnalyze() {
	p := &bytecode.Program{
		Insns: []bytecode.Insn{
			{Code: 0x79, Dst: 2, Src: 1},          // r2 = *(u64 *)(r1 + 0)
			{Code: 0x57, Dst: 2, Imm: 6},          // r2 &= 6
			{Code: 0xbf, Dst: 0, Src: 2},          // r0 = r2
			{Code: 0x15, Dst: 2, Off: 1, Imm: 4},  // if r2 == 4 goto +1
			{Code: 0x25, Dst: 2, Off: 1, Imm: 10}, // if r2 > 10 goto +1
			{Code: 0x95},                          // exit
			{Code: 0x95},                          // exit
		},
		Subprogs: []bytecode.Subprogram{{Name: "f", End: 7}},
	}
	g, err := cfg.Build(p, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	facts := abstract.Analyze(p, g, abstract.Options{})
	for b, blk := range g.Blocks {
		fmt.Println(cfg.BlockID(b), facts.Reached(blk.Start), facts.EntryText(cfg.BlockID(b)))
	}
	// Output:
	// b0 true [R1=ctx() R10=fp0]
	// b1 true [R0=scalar(id=1,smin=smin32=0,smax=umax=smax32=umax32=6,var_off=(0x0; 0x6)) R2=scalar(id=1,smin=smin32=0,smax=umax=smax32=umax32=6,var_off=(0x0; 0x6)) R10=fp0]
	// b2 true [1: R0=4 R10=fp0 2: R0=scalar(smin=smin32=0,smax=umax=smax32=umax32=6,var_off=(0x0; 0x6)) R10=fp0]
	// b3 false []
}
