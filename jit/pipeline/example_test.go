package pipeline_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// An object, from its bytes to machine code that has been checked, and to the
// text that a golden file holds.
func ExampleRun() {
	data, err := os.ReadFile("../../cmd/bpfcfg/sample/sample.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	obj, err := load.ELF("sample.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	prof, err := jit.LookupProfile("linux-7.3+ibt")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range obj.Programs {
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, in := range a.Succ.Indirect {
			fmt.Println(in.Op, "at", in.PC, "goes to", in.Exact)
		}
		if a.ImageErr != nil { // the control flow is known all the same
			fmt.Println(a.ImageErr)
			continue
		}
		fmt.Println(len(a.Image.Code), "bytes,", len(a.Verify().Mismatches), "mismatches")

		in, err := golden.InputOf(a)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(strings.Join(strings.Split(golden.Text(in), "\n")[:2], "\n"))
	}
	// Output:
	// gotox at 19 goes to [20 26 33 43 44 50]
	// 270 bytes, 0 mismatches
	// # bpfcfg layout 2
	// profile linux-7.3+ibt
}
