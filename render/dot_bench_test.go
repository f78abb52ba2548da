package render_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// dotLimit is how long dot may take for a graph.
const dotLimit = time.Minute

// BenchmarkAgainstDot draws the same graphs, without machine code, with this package and with
// Graphviz's dot -Tsvg. The time of dot includes the start of its process; its input is a file
// like bpftool's. If dot takes too long for one graph, larger ones are skipped.
func BenchmarkAgainstDot(b *testing.B) {
	slow := false
	for _, n := range []int{10, 100, 500, 1000, 5000} {
		s := rendertest.Random(n, 1)
		b.Run("here/"+strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				l, err := render.Place(s, render.PlaceOptions{View: render.ViewCFG})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(render.SVG(s, l))))
			}
		})
		b.Run("dot/"+strconv.Itoa(n), func(b *testing.B) {
			dot, err := exec.LookPath("dot")
			if err != nil {
				b.Skip("no dot on PATH")
			}
			if slow {
				b.Skip("dot takes too long for a smaller graph")
			}
			in := plainDOT(s)
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), dotLimit)
				cmd := exec.CommandContext(ctx, dot, "-Tsvg")
				cmd.Stdin = bytes.NewReader(in)
				out, err := cmd.Output()
				slow = ctx.Err() != nil
				cancel()
				if slow {
					b.Skipf("dot takes more than %v", dotLimit)
				}
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
}

// plainDOT writes a scene the way bpftool prog dump xlated visual does: a cluster
// for each function, a record for each block, bold edges from the foot of one to
// the head of the other.
func plainDOT(s *render.Scene) []byte {
	var b bytes.Buffer
	escape := strings.NewReplacer("<", "\\<", ">", "\\>", "{", "\\{", "}", "\\}", "|", "\\|", `"`, `\"`)
	fmt.Fprintln(&b, `digraph "program" {`)
	for f := range s.Funcs {
		fmt.Fprintf(&b, "subgraph \"cluster_%d\" {\nstyle=\"dashed\";\nlabel=\"func_%d ()\";\n", f, f)
		for i, blk := range s.Blocks {
			if blk.Func != f {
				continue
			}
			fmt.Fprintf(&b, "b%d [shape=record,style=filled,label=\"{", i)
			for _, l := range blk.Lines {
				fmt.Fprintf(&b, "%d: %s\\l", l.Slot, escape.Replace(l.Text))
			}
			fmt.Fprintln(&b, `}"];`)
		}
		for _, e := range s.Edges {
			if e.To != render.Outside && s.Blocks[e.From].Func == f && s.Blocks[e.To].Func == f {
				fmt.Fprintf(&b, "b%d:s -> b%d:n [style=\"solid,bold\",color=black,weight=10,constraint=true];\n", e.From, e.To)
			}
		}
		fmt.Fprintln(&b, "}")
	}
	fmt.Fprintln(&b, "}")
	return b.Bytes()
}
