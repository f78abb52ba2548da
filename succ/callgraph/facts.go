package callgraph

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Facts returns remarks about a node, a few words each: "xdp, 12 insns", "global", "never
// called".
func (n *Node) Facts() []string {
	var out []string
	switch n.Kind {
	case Program, Function:
		text := visible.Count(n.Insns, "insn")
		if n.Section != "" && n.Section != ".text" {
			text = n.Section + ", " + text
		}
		out = append(out, text)
	case Map:
		out = append(out, bytecode.MapTypeName(n.Type))
	}
	if n.Kind == Function && n.Global {
		out = append(out, "global")
	}
	for _, f := range []struct {
		set  bool
		text string
	}{
		{n.Note != "", n.Note},
		{n.Recursive, "calls itself, directly or not"},
		{n.Throws, "throws"},
		{n.Pads == 1, "1 landing pad"},
		{n.Pads > 1, fmt.Sprintf("%d landing pads", n.Pads)},
	} {
		if f.set {
			out = append(out, f.text)
		}
	}
	return out
}

// Summary counts what is in the graph: "2 programs, 3 functions, 1 map".
func (g *Graph) Summary() string {
	counts := map[NodeKind]int{}
	never := 0
	for i := range g.Nodes {
		counts[g.Nodes[i].Kind]++
		if g.Nodes[i].Note == NeverCalled {
			never++
		}
	}
	var parts []string
	for _, k := range []struct {
		kind NodeKind
		one  string
	}{{Program, "program"}, {Function, "function"}, {Map, "map"}, {StructOps, "struct_ops"}, {Outside,
		"of another object"}} {
		switch n := counts[k.kind]; {
		case n == 1 || n > 1 && k.kind != Program && k.kind != Function && k.kind != Map:
			parts = append(parts, fmt.Sprintf("%d %s", n, k.one))
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, k.one))
		}
	}
	if never > 0 {
		parts = append(parts, fmt.Sprintf("%d never called", never))
	}
	return strings.Join(parts, ", ")
}
