package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/pdf"
	"github.com/bpfcfg/bpfcfg/render/picture"
	"github.com/bpfcfg/bpfcfg/render/raster"
	"github.com/bpfcfg/bpfcfg/succ/callgraph"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// graphCmd shows the call graph of an object.
type graphCmd struct {
	Input   string `arg:"" help:"An object, raw:FILE, record:FILE#NAME, or - for standard input."`
	Output  string `short:"o" help:"File to write, - for standard output (the default)." placeholder:"FILE"`
	Format  string `enum:"text,json,dot,svg,png,pdf," default:"" help:"text, json, dot, svg, png or pdf (default: by the file's name, else text)."`
	Scheme  string `enum:"light,dark," default:"" help:"Colours of svg, png and pdf: light or dark (default: an svg follows its viewer, others are light)."`
	Profile string `aliases:"kernel" help:"Kernel to analyse the programs for (default: linux-7.3)." placeholder:"PROFILE"`
}

// Help returns the examples of --help.
func (graphCmd) Help() string {
	return `The edges are calls, callbacks, indirect calls, exceptions, tail calls through program arrays,
functions replaced by freplace, and members of struct_ops.

Examples:
  bpfcfg graph prog.o                  a list of functions, each with its callers, callees and maps
  bpfcfg graph prog.o -o prog.svg      a picture
  bpfcfg graph prog.o -o prog.dot      for Graphviz
  bpfcfg graph prog.o --format json    for tools`
}

// Run implements the verb.
func (c *graphCmd) Run(std streams, proc *process) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	s, err := openOne(c.Input, nil, std)
	if err != nil {
		return err
	}
	prof, err := (&analysisFlags{Profile: c.Profile}).profile(std, s)
	if err != nil {
		return err
	}
	g := c.graph(s, prof)
	out, err := c.encode(g, format, proc)
	if err != nil {
		return err
	}
	if c.Output == "" || c.Output == "-" {
		if _, err = std.out.Write(out); err != nil {
			return err
		}
		return failures(std.err, s.Name, s.Failed)
	}
	if overwrites(c.Output, c.Input) {
		return usagef("%s is the input: name another file with -o", c.Output)
	}
	if err := proc.write(c.Output, out); err != nil {
		return err
	}
	w := written{std: std}
	defer w.hint()
	if err := w.add(c.Output, format, len(out)); err != nil {
		return err
	}
	return failures(std.err, s.Name, s.Failed)
}

// format returns the format asked for, or the one that the output's name ends in.
func (c *graphCmd) format() (string, error) {
	format := c.Format
	if format == "" {
		switch ext := strings.ToLower(filepath.Ext(c.Output)); ext {
		case "", ".txt":
			format = "text"
		case ".json", ".dot", ".svg", ".png", ".pdf":
			format = ext[1:]
		case ".gv":
			format = "dot"
		default:
			return "", usagef("unknown file ending %s: name the format with --format", ext)
		}
	}
	if c.Scheme != "" && !isSheet(format) {
		return "", usagef("--scheme is for svg, png and pdf")
	}
	return format, nil
}

// graph analyses the programs and makes the graph. It takes all programs of an object even if one
// was named.
func (c *graphCmd) graph(s input.Source, prof jit.Profile) *callgraph.Graph {
	set := rules.Of(prof.Kernel())
	in := callgraph.Input{}
	add := func(list []*bytecode.Program, uncalled bool) {
		for _, p := range list {
			q, _ := p.Unconfigured() // an edge counts as never taken only if it is so in every configuration
			r, err := set.Resolve(q)
			if err != nil {
				r = nil // the graph reports it
			}
			in.Parts = append(in.Parts, callgraph.Part{Program: p, Result: r, Uncalled: uncalled})
		}
	}
	if o := s.Whole; o != nil {
		add(o.Programs, false)
		add(o.Uncalled, true)
		in.Functions, in.StructOps = o.Functions, o.StructOps
	} else {
		add(s.Programs, false)
	}
	return callgraph.Of(s.Title, in)
}

// encode returns the graph in a format.
func (c *graphCmd) encode(g *callgraph.Graph, format string, proc *process) ([]byte, error) {
	var b bytes.Buffer
	switch format {
	case "text":
		graphText(&b, g)
		return b.Bytes(), nil
	case "json":
		err := writeJSON(&b, graphDocOf(g))
		return b.Bytes(), err
	case "dot":
		return g.DOT()
	case "svg":
		return render.DiagramSVG(proc, picture.Object(g), display.Scheme(c.Scheme))
	}
	d, err := render.DiagramPaint(proc, picture.Object(g), display.Scheme(c.Scheme))
	if err != nil {
		return nil, err
	}
	if format == "pdf" {
		_, err = pdf.Write(&b, d)
		return b.Bytes(), err
	}
	scale, _ := fittingScale(d)
	_, err = raster.PNG(proc, &b, d, raster.Options{Scale: scale})
	return b.Bytes(), err
}

