package render

import (
	"fmt"
	"strings"
)

// prepareStrip finds what of the strip belongs to each block.
func (d *drawing) prepareStrip() {
	n := len(d.scene.Blocks)
	d.links, d.parts, d.jumps = make([]int, n), make([][]int, n), make([][]int, n)
	for b := range d.links {
		d.links[b] = -1
	}
	if d.l.Strip == nil {
		return
	}
	for i, k := range d.l.Strip.Links {
		d.links[k.Block] = i
	}
	for i, p := range d.scene.Image.Pieces {
		if p.Kind == PieceBlock {
			d.parts[p.Block] = append(d.parts[p.Block], i)
		}
	}
	for i, j := range d.scene.Image.Jumps {
		if j.Edge >= 0 {
			b := d.scene.Edges[j.Edge].From
			d.jumps[b] = append(d.jumps[b], i)
		}
	}
}

// manyTables is the number of tables from which their lines show only under
// the pointer.
const manyTables = 6

// manyLinks is the number of blocks from which links show only under the
// pointer.
const manyLinks = 60

// stripParts draws a block's part of the strip.
func (d *drawing) stripParts(b int) {
	st := d.l.Strip
	if st == nil {
		return
	}
	if i := d.links[b]; i >= 0 {
		k := st.Links[i]
		far := ""
		if len(st.Links) > manyLinks {
			far = " far"
		} else {
			name, _ := clip(Visible(d.scene.Blocks[b].Name), 8)
			d.text(k.X0-textWidth(columns(name))-4, k.Y0+4, "off small", name)
		}
		mid := (k.X0 + k.X1) / 2
		d.f(`<path class="link%s" d="M%d %dC%d %d %d %d %d %d"/>`, far, k.X0, k.Y0, mid, k.Y0, mid, k.Y1, k.X1, k.Y1)
	}
	for _, i := range d.parts[b] {
		d.piece(i, fmt.Sprintf("c%d", b%palette), d.scene.Blocks[b].Name)
		if heat := d.heat(d.scene.Blocks[b].Count); heat != "" {
			r := st.Pieces[i]
			d.rect(Rect{r.X + r.W - 5, r.Y, 5, r.H}, strings.TrimSpace(heat), 0)
		}
	}
	for _, i := range d.jumps[b] {
		d.arc(i)
	}
}

// piece draws a piece of the strip, with a label where there is room.
func (d *drawing) piece(i int, class, name string) {
	p, r := d.scene.Image.Pieces[i], d.l.Strip.Pieces[i]
	d.s("<g>")
	d.title(fmt.Sprintf("%s: +0x%x..+0x%x, %d bytes", name, p.Offset, p.Offset+p.Len, p.Len))
	d.rect(r, "piece "+class, 0)
	if r.H >= 10 {
		y := r.Y + r.H/2 + 4
		t, _ := clip(Visible(name), 15)
		d.text(r.X+8, y, "small", t)
		d.f(`<text x="%d" y="%d" class="small dim" text-anchor="end">+0x%x</text>`, r.X+r.W-46, y, p.Offset)
		d.f(`<text x="%d" y="%d" class="small" text-anchor="end">%d B</text>`, r.X+r.W-6, y, p.Len)
	}
	d.s("</g>")
}

// arc draws a jump of the strip with its head at the target.
func (d *drawing) arc(i int) {
	a, j := d.l.Strip.Arcs[i], d.scene.Image.Jumps[i]
	if a == (Arc{}) {
		return
	}
	k := kindStyle(j.Kind)
	x := a.X + a.Bulge
	d.f(`<path class="arc h%d" d="M%d %dC%d %d %d %d %d %d"><title>%s +0x%x → +0x%x</title></path>`,
		k, a.X, a.Y0, x, a.Y0, x, a.Y1, a.X+5, a.Y1, xmlText(string(j.Kind)), j.From, j.To)
	d.f(`<path class="a%d" d="M%d %dl6-3v6z"/>`, k, a.X, a.Y1)
}

