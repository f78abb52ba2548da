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
	if d.scene.Before != nil {
		d.partsBefore = make([][]int, n)
		for i, p := range d.scene.Before.Pieces {
			if p.Kind == PieceBlock {
				d.partsBefore[p.Block] = append(d.partsBefore[p.Block], i)
			}
		}
	}
	for i, j := range d.scene.Image.Jumps {
		if j.Edge >= 0 {
			b := d.scene.Edges[j.Edge].From
			d.jumps[b] = append(d.jumps[b], i)
		}
	}
}

// manyAims is the number of targets of a table above which the lines to them
// show only under the pointer.
const manyAims = 64

// manyLinks is the number of blocks from which links show only under the
// pointer.
const manyLinks = 150

// farLink is the distance in height from which a link shows only under the
// pointer: many of them would run beside each other, and be told apart no more.
const farLink = 500

// remoteTable is the same for the lines of one of several tables.
const remoteTable = 1500

// stripParts draws a block's part of the strip.
func (d *drawing) stripParts(b int) {
	st := d.l.Strip
	if st == nil {
		return
	}
	blk := &d.scene.Blocks[b]
	class := fmt.Sprintf("c%d", b%palette) + markClass(blk.Mark)
	if i := d.links[b]; i >= 0 {
		d.link(b, &st.Links[i])
	}
	if st.Before != nil {
		d.ribbon(b)
		for _, i := range d.partsBefore[b] {
			d.piece(d.scene.Before.Pieces[i], st.Before.Pieces[i], class, blk.Name)
		}
	}
	for _, i := range d.parts[b] {
		r := st.Pieces[i]
		d.piece(d.scene.Image.Pieces[i], r, class, blk.Name)
		if heat := d.heat(blk.Count); heat != "" {
			d.rect(Rect{r.X + r.W - 5, r.Y, 5, r.H}, strings.TrimSpace(heat), 0)
		}
	}
	for _, i := range d.jumps[b] {
		d.arc(i)
	}
}

// link draws the line from a block to its code, with the block's name and
// colour at the left end, where there are not too many.
func (d *drawing) link(b int, k *Link) {
	far := ""
	if len(d.l.Strip.Links) > manyLinks || max(k.Y1-k.Y0, k.Y0-k.Y1) > farLink || k.Before != (d.l.Strip.Before != nil) {
		far = " far"
	}
	if len(d.l.Strip.Links) <= manyLinks {
		name, _ := clip(Visible(d.scene.Blocks[b].Name), 8)
		d.text(k.X0-smallWidth(columns(name))-16, k.Y0+4, "off small", name)
		d.f(`<path class="piece c%d" d="M%d %dh9v9h-9z"/>`, b%palette, k.X0-11, k.Y0-4)
	}
	mid := (k.X0 + k.X1) / 2
	d.f(`<path class="link%s" d="M%d %dC%d %d %d %d %d %d"/>`, far, k.X0, k.Y0, mid, k.Y0, mid, k.Y1, k.X1, k.Y1)
}

// ribbon ties the code of a block in the older image to that in the newer one.
func (d *drawing) ribbon(b int) {
	if len(d.partsBefore[b]) == 0 || len(d.parts[b]) == 0 {
		return
	}
	x, y := d.l.Strip.Before.Pieces[d.partsBefore[b][0]], d.l.Strip.Pieces[d.parts[b][0]]
	x0, x1 := x.X+x.W, y.X
	mid := (x0 + x1) / 2
	d.f(`<path class="ribbon c%d" d="M%d %dC%d %d %d %d %d %dV%dC%d %d %d %d %d %dz"/>`, b%palette,
		x0, x.Y, mid, x.Y, mid, y.Y, x1, y.Y, y.Y+y.H, mid, y.Y+y.H, mid, x.Y+x.H, x0, x.Y+x.H)
}

// piece draws a piece of a strip, with a label where there is room.
func (d *drawing) piece(p Piece, r Rect, class, name string) {
	d.s("<g>")
	d.title(fmt.Sprintf("%s: +0x%x..+0x%x, %d bytes", name, p.Offset, p.Offset+p.Len, p.Len))
	d.rect(r, "piece "+class, 0)
	if r.H >= 10 {
		y := r.Y + r.H/2 + 4
		t, _ := clip(Visible(name), 17)
		d.text(r.X+10, y, "small", t)
		d.f(`<text x="%d" y="%d" class="small dim" text-anchor="end">+0x%x</text>`, r.X+r.W-46, y, p.Offset)
		d.f(`<text x="%d" y="%d" class="small" text-anchor="end">%d B</text>`, r.X+r.W-6, y, p.Len)
	}
	d.s("</g>")
}

