package hazard_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
)

// A table entry leads to the first instruction, before which the kernel puts code.
func Example() {
	data, err := os.ReadFile("../../testdata/corpus/out/27_asm_corners.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	object, err := load.ELF("27_asm_corners.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range object.Programs {
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, h := range hazard.Find(p, a.Succ, a.Rewrite, a.Rules) {
			fmt.Println(p.Name, h.Kind, h.PC, h.Target)
		}
	}
	// Output: again moved-target 8 0
}
