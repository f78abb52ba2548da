package render

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
)

// palette is the number of shades that pieces of code take in turn.
const palette = 2

// block draws everything of a block as one group.
func (d *drawing) block(b int) {
	blk := &d.scene.Blocks[b]
	g := display.Item{Class: "b", ID: "b" + strconv.Itoa(b), Part: display.Block, Index: b}
	if d.l.Detail != DetailCompact && !d.untitled {
		g.Label = spoken(blk) + d.ways(b)
	}
	d.lines.next()
	d.group(g, func() {
		for _, w := range d.wires[b] {
			d.wire(w)
		}
		if len(d.l.Blocks) > 0 {
			d.box(b, blk)
		}
		for _, w := range d.whole[b] {
			line := &d.l.Lines[w]
			d.path("e hl h"+strconv.Itoa(d.style(line)), d.wholePath(line), "")
		}
		d.stripParts(b)
	})
}

// ways names the blocks that a block leads to and comes from, for screen readers.
func (d *drawing) ways(b int) string {
	const most = 6
	text := ""
	for _, side := range []struct {
		word string
		list []int
	}{{", to ", d.succs[b]}, {", from ", d.preds[b]}} {
		var names []string
		for i, o := range side.list {
			if i == most {
				names = append(names, fmt.Sprintf("%d more", len(side.list)-most))
				break
			}
			name, _ := clip(visible.Text(d.scene.Blocks[o].Name), 24)
			names = append(names, name)
		}
		if len(names) > 0 {
			text += side.word + strings.Join(names, " ")
		}
	}
	return text
}

// spoken describes a block for screen readers.
func spoken(blk *Block) string {
	name, _ := clip(visible.Text(blk.Name), 24)
	if name == "" {
		name = "block without a name"
	}
	parts := []string{name}
	if n := len(blk.Lines); n > 0 {
		parts = append(parts, fmt.Sprintf("instructions %d to %d", blk.Lines[0].Slot, blk.Lines[n-1].Slot))
	}
	for _, m := range []struct {
		on   bool
		what string
	}{
		{blk.Entry, "entry"}, {blk.Exit, "exit"}, {blk.LoopHeader, "loop header"},
		{!blk.Reachable, "unreachable" + blk.given()}, {blk.Maybe, "possibly reached"}, {blk.Landing, "landing pad"},
	} {
		if m.on {
			parts = append(parts, m.what)
		}
	}
	if blk.Count != nil {
		parts = append(parts, fmt.Sprintf("%d visits", *blk.Count))
	}
	if blk.CountBefore != nil {
		parts = append(parts, fmt.Sprintf("%d visits before", *blk.CountBefore))
	}
	if blk.Mark != "" {
		parts = append(parts, visible.Text(blk.Mark))
	}
	return strings.Join(parts, ", ")
}

func (d *drawing) box(b int, blk *Block) {
	r := d.l.Blocks[b]
	mark := markClass(blk.Mark)
	class := "box" + mark
	switch {
	case !blk.Reachable:
		class += " deadbox"
	case blk.Maybe:
		class += " maybebox"
	}
	d.rect(r, class, 4)
	head := func(class string) {
		h := headRow - 1
		d.path("head"+class, d.at(r.X+1, r.Y+1+h).V(r.Y+4).Curve(r.X+1, r.Y+1, r.X+4, r.Y+1).H(r.X+r.W-4).
			Curve(r.X+r.W-1, r.Y+1, r.X+r.W-1, r.Y+4).V(r.Y+1+h).Close(), "")
	}
	switch {
	case !blk.Reachable:
		d.rect(r, "hatch", 4)
		if mark != "" {
			head(mark)
		}
	case mark != "":
		head(mark)
	default:
		head(d.heat(blk.Count))
	}
	d.marks(r, blk)
	y := r.Y + 14
	for i, row := range d.rowsOf(b) {
		if i == 0 {
			row.title = blk.Why
		} else {
			y = r.Y + headRow + rowHeight*i - 4
		}
		d.row(r, y, row)
	}
}

// rowsOf returns the rows of a block, as they were placed.
func (d *drawing) rowsOf(b int) []row {
	if d.l.rows != nil {
		return d.l.rows[b]
	}
	return d.blockRows(b) // the layout was not made by Place
}

