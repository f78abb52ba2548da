package render

import (
	"context"

	"github.com/bpfcfg/bpfcfg/render/layered"
)

// Graph is one function as a layout engine sees it: boxes and lines.
type Graph = layered.Graph

// Placed is the result of a layout engine: places and routes.
type Placed struct {
	layered.Placement
	// Curved says that routes are chains of cubic Bézier segments, 1+3n points
	// each, and not corners.
	Curved bool
}

// Engine places one function. It is the seam for other layout programs; see
// package dotengine.
type Engine interface {
	// Name is the name of the engine in layouts.
	Name() string
	// Place places the graph. Edges without a route are shown as references.
	Place(g Graph) (Placed, error)
}

// ContextEngine is an Engine that can be stopped and reports its progress.
type ContextEngine interface {
	Engine
	// PlaceContext places the graph like Place. It returns the context's error
	// when that ends first. Progress, if not nil, is called with how much of the
	// work is done.
	PlaceContext(ctx context.Context, g Graph, progress func(phase string, done, total int)) (Placed, error)
}

// Layered is the default Engine, package layered.
type Layered struct {
	Options layered.Options
}

// Name returns "layered".
func (Layered) Name() string { return "layered" }

// Place calls layered.LayoutContext. It does not fail.
func (e Layered) Place(g Graph) (Placed, error) {
	return e.PlaceContext(context.Background(), g, nil)
}

// PlaceContext calls layered.LayoutContext. It fails when the context ends.
func (e Layered) PlaceContext(
	ctx context.Context, g Graph, progress func(phase string, done, total int),
) (Placed, error) {
	opt := e.Options
	if progress != nil {
		opt.Progress = progress
	}
	p, err := layered.LayoutContext(ctx, g, opt)
	return Placed{Placement: p}, err
}

// enginePlace calls the engine, with context and progress if it can use them.
func enginePlace(ctx context.Context, e Engine, g Graph, progress func(phase string, done, total int)) (Placed, error) {
	if err := ctx.Err(); err != nil {
		return Placed{}, err
	}
	if ce, ok := e.(ContextEngine); ok {
		return ce.PlaceContext(ctx, g, progress)
	}
	return e.Place(g)
}
