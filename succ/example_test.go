package succ_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ"
)

// sample returns the program that the command shows in its demo.
func sample() (*bytecode.Program, error) {
	data, err := os.ReadFile("../cmd/bpfcfg/sample/sample.o")
	if err != nil {
		return nil, err
	}
	obj, err := load.ELF("sample.o", data)
	if err != nil {
		return nil, err
	}
	return obj.Programs[0], nil
}

func ExampleResolve() {
	p, err := sample()
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range r.Indirect {
		fmt.Println(in.Op, "at", in.PC, in.Status)
		fmt.Println("exact  ", in.Exact)
		fmt.Println("kernel ", in.Kernel)
		fmt.Println("because", in.Reason)
	}
	fmt.Println(len(r.Graph.Blocks), "blocks")
	// Output:
	// gotox at 19 exact
	// exact   [20 26 33 43 44 50]
	// kernel  [20 26 33 39 43 44 50]
	// because r2 in [0,8] from the branch at 13
	// 14 blocks
}

// What may be executed after the branch before the indirect jump, and after
// the jump itself.
func ExampleResult_Successors() {
	p, err := sample()
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, pc := range []bytecode.PC{13, 19} {
		list, complete := r.Successors(pc)
		fmt.Println(p.Text(pc), complete)
		for _, s := range list {
			fmt.Println("  ", s.PC, s.Kind, s.Feasible)
		}
	}
	// Output:
	// if w2 > 0xb goto pc+12 true
	//    14 fall-through true
	//    26 taken true
	// gotox r2 true
	//    20 indirect true
	//    26 indirect true
	//    33 indirect true
	//    43 indirect true
	//    44 indirect true
	//    50 indirect true
}