// graphText prints the nodes, each with its edges.
func graphText(w io.Writer, g *callgraph.Graph) {
	fmt.Fprintf(w, "%s: %s\n", visible.Text(g.Name), g.Summary())
	next := 0
	for i := range g.Nodes {
		n := &g.Nodes[i]
		fmt.Fprintf(w, "%s %s", n.Kind, visible.Text(n.Name))
		if facts := n.Facts(); len(facts) > 0 {
			fmt.Fprintf(w, ": %s", visible.Text(strings.Join(facts, ", ")))
		}
		fmt.Fprintln(w)
		for ; next < len(g.Edges) && g.Edges[next].From == i; next++ {
			e := &g.Edges[next]
			fmt.Fprintf(w, "  %s %s", e.Kind, visible.Text(g.Nodes[e.To].Name))
			if e.Label != "" {
				fmt.Fprintf(w, " (%s)", visible.Text(e.Label))
			}
			if len(e.At) > 0 {
				fmt.Fprintf(w, " at %s", slotList(e.At))
			}
			if e.Dead {
				fmt.Fprint(w, ", never taken")
			}
			fmt.Fprintln(w)
		}
	}
	for _, name := range g.Unknown {
		fmt.Fprintf(w, "note: program %s could not be analysed: only its direct calls are listed\n", visible.Text(name))
	}
}

// slotList joins slots, at most a dozen of them.
func slotList(pcs []bytecode.PC) string {
	const most = 12
	var parts []string
	for _, pc := range pcs[:min(len(pcs), most)] {
		parts = append(parts, fmt.Sprint(int(pc)))
	}
	text := strings.Join(parts, ", ")
	if n := len(pcs); n > most {
		text += fmt.Sprintf(" and %d more", n-most)
	}
	return text
}

// graphDoc is the JSON of a call graph.
type graphDoc struct {
	Schema  string         `json:"schema"`
	Input   string         `json:"input"`
	Nodes   []graphNodeDoc `json:"nodes"`
	Edges   []graphEdgeDoc `json:"edges"`
	Unknown []string       `json:"unknown"`
}

type graphNodeDoc struct {
	ID          int    `json:"id"`
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Section     string `json:"section,omitempty"`
	Insns       int    `json:"insns,omitempty"`
	Type        string `json:"type,omitempty"`
	Global      bool   `json:"global,omitempty"`
	NeverCalled bool   `json:"never_called,omitempty"`
	Recursive   bool   `json:"recursive,omitempty"`
	Throws      bool   `json:"throws,omitempty"`
	LandingPads int    `json:"landing_pads,omitempty"`
	Note        string `json:"note,omitempty"`
}

type graphEdgeDoc struct {
	From  int    `json:"from"`
	To    int    `json:"to"`
	Kind  string `json:"kind"`
	Label string `json:"label,omitempty"`
	At    []int  `json:"at"`
	Dead  bool   `json:"never_taken,omitempty"`
}

// graphDocOf returns the JSON of a call graph.
func graphDocOf(g *callgraph.Graph) graphDoc {
	d := graphDoc{Schema: schema, Input: g.Name, Nodes: []graphNodeDoc{}, Edges: []graphEdgeDoc{},
		Unknown: append([]string{}, g.Unknown...)}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		doc := graphNodeDoc{ID: i, Kind: string(n.Kind), Name: n.Name, Section: n.Section, Insns: n.Insns, Global: n.Global,
			Recursive: n.Recursive, Throws: n.Throws, LandingPads: n.Pads}
		if doc.NeverCalled = n.Note == callgraph.NeverCalled; !doc.NeverCalled {
			doc.Note = n.Note
		}
		if n.Kind == callgraph.Map {
			doc.Type = bytecode.MapTypeName(n.Type)
		}
		d.Nodes = append(d.Nodes, doc)
	}
	for _, e := range g.Edges {
		d.Edges = append(d.Edges, graphEdgeDoc{e.From, e.To, string(e.Kind), e.Label, stage.Ints(e.At), e.Dead})
	}
	return d
}
