package render_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestDOT has Graphviz draw the samples and looks for every block, edge and
// line of text in the answer.
func TestDOT(t *testing.T) {
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("Graphviz is not installed: DOT is not checked against it")
	}
	hostile := `\N \l \G "quoted" <b>&amp; &lt; back\` + "\x00\u202e"
	samples := append(rendertest.Samples(), rendertest.Sample{Name: "hostile", Scene: rendertest.Hostile(hostile)})
	for _, s := range samples {
		t.Run(s.Name, func(t *testing.T) {
			src, err := render.DOT(s.Scene)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(dot, "-Tsvg")
			cmd.Stdin = bytes.NewReader(src)
			var msg bytes.Buffer
			cmd.Stderr = &msg
			out, err := cmd.Output()
			if err != nil || msg.Len() > 0 {
				t.Fatalf("dot: %v: %s", err, msg.String())
			}
			texts, nodes, edges := readGraphviz(t, out)
			outside := 0
			for _, e := range s.Scene.Edges {
				if e.To == render.Outside {
					outside++
				}
			}
			if nodes != len(s.Scene.Blocks)+outside || edges != len(s.Scene.Edges) {
				t.Errorf("%d nodes, %d edges", nodes, edges)
			}
			for _, b := range s.Scene.Blocks {
				for _, l := range b.Lines {
					if want := fmt.Sprintf("%d: %s", l.Slot, visible.Text(l.Text)); !texts[want] {
						t.Errorf("line %q is missing", want)
					}
				}
			}
		})
	}
}

// readGraphviz collects text elements and counts node and edge groups.
func readGraphviz(t *testing.T, svg []byte) (texts map[string]bool, nodes, edges int) {
	t.Helper()
	texts = map[string]bool{}
	d := xml.NewDecoder(bytes.NewReader(svg))
	in := false
	var text strings.Builder
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, nodes, edges
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			for _, a := range tok.Attr {
				if a.Name.Local == "class" && a.Value == "node" {
					nodes++
				} else if a.Name.Local == "class" && a.Value == "edge" {
					edges++
				}
			}
			in = tok.Name.Local == "text"
			text.Reset()
		case xml.CharData:
			if in {
				text.Write(tok)
			}
		case xml.EndElement:
			if in {
				texts[strings.ReplaceAll(text.String(), "\u00a0", " ")] = true
			}
			in = false
		}
	}
}

func TestMermaid(t *testing.T) {
	out, err := render.Mermaid(rendertest.Three())
	if err != nil {
		t.Fatal(err)
	}
	want := `flowchart TD
  subgraph f0["classify"]
    b0["b0<br/>0: r0 = 1<br/>1: r1 = #42;#40;u32 #42;#41;#40;r1 +0#41;<br/>2: if r1 == 0 goto +1"]
    b1["b1<br/>3: r0 = 2"]
    b2["b2<br/>4: exit"]
  end
  b0 --> b1
  b0 -.->|"r1 == 0"| b2
  b1 --> b2
`
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	out, err = render.Mermaid(rendertest.Hostile("\"];x-->y\n%%{init}`<script>\x00#"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.ReplaceAll(string(out), "<br/>", ""), "\n") {
		if strings.ContainsAny(line, "`%\x00;") && !strings.Contains(line, "#") || strings.Contains(line, "<script") {
			t.Errorf("line %d: %q", i, line)
		}
	}
}
