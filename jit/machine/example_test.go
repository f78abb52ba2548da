package machine_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/jit/machine"
)

func Example() {
	code := []byte{0x31, 0xc0, 0xc3} // xor eax, eax; ret
	img := machine.Image{Code: code, Funcs: []machine.FuncImage{{Name: "main", Len: len(code)}}}
	for _, f := range img.Funcs {
		fmt.Println(f.Name, f.Offset, f.Len)
	}
	// Output: main 0 3
}
