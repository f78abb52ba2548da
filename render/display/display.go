// Package display reads the drawings that package render writes, as a list of
// shapes and texts to paint: what a PNG and a PDF file are made from.
//
//	d, err := display.Read(render.SVG(scene, layout), display.Light)
//	for _, it := range d.Items { … }
//
// The SVG file stays the one description of a picture. Read knows the elements,
// attributes and CSS that those files use, and no more of SVG: what it does not
// know it names in Drawing.Unknown, and a test demands that nothing of ours is
// ever there. It is no renderer of foreign files.
//
// A drawing is read as it looks untouched: rules for hovering and for the
// target of an address never apply.
package display

import "fmt"

// Scheme is a choice of colours.
type Scheme string

// The schemes. The empty Scheme is Light.
const (
	Light Scheme = "light"
	Dark  Scheme = "dark"
)

// Drawing is what to paint.
type Drawing struct {
	W, H  float64 // size in pixels at scale 1
	Title string
	Items []Item // in the order of painting, later ones on top

	// Unknown names elements, attributes and CSS that Read passed over, each
	// once.
	Unknown []string
}

// Item is a shape or a text.
type Item struct {
	Path  Path  // of a shape
	Text  *Text // of a text, else nil
	Style *Style
}

// Pt is a point in pixels, y downwards.
type Pt struct{ X, Y float64 }

// Op is a step of a Path.
type Op uint8

// The steps of a path, and how many points each takes.
const (
	Move  Op = iota // 1: start a subpath
	Line            // 1
	Quad            // 2: control, end
	Cube            // 3: two controls, end
	Close           // 0
)

// Points is the number of points that the step takes.
func (o Op) Points() int { return [...]int{1, 1, 2, 3, 0}[o] }

// Path is a series of steps with their points.
type Path struct {
	Ops []Op
	Pts []Pt
}

func (p *Path) add(op Op, pts ...Pt) {
	p.Ops = append(p.Ops, op)
	p.Pts = append(p.Pts, pts...)
}

// Bounds returns the corners of the smallest rectangle that holds all points.
func (p *Path) Bounds() (lo, hi Pt) {
	if len(p.Pts) == 0 {
		return
	}
	lo, hi = p.Pts[0], p.Pts[0]
	for _, q := range p.Pts[1:] {
		lo = Pt{min(lo.X, q.X), min(lo.Y, q.Y)}
		hi = Pt{max(hi.X, q.X), max(hi.Y, q.Y)}
	}
	return lo, hi
}

// Anchor says which point of a text its position is.
type Anchor uint8

// The anchors.
const (
	Start Anchor = iota
	Middle
	End
)

// Text is one line of text in a font whose characters all have one width, or
// two.
type Text struct {
	At     Pt // on the base line
	Anchor Anchor
	Runs   []Run
}

// Run is a piece of a text in one style.
type Run struct {
	Text  string
	Style *Style
}

// Colour is a red, green and blue from 0 to 255.
type Colour struct{ R, G, B uint8 }

// Paint is what an area is filled with.
type Paint struct {
	On      bool // false: nothing is painted
	Colour  Colour
	Opacity uint8    // 255 is opaque
	Pattern *Pattern // instead of Colour
}

// Pattern is a picture that is repeated in both directions.
type Pattern struct {
	W, H  float64    // of a tile, in units of the pattern
	To    [4]float64 // matrix to pixels: x' = To[0]x + To[2]y, y' = To[1]x + To[3]y
	Items []Item     // shapes in a tile, clipped to it
}

// Style is how an item is painted.
type Style struct {
	Fill, Stroke Paint
	Width        float64   // of the stroke
	Dash         []float64 // lengths of lines and gaps in turn; none: a whole line
	StrokeFirst  bool      // the fill goes over the stroke
	Hidden       bool

	Size         float64 // of the font in pixels
	Bold, Italic bool

	anchor Anchor
}

// unknown remembers what Read passed over.
type unknown struct {
	seen map[string]bool
	list []string
}

func (u *unknown) note(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	const most = 100
	if u.seen[s] || len(u.list) >= most {
		return
	}
	if u.seen == nil {
		u.seen = map[string]bool{}
	}
	u.seen[s] = true
	u.list = append(u.list, s)
}
