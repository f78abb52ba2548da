package raster

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
)

func svgOf(t testing.TB, s *render.Scene) []byte {
	t.Helper()
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return render.SVG(s, l)
}

func drawn(t testing.TB, s *render.Scene, scheme display.Scheme) *display.Drawing {
	t.Helper()
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return render.Paint(s, l, scheme)
}

// shapes returns a drawing without its texts.
func shapes(d *display.Drawing) *display.Drawing {
	out := *d
	out.Items = slices.DeleteFunc(slices.Clone(d.Items), func(p display.Painted) bool { return p.Text != nil })
	return &out
}

func paint(t testing.TB, d *display.Drawing, scale float64) *image.NRGBA {
	t.Helper()
	var b bytes.Buffer
	st, err := PNG(t.Context(), &b, d, Options{Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds().Dx() != st.W || m.Bounds().Dy() != st.H {
		t.Fatalf("picture of %v, stated %d by %d", m.Bounds(), st.W, st.H)
	}
	return nrgba(m)
}

func nrgba(m image.Image) *image.NRGBA {
	out := image.NewNRGBA(m.Bounds())
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			out.Set(x, y, m.At(x, y))
		}
	}
	return out
}

var textElement = regexp.MustCompile(`(?s)<text .*?</text>`)

// TestAgainstRSVG compares pictures with those that librsvg makes of the same
// files: averages over squares of 8 pixels. Lines and areas must be the same but
// for rounding. Letters are of another font there, so with them the tolerance is
// that of a font's weight.
func TestAgainstRSVG(t *testing.T) {
	if _, err := exec.LookPath("rsvg-convert"); err != nil {
		t.Skip("rsvg-convert is not installed: nothing to compare with")
	}
	for _, s := range rendertest.Samples() {
		if len(s.Scene.Blocks) > 40 {
			continue // the same signs again, for seconds
		}
		svg, all := svgOf(t, s.Scene), drawn(t, s.Scene, display.Light)
		for _, c := range []struct {
			name               string
			svg                []byte
			drawing            *display.Drawing
			meanMax, squareMax float64
		}{
			{"shapes", textElement.ReplaceAll(svg, nil), shapes(all), 0.3, 6},
			{"text", svg, all, 0.8, 45},
		} {
			t.Run(s.Name+" "+c.name, func(t *testing.T) {
				ours, theirs := paint(t, c.drawing, 1), rsvg(t, c.svg)
				if ours.Bounds() != theirs.Bounds() {
					t.Fatalf("size %v, librsvg has %v", ours.Bounds(), theirs.Bounds())
				}
				mean, most, where := compare(ours, theirs)
				t.Logf("mean difference %.3f, most %.1f at %v", mean, most, where)
				if mean > c.meanMax || most > c.squareMax {
					t.Errorf("mean difference %.2f of 255, at most %.1f around %v; tolerated %v and %v",
						mean, most, where, c.meanMax, c.squareMax)
				}
			})
		}
	}
}

func rsvg(t *testing.T, svg []byte) *image.NRGBA {
	t.Helper()
	cmd := exec.Command("rsvg-convert", "--format=png")
	cmd.Stdin = bytes.NewReader(svg)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return nrgba(m)
}

// compare returns the mean and the greatest difference of the colours of squares,
// and where that is.
func compare(a, b *image.NRGBA) (mean, most float64, where image.Point) {
	const side = 8
	n := 0
	for y := 0; y+side <= a.Bounds().Dy(); y += side {
		for x := 0; x+side <= a.Bounds().Dx(); x += side {
			for c := range 3 {
				sum := 0
				for dy := range side {
					for dx := range side {
						i := a.PixOffset(x+dx, y+dy) + c
						sum += int(a.Pix[i]) - int(b.Pix[i])
					}
				}
				d := math.Abs(float64(sum)) / (side * side)
				mean += d
				n++
				if d > most {
					most, where = d, image.Pt(x, y)
				}
			}
		}
	}
	return mean / float64(n), most, where
}

// TestBands paints a picture in bands of several heights: a pixel does not depend
// on where the bands lie.
func TestBands(t *testing.T) {
	d := drawn(t, rendertest.Loops(), display.Light)
	const scale = 1.3
	w, h, err := Size(d, scale)
	if err != nil {
		t.Fatal(err)
	}
	whole := newPainter(d, scale, w)
	whole.paint(0, h)
	for _, rows := range []int{1, 17, 64, 200} {
		p := newPainter(d, scale, w)
		for top := 0; top < h; top += rows {
			n := min(rows, h-top)
			p.paint(top, n)
			if !bytes.Equal(p.pix[:3*w*n], whole.pix[3*w*top:3*w*(top+n)]) {
				t.Fatalf("bands of %d rows: another picture at row %d", rows, top)
			}
		}
	}
}

