package raster

import (
	"bytes"
	"image/png"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
)

// FuzzPNG paints drawings of any bytes: each is
// refused by Size, or becomes a file that image/png reads with that size, the same
// twice. Only small ones are painted, for speed.
func FuzzPNG(f *testing.F) {
	for _, data := range rendertest.DrawingSeeds() {
		f.Add(data, uint8(4))
		f.Add(data, uint8(16))
	}
	f.Fuzz(func(t *testing.T, data []byte, eighths uint8) {
		d := rendertest.Drawing(data)
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
