package render

import (
	"fmt"
	"strconv"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
)

// pageData is the part of a program that the page's script reads when it shows the program:
// places, edges and marks. Lists of numbers are flat, several numbers an
// element as the comments say, because a browser reads 100,000 numbers in the
// time of 5,000 objects. All strings are Visible.
type pageData struct {
	Key      string         `json:"key"`
	Head     string         `json:"head"`            // beginning of the drawing
	Windowed bool           `json:"windowed"`        // blocks are drawn when the window comes near
	Folds    bool           `json:"folds,omitempty"` // there is a folded drawing, too
	Chunk    int            `json:"chunk"`           // number of blocks, or tables, in one payload
	W        int            `json:"w"`
	H        int            `json:"h"`
	Funcs    []string       `json:"funcs"`
	Entries  []int          `json:"entries"`         // block of each function
	Frames   []int          `json:"frames"`          // x, y, w, h of each function
	Names    map[int]string `json:"names,omitempty"` // of blocks that are not called "b" and their index
	Func     []int          `json:"func"`            // of each block
	Flags    []int          `json:"flags"`           // of each block, bits as below
	Depth    map[int]int    `json:"depth,omitempty"` // of blocks in loops
	Slots    steps          `json:"slots"`           // first and last slot of each block, -1 without
	Counts   map[int]uint64 `json:"counts,omitempty"`
	Before   map[int]uint64 `json:"before,omitempty"` // counts in the older version
	Status   map[int]string `json:"status,omitempty"` // of indirect jumps
	Reasons  map[int]string `json:"reasons,omitempty"`
	Marks    map[int]string `json:"marks,omitempty"`
	Whys     map[int]string `json:"whys,omitempty"`
	Boxes    steps          `json:"boxes"` // x, y, w, h of each block
	// Loops are areas: header or -1, number of bands, and of each band x less
	// that of the band above, y less where that one ends, w, h. The script of a
	// windowed program draws them, cut to the window: their outlines are dashed,
	// and a browser makes the millions of dashes of a large one though it shows few.
	Loops      []int          `json:"loops"`
	Pieces     steps          `json:"pieces"` // block, offset, length, y, height
	Strip      []int          `json:"strip"`  // x, y, w, h of the machine code
	Len        int            `json:"len"`    // bytes that the strip shows
	Kinds      []string       `json:"kinds"`  // of edges
	Edges      steps          `json:"edges"`  // from, to, kind, 1 if dead and 2 if merely possible
	Labels     map[int]string `json:"labels,omitempty"`
	EdgeMarks  map[int]string `json:"edgemarks,omitempty"`
	EdgeCounts map[int]uint64 `json:"edgecounts,omitempty"`
	Folded     map[int]string `json:"folded,omitempty"` // of blocks that stand for several: "loop of 7 blocks"
	Mismatches []string       `json:"mismatches,omitempty"`
	Wrong      []int          `json:"wrong,omitempty"` // offset and length of bytes that a comparison objects to

	Tables  []pageTable `json:"tables,omitempty"`
	Stamp   string      `json:"stamp,omitempty"`   // how far the picture is proven
	Stamped string      `json:"stamped,omitempty"` // "good", "state" or "badtext"
	Aside   []pagePart  `json:"aside,omitempty"`

	Findings []pageFinding `json:"findings,omitempty"`
	Groups   []pageGroup   `json:"groups,omitempty"`

	Far *farData `json:"far,omitempty"` // for windowed programs
}

// steps is a flat list of numbers, by of them an element. In JSON all but the first element are
// differences from the element before, which compress better because most numbers grow slowly. The
// script undoes it (values).
type steps struct {
	by   int
	list []int
}

func (s *steps) add(numbers ...int) { s.list = append(s.list, numbers...) }

