// Command jitfaults plants faults in the rewrites and the compiler, and checks that the checker of
// translations, which shares nothing with them, finds those that change control flow.
//
//	go -C tools run ./jitfaults -n 60 -seed 1
//
// A fault is a small change of a Go file of jit or jit/rewrite: another operator,
// a number one off, a condition turned around, a call left out. One program is
// built with all of them (go build -overlay), each after a number, and judges those
// that a seed draws on objects of the corpus. Where the control transfers of the
// machine code are other ones than without the fault, the proof must fail. The exit
// status is 1 if one does not.
//
// It does not look at faults that change data alone: what is proven is control
// flow.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/bpfcfg/bpfcfg/tools/internal/top"
)

func main() {
	n := flag.Int("n", 60, "number of faults")
	seed := flag.Uint64("seed", 1, "of the draw")
	root := flag.String("root", ".", "root of the tree")
	child := flag.String("child", "", "judge the faults with these numbers, and exit")
	flag.Parse()
	if err := top.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "jitfaults:", err)
		os.Exit(2)
	}
	if *child != "" {
		go bound()
		if err := report(os.Stdout, *root, numbersOf(*child)); err != nil {
			fmt.Fprintln(os.Stderr, "jitfaults:", err)
			os.Exit(1)
		}
		return
	}
	holes, err := draw(os.Stdout, *root, *n, *seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "jitfaults:", err)
		os.Exit(2)
	}
	if holes > 0 {
		os.Exit(1)
	}
}

func numbersOf(list string) []int {
	var out []int
	for s := range strings.SplitSeq(list, ",") {
		if n, err := strconv.Atoi(s); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// bound ends the program when a fault makes it use too much memory.
func bound() {
	const most = 3 << 30
	for range time.Tick(100 * time.Millisecond) {
		var m runtime.MemStats
		if runtime.ReadMemStats(&m); m.HeapAlloc > most {
			fmt.Fprintln(os.Stderr, "jitfaults: too much memory")
			os.Exit(2)
		}
	}
}

// draw draws faults and prints the outcome of each; it returns how many change control flow and are
// not found.
func draw(out io.Writer, root string, n int, seed uint64) (holes int, err error) {
	root, err = filepath.Abs(root) // the programs that are started work from another directory
	if err != nil {
		return 0, err
	}
	g, err := newGarden(root, "jit", "jit/rewrite")
	if err != nil {
		return 0, err
	}
	sum, err := g.judge(out, g.draw(n, seed))
	return sum[hole], err
}

// draw returns some of the faults.
func (g *garden) draw(n int, seed uint64) []*fault {
	rnd := rand.New(rand.NewPCG(seed, 0))
	var drawn []*fault
	for _, i := range rnd.Perm(len(g.faults))[:min(n, len(g.faults))] {
		drawn = append(drawn, g.faults[i])
	}
	return drawn
}

// judge plants faults and prints the outcome of each, and counts.
func (g *garden) judge(out io.Writer, faults []*fault) (sum [len(outcomeNames)]int, err error) {
	dir, err := os.MkdirTemp("", "jitfaults")
	if err != nil {
		return sum, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "planted")
	if err := g.build(program); err != nil {
		return sum, err
	}
	list, err := try(program, g.root, faults)
	if err != nil {
		return sum, err
	}
	for i, t := range list {
		sum[t.outcome]++
		fmt.Fprintf(out, "%3d  %-14s %s %s\n", i+1, outcomeNames[t.outcome], t.fault, t.detail)
	}
	for o, name := range outcomeNames {
		fmt.Fprintf(out, "%d %s\n", sum[o], name)
	}
	return sum, nil
}
