package raster_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/raster"
)

func Example() {
	scene := &render.Scene{
		Title: "nothing",
		Funcs: []render.Func{{Name: "nothing"}},
		Blocks: []render.Block{
			{Name: "b0", Entry: true, Exit: true, Reachable: true, Lines: []render.Line{{Text: "exit"}}},
		},
	}
	layout, err := render.Place(scene, render.PlaceOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var png bytes.Buffer
	_, err = raster.PNG(context.Background(), &png, render.Paint(scene, layout, display.Light), raster.Options{Scale: 2})
	fmt.Println(err, bytes.HasPrefix(png.Bytes(), []byte("\x89PNG")))
	// Output: <nil> true
}
