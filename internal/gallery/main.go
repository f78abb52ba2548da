// Command gallery draws the pictures of docs/gallery.md and writes the page:
//
//	go run ./internal/gallery            # in the top directory
//
// The programs are those of the corpus in testdata, chosen for their shapes.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/atomicfile"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// shown is a program of the gallery.
type shown struct{ object, program, text string }

// programs returns what the gallery shows, from the smallest.
func programs() []shown {
	return []shown{
		{"10_single_target.o", "one", "A switch whose table has one target: the indirect jump is a goto."},
		{"25_irreducible.o", "enter", "A loop that is entered in two places."},
		{"08_two_tables_one_gotox.o", "pick", "Two tables, one indirect jump."},
		{"02_syscall_dispatch.o", "classify", "A switch over system calls, with a default."},
		{"11_bpf_loop_switch.o", "spin", "A callback of bpf_loop with a switch: functions side by side."},
		{"23_unreachable_default.o", "guarded", "Switches behind guards: " +
			"what no execution reaches is hatched, and has no machine code."},
		{"03_threaded_vm.o", "run", "A threaded interpreter: " +
			"every handler jumps to every handler, so the table is a box of its own."},
		{"12_may_goto_switch.o", "walk", "A loop under may_goto around a switch."},
		{"01_ipproto_xdp.o", "parse", "A parser with two large switches over protocol numbers."},
		{"13_subprog_switch.o", "main_", "Three functions, each with a switch of its own."},
	}
}

func main() {
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
	page.WriteString("# Gallery\n\nPrograms of `testdata/corpus`, drawn by `go run ./internal/gallery`. What the signs\n" +
		"mean is in [pictures.md](pictures.md). A browser shows a picture alone at full\nsize; links in it work there.\n")
	for _, p := range programs() {
		svg, blocks, err := p.draw(root)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(p.object, ".o") + "." + p.program
		if err := atomicfile.Write(filepath.Join(dir, name+".svg"), svg); err != nil {
			return err
		}
		fmt.Fprintf(&page, "\n## %s\n\n%s %d blocks.\n\n![%s](gallery/%s.svg)\n", name, p.text, blocks, name, name)
	}
	page.WriteString(`
## Larger ones

A page is made for these: it opens at the entry, with a small map, and shows the
text of what is in the window.

    bpfcfg render testdata/corpus/out/15_thousand_cases.o -o thousand.html
`)
	return atomicfile.Write(filepath.Join(root, "docs", "gallery.md"), page.Bytes())
}

// draw returns the picture of a program and its number of blocks.
func (p shown) draw(root string) ([]byte, int, error) {
	data, err := os.ReadFile(filepath.Join(root, "testdata", "corpus", "out", p.object))
	if err != nil {
		return nil, 0, err
	}
	o, err := load.ELF(p.object, data)
	if err != nil {
		return nil, 0, err
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		return nil, 0, err
	}
	for _, prog := range o.Programs {
		if prog.Name != p.program {
			continue
		}
		a, err := pipeline.Run(prog, prof, rewrite.Options{})
		if err != nil {
			return nil, 0, err
		}
		s := picture.Scene(a, p.object)
		l, err := render.Place(s, render.PlaceOptions{})
		if err != nil {
			return nil, 0, err
		}
		return render.SVG(s, l), len(s.Blocks), nil
	}
	return nil, 0, fmt.Errorf("%s has no program %s", p.object, p.program)
}