// arc draws a jump of the strip as far as no other line has it, with its head at
// the target, and the whole to light up.
func (d *drawing) arc(i int) {
	a, j := d.l.Strip.Arcs[i], d.scene.Image.Jumps[i]
	if a == (Arc{}) {
		return
	}
	k := kindStyle(j.Kind)
	title := fmt.Sprintf("<title>%s +0x%x → +0x%x</title>", xmlText(string(j.Kind)), j.From, j.To)
	switch {
	case a.Far:
		d.f(`<path class="arc hl h%d" d="%s">%s</path>`, k, a.path(a.Y1), title)
		return
	case a.Stem != a.Y1:
		d.f(`<path class="arc h%d" d="%s">%s</path>`, k, a.path(a.Stem), title)
		d.f(`<path class="arc hl h%d" d="%s"/>`, k, a.path(a.Y1))
		return
	}
	d.f(`<path class="arc h%d" d="%s">%s</path>`, k, a.path(a.Y1), title)
	d.f(`<path class="a%d" d="M%d %dl7-3v6z"/>`, k, a.X, a.Y1)
}

// path writes the arc up to y on the rail, or to its end where y is that.
func (a *Arc) path(y int) string {
	x, dir := a.X+a.Bulge, 1
	if a.Y1 < a.Y0 {
		dir = -1
	}
	r := min(6, (a.Y1-a.Y0)*dir/2)
	if r < 1 { // both ends at one height
		return fmt.Sprintf("M%d %dH%d", a.X, a.Y0, x)
	}
	turn := fmt.Sprintf("M%d %dH%dQ%d %d %d %d", a.X, a.Y0, x-r, x, a.Y0, x, a.Y0+dir*r)
	if y != a.Y1 {
		// Up to where the next one has turned.
		return turn + fmt.Sprintf("V%d", y+dir*min(r, max(0, (a.Y1-y)*dir-r)))
	}
	return turn + fmt.Sprintf("V%dQ%d %d %d %dH%d", a.Y1-dir*r, x, a.Y1, x-r, a.Y1, a.X+6)
}

// stripBack draws what belongs to no block: functions, prologues, padding.
func (d *drawing) stripBack() {
	st := d.l.Strip
	if st == nil {
		return
	}
	m := d.scene.Image
	d.s(`<g role="group" aria-label="machine code">`)
	head := fmt.Sprintf("%d bytes", m.Len)
	if st.Before != nil {
		d.text(st.Before.X, st.Before.Y-10, "name", fmt.Sprintf("old, %d bytes", d.scene.Before.Len))
		head = "new, " + head
		d.plainPieces(d.scene.Before, st.Before)
	}
	d.text(st.X, st.Y-10, "name", head)
	d.plainPieces(m, st)
	for i, j := range m.Jumps {
		if j.Edge < 0 {
			d.arc(i)
		}
	}
	d.s("</g>\n")
}

// plainPieces draws the pieces of an image that are of no block.
func (d *drawing) plainPieces(m *Image, st *Strip) {
	for i, p := range m.Pieces {
		switch p.Kind {
		case PieceBlock:
		case PiecePadding:
			d.piece(p, st.Pieces[i], "hatch", "padding")
		default:
			name := string(p.Kind)
			if f := m.funcAt(p.Offset); f >= 0 && m.Funcs[f].Name != "" && p.Kind == PiecePrologue && len(m.Funcs) > 1 {
				name += " " + m.Funcs[f].Name
			}
			d.piece(p, st.Pieces[i], "plain", name)
		}
	}
}

// stripFront draws the marks on top of the pieces.
func (d *drawing) stripFront() {
	st := d.l.Strip
	if st == nil {
		return
	}
	d.imageMarks(d.scene.Image, st)
	if st.Before != nil {
		d.imageMarks(d.scene.Before, st.Before)
	}
	d.s("\n")
}

