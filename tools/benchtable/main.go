// Command benchtable measures how the analysis grows with the program, and
// prints the tables of docs/performance.md:
//
//	go -C tools run ./benchtable                              # all shapes, 10k to 1M slots; takes minutes
//	go -C tools run ./benchtable -slots 10000,100000 -shapes loops,spills
//	go -C tools run ./benchtable -objects 50,500,5000 -bpfcfg ./bpfcfg   # many files in one run
//
// Each shape of package progen is analysed at each size in a process of its
// own, stage by stage. The process reports processor time, allocations and, on Linux, the
// largest resident memory of each stage. Stages that grow faster than the program are listed.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/tools/internal/top"
)

func main() {
	slots := flag.String("slots", "10000,100000,1000000", "sizes, ascending")
	shapes := flag.String("shapes", "", "names of shapes, all when empty")
	child := flag.String("child", "", "measure one SHAPE/SLOTS and print JSON")
	stages := flag.Bool("stages", false, "print every stage of every shape")
	objects := flag.String("objects", "", "measure the command on so many objects instead")
	write := flag.String("write", "", "write the programs as records into this directory instead")
	bpfcfg := flag.String("bpfcfg", "bpfcfg", "the command for -objects")
	flag.Parse()
	if err := top.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(2)
	}
	if *objects != "" {
		if err := measureObjects(os.Stdout, *bpfcfg, *objects); err != nil {
			fmt.Fprintln(os.Stderr, "benchtable:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*slots, *shapes, *child, *write, *stages); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

// run measures and prints.
func run(slots, shapes, child, write string, stages bool) error {
	if child != "" {
		return measureChild(child)
	}
	var sizes []int
	for s := range strings.SplitSeq(slots, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 200 || n > 1_000_000 {
			return fmt.Errorf("-slots %s: sizes are numbers from 200 to 1000000", slots)
		}
		sizes = append(sizes, n)
	}
	var all []result
	for _, s := range progen.AllShapes() {
		if shapes != "" && !slices.Contains(strings.Split(shapes, ","), s.Name) {
			continue
		}
		for _, n := range sizes {
			if write != "" {
				if err := writeShape(write, s, n); err != nil {
					return err
				}
				continue
			}
			r, err := spawn(s.Name, n)
			if err != nil {
				return err
			}
			all = append(all, r)
			fmt.Fprintf(os.Stderr, "%s %d: %.1f s, %d MB\n", s.Name, n, r.total().CPU, r.Peak>>20)
		}
	}
	switch {
	case write != "":
		return nil
	case stages:
		printStages(os.Stdout, all)
		return nil
	}
	printShapes(os.Stdout, all, sizes)
	printGrowth(os.Stdout, all, sizes)
	printSteep(os.Stdout, all, sizes)
	return nil
}

// spawn measures a shape in a process of its own.
func spawn(shape string, slots int) (result, error) {
	var r result
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.Command(self, "-child", fmt.Sprintf("%s/%d", shape, slots))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s at %d slots: %w", shape, slots, err)
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&r); err != nil {
		return r, fmt.Errorf("%s at %d slots: %w", shape, slots, err)
	}
	return r, nil
}
