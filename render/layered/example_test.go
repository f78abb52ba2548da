package layered_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/render/layered"
)

func Example() {
	p := layered.Layout(layered.Graph{
		Nodes: []layered.Node{{W: 120, H: 60}, {W: 120, H: 40}, {W: 90, H: 40}},
		Edges: []layered.Edge{{From: 0, To: 1, Straight: true}, {From: 0, To: 2}, {From: 1, To: 2, Straight: true}},
	}, layered.Options{})
	fmt.Println(len(p.Nodes), "boxes,", len(p.Routes), "lines; box 1 below box 0:", p.Nodes[1].Y > p.Nodes[0].Y)
	// Output: 3 boxes, 3 lines; box 1 below box 0: true
}