// imageMarks draws where functions begin, and the marks of an image.
func (d *drawing) imageMarks(m *Image, st *Strip) {
	for i, f := range m.Funcs {
		r := st.Funcs[i]
		d.f(`<path class="funcline" d="M%d %dh%d"><title>%s: +0x%x, %d bytes, prologue %d</title></path>`,
			r.X-8, r.Y, r.W+16, xmlText(f.Name), f.Offset, f.Len, f.Prologue)
	}
	for _, k := range m.Marks {
		y := st.at(k.Offset)
		r := Rect{st.X, y, 6, max(st.at(k.Offset+k.Len)-y, 2)}
		class := "other"
		switch k.Kind {
		case BytesEpilogue:
			class = "epilogue"
		case BytesPadding:
			class = "pad"
		case BytesMismatch:
			class, r.W = "wrong", stripW
		}
		d.f(`<rect class="%s" x="%d" y="%d" width="%d" height="%d"><title>%s</title></rect>`, class, r.X, r.Y, r.W, r.H,
			xmlText(k.title()))
	}
	for _, o := range m.Endbr {
		d.f(`<path class="endbr" d="M%d %dl6 3l-6 3z"><title>endbr64 at +0x%x</title></path>`, st.X-1, st.at(o)-1, o)
	}
}

func (k *ByteMark) title() string {
	t := fmt.Sprintf("%s: +0x%x, %d bytes", k.Kind, k.Offset, k.Len)
	if k.Text != "" {
		t += ": " + k.Text
	}
	return t
}

// tables draws the tables with a line from each row to the code.
func (d *drawing) tables() {
	for t, r := range d.l.Tables {
		tab := &d.scene.Tables[t]
		class := "t"
		if len(d.l.Strip.Aims[t]) > manyAims {
			class += " many"
		}
		if d.remote(t) {
			class += " remote"
		}
		d.f(`<g class="%s" id="t%d" role="group" aria-label="%s">`, class, t, xmlText("table "+tab.Name))
		d.rect(r, "hub", 4)
		d.clipped(r.X+8, r.Y+16, "name", tab.Name, (r.W-16)*10/73)
		sub := fmt.Sprintf("%d of %d entries selected", selectedEntries(tab), len(tab.Entries))
		if n := len(tab.Entries); selectedEntries(tab) == n {
			sub = fmt.Sprintf("%d entries, all selected", n)
		} else if tab.Range != "" {
			sub = "index " + tab.Range + ", " + fmt.Sprintf("%d selected", selectedEntries(tab))
		}
		d.clipped(r.X+8, r.Y+32, "sub small", sub, (r.W-16)*10/smallCell)
		rows := tableRows(tab)
		idx, _ := tableColumns(d.scene, rows)
		high := tableRowHeight(len(rows), d.l.Strip.H)
		for i := range rows {
			d.tableRow(r, r.Y+tableHead+high*i+high/2+4, idx, &rows[i])
		}
		d.aims(t, r.X)
		d.s("</g>\n")
	}
}

// remote reports whether the other tables left a table no place near the jumps
// and targets that it has lines to.
func (d *drawing) remote(t int) bool {
	for _, list := range [][]Aim{d.l.Strip.Feeds[t], d.l.Strip.Aims[t]} {
		for _, a := range list {
			if max(a.Y0-a.Y1, a.Y1-a.Y0) > remoteTable && len(d.l.Tables) > 1 {
				return true
			}
		}
	}
	return false
}

// aims draws the lines between a table at x and the strip: level past the arcs,
// so that they cross those only, then in a bow through the gap.
func (d *drawing) aims(t, x int) {
	st := d.l.Strip
	x1, past := st.X+stripW, x-tableGap+6
	mid := (x + past) / 2
	for _, a := range st.Feeds[t] {
		d.f(`<path class="feed" d="M%d %dH%dC%d %d %d %d %d %d"/>`, x1, a.Y1, past, mid, a.Y1, mid, a.Y0, x-6, a.Y0)
		d.f(`<path class="a3 feedhead" d="M%d %dl-7-4v8z"/>`, x, a.Y0)
	}
	for _, a := range st.Aims[t] {
		d.f(`<path class="aim" d="M%d %dC%d %d %d %d %d %dH%d"/>`, x, a.Y0, mid, a.Y0, mid, a.Y1, past, a.Y1, x1+6)
		d.f(`<path class="a3 aimhead" d="M%d %dl7-3v6z"/>`, x1, a.Y1)
	}
}

func (d *drawing) tableRow(r Rect, y, idx int, row *tableLine) {
	if row.more > 0 {
		d.text(r.X+8, y, "fold", fmt.Sprintf("… %d more targets", row.more))
		return
	}
	class := "small"
	if row.deleted || !row.selected {
		class = "off small"
	}
	d.clipped(r.X+8, y, class, Ranges(row.indices), idx)
	if row.block != Outside {
		d.f(`<a href="#b%d">`, row.block)
	}
	x := r.X + 8 + smallWidth(idx+1)
	d.clipped(x, y, class, "→ "+row.target(d.scene), (r.X+r.W-x)*10/smallCell-1)
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
