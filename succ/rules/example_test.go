package rules_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// What three kernels say of a program with an indirect jump.
func ExampleLookup() {
	data, err := os.ReadFile("../../testdata/corpus/out/10_single_target.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	obj, err := load.ELF("10_single_target.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := obj.Programs[1]
	fmt.Println(p.Name)
	for _, name := range []string{"linux-6.18", "linux-6.19", "linux-7.3"} {
		set, err := rules.Lookup(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		r, err := set.Resolve(p)
		if err != nil {
			fmt.Println(err)
			return
		}
		v := set.Check(p, r)
		fmt.Println(name, v.Accept, v.Message)
	}
	// Output:
	// last
	// linux-6.18 false jump out of range from insn 6 to 7
	// linux-6.19 false jump out of range from insn 6 to 7
	// linux-7.3 true
}
