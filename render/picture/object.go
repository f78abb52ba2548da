package picture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/succ/callgraph"
)

// maxUses is the maximum number of uses of maps that a picture draws as lines; with more, each
// function lists its maps.
const maxUses = 30

// kindLooks are the looks of the kinds of edges.
var kindLooks = map[callgraph.Kind]render.LineLook{
	callgraph.Call: render.LineSolid, callgraph.Callx: render.LineThick, callgraph.Callback: render.LineDashed,
	callgraph.TailCall: render.LineLong, callgraph.Exception: render.LineDashDot, callgraph.Cleanup: render.LineUnwind,
	callgraph.Replaces: render.LineHollow, callgraph.Member: render.LineCircle, callgraph.Address: render.LineDotted,
	callgraph.Uses: render.LinePale,
}

// kindWords are the words of the legend.
var kindWords = map[callgraph.Kind]string{
	callgraph.Call: "call", callgraph.Callx: "indirect call (callx)", callgraph.Callback: "callback",
	callgraph.TailCall: "tail call", callgraph.Exception: "exception: to the callback of bpf_throw",
	callgraph.Cleanup: "cleanup: unwinding, to a landing pad of the caller", callgraph.Replaces: "replaces (freplace)",
	callgraph.Member: "member of struct_ops", callgraph.Address: "takes the address, no call of it is known",
	callgraph.Uses: "uses the map",
}

// Object returns the picture of an object's call graph.
func Object(g *callgraph.Graph) *render.Diagram {
	d := &render.Diagram{Title: g.Name, Subtitle: g.Summary()}
	uses := 0
	for i := range g.Edges {
		if g.Edges[i].Kind == callgraph.Uses {
			uses++
		}
	}
	o := &objectPicture{g: g, d: d, at: make([]int, len(g.Nodes)), asText: uses > maxUses, jumps: map[use]bool{}}
	for _, e := range g.Edges {
		if name, _, ok := strings.Cut(e.Label, "["); ok && e.Kind == callgraph.TailCall {
			o.jumps[use{e.From, name}] = true
		}
	}
	o.nodes()
	o.edges()
	for _, name := range g.Unknown {
		d.Notes = append(d.Notes, fmt.Sprintf("program %s could not be analysed: only its direct calls are drawn", name))
	}
	return d
}

// objectPicture is a picture that is being made.
type objectPicture struct {
	g      *callgraph.Graph
	d      *render.Diagram
	at     []int // box of each node, -1 for none
	asText bool  // uses of maps are text
	jumps  map[use]bool
}

// use is a map that a function tail calls through.
type use struct {
	from int
	name string
}

// hides reports whether there is no line for an edge: it is text, or a tail call through the map
// shows the use.
func (o *objectPicture) hides(e *callgraph.Edge) bool {
	return e.Kind == callgraph.Uses && (o.asText || o.jumps[use{e.From, o.g.Nodes[e.To].Name}])
}

// nodes adds the boxes.
func (o *objectPicture) nodes() {
	drawn := make([]bool, len(o.g.Nodes)) // maps that have a line
	for i := range o.g.Edges {
		if e := &o.g.Edges[i]; !o.hides(e) {
			drawn[e.To] = true
		}
	}
	looks := map[callgraph.NodeKind]render.NodeLook{
		callgraph.Program: render.NodeStrong, callgraph.Map: render.NodeRound, callgraph.Outside: render.NodeDashed,
	}
	for i := range o.g.Nodes {
		n := &o.g.Nodes[i]
		o.at[i] = -1
		if n.Kind == callgraph.Map && !drawn[i] {
			continue
		}
		box := render.DiagramNode{Name: n.Name, Lines: []string{strings.Join(n.Facts(), ", ")}, Look: looks[n.Kind]}
		if n.Note == callgraph.NeverCalled {
			box.Look = render.NodeDead
		}
		if maps := o.usedBy(i); o.asText && len(maps) > 0 {
			box.Lines = append(box.Lines, "uses "+strings.Join(maps, ", "))
		}
		o.at[i] = len(o.d.Nodes)
		o.d.Nodes = append(o.d.Nodes, box)
	}
}

// usedBy returns the names of the maps that a function uses.
func (o *objectPicture) usedBy(node int) []string {
	var out []string
	for _, e := range o.g.Edges {
		if e.From == node && e.Kind == callgraph.Uses {
			out = append(out, o.g.Nodes[e.To].Name)
		}
	}
	return out
}

// edges adds the lines: one for all of a kind between two boxes.
func (o *objectPicture) edges() {
	type key struct {
		from, to int
		kind     callgraph.Kind
		dead     bool
	}
	at := map[key]int{}
	var labels [][]string // of each line
	for i := range o.g.Edges {
		e := &o.g.Edges[i]
		from, to := o.at[e.From], o.at[e.To]
		if from < 0 || to < 0 || o.hides(e) {
			continue
		}
		k := key{from, to, e.Kind, e.Dead}
		if i, ok := at[k]; ok {
			labels[i] = append(labels[i], e.Label)
			continue
		}
		at[k] = len(o.d.Edges)
		o.d.Edges = append(o.d.Edges, render.DiagramEdge{
			From: from, To: to, Kind: kindWords[e.Kind], Line: kindLooks[e.Kind], Dead: e.Dead})
		labels = append(labels, []string{e.Label})
	}
	for i, list := range labels {
		o.d.Edges[i].Label = together(list, o.d.Nodes[o.d.Edges[i].To].Name)
	}
}

// together makes one label of several. Elements of one map are listed together, without
// its name where the line leads to it: "[0-2, 5, ?]".
func together(labels []string, to string) string {
	var out []string
	var elements []int
	name, unknown := "", false
	flush := func() {
		if len(elements) == 0 && !unknown {
			return
		}
		text := runs(elements)
		if unknown {
			text = append(text, "?")
		}
		if name == to {
			name = ""
		}
		out = append(out, name+"["+strings.Join(text, ", ")+"]")
		elements, unknown = nil, false
	}
	for _, l := range labels {
		of, index, ok := strings.Cut(strings.TrimSuffix(l, "]"), "[")
		n, err := strconv.Atoi(index)
		if !ok || err != nil && index != "?" {
			flush()
			out = append(out, l)
			continue
		}
		if of != name {
			flush()
		}
		if name = of; index == "?" {
			unknown = true
		} else {
			elements = append(elements, n)
		}
	}
	flush()
	return strings.Join(out, ", ")
}

// runs returns numbers with those that follow one another written as one: "0-3".
func runs(list []int) []string {
	slices.Sort(list)
	var out []string
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j] <= list[j-1]+1 {
			j++
		}
		switch text := strconv.Itoa(list[i]); {
		case list[j-1] > list[i]+1:
			out = append(out, fmt.Sprintf("%s-%d", text, list[j-1]))
		case list[j-1] > list[i]:
			out = append(out, text, strconv.Itoa(list[j-1]))
		default:
			out = append(out, text)
		}
		i = j
	}
	return out
}
