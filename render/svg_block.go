package render

import (
	"fmt"
	"strings"
)

// palette is the number of colours that blocks take in turn.
const palette = 8

// block draws everything of a block as one group.
func (d *drawing) block(b int) {
	blk := &d.scene.Blocks[b]
	d.f(`<g class="b" id="b%d"`, b)
	if d.l.Detail != DetailCompact {
		d.f(` role="group" aria-label="%s"`, xmlText(spoken(blk)))
	}
	d.s(">")
	for _, w := range d.wires[b] {
		d.wire(w)
	}
	if len(d.l.Blocks) > 0 {
		d.box(b, blk)
	}
	for _, w := range d.whole[b] {
		d.f(`<path class="e hl h%d" d="%s"/>`, d.style(&d.l.Lines[w]), d.wholePath(&d.l.Lines[w]))
	}
	d.stripParts(b)
	d.s("</g>\n")
}

// spoken describes a block for those who do not see it.
func spoken(blk *Block) string {
	name, _ := clip(Visible(blk.Name), 24)
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
	}{{blk.Entry, "entry"}, {blk.Exit, "exit"}, {blk.LoopHeader, "loop header"}, {!blk.Reachable, "unreachable"}} {
		if m.on {
			parts = append(parts, m.what)
		}
	}
	if blk.Count != nil {
		parts = append(parts, fmt.Sprintf("%d visits", *blk.Count))
	}
	if blk.Mark != "" {
		parts = append(parts, Visible(blk.Mark))
	}
	return strings.Join(parts, ", ")
}

func (d *drawing) box(b int, blk *Block) {
	r := d.l.Blocks[b]
	mark := markClass(blk.Mark)
	class := "box" + mark
	if !blk.Reachable {
		class += " deadbox"
	}
	d.rect(r, class, 4)
	head := fmt.Sprintf("M%d %dv-%dq0-3 3-3h%dq3 0 3 3v%dz", r.X+1, r.Y+headRow, headRow-4, r.W-8, headRow-4)
	switch {
	case !blk.Reachable:
		d.rect(r, "hatch", 4)
		if mark != "" {
			d.f(`<path class="head%s" d="%s"/>`, mark, head)
		}
	case mark != "":
		d.f(`<path class="head%s" d="%s"/>`, mark, head)
	default:
		d.f(`<path class="head%s" d="%s"/>`, d.heat(blk.Count), head)
	}
	d.f(`<path class="c%d" d="M%d %dh5v%dh-5z"/>`, b%palette, r.X+1, r.Y+headRow, r.H-headRow-4)
	d.marks(r, blk)
	y := r.Y + 14
	for i, row := range d.blockRows(b) {
		if i == 0 {
			row.title = blk.Why
		} else {
			y = r.Y + headRow + rowHeight*i - 4
		}
		d.row(r, y, row)
	}
}

// row writes one row of a box.
func (d *drawing) row(r Rect, y int, row row) {
	x := r.X + boxPad + 2
	if row.title != "" {
		d.s("<g>")
		d.title(row.title)
		defer d.s("</g>")
	}
	switch row.kind {
	case headText:
		name, slots := strings.TrimSuffix(row.text, row.slot), row.slot
		d.f(`<text x="%d" y="%d"><tspan class="name">%s</tspan>`, x, y, xmlText(name))
		if slots != "" {
			class := ` class="slot"`
			if row.note != "" || row.mark != "" {
				class = "" // grey is hard to read on a tint
			}
			d.f(`<tspan%s>%s</tspan>`, class, slots)
		}
		if row.note != "" {
			d.f(`<tspan class="visits">  %s</tspan>`, row.note)
		}
		if row.mark != "" {
			d.f(`<tspan class="name">  %s</tspan>`, xmlText(markText(row.mark)))
		}
		d.s("</text>")
	case sourceText:
		d.text(x, y, "src", row.text)
	case insnText:
		if row.mark != "" {
			d.rect(Rect{r.X + 6, y - 12, r.W - 7, rowHeight}, strings.TrimSpace("line"+markClass(row.mark)), 0)
			d.text(r.X+r.W-14, y, "name", markSign(row.mark))
		}
		d.f(`<text x="%d" y="%d"><tspan class="slot">%*s</tspan>  %s`, x, y, d.slotCols, row.slot, xmlText(row.text))
		if row.note != "" {
			d.f(`<tspan class="state"> %s</tspan>`, xmlText(row.note))
		}
		d.s("</text>")
	case foldText:
		d.text(x+textWidth(d.slotCols+2), y, "fold", row.text)
	case stateText:
		d.text(x, y, "state", row.text)
	case chipText:
		d.chipRow(r, x, y, row)
	}
}

// chipRow writes a reference, as a link where it leads somewhere.
func (d *drawing) chipRow(r Rect, x, y int, row row) {
	if row.link != "" && (len(d.l.Tables) > 0 || !strings.HasPrefix(row.link, "#t")) {
		d.f(`<a href="%s">`, xmlText(row.link))
		defer d.s("</a>")
	}
	if row.edge != "" {
		d.rect(Rect{x - 2, y - 11, min(r.W-2*boxPad, textWidth(columns(row.text))+10), 14}, "chip", 7)
	}
	d.text(x+3, y, "", row.text)
}

// marks draws signs at the right of a box's head: a triangle for an entry, a
// bar for an exit, a ring with an arrow for a loop header, a bar for each
// enclosing loop.
func (d *drawing) marks(r Rect, blk *Block) {
	x, y := r.X+r.W-10, r.Y+10
	if blk.Exit {
		d.f(`<rect class="solidmark" x="%d" y="%d" width="8" height="8"><title>exit</title></rect>`, x-6, y-4)
		x -= 16
	}
	if blk.Entry {
		d.f(`<path class="solidmark" d="M%d %dl9 5l-9 5z"><title>entry</title></path>`, x-7, y-5)
		x -= 16
	}
	if blk.LoopHeader {
		d.f(`<path class="mark" d="M%d %da4 4 0 1 1-3-2m0-3v4h4"><title>loop header</title></path>`, x+2, y)
		x -= 16
	}
	if n := blk.LoopDepth; n > 0 {
		var p strings.Builder
		for i := range min(n, 8) {
			fmt.Fprintf(&p, "M%d %dv8", x-3*i, y-4)
		}
		d.f(`<path class="mark" d="%s"><title>loop depth %d</title></path>`, p.String(), n)
	}
}

// hubs draws the tables that several jumps share.
func (d *drawing) hubs() {
	for _, h := range d.l.Hubs {
		d.f(`<g role="group" aria-label="table of %d edges">`, len(h.Edges))
		d.rect(h.Rect, "hub", 10)
		name := "indirect jumps"
		if h.Table >= 0 {
			name, _ = clip("table "+Visible(d.scene.Tables[h.Table].Name), 46)
		}
		d.f(`<text x="%d" y="%d" text-anchor="middle">%s</text>`, h.X+h.W/2, h.Y+16, xmlText(name))
		d.s("</g>\n")
	}
}
