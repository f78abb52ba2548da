package render

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// DOT writes the control flow graph for Graphviz: a cluster for each function,
// blocks with their text, the same dashes as in the drawings. There is no
// machine code. Node b7 is block 7.
func DOT(s *Scene) ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("digraph bpfcfg {\n")
	fmt.Fprintf(&b, "graph [label=%s labelloc=t labeljust=l fontname=Courier]\n", dotString(s.Title))
	b.WriteString("node [shape=box fontname=Courier fontsize=10]\nedge [fontname=Courier fontsize=9]\n")
	blocks := make([][]int, len(s.Funcs))
	for i := range s.Blocks {
		blocks[s.Blocks[i].Func] = append(blocks[s.Blocks[i].Func], i)
	}
	for f := range s.Funcs {
		fmt.Fprintf(&b, "subgraph cluster_%d {\nlabel=%s\n", f, dotString(s.Funcs[f].Name))
		for _, i := range blocks[f] {
			dotBlock(&b, i, &s.Blocks[i])
		}
		b.WriteString("}\n")
	}
	for i := range s.Edges {
		dotEdge(&b, i, &s.Edges[i])
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

func dotBlock(b *bytes.Buffer, i int, blk *Block) {
	lines := []string{strings.TrimSpace(blk.Name + "  " + markText(blk.Mark))}
	for _, l := range blk.Lines {
		lines = append(lines, fmt.Sprintf("%d: %s", l.Slot, l.Text))
	}
	style := ""
	switch {
	case !blk.Reachable:
		lines = append(lines, "unreachable"+blk.given())
		style = " style=dashed fontcolor=gray40"
	case blk.LoopHeader:
		style = " style=bold"
	}
	if blk.Status != "" && blk.Status != "exact" {
		lines = append(lines, blk.Status)
	}
	fmt.Fprintf(b, "b%d [label=%s%s]\n", i, dotString(lines...), style)
}

// dotStyles are the attributes of each style of line.
var dotStyles = [...]string{
	styleFall:     "arrowhead=vee",
	styleTaken:    "style=dashed color=blue",
	styleGoto:     "style=dashed color=purple",
	styleIndirect: "style=bold color=orangered3",
	styleOther:    "style=dotted color=darkcyan constraint=false",
	styleUnwind:   "style=dashed color=red arrowhead=diamond",
	styleDead:     "style=dotted color=gray arrowhead=empty",
}

func dotEdge(b *bytes.Buffer, i int, e *Edge) {
	style := kindStyle(e.Kind)
	if e.Dead {
		style = styleDead
	}
	to := fmt.Sprintf("b%d", e.To)
	if e.To == Outside {
		to = fmt.Sprintf("x%d", i)
		fmt.Fprintf(b, "%s [shape=plaintext label=%s]\n", to, dotString(outsideName(e)))
	}
	label := ""
	if text := edgeText(e); text != "" && e.To != Outside {
		label = " label=" + dotString(text)
	}
	fmt.Fprintf(b, "b%d -> %s [%s%s]\n", e.From, to, dotStyles[style], label)
}

// edgeText is the label of an edge with the sign of its mark.
func edgeText(e *Edge) string {
	if e.Mark == "" {
		return e.Label
	}
	return strings.TrimSpace(markSign(e.Mark) + " " + e.Label)
}

func outsideName(e *Edge) string {
	if e.Label == "" {
		return string(e.Kind) + ": unknown"
	}
	return string(e.Kind) + ": " + e.Label
}

// dotString returns a quoted string of Graphviz's language. One line is
// centred, several are flush left. Graphviz reads backslashes as escapes and
// ampersands as the start of entities, also inside quotes (graphviz.org,
// "The DOT Language").
func dotString(lines ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, l := range lines {
		b.WriteString(dotEscaper.Replace(visible.Text(l)))
		if len(lines) > 1 {
			b.WriteString(`\l`)
		}
	}
	b.WriteByte('"')
	return b.String()
}

var dotEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;")
