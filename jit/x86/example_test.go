package x86_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/jit/x86"
)

func Example() {
	var c x86.Code
	c.RR(x86.W64, 0x01, x86.RDI, x86.R13) // add r13, rdi
	fmt.Printf("%x\n", c.Bytes())
	// Output: 4901fd
}
