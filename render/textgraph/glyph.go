package textgraph

import "github.com/bpfcfg/bpfcfg/render"

// style is how a line looks.
type style uint8

// The styles.
const (
	none style = iota
	taken
	jump // goto, and all kinds without a sign of their own
	fan
	dead
	takenBack // back edges: heavy
	jumpBack
	unwinds // with an exception, to a landing pad
	styles
)

// styleOf returns the style of an edge.
func styleOf(e *render.Edge) style {
	s := jump
	switch {
	case e.Dead:
		return dead
	case e.Kind == render.Indirect:
		return fan
	case e.Kind == render.Unwind:
		return unwinds
	case e.Kind == render.Taken:
		s = taken
	}
	if e.Back {
		s += takenBack - taken
	}
	return s
}

// weight is how bold the strokes of a style are, in corners and crossings.
type weight uint8

const (
	light weight = iota
	heavy
	double
)

func (s style) weight() weight {
	switch s {
	case fan:
		return double
	case takenBack, jumpBack:
		return heavy
	}
	return light
}

// arms are the directions in which a cell has strokes.
type arms uint8

const (
	up arms = 1 << iota
	down
	left
	right
)

// set is a set of characters.
type set struct {
	vertical, horizontal [styles]rune
	// corner returns the character with arms in two or more directions, by the weights of
	// its vertical and horizontal strokes.
	corner func(a arms, v, h weight, crossing bool) rune

	head            rune // of a line that comes in
	falls, dies     rune // between blocks: falls through, never does
	top, side, foot rune // border of a block
	leaves, last    rune // border where a line leaves; in the last row
	deadTop, dead   rune // border of a block that is not reached
	dots            string
	to, from        string // arrows in text
}

var unicodeSet = &set{
	vertical:   [styles]rune{' ', '┆', '│', '║', '┊', '┇', '┃', '╎'},
	horizontal: [styles]rune{' ', '╌', '─', '═', '┈', '╍', '━', '~'},
	corner:     boxCorner,
	head:       '►', falls: '▼', dies: '×',
	top: '┌', side: '│', foot: '└', leaves: '┤', last: '┘', deadTop: '┌', dead: '┊',
	dots: "…", to: "→", from: "←",
}

var asciiSet = &set{
	vertical:   [styles]rune{' ', ':', '|', '#', '.', '^', '^', '!'},
	horizontal: [styles]rune{' ', '-', '-', '=', '.', '-', '-', '~'},
	corner:     asciiCorner,
	head:       '>', falls: 'v', dies: 'x',
	top: '[', side: '|', foot: '|', leaves: '|', last: '|', deadTop: '[', dead: '.',
	dots: "...", to: "->", from: "<-",
}

// boxes holds the characters of the block Box Drawing (Unicode 1.1) by arms, for
// the weights light and light, heavy down and light across, light and heavy,
// heavy and heavy, double and light, light and double, double and double.
var boxes = [16][]rune{
	down | right:             []rune("╭┎┍┏╓╒╔"),
	up | right:               []rune("╰┖┕┗╙╘╚"),
	up | down | right:        []rune("├┠┝┣╟╞╠"),
	left | right | down:      []rune("┬┰┯┳╥╤╦"),
	left | right | up:        []rune("┴┸┷┻╨╧╩"),
	up | down | left | right: []rune("┼╂┿╋╫╪╬"),
}

// boxOf is the place in boxes by the weights of vertical and horizontal strokes.
var boxOf = [3][3]int{light: {0, 2, 5}, heavy: {1, 3, 1}, double: {4, 4, 6}}

// boxCorner returns the character for arms in several directions. It is ╬ where the line of a fan
// branches to all sides, whatever the weights, and nowhere else: where two double strokes cross,
// the horizontal one is drawn light (╫). There is no character for a heavy and a double stroke; the
// horizontal one gets light.
func boxCorner(a arms, v, h weight, crossing bool) rune {
	if a == up|down|left|right && !crossing {
		return '╬'
	}
	if crossing && v == double {
		h = light
	}
	return boxes[a][boxOf[v][h]]
}

// asciiCorner returns ',' for a line that goes down, '`' for one that comes from
// above, '*' for both, and '+' for a crossing.
func asciiCorner(a arms, _, _ weight, crossing bool) rune {
	switch {
	case crossing:
		return '+'
	case a&up == 0:
		return ','
	case a&down == 0:
		return '`'
	}
	return '*'
}

// Colours of styles and of text, parameters of SGR. Eight colours, since every
// terminal has those.
var styleColour = [styles]string{"", "34", "35", "33", "90", "31", "31", "91"}

const (
	boldText   = "1"
	sourceText = "32"
	faintText  = "90"
	fallColour = "36"
)
