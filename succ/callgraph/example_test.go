package callgraph_test

import (
	"fmt"
	"os"

	"gonum.org/v1/gonum/graph/topo"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/callgraph"
)

func Example() {
	data, err := os.ReadFile("../../testdata/corpus/out/13_subprog_switch.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	object, err := load.ELF("x.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	in := callgraph.Input{Functions: object.Functions}
	for _, p := range object.Programs {
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		in.Parts = append(in.Parts, callgraph.Part{Program: p, Result: r})
	}
	g := callgraph.Of("x.o", in)
	for _, e := range g.Edges {
		fmt.Println(g.Nodes[e.From].Name, e.Kind, g.Nodes[e.To].Name)
	}
	fmt.Println("recursion:", len(topo.TarjanSCC(g.Gonum())) < len(g.Nodes)) // any algorithm of gonum
	// Output:
	// main_ call outer
	// main_ uses .bss
	// outer call inner
	// outer uses .bss
	// inner uses .bss
	// recursion: false
}
