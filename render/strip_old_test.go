package render

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// TestOldCode: a page counts the parts of the new machine code, and finds them by their
// number. Those of the old code are not among them, and keep their titles.
func TestOldCode(t *testing.T) {
	code := func() *Image {
		return &Image{Len: 16, Funcs: []ImageFunc{{Name: "f", Len: 16}}, Pieces: []Piece{
			{Kind: PieceBlock, Block: 0, Len: 8}, {Kind: PieceBlock, Block: 1, Offset: 8, Len: 8}}}
	}
	s := &Scene{Title: "t", Profile: "p", Funcs: []Func{{Name: "f"}}, Image: code(), Before: code(),
		Blocks: []Block{{Name: "b0", Reachable: true, Entry: true}, {Name: "b1", Reachable: true, Exit: true}},
		Edges:  []Edge{{From: 0, To: 1}}}
	l, err := Place(s, PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pieces, titles := 0, 0
	var count func(items []display.Item)
	count = func(items []display.Item) {
		for _, it := range items {
			if it.Part == display.Piece {
				pieces++
			}
			if it.Title == "b0: +0x0..+0x8, 8 bytes" || it.Title == "b1: +0x8..+0x10, 8 bytes" {
				titles++
			}
			count(it.Items)
		}
	}
	for it := range draw(s, l, true).Parts {
		count([]display.Item{it})
	}
	if pieces != 2 || titles != 2 {
		t.Errorf("%d parts and %d titles, want 2 of the new and 2 of the old code", pieces, titles)
	}
}
