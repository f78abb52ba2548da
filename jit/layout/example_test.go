package layout_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Which bytes of the machine code each basic block became.
func ExampleOf() {
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
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := pipeline.Run(obj.Programs[0], prof, rewrite.Options{})
	if err != nil || a.ImageErr != nil {
		fmt.Println(err, a.ImageErr)
		return
	}
	l := layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image)
	for _, p := range l.Pieces {
		fmt.Printf("%v %v +%#x, %d bytes\n", p.Kind, p.Block, p.Offset, p.Len)
	}
	// Output:
	// prologue b-1 +0x0, 20 bytes
	// block b0 +0x14, 35 bytes
	// block b1 +0x37, 12 bytes
}
