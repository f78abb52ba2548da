package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/dotengine"
	"github.com/bpfcfg/bpfcfg/render/pdf"
	"github.com/bpfcfg/bpfcfg/render/raster"
)

// drawing holds the settings for drawing a scene.
type drawing struct {
	format, view, engine string

	style   string    // figure, or empty
	fold    int       // blocks above which static pictures are folded; 0 for never
	scheme  string    // light or dark; "" is the viewer's scheme, or light
	scale   float64   // of a PNG; 0 chooses
	proc    *process  // nil: it cannot be stopped
	console *console  // receives progress; may be nil
	remarks *[]string // receive notes; may be nil
}

// draw returns the picture's bytes.
func (d drawing) draw(s *render.Scene) ([]byte, error) {
	switch d.format {
	case "dot":
		return render.DOT(s)
	case "mermaid":
		return render.Mermaid(s)
	}
	if d.fold > 0 && isSheet(d.format) {
		s, _ = render.FoldGroups(s)
		s = render.Fold(s, d.fold)
	}
	l, err := d.place(s)
	if err != nil {
		return nil, err
	}
	switch d.format {
	case "json":
		return render.PlacementJSON(l), nil
	case "html":
		return render.HTML(s, l)
	case "png":
		return d.png(s, l)
	case "pdf":
		return d.pdf(s, l)
	default:
		return render.SVGScheme(s, l, display.Scheme(d.scheme)), nil
	}
}

// place lays the scene out with the chosen engine.
func (d drawing) place(s *render.Scene) (*render.Placement, error) {
	opt := render.PlaceOptions{View: render.View(d.view), Columns: isSheet(d.format)}
	if d.style == "figure" {
		opt.Detail = render.DetailFigure
	}
	if d.console != nil {
		name := visible.Text(s.Title)
		opt.Progress = func(phase string, done, total int) {
			d.console.step(fmt.Sprintf("%s: layout, %d%%, %s", name, 100*done/max(total, 1), phase))
		}
	}
	if d.engine == "dot" {
		if d.proc != nil { // Graphviz and its directory must not be left behind
			defer d.proc.hold()()
		}
		e, err := dotengine.New(dotengine.Options{})
		if err != nil {
			return nil, fmt.Errorf("%w: install it with go install ./cmd/bpfcfg-dot, or omit --engine", err)
		}
		defer e.Close()
		opt.Engine = e
	}
	return render.PlaceContext(d.context(), s, opt)
}

func (d drawing) context() context.Context {
	if d.proc == nil {
		return context.Background()
	}
	return d.proc
}

// pngScale is the default scale of a PNG: letters of 12
// pixels are hard to read.
const pngScale = 2

// fittingScale returns the default scale of a PNG, and whether
// it is reduced because the picture is too large.
func fittingScale(dr *display.Drawing) (scale float64, less bool) {
	var large *raster.TooLargeError
	if _, _, err := raster.Size(dr, pngScale); errors.As(err, &large) {
		return large.Fits, true
	}
	return pngScale, false
}

// png paints the picture. Without --scale one that is too large gets smaller.
func (d drawing) png(s *render.Scene, l *render.Placement) ([]byte, error) {
	dr := render.Paint(s, l, display.Scheme(d.scheme))
	opt := raster.Options{Scale: d.scale}
	if opt.Scale == 0 {
		var less bool
		if opt.Scale, less = fittingScale(dr); less {
			d.remark("%s: painted at scale %s to stay below %d pixels; SVG, PDF and HTML stay sharp",
				s.Title, raster.ScaleText(opt.Scale), raster.MaxPixels)
		}
	}
	if d.console != nil {
		opt.Progress = func(done, total int) {
			d.console.step(fmt.Sprintf("%s: painted %d of %d rows", visible.Text(s.Title), done, total))
		}
	}
	var b bytes.Buffer
	st, err := raster.PNG(d.context(), &b, dr, opt)
	if err != nil {
		return nil, fmt.Errorf("%w, or write .svg, .pdf or .html", err)
	}
	d.remarkMissing(s, st.Missing)
	return b.Bytes(), nil
}

// pdf writes the picture as a PDF file.
func (d drawing) pdf(s *render.Scene, l *render.Placement) ([]byte, error) {
	dr := render.Paint(s, l, display.Scheme(d.scheme))
	var b bytes.Buffer
	st, err := pdf.Write(&b, dr)
	if err != nil {
		return nil, err
	}
	d.remarkMissing(s, st.Missing)
	return b.Bytes(), nil
}

// remark records a remark about a picture.
func (d drawing) remark(format string, args ...any) {
	if d.remarks != nil {
		*d.remarks = append(*d.remarks, fmt.Sprintf(format, args...))
	}
}

// remarkMissing names characters that are drawn as their numbers.
func (d drawing) remarkMissing(s *render.Scene, missing []rune) {
	const most = 10
	if len(missing) == 0 {
		return
	}
	more := ""
	if n := len(missing); n > most {
		more = fmt.Sprintf(" and %d more", n-most)
		missing = missing[:most]
	}
	d.remark("%s: no glyph for %s%s; drawn as boxed code points", s.Title,
		string(missing), more)
}
