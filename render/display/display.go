// Package display holds pictures as lists: shapes and texts in the order of
// painting, each with the names of its looks. Writers turn a list into a file.
//
//	p := &display.Picture{W: 40, H: 20, Parts: func(yield func(display.Item) bool) {
//		yield(display.Item{Class: "box", Path: display.Rect(2, 2, 36, 16, 4)})
//	}}
//	svg := display.SVG(p, theme, display.Light)
//	d := display.Paint(p, theme, display.Dark) // for packages raster and pdf
//
// A Theme gives each look in light and dark; SVG files get it as a style sheet, and Paint resolves
// it into colours and widths. Package render decides what a picture shows, and where: nothing here
// depends on programs, and nothing reads a file back.
package display

// Scheme is a choice of colours.
type Scheme string

// The schemes. With the empty Scheme a reader's browser chooses, and Paint is
// light.
const (
	Light Scheme = "light"
	Dark  Scheme = "dark"
)

// Drawing is a Picture whose looks are resolved, ready to be painted.
type Drawing struct {
	W, H  float64 // size in pixels at scale 1
	Title string
	Items []Painted // in the order of painting, later ones on top
}

// Painted is a shape or a text with its style.
type Painted struct {
	Path  Path  // of a shape
	Text  *Text // of a text, else nil
	Style *Style
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
	Runs   []StyledRun
}

// StyledRun is a piece of a text in one style.
type StyledRun struct {
	Text  string
	Style *Style
}

// Colour is a red, green and blue from 0 to 255.
type Colour struct{ R, G, B uint8 }

// Fill is the filling of an area.
type Fill struct {
	On      bool // false: nothing is painted
	Colour  Colour
	Opacity uint8    // 255 is opaque
	Pattern *Pattern // instead of Colour
}

// Pattern is a picture that is repeated in both directions.
type Pattern struct {
	W, H  float64    // of a tile, in units of the pattern
	To    [4]float64 // matrix to pixels: x' = To[0]x + To[2]y, y' = To[1]x + To[3]y
	Items []Painted  // shapes in a tile, clipped to it
}

// Style is how an item is painted.
type Style struct {
	Fill, Stroke Fill
	Width        float64   // of the stroke
	Dash         []float64 // lengths of lines and gaps in turn; none: a whole line
	StrokeFirst  bool      // the fill goes over the stroke
	Hidden       bool
	Size         float64 // of the font in pixels
	Bold, Italic bool
}
