package render

import "github.com/bpfcfg/bpfcfg/render/layered"

// Graph is one function as a layout engine sees it: boxes and lines.
type Graph = layered.Graph

// Placed is what a layout engine answers: places and routes.
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

// Layered is the default Engine, package layered.
type Layered struct {
	Options layered.Options
}

// Name returns "layered".
func (Layered) Name() string { return "layered" }

// Place calls layered.Layout. It does not fail.
func (e Layered) Place(g Graph) (Placed, error) {
	return Placed{Placement: layered.Layout(g, e.Options)}, nil
}
