package dotengine

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

var lookDir = flag.String("look", "", "write sample pictures into this directory")

// TestLook writes Graphviz's pictures of the samples for a person to look at.
func TestLook(t *testing.T) {
	if *lookDir == "" {
		t.Skip("no -look directory")
	}
	e := engine(t, Options{Path: build(t)})
	for _, s := range rendertest.Samples() {
		l, err := render.Place(s.Scene, render.PlaceOptions{Engine: e})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*lookDir, s.Name+".dot.svg"), render.SVG(s.Scene, l), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
