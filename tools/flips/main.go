// Command flips counts which single-bit errors in machine code the checker finds.
//
//	go -C tools run ./flips -profile linux-7.3 testdata/corpus/out/22_tail_dispatch.o
//
// It flips every bit of the images of the programs given. It runs package verify on each, and GNU
// objdump, which shares nothing with it, shows whether the flip changes, adds or removes a control
// transfer, a trap or a privileged instruction. A flip that does and is accepted is a hole in the
// checker; the exit status is then 1. Bits of addresses that only a running kernel knows are left
// out and counted: they cannot be judged.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/tools/internal/top"
)

func main() {
	profiles := flag.String("profile", "linux-7.3,linux-6.19,linux-6.18", "profiles, separated by commas")
	flag.Parse()
	if err := top.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "flips:", err)
		os.Exit(2)
	}
	holes, err := run(os.Stdout, strings.Split(*profiles, ","), flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "flips:", err)
		os.Exit(2)
	}
	if holes > 0 {
		os.Exit(1)
	}
}

// run counts the flips of all programs of the objects and returns how many
// holes there are.
func run(out io.Writer, profiles, objects []string) (holes int, err error) {
	if len(objects) == 0 {
		return 0, fmt.Errorf("no object is given")
	}
	fmt.Fprintf(out, "%-48s %8s %10s %10s %10s %8s\n", "image", "flips", "addresses", "transfers", "accepted", "holes")
	var sum tally
	for _, name := range profiles {
		prof, err := jit.LookupProfile(name)
		if err != nil {
			return 0, err
		}
		for _, file := range objects {
			images, err := compile(file, prof)
			if err != nil {
				return 0, err
			}
			for _, a := range images {
				t, err := count(a, 1)
				if err != nil {
					return 0, fmt.Errorf("%s %s: %w", file, a.Program.Name, err)
				}
				t.print(out, prof.Name+" "+filepath.Base(file)+" "+a.Program.Name)
				sum.add(t)
			}
		}
	}
	sum.print(out, "all")
	return len(sum.holes), nil
}

// compile returns the analyses of an object's programs that have an image.
func compile(file string, prof jit.Profile) ([]*pipeline.Analysis, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	o, err := load.ELF(file, data)
	if err != nil {
		return nil, err
	}
	var out []*pipeline.Analysis
	for _, p := range o.Programs {
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			return nil, err
		}
		if a.ImageErr == nil {
			out = append(out, a)
		}
	}
	return out, nil
}
