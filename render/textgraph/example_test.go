package textgraph_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/textgraph"
)

func Example() {
	scene := &render.Scene{
		Title: "skip",
		Funcs: []render.Func{{Name: "skip"}},
		Blocks: []render.Block{
			{Name: "b0", Entry: true, Reachable: true, Lines: []render.Line{
				{Slot: 0, Text: "r0 = 0"}, {Slot: 1, Text: "if r1 == 0 goto pc+1"},
			}},
			{Name: "b1", Reachable: true, Lines: []render.Line{{Slot: 2, Text: "r0 += 1"}}},
			{Name: "b2", Exit: true, Reachable: true, Lines: []render.Line{{Slot: 3, Text: "exit"}}},
		},
		Edges: []render.Edge{
			{From: 0, To: 1, Kind: render.FallThrough},
			{From: 0, To: 2, Kind: render.Taken},
			{From: 1, To: 2, Kind: render.FallThrough},
		},
	}
	if err := textgraph.Write(os.Stdout, scene, textgraph.Options{Width: 100}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ▼ fall-through   ┆╌╌► taken
	//
	// skip:
	//    ┌ b0  0..1  entry
	//    │   0  r0 = 0
	// ╭╌╌┤   1  if r1 == 0 goto pc+1  → b2
	// ┆  ▼
	// ┆  ┌ b1  2..2
	// ┆  │   2  r0 += 1
	// ┆  ▼
	// ╰╌►┌ b2  3..3  exit
	//    └   3  exit
}
