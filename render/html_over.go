package render

// A page shows a large program folded first: loops, chains, regions, functions, similar rounds and
// the compares of a switch are one box each. The page also has the whole program, which opens at
// any of its blocks. This file makes the folded drawing.

// overviewBoxes is the number of boxes that a window shows at a readable size, or
// nearly so.
const overviewBoxes = 120

// overviewAbove is the number of boxes above which a program is shown folded into
// overviewBoxes: with more, names and lines overlap in a window.
const overviewAbove = 2 * overviewBoxes

// overData is the folded drawing of a program: the places of boxes, and which box each
// block of the program is in.
type overData struct {
	*pageData
	Into steps `json:"into"`
}

// overview folds a scene. Without anything to fold it returns nil.
func overview(s *Scene) (*Scene, []int) {
	folded, into := FoldGroups(s)
	if len(folded.Blocks) > overviewAbove {
		again, box := FoldInto(folded, overviewBoxes)
		folded, into = again, boxThrough(into, box)
		if len(folded.Blocks) > overviewBoxes {
			f := newFolder(folded)
			f.parts(overviewBoxes)
			folded, box = f.scene()
			into = boxThrough(into, box)
		}
	}
	if len(folded.Blocks) == len(s.Blocks) {
		return nil, nil
	}
	return folded, into
}

// boxThrough returns the box of each block after its box has become part of another.
func boxThrough(into, box []int) []int {
	out := make([]int, len(into))
	for b, i := range into {
		out[b] = box[i]
	}
	return out
}

// addOverview writes the folded drawing of a program, and reports whether there is one.
func (p *payloads) addOverview(s *Scene, l *Placement) (bool, error) {
	if len(l.Blocks) == 0 {
		return false, nil
	}
	folded, into := overview(s)
	if folded == nil {
		return false, nil
	}
	view := ViewBoth
	if l.Strip == nil {
		view = ViewCFG
	}
	fl, err := Place(folded, PlaceOptions{View: view})
	if err != nil {
		return false, err
	}
	d := overData{newPageData(folded, fl, ""), steps{by: 1, list: into}}
	if err := p.addJSON("over", 0, d); err != nil {
		return false, err
	}
	p.addList("oversvg", draw(folded, fl, true))
	return true, nil
}
