package callgraph

import (
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/encoding"
	"gonum.org/v1/gonum/graph/encoding/dot"
	"gonum.org/v1/gonum/graph/multi"
	"gonum.org/v1/gonum/graph/simple"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

type node = graph.Node

// gonum returns the functions and the edges of the kinds, reversed if back. Parallel edges are
// merged and edges from a node to itself left out, because simple graphs have neither.
func gonum(g *Graph, back bool, kinds ...Kind) *simple.DirectedGraph {
	d := simple.NewDirectedGraph()
	for i := range g.Nodes {
		d.AddNode(simple.Node(i))
	}
	for _, e := range g.Edges {
		if e.From == e.To || !slices.Contains(kinds, e.Kind) {
			continue
		}
		from, to := simple.Node(e.From), simple.Node(e.To)
		if back {
			from, to = to, from
		}
		d.SetEdge(simple.Edge{F: from, T: to})
	}
	return d
}

// vertex is a node for gonum. Its ID is the index in Nodes.
type vertex struct {
	id int64
	n  *Node
}

// ID returns the index of the node.
func (v vertex) ID() int64 { return v.id }

// DOTID returns the node's name in DOT.
func (v vertex) DOTID() string { return "n" + strconv.FormatInt(v.id, 10) }

// Attributes returns the node's attributes for Graphviz.
func (v vertex) Attributes() []encoding.Attribute {
	lines := append([]string{v.n.Name}, v.n.Facts()...)
	shape, style := "box", "solid"
	switch v.n.Kind {
	case Program:
		style = "bold"
	case Map:
		shape = "cylinder"
	case StructOps:
		shape = "component"
	case Outside:
		style = "dashed"
	}
	if v.n.Note == NeverCalled {
		style = "dotted"
	}
	return []encoding.Attribute{{Key: "label", Value: quote(lines...)}, {Key: "shape", Value: shape}, {Key: "style",
		Value: style}}
}

// line is an edge for gonum.
type line struct {
	multi.Line
	e *Edge
}

// edgeStyles are the attributes of DOT by kind: no two look the same.
var edgeStyles = map[Kind][2]string{
	Call: {"solid", "normal"}, Callx: {"bold", "normal"}, Callback: {"dashed", "normal"}, TailCall: {"bold", "vee"},
	Exception: {"dashed", "box"}, Cleanup: {"dashed", "diamond"}, Replaces: {"solid", "empty"}, Member: {"solid", "odot"},
	Address: {"dotted", "normal"}, Uses: {"dotted", "none"},
}

// Attributes returns the edge's attributes for Graphviz.
func (l line) Attributes() []encoding.Attribute {
	text := string(l.e.Kind)
	if l.e.Label != "" {
		text += " " + l.e.Label
	}
	if l.e.Dead {
		text += ", never taken"
	}
	look := edgeStyles[l.e.Kind]
	return []encoding.Attribute{{Key: "label", Value: quote(text)}, {Key: "style", Value: look[0]}, {Key: "arrowhead",
		Value: look[1]}}
}

// Multi is a Graph for the algorithms and encoders of gonum.org/v1/gonum/graph:
// the ID of a node is its index in Nodes, that of a line its index in Edges.
type Multi struct {
	*multi.DirectedGraph
	name string
}

// DOTID returns the graph's name in DOT.
func (m Multi) DOTID() string { return quote(m.name) }

// attributes are those of a whole graph, or of all its nodes or edges.
type attributes []encoding.Attribute

// Attributes returns them.
func (a attributes) Attributes() []encoding.Attribute { return a }

// DOTAttributers returns the attributes of all.
func (m Multi) DOTAttributers() (g, n, e encoding.Attributer) {
	font := encoding.Attribute{Key: "fontname", Value: "Courier"}
	return attributes{{Key: "label", Value: quote(m.name)}, {Key: "labelloc", Value: "t"}, font}, attributes{font},
		attributes{font}
}

// Gonum returns the graph for gonum's algorithms, along edges of all kinds.
func (g *Graph) Gonum() Multi {
	m := Multi{multi.NewDirectedGraph(), g.Name}
	all := make([]vertex, len(g.Nodes))
	for i := range g.Nodes {
		all[i] = vertex{int64(i), &g.Nodes[i]}
		m.AddNode(all[i])
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		m.SetLine(line{multi.Line{F: all[e.From], T: all[e.To], UID: int64(i)}, e})
	}
	return m
}

// DOT returns the graph in Graphviz's language, written by gonum's encoder.
func (g *Graph) DOT() ([]byte, error) {
	b, err := dot.MarshalMulti(g.Gonum(), "", "", " ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// quote returns lines as a quoted string of Graphviz's language, which reads
// backslashes as escapes and ampersands as entities in quotes, too.
func quote(lines ...string) string {
	for i, l := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(visible.Text(l))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