// TestSame paints twice and compares all bytes.
func TestSame(t *testing.T) {
	s := rendertest.Switch(12)
	var a, b bytes.Buffer
	for _, to := range []*bytes.Buffer{&a, &b} {
		if _, err := PNG(t.Context(), to, drawn(t, s, display.Dark), Options{Scale: 2}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same drawing gave two files")
	}
}

// handmade is a picture of a few shapes.
func handmade(shapes ...display.Item) *display.Drawing {
	theme := &display.Theme{Looks: []display.Look{
		{Class: "f", Fill: display.Ink{"#102030"}},
		{Class: "h", Fill: display.Ink{"#ffffff"}, FillOpacity: .5},
		{Class: "s", Fill: display.None, Stroke: display.Ink{"#000000"}, Width: 2},
		{Class: "d", Dash: []float64{4, 6}},
	}}
	return display.Paint(&display.Picture{W: 40, H: 40, Parts: slices.Values(shapes)}, theme, display.Light)
}

// TestPixels checks single pixels, by hand.
func TestPixels(t *testing.T) {
	var corner, dashes display.Path
	corner.At(20, 10).H(35).V(30)
	dashes.At(5, 25).H(30)
	d := handmade(display.Item{Class: "f", Box: &display.Box{X: 5, Y: 5, W: 10, H: 10}},
		display.Item{Class: "h", Box: &display.Box{X: 5, Y: 5, W: 5, H: 10}},
		display.Item{Class: "s", Path: corner}, display.Item{Class: "s d", Path: dashes},
		display.Item{Class: "s", Box: &display.Box{X: 20, Y: 30, W: 8, H: 6}})
	m := paint(t, d, 1)
	for _, c := range []struct {
		x, y int
		want uint8 // red
		what string
	}{
		{4, 4, 255, "outside"}, {14, 14, 0x10, "inside"}, {15, 14, 255, "right of it"},
		{6, 6, 136, "under half of white"},                              // 16 + (255-16)·128/255
		{20, 9, 0, "upper half of a stroke"}, {20, 10, 0, "lower half"}, // width 2 around y = 10
		{20, 11, 255, "below the stroke"}, {19, 10, 255, "before its start"}, {35, 9, 0, "its mitred corner"},
		{35, 29, 0, "its end"}, {35, 30, 255, "behind its end"},
		{5, 24, 0, "first dash"}, {8, 24, 0, "end of the first dash"}, {9, 24, 255, "gap"}, {15, 24, 0, "second dash"},
		{19, 24, 255, "second gap"},
		{19, 29, 0, "the box's first corner"}, {28, 29, 0, "its second"}, {28, 36, 0, "its third"}, {19, 36, 0, "its last"},
		{18, 29, 255, "left of its first corner"}, {19, 28, 255, "above it"}, {29, 36, 255, "right of its third"},
	} {
		if got := m.NRGBAAt(c.x, c.y).R; got != c.want {
			t.Errorf("pixel %d, %d (%s) is %d, want %d", c.x, c.y, c.what, got, c.want)
		}
	}
}

// TestCoverage compares the coverage of random triangles with counts of 64 by 64
// points in each pixel.
func TestCoverage(t *testing.T) {
	const size, points = 12, 64
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		var tri [3]pt
		for i := range tri {
			tri[i] = pt{rng.Int64N(size*unit*3/2) - size*unit/4, rng.Int64N(size*unit*3/2) - size*unit/4}
		}
		s := newScan(size)
		s.band(0, size)
		s.polygon(tri[:])
		var got [size][size]uint8
		s.sweep(func(row, x, n int, cover uint8) {
			for i := range n {
				got[row][x+i] = cover
			}
		})
		for y := range size {
			for x := range size {
				n := 0
				for k := range points * points {
					px := float64(x) + (float64(k%points)+0.5)/points
					py := float64(y) + (float64(k/points)+0.5)/points
					if inside(tri, px*unit, py*unit) {
						n++
					}
				}
				want := float64(n) / (points * points) * 255
				if math.Abs(want-float64(got[y][x])) > 6 {
					t.Fatalf("triangle %v: pixel %d, %d is %d, want %.0f", tri, x, y, got[y][x], want)
				}
			}
		}
	}
}

func inside(tri [3]pt, x, y float64) bool {
	pos, neg := false, false
	for i, a := range tri {
		b := tri[(i+1)%3]
		side := (float64(b.x-a.x))*(y-float64(a.y)) - (float64(b.y-a.y))*(x-float64(a.x))
		pos, neg = pos || side > 0, neg || side < 0
	}
	return !pos || !neg
}