// MarshalJSON writes {"by":4,"steps":[…]}.
func (s steps) MarshalJSON() ([]byte, error) {
	out := fmt.Appendf(nil, `{"by":%d,"steps":[`, s.by)
	for i, n := range s.list {
		if i > 0 {
			out = append(out, ',')
		}
		if i >= s.by {
			n -= s.list[i-s.by]
		}
		out = strconv.AppendInt(out, int64(n), 10)
	}
	return append(out, "]}"...), nil
}

// pageTable is a jump table.
type pageTable struct {
	Name    string         `json:"name"`
	Head    string         `json:"head"`
	Bias    *int           `json:"bias,omitempty"`
	Entries []int          `json:"entries"` // block, slot, xlated, offset, 1 selected, 2 deleted
	Notes   map[int]string `json:"notes,omitempty"`
}

// pageFinding is a finding.
type pageFinding struct {
	Block   int    `json:"block"`
	Slot    int    `json:"slot"`
	Level   string `json:"level"`
	ID      string `json:"id"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// pageGroup is a group.
type pageGroup struct {
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Each   int    `json:"each,omitempty"`
	Blocks []int  `json:"blocks"`
}

// Bits of pageData.Flags.
const (
	pageReachable = 1 << iota
	pageEntry
	pageExit
	pageHeader
	pageMaybe
	pageLanding
	pageConfigured
)

// pagePart is a titled list of a block's details.
type pagePart struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"`
}

func newPageData(s *Scene, l *Placement, key string) *pageData {
	d := &pageData{Key: key, Head: string(display.SVGHead(Draw(s, l), theme())), W: l.W, H: l.H,
		Funcs: []string{}, Entries: []int{}, Frames: []int{}, Func: []int{},
		Flags: []int{}, Slots: steps{by: 2}, Boxes: steps{by: 4}, Loops: []int{}, Pieces: steps{by: 5},
		Strip: []int{0, 0, 0, 0}, Kinds: []string{}, Edges: steps{by: 4},
		Names: map[int]string{}, Depth: map[int]int{}, Counts: map[int]uint64{}, Before: map[int]uint64{},
		Status:  map[int]string{},
		Reasons: map[int]string{}, Marks: map[int]string{}, Whys: map[int]string{}, Labels: map[int]string{},
		Folded: map[int]string{}, EdgeMarks: map[int]string{}, EdgeCounts: map[int]uint64{}}
	for i, f := range s.Funcs {
		d.Funcs = append(d.Funcs, funcName(f, i))
		d.Entries = append(d.Entries, f.Entry)
	}
	for _, r := range l.Funcs {
		d.Frames = append(d.Frames, r.X, r.Y, r.W, r.H)
	}
	for i := range s.Blocks {
		var box Rect
		if i < len(l.Blocks) {
			box = l.Blocks[i]
		}
		d.Boxes.add(box.X, box.Y, box.W, box.H)
		d.block(i, &s.Blocks[i])
	}
	for i := range l.Loops {
		d.addLoop(&l.Loops[i])
	}
	kinds := map[EdgeKind]int{}
	for i := range s.Edges {
		d.edge(i, &s.Edges[i], kinds)
	}
	if l.Strip != nil {
		d.strip(s, l)
	}
	d.Stamped, d.Stamp = s.stamp()
	for i := range s.Tables {
		d.Tables = append(d.Tables, newPageTable(&s.Tables[i]))
	}
	for _, a := range s.Aside {
		d.Aside = append(d.Aside, newPagePart(a))
	}
	for _, f := range s.Findings {
		d.Findings = append(d.Findings, pageFinding{f.Block, f.Slot, visible.Text(f.Level), visible.Text(f.ID),
			visible.Text(f.Message), visible.Text(f.Fix)})
	}
	for _, g := range s.Groups {
		d.Groups = append(d.Groups, pageGroup{visible.Text(g.Kind), visible.Text(g.Text), g.Each, g.Blocks})
	}
	for _, m := range s.Mismatches {
		d.Mismatches = append(d.Mismatches, visible.Text(m))
	}
	return d
}

