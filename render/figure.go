package render

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

// A figure is a picture for documents: as wide as the column of a README file, with
// letters of at least ten pixels at that size. Its blocks show the C lines, or without any the last
// instruction; the tables are between the
// graph and the machine code, and their rows alone have lines to it.
const (
	figureWidth = 830 // pixels
	figureCols  = 24  // cells of a line in a block
	caseCols    = 13  // the same for the targets of an indirect jump, which lie side by side
	figureRows  = 3   // lines of text in a block
	figureStrip = 112 // least width of the machine code
	figureWide  = 240 // and most, where there is room
	figureGap   = 12  // between the graph, the tables and the lines to the machine code
	figureAims  = 32  // for those lines
	figureCell  = 14  // least height of a piece of the machine code
)

// placeFigure places a figure. The width of a drawing is known only once it is placed,
// so rows of boxes are made narrower until it fits its column.
func placeFigure(ctx context.Context, s *Scene, opt PlaceOptions) (*Placement, error) {
	const most = 200 // above so many blocks a figure is not worth the time
	_, ours := opt.Engine.(Layered)
	var best *Placement
	for _, percent := range []int{100, 85, 75, 65, 55, 45, 35} {
		if ours {
			opt.Engine = Layered{Options: layered.Options{MaxWidth: figureWidth * percent / 100, MaxHeight: -1, Slack: 40,
				NodeGap: 12, TrackGap: 8, ChanTop: 14, ChanEnd: 20}}
		}
		opt.MaxWidth = figureWidth * percent / 100
		l, err := place(ctx, s, opt)
		if err != nil {
			return nil, err
		}
		if best == nil || l.W < best.W {
			best = l
		}
		if best.W <= figureWidth || !ours || len(s.Blocks) > most {
			break
		}
		opt.Progress = nil // it never goes back
	}
	return best, nil
}

// placeFigureStrip places tables and machine code right of the graph, which ends at x.
func (l *Placement) placeFigureStrip(s *Scene, x, top, bottom int) (right, newBottom int) {
	at := Rect{x + figureGap, top + 24, figureStrip, max(bottom-top-24, 200)}
	if len(s.Tables) == 0 {
		at.W = figureStripWidth(at.X)
	}
	st := newStrip(s.Image, at, figureCell)
	if n := len(s.Tables); n > 0 {
		l.Tables = make([]Rect, n)
		beside := l.profile(bottom)
		for t := range s.Tables {
			rows := tableRows(&s.Tables[t])
			r := Rect{W: l.tableWidth(s, rows), H: gridOf(len(rows), st.H).height()}
			r.X, r.Y = beside.nearest(r.H, st.Y, st.middle(rows)-r.H/2)
			l.Tables[t] = r
			beside.fill(r)
			at.X = max(at.X, r.X+r.W+figureAims)
			bottom = max(bottom, r.Y+r.H+8)
		}
		at.W = figureStripWidth(at.X)
		st = newStrip(s.Image, at, figureCell)
	}
	st.Arcs = make([]Arc, len(s.Image.Jumps))
	st.Aims, st.Feeds = make([][]Aim, len(s.Tables)), make([][]Aim, len(s.Tables))
	l.Strip = st
	for t := range s.Tables {
		l.aimTable(s, t)
	}
	return st.X + st.W, max(bottom, st.Y+st.H+8)
}

// figureStripWidth is the width of machine code at x.
func figureStripWidth(x int) int { return min(max(figureWidth-margin-x, figureStrip), figureWide) }

// figureHead returns the lines below the title of a figure: what it shows, and the state of its analysis.
func figureHead(s *Scene) (sub, stamp []string) {
	const most = 3
	cols := (figureWidth - 2*margin) * 10 / 73
	_, known := s.stamp()
	return wrap(visible.Text(s.subtitle(s.Image != nil)), cols, most), wrap(visible.Text(known), cols, most)
}

// profile holds how far right a drawing extends, by y in steps.
type profile []int

const profileStep = 8

func (l *Placement) profile(bottom int) *profile {
	p := make(profile, bottom/profileStep+1)
	for _, r := range slices.Concat(l.Blocks, l.framesOf()) {
		p.fill(r)
	}
	for i := range l.Lines {
		points := l.Lines[i].Points
		for k := range len(points) - 1 {
			a, b := points[k], points[k+1]
			p.fill(Rect{min(a.X, b.X), min(a.Y, b.Y), max(a.X, b.X) - min(a.X, b.X), max(a.Y, b.Y) - min(a.Y, b.Y)})
		}
	}
	return &p
}

