package textgraph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render"
)

// row is a row of a block's text.
type row struct {
	text   string
	colour string
	leaves bool // the row where lines leave
}

// rows returns the text of a block, of at most cols columns: its head, and its
// instructions with the C lines above them.
func (d *drawing) rows(b, cols int) []row {
	blk := &d.s.Blocks[b]
	var out []row
	for i, text := range d.wrap(d.head(b), d.cameFrom(b), cols) {
		colour := boldText
		if i > 0 || !blk.Reachable {
			colour = faintText
		}
		out = append(out, row{text: text, colour: colour})
	}
	source := ""
	for i := range blk.Lines {
		l := &blk.Lines[i]
		if l.Source != "" && l.Source != source {
			source = l.Source
			out = append(out, row{text: d.fit(" ; "+visible.Text(sourceLine(l)), cols), colour: sourceText})
		}
		text := fmt.Sprintf(" %*d  %s", d.slotCols, l.Slot, visible.Text(l.Text))
		if l.Note != "" {
			text += "  [" + visible.Text(l.Note) + "]"
		}
		r := row{text: d.fit(text, cols)}
		if !blk.Reachable {
			r.colour = faintText
		}
		if i+1 == len(blk.Lines) {
			for j, t := range d.wrap(text, d.leadsTo(b), cols) {
				r.text, r.leaves = t, j == 0
				out = append(out, r)
			}
			continue
		}
		out = append(out, r)
	}
	if len(blk.Lines) == 0 {
		out = append(out, row{text: " " + d.set.dots, leaves: true})
	}
	return out
}

// sourceLine is a C line with its place.
func sourceLine(l *render.Line) string {
	text := strings.TrimSpace(l.Source)
	if l.LineNo > 0 {
		text = strconv.Itoa(l.LineNo) + ": " + text
	}
	return text
}

// head describes a block.
func (d *drawing) head(b int) string {
	blk := &d.s.Blocks[b]
	text := " " + visible.Text(blk.Name)
	if n := len(blk.Lines); n > 0 {
		text += fmt.Sprintf("  %d..%d", blk.Lines[0].Slot, blk.Lines[n-1].Slot)
	}
	var marks []string
	for _, m := range []struct {
		on   bool
		what string
	}{
		{blk.Entry, "entry"}, {blk.Exit, "exit"}, {blk.LoopHeader, "loop header"}, {blk.Landing, "landing pad"},
		{blk.LoopDepth > 0, fmt.Sprintf("loop depth %d", blk.LoopDepth)}, {!blk.Reachable && !blk.Configured,
			"never executes"},
		{!blk.Reachable && blk.Configured, "never executes with these values"},
		{blk.Status != "", "targets " + visible.Text(blk.Status)},
	} {
		if m.on {
			marks = append(marks, m.what)
		}
	}
	if blk.Count != nil {
		marks = append(marks, fmt.Sprintf("%d visits", *blk.Count))
	}
	if cases := d.cases[b]; cases != "" {
		what := "case "
		if strings.Contains(cases, "[") {
			what = "entry " // of a table: the C value is not known
		}
		marks = append(marks, what+cases)
	}
	if len(marks) > 0 {
		text += "  " + strings.Join(marks, ", ")
	}
	return text
}

// cameFrom names the blocks whose lines to this one are not drawn.
func (d *drawing) cameFrom(b int) []string {
	var out []string
	for _, i := range d.in[b] {
		e := &d.s.Edges[i]
		if falls(d.s, e) || d.drawn[i] {
			continue
		}
		out = append(out, d.set.from+" "+visible.Text(d.s.Blocks[e.From].Name)+kindWord(e))
	}
	return out
}

// leadsTo names the targets of a block, except those of a fan that is drawn.
func (d *drawing) leadsTo(b int) []string {
	var out []string
	for _, i := range d.out[b] {
		e := &d.s.Edges[i]
		if falls(d.s, e) || e.Kind == render.Indirect && d.drawn[i] {
			continue
		}
		name := visible.Text(e.Label)
		if e.To != render.Outside {
			name = visible.Text(d.s.Blocks[e.To].Name)
			if f := d.s.Blocks[e.To].Func; f != d.s.Blocks[b].Func {
				name += " " + visible.Text(d.s.Funcs[f].Name)
			}
		}
		out = append(out, d.set.to+" "+name+kindWord(e))
	}
	return out
}

// kindWord names the kind of an edge, which its line would show, unless the instruction shows it.
func kindWord(e *render.Edge) string {
	switch {
	case e.Dead:
		return " (never)"
	case e.Back:
		return " (back)"
	}
	return ""
}

// wrap puts words after a text, and in rows below it those that do not fit.
func (d *drawing) wrap(text string, words []string, cols int) []string {
	text = d.fit(text, cols)
	out := []string{text}
	n := d.columns(text)
	for _, w := range words {
		w = d.plain(w)
		if k := d.columns(w); n+2+k <= cols {
			out[len(out)-1] += "  " + w
			n += 2 + k
			continue
		}
		w = d.fit(strings.Repeat(" ", d.slotCols+1)+"  "+w, cols)
		out = append(out, w)
		n = d.columns(w)
	}
	return out
}

// fit cuts a text to a number of columns, in characters that may be used.
func (d *drawing) fit(s string, cols int) string {
	s = d.plain(s)
	if len(s) <= cols || d.columns(s) <= cols {
		return s
	}
	n, room := 0, cols-len([]rune(d.set.dots))
	for i, r := range s {
		if n += render.Cells(r); n > room {
			return s[:i] + d.set.dots
		}
	}
	return s
}

// plain returns the text in ASCII if that is requested.
func (d *drawing) plain(s string) string {
	if !d.opt.ASCII {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r <= '~':
			b.WriteRune(r)
		case r == '…':
			b.WriteString("...")
		case r == '→':
			b.WriteString("->")
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

func (d *drawing) columns(s string) int {
	n := 0
	for _, r := range s {
		n += render.Cells(r)
	}
	return n
}
