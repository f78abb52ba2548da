package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
)

// prepareStrip finds the parts of the strip that belong to each block.
func (d *drawing) prepareStrip() {
	blocks := len(d.scene.Blocks)
	d.links, d.parts, d.jumps = make([]int, blocks), make([][]int, blocks), make([][]int, blocks)
	for b := range d.links {
		d.links[b] = -1
	}
	if d.l.Strip == nil {
		return
	}
	for i, k := range d.l.Strip.Links {
		d.links[k.Block] = i
	}
	n := 0
	for i := range d.scene.Code {
		n += len(d.scene.Code[i].X86)
	}
	d.x86 = make([]X86, 0, n)
	for i := range d.scene.Code {
		d.x86 = append(d.x86, d.scene.Code[i].X86...)
	}
	for i, p := range d.scene.Image.Pieces {
		if p.Kind == PieceBlock {
			d.parts[p.Block] = append(d.parts[p.Block], i)
		}
	}
	if d.scene.Before != nil {
		d.partsBefore = make([][]int, blocks)
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

// farLink is the height of a link from which it shows only on hover: many such links side by side
// could not be distinguished.
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
	class := "c" + strconv.Itoa(b%palette) + markClass(blk.Mark)
	if i := d.links[b]; i >= 0 {
		d.link(b, &st.Links[i])
	}
	if st.Before != nil {
		d.ribbon(b)
		for _, i := range d.partsBefore[b] {
			d.piece(d.scene.Before.Pieces[i], st.Before.Pieces[i], class, blk.Name, nil, true)
		}
	}
	for _, i := range d.parts[b] {
		r := st.Pieces[i]
		p := d.scene.Image.Pieces[i]
		d.piece(p, r, class, blk.Name, d.codeOf(p), false)
		if heat := d.heat(blk.Count); heat != "" {
			d.rect(Rect{r.X + r.W - 5, r.Y, 5, r.H}, heat[1:], 0)
		}
	}
	for _, i := range d.jumps[b] {
		d.arc(i)
	}
}

// link draws the line from a block to its code, with the block's name and
// colour at the left end, where there are not too many.
func (d *drawing) link(b int, k *Link) {
	st, far := d.l.Strip, ""
	if len(st.Links) > manyLinks || len(st.Columns) > 0 || max(k.Y1-k.Y0, k.Y0-k.Y1) > farLink ||
		k.Before != (st.Before != nil) {
		far = " far"
	}
	if len(st.Links) <= manyLinks {
		name, _ := clip(visible.Text(d.scene.Blocks[b].Name), 8)
		d.text(k.X0-smallWidth(columns(name))-4, k.Y0+4, "off small", name)
	}
	mid := (k.X0 + k.X1) / 2
	d.path("link"+far, d.at(k.X0, k.Y0).Cubic(mid, k.Y0, mid, k.Y1, k.X1, k.Y1), "")
}

// ribbon ties the code of a block in the older image to that in the newer one.
func (d *drawing) ribbon(b int) {
	if len(d.partsBefore[b]) == 0 || len(d.parts[b]) == 0 {
		return
	}
	x, y := d.l.Strip.Before.Pieces[d.partsBefore[b][0]], d.l.Strip.Pieces[d.parts[b][0]]
	x0, x1 := x.X+x.W, y.X
	mid := (x0 + x1) / 2
	p := d.at(x0, x.Y).Cubic(mid, x.Y, mid, y.Y, x1, y.Y).V(y.Y + y.H)
	d.path("ribbon c"+strconv.Itoa(b%palette), p.Cubic(mid, y.Y+y.H, mid, x.Y+x.H, x0, x.Y+x.H).Close(), "")
}

// piece draws a piece of a strip, with a label where there is room, and its machine
// code below where there is more.
func (d *drawing) piece(p Piece, r Rect, class, name string, code []X86, before bool) {
	it := display.Item{}
	if d.untitled && !before && p.Kind == PieceBlock {
		it.Part = display.Piece
	} else {
		it.Title = visible.Text(fmt.Sprintf("%s: +0x%x..+0x%x, %s", name, p.Offset, p.Offset+p.Len,
			visible.Count(p.Len, "byte")))
	}
	d.group(it, func() {
		d.rect(r, "piece "+class, 0)
		if r.H < 10 {
			return
		}
		y := r.Y + r.H/2 + 4
		lines := codeLines(code, (r.H-cellHead)/cellRow)
		if len(lines) > 0 {
			y = r.Y + 12
		}
		t, _ := clip(visible.Text(name), 17)
		d.text(r.X+8, y, "small", t)
		x := r.X + r.W - 6
		if d.l.Detail != DetailFigure {
			size := strconv.Itoa(p.Len) + " B"
			d.anchored(x, y, "small", size, display.End)
			x -= max(40, smallWidth(columns(size))+6)
		}
		d.anchored(x, y, "small dim", "+0x"+strconv.FormatInt(int64(p.Offset), 16), display.End)
		for i, line := range lines {
			d.clipped(r.X+14, y+cellRow*(i+1), "small dim", line, (r.W-20)*10/smallCell)
		}
	})
}

// Heights of a cell of the strip in pixels: what its name takes, and a line of code.
const (
	cellHead = 18
	cellRow  = 12
)

// codeLines returns at most so many lines of machine code. The last instruction is always included,
// because it shows where control goes.
func codeLines(code []X86, most int) []string {
	head := len(code)
	if head > most {
		head = most - 2
	}
	var out []string
	for i := range head {
		out = append(out, code[i].Text)
	}
	if len(code) > most && most > 0 {
		if most > 1 {
			out = append(out, "…")
		}
		out = append(out, code[len(code)-1].Text)
	}
	return out
}

// codeOf returns the machine code of a piece of the newer image.
func (d *drawing) codeOf(p Piece) []X86 {
	by := func(x X86, o int) int { return cmp.Compare(x.Offset, o) }
	from, _ := slices.BinarySearchFunc(d.x86, p.Offset, by)
	to, _ := slices.BinarySearchFunc(d.x86, p.Offset+p.Len, by)
	return d.x86[from:to]
}

// arc draws the part of a jump's line in the strip that it shares with no other, with its head at
// the target, and the whole line for highlighting.
func (d *drawing) arc(i int) {
	a, j := d.l.Strip.Arcs[i], d.scene.Image.Jumps[i]
	if a == (Arc{}) {
		return
	}
	k := kindStyle(j.Kind)
	title := func() string { return fmt.Sprintf("%s +0x%x → +0x%x", j.Kind, j.From, j.To) }
	arc, lit := "arc h"+strconv.Itoa(k), "arc hl h"+strconv.Itoa(k)
	switch {
	case a.Far:
		d.edgePath(j.Edge, lit, a.path(d.newPath(), a.Y1), title)
		return
	case a.Stem != a.Y1:
		d.edgePath(j.Edge, arc, a.path(d.newPath(), a.Stem), title)
		d.path(lit, a.path(d.newPath(), a.Y1), "")
		return
	}
	d.edgePath(j.Edge, arc, a.path(d.newPath(), a.Y1), title)
	if !a.Leaves {
		d.arcHead(k, &a)
	}
}

func (d *drawing) arcHead(kind int, a *Arc) {
	d.path("a"+strconv.Itoa(kind), d.at(a.X, a.Y1).By(7, -3, 0, 6).Close(), "")
}

// entries draws where jumps from other columns come in.
func (d *drawing) entries() {
	for _, e := range d.l.Strip.Entries {
		if e.Far {
			continue
		}
		k := kindStyle(d.scene.Image.Jumps[e.Jump].Kind)
		x, dir := e.X+e.Bulge, 1
		if e.Y1 < e.Y0 {
			dir = -1
		}
		r := max(1, min(6, (e.Y1-e.Y0)*dir/2))
		d.path("arc h"+strconv.Itoa(k), d.at(x, e.Y0).V(e.Y1-dir*r).Curve(x, e.Y1, x-r, e.Y1).H(e.X+6), "")
		d.arcHead(k, &e.Arc)
	}
}

// path adds to an empty path the arc up to y on the rail, or to its end where y is that.
func (a *Arc) path(p *display.Path, y int) *display.Path {
	x, dir := a.X+a.Bulge, 1
	if a.Y1 < a.Y0 {
		dir = -1
	}
	r := min(6, (a.Y1-a.Y0)*dir/2)
	if r < 1 { // both ends at one height
		return p.At(a.X, a.Y0).H(x)
	}
	turn := p.At(a.X, a.Y0).H(x-r).Curve(x, a.Y0, x, a.Y0+dir*r)
	if y == a.Y1 && a.Leaves {
		return turn.V(y)
	}
	if y != a.Y1 {
		// Up to where the next one has turned.
		return turn.V(y + dir*min(r, max(0, (a.Y1-y)*dir-r)))
	}
	return turn.V(a.Y1-dir*r).Curve(x, a.Y1, x-r, a.Y1).H(a.X + 6)
}

// stripBack draws what belongs to no block: functions, prologues, padding.
func (d *drawing) stripBack() {
	st := d.l.Strip
	if st == nil {
		return
	}
	m := d.scene.Image
	d.group(display.Item{Label: "machine code"}, func() {
		head := fmt.Sprintf("%d bytes", m.Len)
		if len(st.Steps) > 0 {
			head = "height ≈ bytes"
		}
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
		d.entries()
	})
}

// plainPieces draws the pieces of an image that are of no block.
func (d *drawing) plainPieces(m *Image, st *Strip) {
	for i, p := range m.Pieces {
		switch p.Kind {
		case PieceBlock:
		case PiecePadding:
			d.piece(p, st.Pieces[i], "hatch", "padding", nil, false)
		default:
			name := string(p.Kind)
			if f := m.funcAt(p.Offset); f >= 0 && m.Funcs[f].Name != "" && p.Kind == PiecePrologue && len(m.Funcs) > 1 {
				name += " " + m.Funcs[f].Name
			}
			var code []X86
			if m == d.scene.Image {
				code = d.codeOf(p)
			}
			d.piece(p, st.Pieces[i], "plain", name, code, false)
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
}

// imageMarks draws where functions begin, and the marks of an image.
func (d *drawing) imageMarks(m *Image, st *Strip) {
	for i, f := range m.Funcs {
		r := st.Funcs[i]
		d.path("funcline", d.at(r.X-8, r.Y).H(r.X+r.W+8), fmt.Sprintf("%s: +0x%x, %d bytes, prologue %d", f.Name, f.Offset,
			f.Len, f.Prologue))
	}
	for _, k := range m.Marks {
		r := st.span(k.Offset, k.Len)
		r.W, r.H = 6, max(r.H, 2)
		class := "other"
		switch k.Kind {
		case BytesEpilogue:
			class = "epilogue"
		case BytesPadding:
			class = "pad"
		case BytesMismatch:
			class, r.W = "wrong", st.W
		}
		d.titled(r, class, 0, k.title())
	}
	for _, o := range m.Endbr {
		r := st.span(o, 0)
		d.path("endbr", d.at(r.X-1, r.Y-1).By(6, 3, -6, 3).Close(), fmt.Sprintf("endbr64 at +0x%x", o))
	}
}

func (k *ByteMark) title() string {
	t := fmt.Sprintf("%s: +0x%x, %s", k.Kind, k.Offset, visible.Count(k.Len, "byte"))
	if k.Text != "" {
		t += ": " + k.Text
	}
	return t
}

// tables draws the tables with a line from each row to the code.
func (d *drawing) tables() {
	for t, r := range d.l.Tables {
		tab := &d.scene.Tables[t]
		g := display.Item{Class: "t", ID: fmt.Sprintf("t%d", t), Label: "table " + visible.Text(tab.Name),
			Part: display.Table, Index: t}
		d.group(g, func() { d.table(t, r, tab) })
	}
}

// table draws a table.
func (d *drawing) table(t int, r Rect, tab *Table) {
	d.rect(r, "hub", 4)
	d.clipped(r.X+8, r.Y+16, "name", tab.Name, (r.W-16)*10/73)
	d.clipped(r.X+8, r.Y+32, "sub small", tab.head(), (r.W-16)*10/smallCell)
	rows := tableRows(tab)
	cols := tableColumns(d.scene, rows, d.lim)
	first := "case"
	if tab.Bias == nil {
		first = "entry"
	}
	g := gridOf(len(rows), d.l.Strip.H)
	for i := range g.columns {
		part := g.column(r, i)
		d.text(part.X+8, r.Y+46, "note small", first)
		d.stages(part, r.Y+46, "note small", &cols, d.lim.stageNames())
	}
	for i := range rows {
		d.tableRow(g.column(r, i/g.rows), g.y(r.Y, i)+4, &cols, &rows[i])
	}
	d.aims(t, r)
}

// stages writes the columns at the right of a table.
func (d *drawing) stages(r Rect, y int, class string, cols *tableCols, text [3]string) {
	x := r.X + r.W - 8
	for i := len(text) - 1; i >= 0; i-- {
		d.anchored(x, y, class, text[i], display.End)
		x -= smallWidth(cols.stages[i] + 1)
	}
}

// remote reports whether there was no room for a table near the jumps and targets that it has lines
// to.
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

// aims draws the lines between a table and the strip: level past the arcs, so that
// they cross those only, then in a bow through the gap. In a figure the table is left
// of the strip, and there are no arcs.
func (d *drawing) aims(t int, r Rect) {
	st := d.l.Strip
	far := ""
	if d.remote(t) {
		far = " far"
	}
	few := far
	if len(st.Aims[t]) > manyAims || len(st.Columns) > 0 {
		far = " far"
	}
	if r.X < st.X {
		x, end := r.X+r.W, st.X-9
		mid := (x + end) / 2
		for _, a := range st.Aims[t] {
			d.path("aim"+far, d.at(x, a.Y0).Cubic(mid, a.Y0, mid, a.Y1, end, a.Y1), "")
			d.path("a3", d.at(end+7, a.Y1).By(-7, -3, 0, 6).Close(), "")
		}
		return
	}
	x, past := r.X, r.X-tableGap+6
	mid := (x + past) / 2
	for _, a := range st.Feeds[t] {
		x1 := max(a.X1, st.X+st.W)
		d.path("feed"+few, d.at(x1, a.Y1).H(past).Cubic(mid, a.Y1, mid, a.Y0, x-6, a.Y0), "")
		d.path("a3", d.at(x, a.Y0).By(-7, -4, 0, 8).Close(), "")
	}
	for _, a := range st.Aims[t] {
		x1 := max(a.X1, st.X+st.W)
		d.path("aim"+far, d.at(x, a.Y0).Cubic(mid, a.Y0, mid, a.Y1, past, a.Y1).H(x1+6), "")
		d.path("a3", d.at(x1, a.Y1).By(7, -3, 0, 6).Close(), "")
	}
}

func (d *drawing) tableRow(r Rect, y int, cols *tableCols, row *tableLine) {
	if row.more > 0 {
		d.text(r.X+8, y, "fold", fmt.Sprintf("… %d more targets", row.more))
		return
	}
	class, index := "small", "small case"
	if row.deleted || !row.selected {
		class, index = "off small", "off small"
	}
	d.clipped(r.X+8, y, index, Ranges(row.indices), cols.index)
	x := r.X + 8 + smallWidth(cols.index+1)
	if row.block == Outside {
		d.clipped(x, y, class, row.target(d.scene), cols.target)
		return
	}
	if cols.target > 0 {
		d.group(display.Item{Link: fmt.Sprintf("#b%d", row.block)}, func() {
			d.clipped(x, y, class+" ref", row.target(d.scene), cols.target)
		})
	}
	d.stages(r, y, class, cols, d.lim.stages(row))
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
