package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

var lookDir = flag.String("look", "", "write sample pictures into this directory")

// TestLook writes pictures for a person to look at:
//
//	go test ./render -run TestLook -look /tmp/pictures
func TestLook(t *testing.T) {
	if *lookDir == "" {
		t.Skip("no -look directory")
	}
	samples := append(rendertest.Samples(),
		rendertest.Sample{Name: "fan3", Scene: rendertest.Switch(3)},
		rendertest.Sample{Name: "fan300", Scene: rendertest.Switch(300)},
		rendertest.Sample{Name: "random1000", Scene: rendertest.Random(1000, 5)},
		rendertest.Sample{Name: "random10000", Scene: rendertest.Random(10000, 5)})
	for _, s := range samples {
		l, err := render.Place(s.Scene, render.PlaceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*lookDir, s.Name+".svg"), render.SVG(s.Scene, l), 0o644); err != nil {
			t.Fatal(err)
		}
		page, err := render.HTML(s.Scene, l)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*lookDir, s.Name+".html"), page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
