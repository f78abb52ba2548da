package render_test

import (
	"bytes"
	"os/exec"
	"strconv"
	"testing"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/rendertest"
)

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
				cmd := exec.Command(dot, "-Tsvg")
				cmd.Stdin = bytes.NewReader(in)
				out, err := cmd.Output()
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
}
