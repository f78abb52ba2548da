package render_test

import (
	"bytes"
	"context"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/rendertest"
)

// dotLimit is how long dot may take for a graph.
const dotLimit = 20 * time.Second

// BenchmarkAgainstDot draws the same graphs, without machine code, here and
// with Graphviz's dot -Tsvg, the start of whose process counts.
func BenchmarkAgainstDot(b *testing.B) {
	for _, n := range []int{10, 100, 500, 1000} {
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
			in, err := render.DOT(s)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), dotLimit)
				cmd := exec.CommandContext(ctx, dot, "-Tsvg")
				cmd.Stdin = bytes.NewReader(in)
				out, err := cmd.Output()
				slow := ctx.Err() != nil
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
