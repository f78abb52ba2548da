package render_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/bpfcfg/bpfcfg/render"
)

// rectangle matches where a rectangle of an SVG picture lies; boxes have a border of
// one unit.
var rectangle = regexp.MustCompile(`<rect class="(box|line m-[a-z]+)" x="(\d+)" y="\d+" width="(\d+)"`)

// TestMarkedLine checks that the tint of a line that changed reaches to the border of
// its box, and not over it.
func TestMarkedLine(t *testing.T) {
	s := &render.Scene{Title: "t", Funcs: []render.Func{{Name: "f"}}, Blocks: []render.Block{{Name: "b0", Reachable: true,
		Lines: []render.Line{{Text: "r0 = 1", Mark: render.MarkAdded}, {Text: "r0 = 2", Mark: render.MarkRemoved}, {Text: "exit"}}}}}
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var left, right, tints int
	for _, m := range rectangle.FindAllStringSubmatch(string(render.SVG(s, l)), -1) {
		x, _ := strconv.Atoi(m[2])
		w, _ := strconv.Atoi(m[3])
		if m[1] == "box" {
			left, right = x, x+w
			continue
		}
		if tints++; x <= left || x+w != right-1 {
			t.Errorf("the tint of %s is from %d to %d, the box from %d to %d", m[1], x, x+w, left, right)
		}
	}
	if tints != 2 || right == 0 {
		t.Errorf("%d tints, box up to %d", tints, right)
	}
}
