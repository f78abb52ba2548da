package picture_test

import (
	"fmt"
	"log"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// One program on two kernels: where its indirect jumps go, which C lines are dead, what
// each kernel makes of it, its layout, and its picture.
func Example_kernels() {
	must := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	data, err := os.ReadFile("../../cmd/bpfcfg/sample/sample.o")
	must(err)
	obj, err := load.ELF("sample.o", data)
	must(err)
	old, err := jit.LookupProfile("linux-6.12")
	must(err)
	today, err := jit.LookupProfile("linux-7.3")
	must(err)

	p := obj.Programs[0]
	all, err := pipeline.Across(p, []jit.Profile{old, today}, rewrite.Options{})
	must(err)
	for _, a := range all {
		fmt.Printf("%s: refused by the modelled rules: %t\n", a.Profile.Name, !a.Verdict().Accept)
	}

	a := all[1]
	for _, in := range a.Succ.Indirect {
		list, complete := a.Succ.Successors(in.PC)
		fmt.Println(in.Op, "at", in.PC, "goes to", len(list), "places, all known", complete)
	}
	for _, b := range a.Succ.Graph.Blocks {
		if line, ok := p.LineAt(b.Start); ok && !a.Succ.Exact.Reached(b.Start) {
			fmt.Printf("no execution reaches %s:%d\n", line.File, line.Line)
		}
	}
	in, err := golden.InputOf(a) // with the layout; golden.Text(in) is what a golden file holds
	must(err)
	fmt.Println(len(in.Image.Code), "bytes in", len(a.Graph.Blocks), "blocks")

	scene := picture.Scene(a, "sample.o")
	placed, err := render.Place(scene, render.PlaceOptions{})
	must(err)
	fmt.Println("a picture", len(render.SVG(scene, placed)) > 0)
	// Output:
	// linux-6.12: refused by the modelled rules: true
	// linux-7.3: refused by the modelled rules: false
	// gotox at 19 goes to 6 places, all known true
	// no execution reaches ./sample.c:64
	// 270 bytes in 14 blocks
	// a picture true
}
