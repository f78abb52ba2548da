// Command faults plants faults in the analysis (abstract, succ, jit/rewrite), most
// of them where memory, calls and joins are modelled, and asks whether the packages'
// tests find them.
//
//	go -C tools run ./faults -n 90 -seed 1
//	go -C tools run ./faults -n 40 -seed 1 -in render,cmd/bpfcfg,internal/check
//
// A fault is a small change of a Go file: another operator, a number one off, a condition turned
// around, a call left out. -planted plants the faults that are written down and runs only the
// programs of package soundness. The exit status is 1 if one of these survives. tests.txt beside
// this file has the results. tools/jitfaults plants faults that change machine code.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/tools/internal/top"
)

func main() {
	n := flag.Int("n", 60, "number of faults")
	seed := flag.Uint64("seed", 1, "of the draw")
	root := flag.String("root", ".", "root of the tree")
	plant := flag.Bool("planted", false, "plant the faults of memory, calls and joins that are written down")
	in := flag.String("in", strings.Join(analysed, ","), "the folders and files to plant faults in")
	by := flag.String("by", "", "the packages to test after the fault's own, in order (default: those of the "+
		"analysis; elsewhere the command)")
	only := flag.String("only", "", "try the faults with these numbers alone, as in 3,17")
	flag.Parse()
	if err := top.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	}
	numbers, err := parseNumbers(*only)
	holes := 0
	switch {
	case err != nil:
	case *plant:
		holes, err = plantAll(os.Stdout, *root, numbers)
	default:
		d := draw{n: *n, seed: *seed, numbers: numbers, in: strings.Split(*in, ",")}
		switch {
		case *by != "":
			d.by = strings.Split(*by, ",")
		case slices.Equal(d.in, analysed):
			d.by = tested
		}
		holes, err = byTests(os.Stdout, *root, d)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	}
	if holes > 0 {
		os.Exit(1)
	}
}

// parseNumbers reads numbers between commas.
func parseNumbers(s string) (out []int, err error) {
	for word := range strings.SplitSeq(s, ",") {
		if word == "" {
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
