package stage

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render/picture"
	"github.com/bpfcfg/bpfcfg/render/textgraph"
)

// cfgText draws the graph.
func cfgText(w io.Writer, v *View) error {
	if v.Brief {
		return cfgBrief(w, v)
	}
	cfgTitle(w, v)
	if err := textgraph.Write(w, picture.Scene(v.Analysis, ""), v.Graph); err != nil {
		return err
	}
	for _, d := range diagnostics(v.Analysis) {
		fmt.Fprintf(w, "note: %s\n", visible.Text(d))
	}
	return nil
}

// cfgBrief prints a line a block.
func cfgBrief(w io.Writer, v *View) error {
	g := v.Analysis.Graph
	loops := cfg.Loops(g)
	x := explain.New(v.Analysis)
	cfgTitle(w, v)
	printed := printedEdges{all: v.All, lists: newSharedLists()}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, b := range g.Blocks {
		if g.Entry(b.Sub) == cfg.BlockID(i) {
			tw.Flush()
			fmt.Fprintf(w, "%s:\n", FuncName(v.Program, b.Sub))
		}
		fmt.Fprintf(tw, "  b%d\t%d..%d\t%s\t%s\n", i, b.Start, b.End-1, blockMarks(v.Analysis, x, loops, cfg.BlockID(i)),
			printed.succList(v.Analysis, cfg.BlockID(i)))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if printed.left > 0 {
		fmt.Fprintf(w, "%s stand at another block (--all)\n", visible.Count(printed.left, "list"))
	}
	for _, d := range diagnostics(v.Analysis) {
		fmt.Fprintf(w, "note: %s\n", visible.Text(d))
	}
	return nil
}

// cfgTitle prints the title of a graph.
func cfgTitle(w io.Writer, v *View) {
	g, asked := v.Analysis.Graph, ""
	if !v.Analysis.Succ.Facts.Analyzed() {
		asked = ", facts not asked"
	}
	Title(w, v.Program, fmt.Sprintf(", %s, %s%s", visible.Count(len(g.Blocks), "block"),
		visible.Count(g.NumEdges(), "edge"), asked))
}

// blockMarks describes the special properties of a block.
func blockMarks(a *pipeline.Analysis, x *explain.Explainer, loops *cfg.LoopForest, b cfg.BlockID) string {
	s := ""
	if !a.Succ.Facts.Reached(a.Graph.Blocks[b].Start) {
		s = "dead"
		if x.Death(b) == explain.Here {
			s = "dead with these values"
		}
	}
	if d := loops.Depth(b); d > 0 {
		if s != "" {
			s += " "
		}
		s += fmt.Sprintf("loop %d", d)
		if loops.IsHeader(b) {
			s += " head"
		}
	}
	return s
}

// succList writes a block's edges: "→ b1, b4 taken". A fan of many edges of one kind
// names the kind once.
func (t *printedEdges) succList(a *pipeline.Analysis, b cfg.BlockID) string {
	edges := a.Graph.Succs(b)
	if len(edges) == 0 {
		return "→ " + ending(a, b)
	}
	var parts []string
	for fan := range fans(edges) {
		text := t.fan(blocksOf(fan), b)
		if kind := fan[0].Kind; kind != cfg.FallThrough {
			text += " " + kind.String()
		}
		parts = append(parts, text)
	}
	s := "→ " + strings.Join(parts, ", ")
	if dead := deadEdges(a, b); len(dead) > 0 {
		s += "  (never " + t.fan(dead, b) + ")"
	}
	return s
}

// ending says how a block without edges ends.
func ending(a *pipeline.Analysis, b cfg.BlockID) string {
	last := a.Graph.Blocks[b].Last
	switch a.Program.Flow(last).Kind {
	case bytecode.FlowExit:
		return "exit"
	case bytecode.FlowIndirect:
		return "unknown"
	case bytecode.FlowHelper:
		return "does not return"
	default:
		return "nowhere"
	}
}

// deadEdges names the targets of edges that facts prove never taken.
func deadEdges(a *pipeline.Analysis, b cfg.BlockID) []cfg.BlockID {
	if !a.Succ.Facts.Reached(a.Graph.Blocks[b].Start) {
		return nil
	}
	var out []cfg.BlockID
	lo, hi := a.Graph.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if !a.Succ.Facts.EdgeFeasible(i) {
			out = append(out, a.Graph.Edges()[i].To)
		}
	}
	return out
}

// cfgJSON is succJSON without the answers for indirect jumps, with loops.
func cfgJSON(v *View) (any, error) {
	loops := cfg.Loops(v.Analysis.Graph)
	type loopDoc struct {
		Header      int   `json:"header"`
		Depth       int   `json:"depth"`
		Irreducible bool  `json:"irreducible"`
		Blocks      []int `json:"blocks"`
	}
	out := struct {
		Head
		Subprograms []Subprogram      `json:"subprograms"`
		Blocks      jsonstream.Series `json:"blocks"` // of blockDoc
		Loops       []loopDoc         `json:"loops"`
		Diagnostics []string          `json:"diagnostics"`
		Facts       string            `json:"facts,omitempty"`
	}{HeadOf(v.Program), Subprograms(v.Program), series(len(v.Analysis.Graph.Blocks), blockDocs(v.Analysis, v.All)),
		[]loopDoc{}, diagnostics(v.Analysis), ""}
	if !v.Analysis.Succ.Facts.Analyzed() {
		out.Facts = "not asked"
	}
	for i, l := range loops.All {
		d := loopDoc{Header: int(l.Header), Depth: l.Depth, Irreducible: l.Irreducible, Blocks: Ints(loops.Blocks(i))}
		out.Loops = append(out.Loops, d)
	}
	return out, nil
}
