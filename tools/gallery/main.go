// Command gallery draws the pictures of docs/gallery.md and writes the page:
//
//	go -C tools run ./gallery            # in the top directory
//
// Small programs are those of the corpus in testdata, chosen for their shapes, as SVG. Large ones
// are a program of the corpus and generated ones, as PNG. All of these are the same on every
// machine, and a test compares them. Where Chromium is on PATH, screenshots of HTML pages are
// taken, too: those depend on its version and on the fonts, and nothing compares them.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/atomicfile"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
	"github.com/bpfcfg/bpfcfg/tools/internal/top"
)

// shown is a program of the gallery.
type shown struct {
	object, program string // in testdata/corpus/out; or
	made            func() *bytecode.Program
	name            string // of a program that is made, and how
	text            string
}

// small returns what the gallery shows as SVG, from the smallest.
func small() []shown {
	return []shown{
		{object: "10_single_target.o", program: "one",
			text: "A switch whose table has one target: the indirect jump is a goto."},
		{object: "25_irreducible.o", program: "enter", text: "A loop that is entered in two places."},
		{object: "08_two_tables_one_gotox.o", program: "pick", text: "Two tables, one indirect jump."},
		{object: "02_syscall_dispatch.o", program: "classify", text: "A switch over system calls, with a default."},
		{object: "11_bpf_loop_switch.o", program: "spin",
			text: "A callback of bpf_loop with a switch: functions side by side."},
		{object: "23_unreachable_default.o", program: "guarded",
			text: "A switch without a default: a check in front of it bounds the index, and every entry is a case."},
		{object: "03_threaded_vm.o", program: "run",
			text: "A threaded interpreter: every handler jumps to every handler, so the table is a box of its own."},
		{object: "12_may_goto_switch.o", program: "walk", text: "A loop under may_goto around a switch."},
		{object: "01_ipproto_xdp.o", program: "parse", text: "A parser with two large switches over protocol numbers."},
		{object: "13_subprog_switch.o", program: "main_", text: "Three functions, each with a switch of its own."},
	}
}

// large returns what the gallery shows as PNG.
func large() []shown {
	return []shown{
		{object: "15_thousand_cases.o", program: "thousand", text: "A switch of a thousand cases."},
		{made: func() *bytecode.Program { return progen.Loops(125, 3) }, name: "loops-1000",
			text: "Generated: loops three deep, one after the other, in columns."},
	}
}

// huge is what the gallery shows as pages only.
func huge() shown {
	return shown{made: func() *bytecode.Program { return progen.Loops(1250, 3) }, name: "loops-10000"}
}

func main() {
	if err := top.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "gallery:", err)
		os.Exit(2)
	}
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gallery:", err)
		os.Exit(1)
	}
}

// run writes the gallery of the tree at root.
func run(root string) error {
	dir := filepath.Join(root, "docs", "gallery")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var page bytes.Buffer
	page.WriteString("# Gallery\n\nPrograms of `testdata/corpus` and generated ones, drawn by\n" +
		"`go -C tools run ./gallery`. " +
		"What the signs mean is in [pictures.md](pictures.md). A\nbrowser shows a picture alone at full size; " +
		"links in it work there.\n")
	for _, p := range small() {
		s, err := p.scene(root)
		if err != nil {
			return err
		}
		svg, err := drawSVG(s)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(dir, p.title()+".svg"), svg); err != nil {
			return err
		}
		p.write(&page, len(s.Blocks), ".svg")
	}
	for _, p := range large() {
		s, err := p.scene(root)
		if err != nil {
			return err
		}
		png, err := drawPNG(s)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(dir, p.title()+".png"), png); err != nil {
			return err
		}
		p.write(&page, len(s.Blocks), ".png")
	}
	pages(&page)
	if err := atomicfile.Write(filepath.Join(root, "docs", "gallery.md"), page.Bytes()); err != nil {
		return err
	}
	return shoot(root, dir)
}

// title is the name of a program's picture without ending.
func (p shown) title() string {
	if p.made != nil {
		return p.name
	}
	return strings.TrimSuffix(p.object, ".o") + "." + p.program
}

// write adds a picture to the document.
func (p shown) write(page *bytes.Buffer, blocks int, ending string) {
	fmt.Fprintf(page, "\n## %s\n\n%s %d blocks.\n\n![%s](gallery/%s%s)\n", p.title(), p.text, blocks, p.title(),
		p.title(), ending)
}

// scene analyses the program.
func (p shown) scene(root string) (*render.Scene, error) {
	prog, err := p.load(root)
	if err != nil {
		return nil, err
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		return nil, err
	}
	a, err := pipeline.Run(prog, prof, rewrite.Options{})
	if err != nil {
		return nil, err
	}
	input := p.object
	if p.made != nil {
		input = "generated"
	}
	s := picture.Scene(a, input)
	picture.AddDetails(s, a)
	if a.Image != nil {
		picture.AddVerified(s, a, a.Verify())
	}
	return s, nil
}

func (p shown) load(root string) (*bytecode.Program, error) {
	if p.made != nil {
		return p.made(), nil
	}
	data, err := os.ReadFile(filepath.Join(root, "testdata", "corpus", "out", p.object))
	if err != nil {
		return nil, err
	}
	o, err := load.ELF(p.object, data)
	if err != nil {
		return nil, err
	}
	for _, prog := range o.Programs {
		if prog.Name == p.program {
			return prog, nil
		}
	}
	return nil, fmt.Errorf("%s has no program %s", p.object, p.program)
}