// block adds block i.
func (d *pageData) block(i int, b *Block) {
	flags := 0
	for _, f := range []struct {
		on  bool
		bit int
	}{
		{b.Reachable, pageReachable}, {b.Entry, pageEntry}, {b.Exit, pageExit}, {b.LoopHeader, pageHeader},
		{b.Maybe, pageMaybe}, {b.Landing, pageLanding}, {b.Configured, pageConfigured},
	} {
		if f.on {
			flags |= f.bit
		}
	}
	d.Func, d.Flags = append(d.Func, b.Func), append(d.Flags, flags)
	first, last := -1, -1
	if n := len(b.Lines); n > 0 {
		first, last = b.Lines[0].Slot, b.Lines[n-1].Slot
	}
	d.Slots.add(first, last)
	if name := visible.Text(b.Name); name != "b"+strconv.Itoa(i) {
		d.Names[i] = name
	}
	if b.LoopDepth != 0 {
		d.Depth[i] = b.LoopDepth
	}
	if b.Count != nil {
		d.Counts[i] = *b.Count
	}
	if b.CountBefore != nil {
		d.Before[i] = *b.CountBefore
	}
	if f := b.Folded; f != nil {
		d.Folded[i] = visible.Text(f.size())
	}
	set(d.Status, i, b.Status)
	set(d.Reasons, i, b.Reason)
	set(d.Marks, i, b.Mark)
	set(d.Whys, i, b.Why)
}

// addLoop adds the area of a loop.
func (d *pageData) addLoop(loop *Loop) {
	if len(loop.Bands) == 0 {
		return
	}
	d.Loops = append(d.Loops, loop.Header, len(loop.Bands))
	x, y := 0, 0
	for _, b := range loop.Bands {
		d.Loops = append(d.Loops, b.X-x, b.Y-y, b.W, b.H)
		x, y = b.X, b.Y+b.H
	}
}

// edge adds edge i.
func (d *pageData) edge(i int, e *Edge, kinds map[EdgeKind]int) {
	kind, ok := kinds[e.Kind]
	if !ok {
		kind = len(d.Kinds)
		kinds[e.Kind] = kind
		d.Kinds = append(d.Kinds, visible.Text(string(e.Kind)))
	}
	dead := 0
	switch {
	case e.Dead:
		dead = 1
	case e.Maybe:
		dead = 2
	}
	d.Edges.add(e.From, e.To, kind, dead)
	set(d.Labels, i, e.Label)
	set(d.EdgeMarks, i, e.Mark)
	if e.Count != nil {
		d.EdgeCounts[i] = *e.Count
	}
}

func set(m map[int]string, i int, s string) {
	if s != "" {
		m[i] = visible.Text(s)
	}
}

// strip adds where the machine code lies.
func (d *pageData) strip(s *Scene, l *Placement) {
	st := l.Strip
	d.Strip, d.Len = []int{st.X, st.Y, st.W, st.H}, st.Len
	seen := make([]bool, len(s.Blocks))
	for i, p := range s.Image.Pieces {
		if p.Kind != PieceBlock {
			continue
		}
		r := st.Pieces[i]
		d.Pieces.add(p.Block, p.Offset, p.Len, r.Y, r.H)
		if len(l.Blocks) == 0 && !seen[p.Block] {
			copy(d.Boxes.list[4*p.Block:], []int{r.X, r.Y, r.W, r.H})
		}
		seen[p.Block] = true
	}
	for _, m := range s.Image.Marks {
		if m.Kind == BytesMismatch {
			d.Wrong = append(d.Wrong, m.Offset, m.Len)
		}
	}
}

