// Package raster paints drawings as PNG files, with no program or font of the
// machine.
//
//	d := render.Paint(scene, layout, display.Light)
//	err = raster.PNG(ctx, w, d, raster.Options{Scale: 2})
//
// The picture is painted in bands of rows, as the standard library's encoder reads
// them: memory does not grow with the picture's height. All sums over pixels are in
// integers, so that the pixels are the same on every machine.
//
// Why not a library: those for Go that draw SVG know only part of what package render writes, or
// bring dozens of modules along; one C library in wasm takes as long to start as painting a
// picture.
package raster

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// Limits on the size of a picture. Viewers allocate four bytes a pixel, and some
// take no sides beyond 2^16.
const (
	MaxPixels = 1 << 27
	MaxSide   = 1<<16 - 1
)

// TooLargeError says that a picture has more pixels than MaxPixels, or a longer
// side than MaxSide.
type TooLargeError struct {
	W, H int     // pixels asked for
	Fits float64 // a scale that fits
}

// Error says what was too large, and what fits.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the picture would have %d by %d pixels, more than %d pixels or a side of %d; use scale %s or less",
		e.W, e.H, MaxPixels, MaxSide, ScaleText(e.Fits))
}

// ScaleText writes a scale so that reading it back gives no larger one.
func ScaleText(scale float64) string {
	s := strconv.FormatFloat(scale, 'f', 12, 64)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// Options choose how a picture is painted.
type Options struct {
	Scale float64 // pixels for each pixel of the drawing; 0 is 1
	// Progress, if not nil, is called as the work goes on.
	Progress func(done, total int)
}

// Stats holds remarkable properties of a picture.
type Stats struct {
	W, H    int    // pixels
	Missing []rune // characters drawn as frames with their numbers, each once
}

// Size returns the size of a drawing in pixels at a scale, rounded down, and an error of type
// TooLargeError when that is too much.
func Size(d *display.Drawing, scale float64) (w, h int, err error) {
	fw, fh := math.Floor(d.W*scale), math.Floor(d.H*scale)
	if fw > MaxSide || fh > MaxSide || fw*fh > MaxPixels {
		fits := min(MaxSide/d.W, MaxSide/d.H, math.Sqrt(MaxPixels/d.W/d.H))
		for unit := 0.001; unit > 1e-12; unit /= 10 { // short, and rounded down
			if f := math.Floor(fits/unit) * unit; f > 0.99*fits {
				fits = f
				break
			}
		}
		return 0, 0, &TooLargeError{int(min(fw, 1e9)), int(min(fh, 1e9)), fits}
	}
	return max(int(fw), 1), max(int(fh), 1), nil
}

// bandPixels is how many pixels are in memory at a time.
const bandPixels = 8 << 20

// PNG writes a drawing as a PNG file: eight bits for each of red, green and blue,
// no alpha. It fails when the picture is too large, the context ends or w does.
func PNG(ctx context.Context, w io.Writer, d *display.Drawing, opt Options) (Stats, error) {
	if opt.Scale == 0 {
		opt.Scale = 1
	}
	var st Stats
	var err error
	if st.W, st.H, err = Size(d, opt.Scale); err != nil {
		return st, err
	}
	p := newPainter(d, opt.Scale, st.W)
	m := &rows{p: p, w: st.W, h: st.H, band: min(max(bandPixels/st.W, 64), st.H), progress: opt.Progress}
	if err := png.Encode(&densityWriter{ctx: ctx, w: w, scale: opt.Scale}, m); err != nil {
		return st, err
	}
	st.Missing = p.missing()
	return st, nil
}
