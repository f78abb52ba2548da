package render_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestFigure places figures of all samples: nothing overlaps, and those of up to
// twenty blocks fit the column of a document.
func TestFigure(t *testing.T) {
	for _, smp := range rendertest.Samples() {
		if len(smp.Scene.Blocks) > 200 {
			continue
		}
		l, err := render.Place(smp.Scene, render.PlaceOptions{Detail: render.DetailFigure})
		if err != nil {
			t.Errorf("%s: %v", smp.Name, err)
			continue
		}
		if n := len(smp.Scene.Blocks); n <= 20 && len(smp.Scene.Tables) <= 1 && l.W > 830 {
			t.Errorf("%s: %d blocks are %d pixels wide", smp.Name, n, l.W)
		}
		boxes := slices.Concat(l.Blocks, l.Tables)
		if l.Strip != nil {
			boxes = append(boxes, l.Strip.Rect)
		}
		for i, a := range boxes {
			for _, b := range boxes[:i] {
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("%s: %v and %v overlap", smp.Name, a, b)
				}
			}
		}
		if l.Strip == nil {
			continue
		}
		for i, p := range smp.Scene.Image.Pieces {
			if r := l.Strip.Pieces[i]; p.Len > 0 && r.H < 14 {
				t.Errorf("%s: a piece of %d bytes is %d pixels high", smp.Name, p.Len, r.H)
			}
		}
		if svg := string(render.SVG(smp.Scene, l)); !strings.Contains(svg, "height ≈ bytes") {
			t.Errorf("%s: the strip does not say that it is not to scale", smp.Name)
		}
	}
}

// TestConfigured: a block that other values of the configuration may reach is not called dead
// without these words, in any form of a picture.
func TestConfigured(t *testing.T) {
	const want = "with these values"
	s := rendertest.Funcs()
	forms := func() map[string]string {
		t.Helper()
		out := map[string]string{}
		for name, detail := range map[string]render.Detail{"full": render.DetailFull, "figure": render.DetailFigure} {
			l, err := render.Place(s, render.PlaceOptions{Detail: detail})
			if err != nil {
				t.Fatal(err)
			}
			out[name] = strings.Join(strings.Fields(tags.ReplaceAllString(string(render.SVG(s, l)), " ")), " ")
		}
		for name, write := range map[string]func(*render.Scene) ([]byte, error){"dot": render.DOT, "mermaid": render.Mermaid} {
			text, err := write(s)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = string(text)
		}
		return out
	}
	s.Blocks[1].Reachable = false
	for name, text := range forms() {
		if strings.Contains(text, want) {
			t.Errorf("%s says %q of a block that nothing reaches", name, want)
		}
	}
	s.Blocks[1].Configured = true
	for name, text := range forms() {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not say %q", name, want)
		}
	}
}

// tags are those of a picture.
var tags = regexp.MustCompile(`<[^>]*>`)