// row draws one row of a box.
func (d *drawing) row(r Rect, y int, row row) {
	x := r.X + boxPad + 2
	put := func(x int, class string, runs ...display.Run) {
		d.line(x, y, class, row.title, display.Start, runs...)
	}
	plain := display.Run{Text: visible.Text(row.text)}
	switch row.kind {
	case headText:
		put(x, "", headRuns(row)...)
	case sourceText:
		put(x, "src", plain)
	case insnText:
		if row.mark != "" {
			d.rect(Rect{r.X + 6, y - 12, r.W - 7, rowHeight}, "line"+markClass(row.mark), 0)
			d.text(r.X+r.W-14, y, "name", markSign(row.mark))
		}
		runs := []display.Run{{Text: padded(row.slot, d.slotCols), Class: "slot"}, {Text: "  " + plain.Text}}
		if row.note != "" {
			runs = append(runs, display.Run{Text: " " + visible.Text(row.note), Class: "state"})
		}
		put(x, "", runs...)
	case plainText:
		put(x, "", plain)
	case jumpText:
		put(x, "case", plain)
	case foldText:
		put(x+textWidth(d.slotCols+2), "fold", plain)
	case stateText:
		put(x, "state", plain)
	case chipText:
		d.chipRow(r, x, y, row)
	}
}

// padded returns a number with spaces before it.
func padded(s string, cols int) string {
	const spaces = "          "
	return spaces[:min(len(spaces), max(0, cols-len(s)))] + s
}

// headRuns returns the text of a block's head.
func headRuns(row row) []display.Run {
	runs := []display.Run{{Text: visible.Text(strings.TrimSuffix(row.text, row.slot)), Class: "name"}}
	if row.slot != "" {
		class := "slot"
		if row.note != "" || row.mark != "" {
			class = "" // grey is hard to read on a tint
		}
		runs = append(runs, display.Run{Text: row.slot, Class: class})
	}
	if row.note != "" {
		runs = append(runs, display.Run{Text: "  " + visible.Text(row.note), Class: "visits"})
	}
	if row.mark != "" {
		runs = append(runs, display.Run{Text: "  " + visible.Text(markText(row.mark)), Class: "name"})
	}
	return runs
}

// chipRow draws a reference, as a link where it leads somewhere.
func (d *drawing) chipRow(r Rect, x, y int, row row) {
	class := ""
	put := func() {
		if row.edge != "" {
			d.rect(Rect{x - 2, y - 11, min(r.W-2*boxPad, textWidth(columns(row.text))+10), 14}, "chip", 7)
		}
		d.line(x+3, y, class, row.title, display.Start, display.Run{Text: visible.Text(row.text)})
	}
	if row.link == "" || len(d.l.Tables) == 0 && strings.HasPrefix(row.link, "#t") {
		put()
		return
	}
	class = "ref"
	d.group(display.Item{Link: row.link}, put)
}

// marks draws signs at the right of a box's head: a triangle for an entry, a
// bar for an exit, a ring with an arrow for a loop header, a bar for each
// enclosing loop.
func (d *drawing) marks(r Rect, blk *Block) {
	x, y := r.X+r.W-10, r.Y+10
	if blk.Exit {
		d.titled(Rect{x - 6, y - 4, 8, 8}, "solidmark", 0, "exit")
		x -= 16
	}
	if blk.Entry {
		d.path("solidmark", d.at(x-7, y-5).By(9, 5, -9, 5).Close(), "entry")
		x -= 16
	}
	if blk.LoopHeader {
		d.path("mark", ring(d.at(x+2, y), x-2, y), "loop header")
		x -= 16
	}
	if n := blk.LoopDepth; n > 0 {
		d.path("mark", bars(d.at(x, y-4), min(n, 8)), fmt.Sprintf("loop depth %d", n))
	}
}

// ring adds three quarters of a circle of radius 4 around a point, from its right,
// with an arrow.
func ring(p *display.Path, cx, cy int) *display.Path {
	p.Cubic(cx+4, cy+2, cx+2, cy+4, cx, cy+4).Cubic(cx-2, cy+4, cx-4, cy+2, cx-4, cy)
	p.Cubic(cx-4, cy-2, cx-2, cy-4, cx, cy-4)
	return p.Skip(-3, -1).By(3, 1, 1, -3)
}

// bars adds n bars to the start of a path, from right to left.
func bars(p *display.Path, n int) *display.Path {
	p.By(0, 8)
	for i := 1; i < n; i++ {
		p.Skip(-3, -8).By(0, 8)
	}
	return p
}

// hubs draws the tables that several jumps share.
func (d *drawing) hubs() {
	for _, h := range d.l.Hubs {
		d.group(display.Item{Label: "table of " + visible.Count(len(h.Edges), "edge")}, func() {
			d.rect(h.Rect, "hub", 10)
			name := "indirect jumps"
			if h.Table >= 0 {
				name, _ = clip("table "+visible.Text(d.scene.Tables[h.Table].Name), 46)
			}
			d.anchored(h.X+h.W/2, h.Y+16, "", name, display.Middle)
		})
	}
}
