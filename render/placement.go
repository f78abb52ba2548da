package render

// Placement is where everything of a picture goes, in pixels: rectangles and
// lines, no text and no colour. Indices are those of the Scene.
type Placement struct {
	W      int    `json:"w"`
	H      int    `json:"h"`
	Engine string `json:"engine"` // "layered" or "dot"
	Detail Detail `json:"detail"`

	Funcs  []Rect `json:"funcs"`            // frame of each function; empty without CFG half
	Blocks []Rect `json:"blocks"`           // box of each block
	Hubs   []Hub  `json:"hubs,omitempty"`   // boxes of tables that several jumps share
	Lines  []Wire `json:"lines"`            // edges
	Loops  []Loop `json:"loops,omitempty"`  // areas of loops
	Given  []int  `json:"given,omitempty"`  // edges that could not be given a line
	Legend Rect   `json:"legend"`           // explanation of the signs
	Notes  Rect   `json:"notes"`            // Scene.Notes
	Strip  *Strip `json:"strip,omitempty"`  // machine code half
	Tables []Rect `json:"tables,omitempty"` // boxes of tables beside the strip

	rows [][]row // of each block, as its box was measured; nil without boxes
}

// Rect is a rectangle with its top left corner at (X, Y).
type Rect struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Pt is a point.
type Pt struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// Hub is the box of a table between the jumps that select from it and their
// targets. It stands for an edge from each of them to each target.
type Hub struct {
	Rect
	Edges []int `json:"edges"`
	Table int   `json:"table"` // -1 when the table is not known
}

// Wire is a line of one edge, or of several that a hub joins.
type Wire struct {
	Edges  []int `json:"edges"`
	Points []Pt  `json:"points"` // corners from source to target
	// First and Last bound the part that no other line draws already.
	First int  `json:"first"`
	Last  int  `json:"last"`
	Curve bool `json:"curve,omitempty"` // Points are a chain of cubic Bézier segments
	Up    bool `json:"up,omitempty"`
	// ToHub is set for a line that ends at a hub: it has no target block.
	ToHub bool `json:"to_hub,omitempty"`
}

// Loop is the area of a loop as rectangles on top of each other.
type Loop struct {
	Header int    `json:"header"` // block
	Depth  int    `json:"depth"`
	Bands  []Rect `json:"bands"`
	// Holes are rectangles in the area that are not of the loop: blocks that
	// leave it and stay below the case of a switch that they come from.
	Holes []Rect `json:"holes,omitempty"`
}

// Strip is the machine code drawn to scale: byte offset o is at Y + o*H/Len,
// between two of the Steps where there are some.
type Strip struct {
	Rect
	Len    int     `json:"len"`
	Steps  []Step  `json:"steps,omitempty"`  // by Offset
	Pieces []Rect  `json:"pieces"`           // of Image.Pieces
	Funcs  []Rect  `json:"funcs"`            // brackets of Image.Funcs
	Arcs   []Arc   `json:"arcs"`             // of Image.Jumps
	Links  []Link  `json:"links"`            // from blocks to pieces
	Aims   [][]Aim `json:"aims"`             // for each table where its rows point to
	Feeds  [][]Aim `json:"feeds"`            // for each table the jumps that select from it
	Before *Strip  `json:"before,omitempty"` // of Scene.Before: only Rect, Len, Pieces and Funcs
	// Columns are the parts of a strip that goes on at the top again, the first in the
	// place of Rect; empty for one that does not. Each is to its own scale.
	Columns []Column `json:"columns,omitempty"`
	Entries []Entry  `json:"entries,omitempty"` // where jumps from other columns come in
}

// Column is a part of a strip.
type Column struct {
	Rect
	Offset int `json:"offset"` // of its first byte
	Len    int `json:"len"`
}

// Entry is the way from the edge of a column to a target in it of jumps that come
// from other columns: along a rail at X+Bulge from Y0, and to (X, Y1).
type Entry struct {
	Arc
	Jump int `json:"jump"` // the first of them
}

// Step is the height of a byte offset.
type Step struct {
	Offset int `json:"offset"`
	Y      int `json:"y"`
}

// Arc is a jump inside the strip: from (X, Y0) over to the rail at X+Bulge, along it, and back to
// (X, Y1). Jumps of one kind to one target share a rail. On it, another jump's line continues at
// Stem; the jump whose Stem is Y1 has the head. All fields are zero for a jump that is drawn
// otherwise.
type Arc struct {
	X     int `json:"x"`
	Y0    int `json:"y0"`
	Y1    int `json:"y1"`
	Bulge int `json:"bulge"`
	Stem  int `json:"stem"`
	// Far says that there was no lane left: the jump shows under the pointer only.
	Far bool `json:"far,omitempty"`
	// Leaves says that the target is in another column: the line ends on its rail, at
	// the edge of the column.
	Leaves bool `json:"leaves,omitempty"`
}

// Link ties a block in the CFG half to a piece of the strip.
type Link struct {
	Block  int  `json:"block"`
	Piece  int  `json:"piece"`
	Before bool `json:"before,omitempty"` // a piece of Strip.Before
	X0     int  `json:"x0"`
	Y0     int  `json:"y0"`
	X1     int  `json:"x1"`
	Y1     int  `json:"y1"`
}

// Aim is a line between a table and the strip: where a row points to, or with
// Row -1 where a jump leads to the table.
type Aim struct {
	Row int `json:"row"`
	Y0  int `json:"y0"`           // at the table
	Y1  int `json:"y1"`           // at the strip
	X1  int `json:"x1,omitempty"` // right side of its column, if the strip has columns
}

// View says which halves of the picture are drawn.
type View string

// The views. The empty View is ViewBoth.
const (
	ViewBoth   View = "both"
	ViewCFG    View = "cfg"
	ViewLayout View = "layout"
)

// PlaceOptions choose what Place does. The zero value is the usual picture.
type PlaceOptions struct {
	View   View
	Detail Detail // DetailFigure is a picture of its own for documents, one column wide
	Engine Engine // nil: the layered engine
	// MaxWidth is the width in pixels at which functions are put below each
	// other, default from the area.
	MaxWidth int
	// Columns lets machine code that is much higher than the graph go on in columns. Pages
	// have no columns.
	Columns bool
	// AllLines draws every edge as a line, even those to blocks with many edges in.
	AllLines bool
	// Progress, if not nil, is called as the work goes on: done of total parts,
	// phase naming the step at hand. Total stays the same and done never goes
	// back; the last call has done equal to total. It must return soon.
	Progress func(phase string, done, total int)
}
