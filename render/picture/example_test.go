package picture_test

import (
	"bytes"
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// A program of an object as an SVG and as a page.
func ExampleScene() {
	data, err := os.ReadFile("../../cmd/bpfcfg/sample/sample.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	obj, err := load.ELF("sample.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := pipeline.Run(obj.Programs[0], prof, rewrite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	scene := picture.Scene(a, "sample.o")
	picture.AddDetails(scene, a) // facts and machine code, shown at a click
	layout, err := render.Place(scene, render.PlaceOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := render.HTML(scene, layout)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(scene.Title, len(scene.Blocks), "blocks", len(scene.Tables[0].Entries), "table entries")
	fmt.Println("SVG:", bytes.HasPrefix(render.SVG(scene, layout), []byte("<svg")), "page:", bytes.Contains(page, []byte("<!DOCTYPE html>")))
	// Output:
	// classify 14 blocks 12 table entries
	// SVG: true page: true
}
