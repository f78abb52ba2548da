// Package callgraph makes the call graph of an object: its functions and programs with their
// calls, tail calls, replacements and unwinding, and the maps that they use.
//
//	g := callgraph.Of("x.o", input)                          // programs and what is known of them
//	for _, e := range g.Edges {
//		fmt.Println(g.Nodes[e.From].Name, e.Kind, g.Nodes[e.To].Name) // f1 tail-call f2
//	}
//	dot, err := g.DOT()
//	topo.TarjanSCC(g.Gonum())                                // any algorithm of gonum
//
// A function of an object is one node, even if several programs have a copy of it. Direct calls
// come from the code, including dead code, which is marked. Callbacks, indirect calls and the
// indices of tail calls come from the analysis of the programs. The initial elements of an array
// of programs are what the loader puts there: user space may change them, and a tail call of an
// element without one leads to the map. The package does not analyse programs, and draws nothing.
package callgraph

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ"
)

// NodeKind is the kind of thing that a node stands for. The values are the words of the JSON.
type NodeKind string

// The kinds of nodes.
const (
	Program   NodeKind = "program"    // the entry function of a program
	Function  NodeKind = "function"   // another function
	Map       NodeKind = "map"        // a map or data section
	StructOps NodeKind = "struct-ops" // a structure of functions that the kernel calls
	Outside   NodeKind = "outside"    // in another object: a replaced or undefined function
)

// Kind is the way in which control passes along an edge. The values are the words of the JSON.
type Kind string

// The kinds of edges.
const (
	Call      Kind = "call"      // direct call
	Callx     Kind = "callx"     // indirect call
	Callback  Kind = "callback"  // a helper or kernel function calls, at once or later
	TailCall  Kind = "tail-call" // bpf_tail_call: to a program, or to the map if its element is not known
	Exception Kind = "exception" // bpf_throw to the exception callback
	Cleanup   Kind = "cleanup"   // from a function that may throw to the landing pad of a caller
	Replaces  Kind = "replaces"  // a program takes the place of a function of another one
	Member    Kind = "member"    // a structure of functions has the program
	Address   Kind = "address"   // the address is taken, and no call of it is known
	Uses      Kind = "uses"      // a map
)

// Node is a function, a map, or something outside of the object.
type Node struct {
	Kind    NodeKind
	Name    string // as the file has it: escape before printing
	Section string // of functions and programs
	Insns   int    // slots, of functions and programs
	Global  bool   // a function that is verified by itself
	Type    uint32 // BPF_MAP_TYPE_* of maps
	Note    string // a remark: "never called", "struct tcp_congestion_ops"

	Called    bool // a program, or in one
	Recursive bool // in a cycle of calls
	Throws    bool // calls bpf_throw
	Pads      int  // landing pads
}

// Edge leads from one node to another. There is one for each kind and label.
type Edge struct {
	From, To int // indices in Nodes
	Kind     Kind
	Label    string        // "jmp_table[1]", the name of a member
	At       []bytecode.PC // slots in the function of From, ascending
	Dead     bool          // no execution of a program takes it
}

// Graph is the call graph of an object. It is not changed after Of has made it.
type Graph struct {
	Name  string // of the object
	Nodes []Node // programs, functions in order of address, then the rest in order of mention
	Edges []Edge // by From, To, kind and label
	// Unknown lists programs that could not be analysed; the graph has only their direct calls.
	Unknown []string
}

// Part is a program with its analysis.
type Part struct {
	Program  *bytecode.Program
	Result   *succ.Result // nil when the program could not be analysed
	Uncalled bool         // no loader loads it: see load.Object.Uncalled
}

// Input is the input of Of.
type Input struct {
	Functions []load.Function
	Parts     []Part
	StructOps []load.StructOps
}

// Of makes the graph of an object or of other programs that belong together.
func Of(name string, in Input) *Graph {
	b := &builder{g: &Graph{Name: name}, in: &in, funcs: map[key]int{}, maps: map[string]int{},
		outside: map[string]int{}, edges: map[edgeKey]int{}, counted: map[place]bool{}}
	b.addFunctions()
	for i := range in.Parts {
		b.addPart(&in.Parts[i])
	}
	b.addStructOps()
	b.addCleanups()
	b.finish()
	return b.g
}