// stripBack draws what belongs to no block: functions, prologues, padding.
func (d *drawing) stripBack() {
	st := d.l.Strip
	if st == nil {
		return
	}
	m := d.scene.Image
	d.text(st.X, st.Y-10, "name", fmt.Sprintf("%d bytes", m.Len))
	for i, p := range m.Pieces {
		switch p.Kind {
		case PieceBlock:
		case PiecePadding:
			d.piece(i, "hatch", "padding")
		default:
			name := string(p.Kind)
			if f := m.funcAt(p.Offset); f >= 0 && m.Funcs[f].Name != "" && p.Kind == PiecePrologue {
				name = m.Funcs[f].Name + " prologue"
			}
			d.piece(i, "plain", name)
		}
	}
	for i, j := range m.Jumps {
		if j.Edge < 0 {
			d.arc(i)
		}
	}
	d.s("\n")
}

// stripFront draws the marks on top of the pieces.
func (d *drawing) stripFront() {
	st := d.l.Strip
	if st == nil {
		return
	}
	for i, f := range d.scene.Image.Funcs {
		r := st.Funcs[i]
		d.f(`<path class="funcline" d="M%d %dh%d"><title>%s: +0x%x, %d bytes, prologue %d</title></path>`,
			r.X-8, r.Y, r.W+16, xmlText(f.Name), f.Offset, f.Len, f.Prologue)
	}
	for _, o := range d.scene.Image.Endbr {
		d.f(`<path class="endbr" d="M%d %dl6 3l-6 3z"><title>endbr64 at +0x%x</title></path>`, st.X-1, st.at(o)-1, o)
	}
	d.s("\n")
}

// tables draws the tables with a line from each row to the code.
func (d *drawing) tables() {
	for t, r := range d.l.Tables {
		tab := &d.scene.Tables[t]
		class := "t"
		if len(d.l.Tables) > manyTables {
			class = "t many"
		}
		d.f(`<g class="%s" id="t%d">`, class, t)
		d.rect(r, "hub", 4)
		d.clipped(r.X+8, r.Y+16, "name", tab.Name, 30)
		sub := fmt.Sprintf("%d entries, %d selected", len(tab.Entries), selectedEntries(tab))
		if tab.Range != "" {
			sub = tab.Range + ", " + sub
		}
		d.clipped(r.X+8, r.Y+32, "sub small", sub, 36)
		rows := tableRows(tab)
		high := tableRowHeight(len(rows), d.l.Strip.H)
		for i, row := range rows {
			d.tableRow(r, r.Y+tableHead+high*i+high/2+4, row)
		}
		d.aims(t, r.X)
		d.s("</g>\n")
	}
}

// aims draws the lines between a table at x and the strip.
func (d *drawing) aims(t, x int) {
	st := d.l.Strip
	x1 := st.X + stripW
	mid := (x + x1) / 2
	for _, a := range st.Feeds[t] {
		d.f(`<path class="feed" d="M%d %dC%d %d %d %d %d %d"/>`, x1, a.Y1, mid, a.Y1, mid, a.Y0, x-6, a.Y0)
		d.f(`<path class="a3 feedhead" d="M%d %dl-7-4v8z"/>`, x, a.Y0)
	}
	for _, a := range st.Aims[t] {
		d.f(`<path class="aim" d="M%d %dC%d %d %d %d %d %d"/>`, x, a.Y0, mid, a.Y0, mid, a.Y1, x1+6, a.Y1)
		d.f(`<path class="a3 aimhead" d="M%d %dl7-3v6z"/>`, x1, a.Y1)
	}
}

func (d *drawing) tableRow(r Rect, y int, row tableLine) {
	if row.more > 0 {
		d.text(r.X+8, y, "fold", fmt.Sprintf("… %d more targets", row.more))
		return
	}
	name, class := "outside", "small"
	if row.block != Outside {
		name = d.scene.Blocks[row.block].Name
	}
	switch {
	case row.deleted:
		name += " (deleted)"
	case !row.selected:
		name += " (never)"
		class = "off small"
	}
	d.clipped(r.X+8, y, class, Ranges(row.indices), 20)
	if row.block != Outside {
		d.f(`<a href="#b%d">`, row.block)
	}
	d.clipped(r.X+142, y, class, "→ "+Visible(name), 15)
	if row.block != Outside {
		d.s("</a>")
	}
}

// funcAt returns the function that contains the offset, or -1.
func (m *Image) funcAt(offset int) int {
	for i, f := range m.Funcs {
		if offset >= f.Offset && offset < f.Offset+f.Len {
			return i
		}
	}
	return -1
}
