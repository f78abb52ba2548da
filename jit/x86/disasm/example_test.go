package disasm_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

func ExampleAll() {
	insns, err := disasm.All([]byte{0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0xeb, 0x01, 0xcc, 0xc9, 0xc3})
	if err != nil {
		fmt.Println(err)
		return
	}
	off := 0
	for _, in := range insns {
		fmt.Printf("+%#x %s\n", off, in.Text)
		off += in.Len
	}
	// Output:
	// +0x0 endbr64
	// +0x4 push %rbp
	// +0x5 mov %rsp,%rbp
	// +0x8 jmp 0xb
	// +0xa int3
	// +0xb leaveq
	// +0xc retq
}
