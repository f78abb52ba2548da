package typeface_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/render/typeface"
)

func Example() {
	g := typeface.New(false, false).Glyph('é') // outlines, in ems
	fmt.Println(g.Known, g.Cells)
	// Output: true 1
}
