package tnum_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

func Example() {
	t := tnum.T{Mask: 7}.Lsh(3) // an index 0..7, scaled by 8
	fmt.Printf("%d %#x %t\n", t.Value, t.Mask, t.Contains(12))
	// Output: 0 0x38 false
}
