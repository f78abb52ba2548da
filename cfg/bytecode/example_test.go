package bytecode_test

import (
	"encoding/binary"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Instructions from bytes, as text, and where each can go by itself.
func ExampleDecode() {
	insns, err := bytecode.Decode([]byte{
		0x15, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x18, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
		0x95, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	}, binary.LittleEndian)
	if err != nil {
		fmt.Println(err)
		return
	}
	for pc := bytecode.PC(0); int(pc) < len(insns); pc += insns[pc].Slots() {
		fmt.Println(pc, bytecode.Text(insns, pc))
	}
	f := bytecode.FlowAt(insns, 0)
	fmt.Println("the first goes to", f.Next, "or", f.Target)
	// Output:
	// 0 if r1 == 0x0 goto pc+2
	// 1 r0 = 0x100000002
	// 3 exit
	// the first goes to 1 or 3
}
