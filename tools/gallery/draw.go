package main

import (
	"bytes"
	"context"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/raster"
)

// drawSVG returns the picture of a scene.
func drawSVG(s *render.Scene) ([]byte, error) {
	l, err := render.Place(s, render.PlaceOptions{Columns: true})
	if err != nil {
		return nil, err
	}
	return render.SVG(s, l), nil
}

// pngWidth and pngHeight are the most pixels of a large program's picture.
const pngWidth, pngHeight = 800, 800

// drawPNG returns a picture made small.
func drawPNG(s *render.Scene) ([]byte, error) {
	l, err := render.Place(s, render.PlaceOptions{Columns: true})
	if err != nil {
		return nil, err
	}
	d := render.Paint(s, l, display.Light)
	scale := min(1, pngWidth/float64(d.W), pngHeight/float64(d.H))
	var out bytes.Buffer
	_, err = raster.PNG(context.Background(), &out, d, raster.Options{Scale: scale})
	return out.Bytes(), err
}
