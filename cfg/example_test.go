package cfg_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

func Example() {
	p := &bytecode.Program{
		Insns: []bytecode.Insn{
			{Code: 0x15, Dst: 1, Off: 1}, // if r1 == 0 goto +1
			{Code: 0x07, Dst: 1, Imm: 1}, // r1 += 1
			{Code: 0x95},                 // exit
		},
		Subprogs: []bytecode.Subprogram{{Start: 0, End: 3}},
	}
	g, err := cfg.Build(p, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for b, blk := range g.Blocks {
		fmt.Println(cfg.BlockID(b), blk.Start, blk.End, g.Succs(cfg.BlockID(b)))
	}
	fmt.Println(cfg.Dominators(g).Idom(2), cfg.Loops(g))
	// Output:
	// b0 0 1 [b0 -fall-through-> b1 b0 -taken-> b2]
	// b1 1 2 [b1 -fall-through-> b2]
	// b2 2 3 []
	// b0 b0 b1 b2
}