// addLines writes the instructions: the number of each block's, and of each slot,
// text, source, file, line, note and mark.
func (p *payloads) addLines(s *Scene) {
	n := 0
	for i := range s.Blocks {
		n += len(s.Blocks[i].Lines)
	}
	counts, lines := make([]int, 0, len(s.Blocks)), p.table(7*n)
	source, file := column{texts: p.texts}, column{texts: p.texts}
	for i := range s.Blocks {
		counts = append(counts, len(s.Blocks[i].Lines))
		for _, n := range s.Blocks[i].Lines {
			lines = append(lines, n.Slot, p.texts.of(n.Text), source.of(n.Source), file.of(n.File), n.LineNo,
				p.texts.of(n.Note), p.texts.of(n.Mark))
		}
	}
	out := p.numbers()
	out.columns(1, counts)
	out.columns(7, lines)
	p.addNumbers("lines", 0, out)
}

// addCode writes the code of the instructions: of each piece of code block, slot, original slot,
// state, text and number of x86 instructions; of each of these byte and text.
func (p *payloads) addCode(s *Scene) {
	n := 0
	for i := range s.Code {
		n += len(s.Code[i].X86)
	}
	table := p.table(6*len(s.Code) + 2*n)
	rows, x86 := table[:0:6*len(s.Code)], table[6*len(s.Code):6*len(s.Code)]
	for i := range s.Code {
		c := &s.Code[i]
		rows = append(rows, c.Block, c.Slot, c.Original, int(c.State), p.texts.of(c.Text), len(c.X86))
		for _, x := range c.X86 {
			x86 = append(x86, x.Offset, p.texts.of(x.Text))
		}
	}
	out := p.numbers()
	out.columns(6, rows)
	out.columns(2, x86)
	p.addNumbers("code", 0, out)
}

// addFacts writes the facts of the blocks from lo to hi: the number of each block's
// states, and of each state what differs from its base (Facts): a number of changes,
// each a place and what is known now, 0 for nothing.
func (p *payloads) addFacts(s *Scene, number, lo, hi int) {
	out := p.numbers()
	s.Facts.Reset()
	for b := lo; b < hi; b++ {
		states := s.Facts.Changes(b)
		out.add(len(states))
		for _, changes := range states {
			out.add(len(changes))
			for _, f := range changes {
				out.add(p.fact(s.Facts, f.Place), p.fact(s.Facts, f.Text))
			}
		}
	}
	p.addNumbers("facts", number, out)
}

// fact returns the number in the page of a text of the facts.
func (p *payloads) fact(facts Facts, number int) int {
	if number >= len(p.facts) {
		p.facts = append(p.facts, make([]int, number+1-len(p.facts))...)
	}
	if number > 0 && p.facts[number] == 0 {
		p.facts[number] = p.texts.of(facts.Text(number))
	}
	return p.facts[number]
}

// newPageDetails returns the details of the blocks from lo to hi.
func newPageDetails(s *Scene, lo, hi int) [][]pagePart {
	out := make([][]pagePart, 0, hi-lo)
	for i := lo; i < hi; i++ {
		parts := []pagePart{}
		for _, sec := range s.Blocks[i].Details {
			parts = append(parts, newPagePart(sec))
		}
		out = append(out, parts)
	}
	return out
}

func newPageTable(t *Table) pageTable {
	out := pageTable{Name: visible.Text(t.Name), Head: t.head(), Bias: t.Bias, Entries: []int{}, Notes: map[int]string{}}
	for i, e := range t.Entries {
		state := 0
		if e.Selected {
			state |= 1
		}
		if e.Deleted {
			state |= 2
		}
		out.Entries = append(out.Entries, e.Block, e.Slot, e.Xlated, e.Offset, state)
		set(out.Notes, i, e.Note)
	}
	return out
}

func newPagePart(sec Section) pagePart {
	part := pagePart{Title: visible.Text(sec.Title), Lines: make([]string, len(sec.Lines))}
	for i, t := range sec.Lines {
		part.Lines[i] = visible.Text(t)
	}
	return part
}
