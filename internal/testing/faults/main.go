// Command faults plants faults in the rewrites and the compiler and asks whether
// the checker of translations, which shares nothing with them, finds those that
// change control flow.
//
//	go run ./internal/testing/faults -n 60 -seed 1
//
// A fault is a small change of a Go file of jit or jit/rewrite: another
// operator, a number one off, a condition turned around, a call left out. The
// program with the fault is built beside the tree (go build -overlay), and run on
// objects of the corpus. Where the control transfers of the machine code are other
// ones than without the fault, the proof must fail. The exit status is 1 if one
// does not.
//
//	go run ./internal/testing/faults -tests -n 90 -seed 1
//
// plants faults in the analysis (abstract, succ, jit/rewrite) instead, most of them
// where memory, calls and joins are modelled, and asks whether the packages' tests
// find them; -planted takes faults that are written down, and asks the programs of
// package soundness alone. The exit status is 1 if one of these survives. What was said is in
// list.txt and tests.txt beside this file.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
)

func main() {
	n := flag.Int("n", 60, "number of faults")
	seed := flag.Uint64("seed", 1, "of the draw")
	root := flag.String("root", ".", "root of the tree")
	tests := flag.Bool("tests", false, "ask the tests of the analysis, not the proof")
	plant := flag.Bool("planted", false, "plant the faults of memory, calls and joins that are written down")
	by := flag.String("by", strings.Join(tested, ","), "with -tests: the packages to test, in order")
	only := flag.String("only", "", "with -tests or -planted: try the faults with these numbers alone, as in 3,17")
	child := flag.Bool("child", false, "print what becomes of the corpus, and exit")
	flag.Parse()
	if *child {
		if err := report(os.Stdout, *root); err != nil {
			fmt.Fprintln(os.Stderr, "faults:", err)
			os.Exit(2)
		}
		return
	}
	numbers, err := parseNumbers(*only)
	holes := 0
	switch {
	case err != nil:
	case *plant:
		holes, err = plantAll(os.Stdout, *root, numbers)
	case *tests:
		holes, err = byTests(os.Stdout, *root, *n, *seed, numbers, strings.Split(*by, ","))
	default:
		holes, err = run(os.Stdout, *root, *n, *seed)
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

// run draws faults and prints what became of each; it returns how many change
// control flow and are not found.
func run(out io.Writer, root string, n int, seed uint64) (holes int, err error) {
	all, err := sites(root, "jit", "jit/rewrite")
	if err != nil {
		return 0, err
	}
	w, err := newWorkshop(root)
	if err != nil {
		return 0, err
	}
	defer w.close()
	rnd := rand.New(rand.NewPCG(seed, 0))
	var sum [len(outcomeNames)]int
	for i := range n {
		f := all[rnd.IntN(len(all))]
		o, detail := w.try(f)
		sum[o]++
		fmt.Fprintf(out, "%3d  %-13s %-28s %s\n", i+1, outcomeNames[o], f, detail)
	}
	for o, name := range outcomeNames {
		fmt.Fprintf(out, "%d %s\n", sum[o], name)
	}
	return sum[hole], nil
}

// outcome is what became of a fault.
type outcome int

const (
	found    outcome = iota // control flow changes, and every proof of such a program fails
	hole                    // control flow changes somewhere, and the proof does not fail
	harmless                // control flow is the same in all of the corpus
	refused                 // it does not compile, panics, or nothing gets machine code
)

var outcomeNames = [...]string{"found", "NOT FOUND", "no effect", "breaks at once"}
