package render

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// mermaidText is the number of instructions up to which blocks have their
// text: Mermaid refuses diagrams of more than 50,000 characters.
const mermaidText = 500

// Mermaid writes the control flow graph as a Mermaid flowchart, for the
// Markdown of code forges. Blocks of large programs have only their name.
// There is no layout half. Mermaid by default refuses more than 500 edges.
func Mermaid(s *Scene) ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	insns := 0
	blocks := make([][]int, len(s.Funcs))
	for i := range s.Blocks {
		insns += len(s.Blocks[i].Lines)
		blocks[s.Blocks[i].Func] = append(blocks[s.Blocks[i].Func], i)
	}
	var b bytes.Buffer
	b.WriteString("flowchart TD\n")
	for f := range s.Funcs {
		fmt.Fprintf(&b, "  subgraph f%d[\"%s\"]\n", f, mermaidString(s.Funcs[f].Name))
		for _, i := range blocks[f] {
			blk := &s.Blocks[i]
			fmt.Fprintf(&b, "    b%d[\"%s", i, mermaidString(strings.TrimSpace(blk.Name+"  "+markText(blk.Mark))))
			if insns <= mermaidText {
				for _, l := range blk.Lines {
					fmt.Fprintf(&b, "<br/>%d: %s", l.Slot, mermaidString(l.Text))
				}
			}
			if !blk.Reachable {
				b.WriteString("<br/>unreachable" + blk.given())
			}
			b.WriteString("\"]\n")
		}
		b.WriteString("  end\n")
	}
	for i := range s.Edges {
		mermaidEdge(&b, i, &s.Edges[i])
	}
	return b.Bytes(), nil
}

func mermaidEdge(b *bytes.Buffer, i int, e *Edge) {
	arrow := "-->"
	switch {
	case e.Dead:
		arrow = "-.-x"
	case e.Kind == Indirect:
		arrow = "==>"
	case e.Kind != FallThrough && e.Kind != Return:
		arrow = "-.->"
	}
	label := edgeText(e)
	if e.Kind == Unwind {
		label = strings.TrimSpace(label + " unwinds")
	}
	if e.Dead {
		label = strings.TrimSpace(label + " never taken")
	}
	to := fmt.Sprintf("b%d", e.To)
	if e.To == Outside {
		to = fmt.Sprintf("x%d([\"%s\"])", i, mermaidString(outsideName(e)))
		label = ""
	}
	if label != "" {
		arrow += "|\"" + mermaidString(label) + "\"|"
	}
	fmt.Fprintf(b, "  b%d %s %s\n", e.From, arrow, to)
}

// mermaidString writes everything but letters, digits and harmless signs as
// character codes, Mermaid's only escape.
func mermaidString(s string) string {
	var b strings.Builder
	for _, r := range visible.Text(s) {
		if r < 0x80 && !strings.ContainsRune(mermaidPlain, r) {
			fmt.Fprintf(&b, "#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return " "
	}
	return b.String()
}

const mermaidPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _+-.,:=!/"
