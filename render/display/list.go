package display

import "iter"

// Picture is a picture as a list. Parts makes its items on demand, one part after the other, so
// that a large picture need not be in memory at once: the items of a group are valid until the next
// part. It yields the same items each time.
type Picture struct {
	W, H  int
	Title string
	Desc  string // a sentence for screen readers
	Parts iter.Seq[Item]
}

// Item is a box, another shape, a text, or a group of items: whichever of Box,
// Path, Runs and Items is set. Texts are plain, and legal in XML.
type Item struct {
	Class string // names of looks, separated by spaces
	Title string // shown under the pointer

	Box  *Box
	Path Path

	At     Pt // of a text, on the base line
	Anchor Anchor
	Runs   []Run

	Items []Item
	ID    string // that addresses may name
	Label string // description of the group for screen readers
	Link  string // address that the group leads to
	Part  Part   // kind of thing that the item stands for
	Index int    // which of its kind
}

// Box is a rectangle with corners of radius R.
type Box struct{ X, Y, W, H, R int }

// Run is a piece of a text. Class may be empty.
type Run struct{ Text, Class string }

// Part says what an item stands for, so that a page can separate a picture into parts, and show its
// data about an item.
type Part uint8

// The parts.
const (
	Plain Part = iota
	Block
	Table
	Loop
	Edge  // a line
	Piece // of a block's machine code
)
