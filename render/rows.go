package render

import (
	"cmp"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Sizes of text in pixels. A cell of a 12 pixel monospaced font is 7.2 to 7.3
// wide in the fonts of the drawing's list; boxes assume the larger. The
// attribute textLength, which would force it, is not drawn by librsvg.
const (
	rowHeight = 15
	boxPad    = 8 // left and right of the text
	headRow   = 18

	noteCols = 36 // of a note after an instruction
)

// textWidth returns the width of a number of cells in pixels.
func textWidth(cols int) int { return (cols*73 + 9) / 10 }

// Detail is how much of each block is drawn.
type Detail string

// The levels of detail. DetailAuto chooses by the number of blocks.
const (
	DetailAuto    Detail = ""
	DetailFull    Detail = "full"    // C lines, 24 instructions
	DetailMedium  Detail = "medium"  // 8 instructions, no C lines
	DetailCompact Detail = "compact" // the last instruction
	DetailFigure  Detail = "figure"  // C lines alone, in few words; see Place
)

// limits are the parts of a Detail.
type limits struct {
	lines  int // instructions of a block; more are folded
	cols   int // cells of a line; more are cut
	source bool
	chips  int

	stubIns int // branches into one block from which they have no lines

	indexCols, nameCols int // cells of the first two columns of a table

	figure bool
}

func (d Detail) limits() limits {
	l := limits{lines: 24, cols: 48, source: true, chips: 12, stubIns: 12, indexCols: 42, nameCols: 36}
	switch d {
	case DetailMedium:
		l.lines, l.cols, l.source, l.chips = 8, 40, false, 4
	case DetailCompact:
		l.lines, l.cols, l.source, l.chips = 1, 28, false, 2
	case DetailFigure:
		return limits{lines: 3, cols: figureCols, chips: 2, stubIns: 4, indexCols: 10, figure: true}
	}
	return l
}

// autoDetail chooses a level of detail for a scene.
func autoDetail(s *Scene) Detail {
	switch n := len(s.Blocks); {
	case n <= 600:
		return DetailFull
	case n <= 4000:
		return DetailMedium
	}
	return DetailCompact
}

// rowKind says what a row of a box shows.
type rowKind uint8

const (
	headText   rowKind = iota // name and slots
	sourceText                // C line
	plainText                 // text without a slot number
	jumpText                  // an indirect jump
	insnText                  // instruction
	foldText                  // "… 40 more"
	chipText                  // reference to something outside the drawing of edges
	stateText                 // why the targets are not known, why it is not reached
)

// row is a line of text in a box.
type row struct {
	kind  rowKind
	slot  string // slot number, for insnText; slots after the name, for headText
	text  string // visible text
	title string // full text, when text is cut
	note  string
	mark  string // of the block or the instruction
	link  string
	edge  EdgeKind
}

// blockRows returns the rows of a block at a level of detail.
func (v *viewer) blockRows(b int) []row {
	blk := &v.scene.Blocks[b]
	switch {
	case blk.Folded != nil:
		return v.foldedRows(b)
	case v.lim.figure:
		return v.figureRows(b)
	}
	rows := append(make([]row, 0, 4+min(len(blk.Lines), v.lim.lines)*3/2), v.heading(b))
	head, tail := len(blk.Lines), len(blk.Lines)
	if n := v.lim.lines; len(blk.Lines) > n {
		// Keep the end: it says where control goes.
		keep := max(1, n/3)
		head, tail = n-keep, len(blk.Lines)-keep
	}
	last := Line{LineNo: -1}
	for i, l := range blk.Lines {
		if i >= head && i < tail {
			if i == head && v.lim.lines > 1 {
				rows = append(rows, foldRow(blk.Lines[head:tail]))
			}
			continue
		}
		if v.lim.source && l.Source != "" && (l.LineNo != last.LineNo || l.File != last.File || l.Source != last.Source) {
			rows = append(rows, v.sourceRow(l))
			last = l
		}
		text, cut := clip(visible.Text(l.Text), v.lim.cols)
		note, short := clip(visible.Text(l.Note), noteCols)
		r := row{kind: insnText, slot: strconv.Itoa(l.Slot), text: text, note: note, mark: l.Mark}
		if cut || short {
			r.title = strings.TrimSpace(l.Text + "  " + l.Note)
		}
		rows = append(rows, r)
	}
	return append(rows, v.footRows(b)...)
}

// heading is the row of a block's head: its name, slots, visits and mark.
func (v *viewer) heading(b int) row {
	blk := &v.scene.Blocks[b]
	name, _ := clip(visible.Text(blk.Name), 24)
	r := row{kind: headText, text: name, note: countTexts(blk), mark: blk.Mark}
	if len(blk.Lines) == 0 {
		return r
	}
	first, last := blk.Lines[0].Slot, blk.Lines[len(blk.Lines)-1].Slot
	r.slot = "  " + strconv.Itoa(first)
	if first != last {
		r.slot += "–" + strconv.Itoa(last)
	}
	r.text += r.slot
	return r
}

func (v *viewer) sourceRow(l Line) row {
	src := strings.TrimSpace(strings.ReplaceAll(l.Source, "\t", " "))
	full := visible.Text(src)
	if l.LineNo > 0 {
		full = strconv.Itoa(l.LineNo) + ": " + full
	}
	text, cut := clip(full, v.lim.cols)
	r := row{kind: sourceText, text: text}
	if cut || l.File != "" {
		r.title = src
		if l.File != "" {
			r.title = l.File + ":" + strconv.Itoa(l.LineNo) + ": " + src
		}
	}
	return r
}

// foldRow stands for instructions left out, and counts those with marks. Its
// title lists the first of them.
func foldRow(lines []Line) row {
	const most = 60
	var b strings.Builder
	signs := map[string]int{}
	for i, l := range lines {
		if l.Mark != "" {
			signs[markSign(l.Mark)]++
		}
		switch {
		case i < most:
			sign := ""
			if l.Mark != "" {
				sign = markSign(l.Mark) + " "
			}
			fmt.Fprintf(&b, "%s%d %s; ", sign, l.Slot, visible.Text(l.Text))
		case i == most:
			fmt.Fprintf(&b, "… %d more", len(lines)-most)
		}
	}
	text := fmt.Sprintf("… %d more", len(lines))
	for _, m := range markSigns {
		if n := signs[m.sign]; n > 0 {
			text += fmt.Sprintf(", %s%d", m.sign, n)
		}
	}
	return row{kind: foldText, text: text, title: b.String()}
}

// footRows returns rows for what no line shows: calls, tail calls, unknown targets, edges
// whose lines were given up, tables, and why a block is not reached.
func (v *viewer) footRows(b int) []row {
	blk := &v.scene.Blocks[b]
	var rows []row
	for _, t := range v.tablesOf[b] {
		tab := &v.scene.Tables[t]
		text := "table " + visible.Text(tab.Name)
		if tab.Range != "" {
			text += " [" + visible.Text(tab.Range) + "]"
		}
		rows = append(rows, v.chip(Indirect, text, fmt.Sprintf("#t%d", t)))
	}
	if blk.Status != "" && blk.Status != "exact" {
		rows = append(rows, v.state(blk.Status, blk.Reason))
	}
	switch {
	case !blk.Reachable:
		rows = append(rows, v.state("× dead"+blk.given(), blk.Reason))
	case blk.Maybe:
		r := v.state("≈ possibly reached", "")
		r.title = cmp.Or(r.title, visible.Text(blk.Reason))
		rows = append(rows, r)
	}
	if blk.Landing {
		rows = append(rows, v.state("♦ landing pad", ""))
	}
	if r, many := v.waysIn(b); many {
		rows = append(rows, r)
	}
	var chips []row
	for _, e := range v.chipsOf[b] {
		chips = append(chips, v.edgeChip(e))
	}
	if n := v.lim.chips; len(chips) > n {
		more := row{kind: chipText, text: fmt.Sprintf("… %d more", len(chips)-n+1)}
		chips = append(chips[:n-1], more)
	}
	return append(rows, chips...)
}

func (v *viewer) state(what, why string) row {
	full := what
	if why != "" {
		full += ": " + visible.Text(why)
	}
	text, cut := clip(full, v.lim.cols)
	r := row{kind: stateText, text: text}
	if cut {
		r.title = full
	}
	return r
}

func (v *viewer) chip(kind EdgeKind, full, link string) row {
	text, cut := clip(full, v.lim.cols-2)
	r := row{kind: chipText, text: text, link: link, edge: kind}
	if cut {
		r.title = full
	}
	return r
}

// edgeChip names where an edge without a line goes.
func (v *viewer) edgeChip(i int) row {
	e := &v.scene.Edges[i]
	name, link := "unknown", ""
	if e.To != Outside {
		to := &v.scene.Blocks[e.To]
		name, link = visible.Text(to.Name), fmt.Sprintf("#b%d", e.To)
		if f := v.scene.Funcs[to.Func]; to.Entry && crossing(e.Kind) {
			name, link = funcName(f, to.Func), fmt.Sprintf("#f%d", to.Func)
		}
		if e.Label != "" {
			name += " (" + visible.Text(e.Label) + ")"
		}
	} else if e.Label != "" {
		name = visible.Text(e.Label)
	}
	dead := ""
	if e.Dead {
		dead = " (never)"
	}
	return v.chip(e.Kind, string(e.Kind)+" → "+name+dead, link)
}

// crossing reports whether edges of the kind lead to functions.
func crossing(k EdgeKind) bool {
	return k == Call || k == Callback || k == TailCall || k == Exception
}

func funcName(f Func, i int) string {
	if f.Name == "" {
		return fmt.Sprintf("function %d", i)
	}
	name, _ := clip(visible.Text(f.Name), 40)
	return name
}

// rowColumns returns the cells that a row takes.
func (v *viewer) rowColumns(r row) int {
	n := columns(r.text)
	switch r.kind {
	case headText:
		n += 12 + columns(r.note) // bold, and marks at the right
		if v.lim.figure {
			n -= 4
		}
		if r.mark != "" {
			n += 2 + columns(markText(r.mark))
		}
	case insnText:
		n += v.slotCols + 2
		if r.note != "" {
			n += 1 + columns(r.note)
		}
	case foldText:
		n += v.slotCols + 2
	case chipText:
		n += 4
	}
	return n
}

// boxSize returns the size of a box with the rows.
func (v *viewer) boxSize(rows []row) (w, h int) {
	cols := 14
	if v.lim.figure {
		cols = 10
	}
	for _, r := range rows {
		cols = max(cols, v.rowColumns(r))
	}
	// A multiple of 32 keeps the centre on the grid of the layout.
	w = (textWidth(cols) + 2*boxPad + 7) / 8 * 8
	return w, headRow + rowHeight*(len(rows)-1) + 5
}

// viewer is a scene with indexes for placing and drawing it.
type viewer struct {
	scene    *Scene
	lim      limits
	slotCols int     // cells of the greatest slot number
	tablesOf [][]int // tables that each block selects from
	chipsOf  [][]int // edges of each block that have no line
	callers  [][]int // blocks that call each function
	given    map[int]bool

	stubsInto map[int][]int // edges without a line into each block
	isCase    map[int]bool  // targets of indirect jumps
	decides   map[int]bool  // blocks that end with a branch or an indirect jump
}

// newViewer indexes the scene. Edges in given got no line from the engine.
func newViewer(s *Scene, d Detail, given []int) *viewer {
	v := &viewer{scene: s, lim: d.limits(), slotCols: 1, given: map[int]bool{}, stubsInto: map[int][]int{},
		isCase: map[int]bool{}, decides: map[int]bool{}}
	for _, i := range given {
		v.given[i] = true
		v.stubsInto[s.Edges[i].To] = append(v.stubsInto[s.Edges[i].To], i)
	}
	v.tablesOf = make([][]int, len(s.Blocks))
	v.chipsOf = make([][]int, len(s.Blocks))
	v.callers = make([][]int, len(s.Funcs))
	last := 0
	for i := range s.Blocks {
		for j := range s.Blocks[i].Lines {
			last = max(last, s.Blocks[i].Lines[j].Slot)
		}
	}
	v.slotCols = len(strconv.Itoa(last))
	for t, tab := range s.Tables {
		for _, b := range tab.Jumps {
			v.tablesOf[b] = append(v.tablesOf[b], t)
		}
	}
	for i, e := range s.Edges {
		if e.Kind == Indirect || e.Kind == Taken {
			v.decides[e.From] = true
		}
		if e.Kind == Indirect && e.To != Outside {
			v.isCase[e.To] = true
		}
		if e.To != Outside && crossing(e.Kind) && s.Blocks[e.To].Entry {
			f := s.Blocks[e.To].Func
			v.callers[f] = append(v.callers[f], e.From)
		}
		if !v.drawn(i) && !v.quiet(i) {
			v.chipsOf[e.From] = append(v.chipsOf[e.From], i)
		}
	}
	for f, c := range v.callers {
		sort.Ints(c)
		v.callers[f] = c
	}
	return v
}

// drawn reports whether the edge has a line of its own.
func (v *viewer) drawn(i int) bool {
	e := &v.scene.Edges[i]
	return e.To != Outside && !crossing(e.Kind) && v.scene.Blocks[e.From].Func == v.scene.Blocks[e.To].Func && !v.given[i]
}

// quiet reports whether the edge is not shown at all: a function's callers show where it returns
// to.
func (v *viewer) quiet(i int) bool {
	e := &v.scene.Edges[i]
	return e.Kind == Return && (e.To == Outside || v.scene.Blocks[e.From].Func != v.scene.Blocks[e.To].Func)
}
