package succ_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ"
)

func ExampleResolve() {
	data, err := os.ReadFile("../cmd/bpfcfg/sample/sample.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	obj, err := load.ELF("sample.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := succ.Resolve(obj.Programs[0], succ.Options{})
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
