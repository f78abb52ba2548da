package render_test

import (
	"bytes"
	"fmt"

	"github.com/bpfcfg/bpfcfg/render"
)

func Example() {
	scene := &render.Scene{
		Title: "dispatch",
		Funcs: []render.Func{{Name: "dispatch", Entry: 0}},
		Blocks: []render.Block{
			{Name: "b0", Entry: true, Reachable: true, Lines: []render.Line{{Slot: 0, Text: "if r1 == 0 goto +1"}}},
			{Name: "b1", Reachable: true, Lines: []render.Line{{Slot: 1, Text: "r1 += 1"}}},
			{Name: "b2", Exit: true, Reachable: true, Lines: []render.Line{{Slot: 2, Text: "exit"}}},
		},
		Edges: []render.Edge{
			{From: 0, To: 1, Kind: render.FallThrough},
			{From: 0, To: 2, Kind: render.Taken},
			{From: 1, To: 2, Kind: render.FallThrough},
		},
	}
	layout, err := render.Place(scene, render.PlaceOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	svg := render.SVG(scene, layout)
	fmt.Println(len(layout.Blocks), "blocks placed, an SVG:", bytes.HasPrefix(svg, []byte("<svg")))

	dot, err := render.DOT(scene)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("DOT:", bytes.HasPrefix(dot, []byte("digraph")))
	// Output:
	// 3 blocks placed, an SVG: true
	// DOT: true
}
