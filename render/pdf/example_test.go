package pdf_test

import (
	"bytes"
	"fmt"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/pdf"
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
	var out bytes.Buffer
	_, err = pdf.Write(&out, render.Paint(scene, layout, display.Light))
	fmt.Println(err, bytes.HasPrefix(out.Bytes(), []byte("%PDF-1.")))
	// Output: <nil> true
}