func TestTooLarge(t *testing.T) {
	d := &display.Drawing{W: 30000, H: 20000}
	var large *TooLargeError
	if _, err := PNG(t.Context(), &bytes.Buffer{}, d, Options{}); !errors.As(err, &large) {
		t.Fatalf("error %v", err)
	}
	if w, h, err := Size(d, large.Fits); err != nil || w*h < MaxPixels*9/10 {
		t.Errorf("scale %v gives %d by %d, %v", large.Fits, w, h, err)
	}
}

// TestFits uses the scale that an error names, as a number and as its text:
// both fit, also at sizes where rounding the sides matters.
func TestFits(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sizes := [][2]float64{{10495, 11254}, {1 << 20, 3}, {1 << 26, 1 << 26}}
	for range 2000 {
		sizes = append(sizes, [2]float64{float64(1 + rng.IntN(1<<18)), float64(1 + rng.IntN(1<<18))})
	}
	for _, s := range sizes {
		d := &display.Drawing{W: s[0], H: s[1]}
		var large *TooLargeError
		if _, _, err := Size(d, 2); !errors.As(err, &large) {
			continue
		}
		text, err := strconv.ParseFloat(ScaleText(large.Fits), 64)
		if err != nil || text > large.Fits || text < 0.98*large.Fits {
			t.Errorf("%v: scale %v is written %s", s, large.Fits, ScaleText(large.Fits))
		}
		for _, scale := range []float64{large.Fits, text} {
			if w, h, err := Size(d, scale); err != nil {
				t.Errorf("%v at scale %v: %d by %d, %v", s, scale, w, h, err)
			}
		}
	}
}

// TestStops cancels the context, and lets writes fail.
func TestStops(t *testing.T) {
	d := drawn(t, rendertest.Three(), display.Light)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PNG(ctx, &bytes.Buffer{}, d, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	if _, err := PNG(t.Context(), full, d, Options{}); err == nil {
		t.Error("a full disk is no error")
	}
}

// TestMissing checks the list of characters that the fonts lack.
func TestMissing(t *testing.T) {
	d := drawn(t, rendertest.Hostile("漢字 é → ש"), display.Light)
	st, err := PNG(t.Context(), &bytes.Buffer{}, d, Options{})
	if err != nil || !strings.Contains(string(st.Missing), "漢") || strings.ContainsAny(string(st.Missing), "é→") {
		t.Errorf("missing %q, %v", string(st.Missing), err)
	}
}

// TestLook writes the samples as PNG files into the directory of the variable
// LOOK, for looking at.
func TestLook(t *testing.T) {
	dir := os.Getenv("LOOK")
	if dir == "" {
		t.Skip("LOOK names no directory")
	}
	for _, s := range rendertest.Samples() {
		for _, scheme := range []display.Scheme{display.Light, display.Dark} {
			f, err := os.Create(filepath.Join(dir, s.Name+"."+string(scheme)+".png"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := PNG(t.Context(), f, drawn(t, s.Scene, scheme), Options{}); err != nil {
				t.Error(err)
			}
			f.Close()
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	d := drawn(b, rendertest.Random(150, 1), display.Light)
	for b.Loop() {
		st, err := PNG(b.Context(), &bytes.Buffer{}, d, Options{Scale: 1})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(st.W * st.H))
	}
}

// TestLastBits changes the last bits of all coordinates, as other processors do
// that multiply and add in one step: the pixels stay the same.
func TestLastBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	noise := func(x float64) float64 { return x * (1 + (r.Float64()-0.5)*4e-15) }
	for _, s := range rendertest.Samples() {
		d := drawn(t, s.Scene, display.Light)
		if len(d.Items) > 400 {
			continue
		}
		for _, scale := range []float64{2, 1.37} {
			want := paint(t, d, scale)
			moved := drawn(t, s.Scene, display.Light)
			for i := range moved.Items {
				it := &moved.Items[i]
				for k := range it.Path.Pts {
					it.Path.Pts[k].X, it.Path.Pts[k].Y = noise(it.Path.Pts[k].X), noise(it.Path.Pts[k].Y)
				}
				if it.Text != nil {
					it.Text.At.X, it.Text.At.Y = noise(it.Text.At.X), noise(it.Text.At.Y)
				}
			}
			if got := paint(t, moved, scale); !bytes.Equal(got.Pix, want.Pix) {
				_, most, where := compare(got, want)
				t.Errorf("%s at scale %g: other pixels, by %g at %v", s.Name, scale, most, where)
			}
		}
	}
}
