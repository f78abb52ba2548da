package raster

import (
	"bytes"
	"image/png"
	"testing"

	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/rendertest"
)

// FuzzPNG paints drawings of changed SVG files: what display.Read lets through is
// refused by Size, or becomes a file that image/png reads with that size, the same
// twice. Only small ones are painted, for speed.
func FuzzPNG(f *testing.F) {
	f.Add(svgOf(f, rendertest.Three()), uint8(4))
	f.Add([]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 10 10">`+
		`<path d="M-1e9 0c1 1 2e9 2 3 3z" fill="#123456"/><text x="1" y="2">a界</text>`+
		`<rect x="1" y="1" width="3" height="1e30" rx="1" stroke="#abcdef" stroke-width="1e20"/></svg>`), uint8(16))
	f.Fuzz(func(t *testing.T, svg []byte, eighths uint8) {
		d, err := display.Read(svg, display.Dark)
		if err != nil {
			return
		}
		scale := float64(max(eighths, 1)) / 8
		w, h, err := Size(d, scale)
		if err != nil {
			if w != 0 || h != 0 {
				t.Error("an error with a size")
			}
			return
		}
		if w < 1 || h < 1 || w > MaxSide || h > MaxSide || w*h > MaxPixels {
			t.Fatalf("%d by %d pixels", w, h)
		}
		if w*h > 1<<17 {
			return
		}
		var a, b bytes.Buffer
		st, err := PNG(t.Context(), &a, d, Options{Scale: scale})
		if err != nil || st.W != w || st.H != h {
			t.Fatalf("%d by %d, want %d by %d: %v", st.W, st.H, w, h, err)
		}
		if _, err := PNG(t.Context(), &b, d, Options{Scale: scale}); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("a second file differs: %v", err)
		}
		img, err := png.Decode(&a)
		if err != nil || img.Bounds().Dx() != w || img.Bounds().Dy() != h {
			t.Errorf("not read as %d by %d: %v", w, h, err)
		}
	})
}