// framesOf returns the frames of functions that are drawn.
func (l *Placement) framesOf() []Rect {
	if len(l.Funcs) == 1 {
		return nil
	}
	return l.Funcs
}

// fill makes room for a rectangle.
func (p *profile) fill(r Rect) {
	for i := max(0, r.Y/profileStep-1); i <= (r.Y+r.H)/profileStep+1; i++ {
		if i >= len(*p) {
			*p = append(*p, 0)
		}
		(*p)[i] = max((*p)[i], r.X+r.W)
	}
}

// nearest returns the leftmost place below top for something of a height; of several, the one
// nearest to want.
func (p *profile) nearest(high, top, want int) (x, y int) {
	n, first := high/profileStep+1, top/profileStep+1
	best, at := 1<<30, first
	for i := first; i == first || i+n <= len(*p); i++ {
		right := margin
		for _, v := range (*p)[min(i, len(*p)):min(i+n, len(*p))] {
			right = max(right, v)
		}
		if right < best || right == best && distance(Pt{Y: i * profileStep}, Pt{Y: want}) <
			distance(Pt{Y: at * profileStep}, Pt{Y: want}) {
			best, at = right, i
		}
	}
	return best + figureGap, at * profileStep
}

// figureRows returns the rows of a block in a figure.
func (v *viewer) figureRows(b int) []row {
	blk := &v.scene.Blocks[b]
	head := v.heading(b)
	head.text, head.slot = strings.TrimSuffix(head.text, head.slot), ""
	rows := []row{head}
	cols := figureCols
	if v.isCase[b] {
		cols = caseCols
	}
	add := func(kind rowKind, text string) {
		for _, line := range wrap(visible.Text(text), cols, figureRows) {
			rows = append(rows, row{kind: kind, text: line, title: text})
		}
	}
	switch text := v.gist(b); {
	case text != "":
		add(sourceText, text)
	case len(blk.Lines) > 0 && blk.Status == "":
		add(plainText, blk.Lines[len(blk.Lines)-1].Text)
	}
	if blk.Status != "" && len(blk.Lines) > 0 {
		add(jumpText, blk.Lines[len(blk.Lines)-1].Text)
		if blk.Status != "exact" {
			add(stateText, blk.Status)
		}
	}
	switch {
	case !blk.Reachable:
		add(stateText, strings.TrimSuffix("× dead"+blk.given()+": "+blk.Reason, ": "))
	case blk.Maybe:
		add(stateText, "≈ possibly reached")
	}
	if blk.Landing {
		add(stateText, "♦ landing pad")
	}
	if r, many := v.waysIn(b); many {
		add(foldText, strings.SplitN(r.text, ":", 2)[0])
	}
	for i, e := range v.chipsOf[b] {
		if i == v.lim.chips {
			add(foldText, fmt.Sprintf("… %d more", len(v.chipsOf[b])-i))
			break
		}
		r := v.edgeChip(e)
		r.text, _ = clip(r.text, cols-2)
		rows = append(rows, r)
	}
	return rows
}

// gist summarises a block in C: the line that decides where control goes, or all of its lines if
// it does not branch.
func (v *viewer) gist(b int) string {
	lines := sourceLines(&v.scene.Blocks[b])
	if len(lines) == 0 || v.decides[b] {
		return strings.Join(lines[max(0, len(lines)-1):], "")
	}
	telling := slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return l == "break;" || l == "continue;" || l == "}"
	})
	if len(telling) == 0 {
		telling = lines
	}
	return strings.Join(telling, " ")
}

// sourceLines returns the C lines of a block, each once.
func sourceLines(blk *Block) []string {
	var out []string
	last := 0
	for i := range blk.Lines {
		l := &blk.Lines[i]
		text := strings.Join(strings.Fields(l.Source), " ")
		if text != "" && (len(out) == 0 || l.LineNo != last || out[len(out)-1] != text) {
			out = append(out, text)
			last = l.LineNo
		}
	}
	return out
}

// wrap breaks visible text at blanks into at most so many lines.
func wrap(text string, cols, most int) []string {
	var out []string
	line := ""
	flush := func() {
		if line != "" {
			out = append(out, line)
			line = ""
		}
	}
	for _, word := range strings.Fields(text) {
		if line != "" && columns(line)+1+columns(word) > cols {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
		for columns(line) > cols {
			head, _ := clip(line, cols+1)
			head = strings.TrimSuffix(head, "…")
			out = append(out, head)
			line = line[len(head):]
		}
	}
	flush()
	if len(out) > most {
		rest := strings.Join(out[most-1:], " ")
		out = out[:most]
		out[most-1], _ = clip(rest, cols)
	}
	return out
}
