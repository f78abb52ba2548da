package arc_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
)

func Example() {
	a := arc.SRange[uint64](-5, 7)
	fmt.Println(int64(a.Base), a.Size, a.Smin(), a.Smax(), a.Umin())
	// Output: -5 12 -5 7 0
}
