package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// tableLine is a row of a drawn table: a target with all its indices.
type tableLine struct {
	block    int
	slot     int   // of the target
	xlated   int   // the same after the verifier's rewrites, -1
	offset   int   // in the image, -1
	indices  []int // of entries; with a table's Bias, values of cases
	selected bool  // some index is selected
	deleted  bool
	note     string
	more     int // targets left out after this row's
}

// tableRows groups the entries of a table by target, in order of the first
// index.
func tableRows(t *Table) []tableLine {
	var rows []tableLine
	type key struct {
		block, slot, xlated, offset int
		selected, deleted           bool
		note                        string
	}
	at := map[key]int{}
	for i, e := range t.Entries {
		k := key{e.Block, e.Slot, e.Xlated, e.Offset, e.Selected, e.Deleted, e.Note}
		j, ok := at[k]
		if !ok {
			j = len(rows)
			at[k] = j
			rows = append(rows, tableLine{block: e.Block, slot: e.Slot, xlated: e.Xlated, offset: e.Offset,
				selected: e.Selected, deleted: e.Deleted, note: e.Note})
		}
		rows[j].indices = append(rows[j].indices, i+t.bias())
	}
	if len(rows) > tableLimit {
		more := len(rows) - tableLimit + 1
		rows = append(rows[:tableLimit-1], tableLine{block: Outside, offset: -1, more: more})
	}
	return rows
}

// bias returns the number to add to an index for display.
func (t *Table) bias() int {
	if t.Bias == nil {
		return 0
	}
	return *t.Bias
}

// head explains the first column of a table, and how many of its entries are selected.
func (t *Table) head() string {
	used := fmt.Sprintf("%d of %d selected", selectedEntries(t), len(t.Entries))
	if n := len(t.Entries); selectedEntries(t) == n {
		used = fmt.Sprintf("all %d selected", n)
	}
	switch {
	case t.Bias == nil:
		return "entry, " + used
	case *t.Bias > 0:
		return fmt.Sprintf("case = entry + %d, %s", *t.Bias, used)
	case *t.Bias < 0:
		return fmt.Sprintf("case = entry − %d, %s", -*t.Bias, used)
	}
	return "case = entry, " + used
}

// smallCell is the width of a cell of the small font in tenths of a pixel.
const smallCell = 61

// smallWidth returns the width of a number of cells of small text in pixels.
func smallWidth(cols int) int { return (cols*smallCell + 9) / 10 }

// target names what a row leads to.
func (r *tableLine) target(s *Scene) string {
	name := "outside"
	if r.block != Outside {
		name = visible.Text(s.Blocks[r.block].Name)
	}
	var marks []string
	switch {
	case r.deleted:
		marks = append(marks, "deleted")
	case !r.selected:
		marks = append(marks, "never")
	}
	if r.note != "" {
		marks = append(marks, visible.Text(r.note))
	}
	if len(marks) > 0 {
		name += " (" + strings.Join(marks, ", ") + ")"
	}
	return name
}

// stageNames returns the heads of the columns of stages.
func (l *limits) stageNames() [3]string {
	if l.figure {
		return [3]string{"BPF", "xl", "x86"}
	}
	return [3]string{"BPF", "xlated", "x86"}
}

// stages returns where a row leads to in the program, after the verifier's rewrites and in the
// machine code. In a figure it also says that nothing leads there.
func (l *limits) stages(r *tableLine) [3]string {
	out := [3]string{"–", "–", "–"}
	if r.block == Outside {
		return out
	}
	out[0] = fmt.Sprint(r.slot)
	if r.xlated >= 0 {
		out[1] = fmt.Sprint(r.xlated)
	}
	if r.offset >= 0 {
		out[2] = fmt.Sprintf("+0x%x", r.offset)
	}
	switch {
	case !l.figure:
	case r.deleted:
		out[2] = "deleted"
	case !r.selected:
		out[2] = "never"
	}
	return out
}

// tableCols are the cells that the columns of a table take.
type tableCols struct {
	index, target int
	stages        [3]int
}

func tableColumns(s *Scene, rows []tableLine, lim limits) tableCols {
	c := tableCols{index: 5}
	widen := func(texts [3]string) {
		for i, t := range texts {
			c.stages[i] = max(c.stages[i], columns(t))
		}
	}
	widen(lim.stageNames())
	for i := range rows {
		c.index = max(c.index, columns(Ranges(rows[i].indices)))
		c.target = max(c.target, columns(rows[i].target(s)))
		widen(lim.stages(&rows[i]))
	}
	c.index, c.target = min(c.index, lim.indexCols), min(c.target, lim.nameCols)
	return c
}

// width returns the width of a table in pixels.
func (c *tableCols) width() int {
	cells := c.index
	if c.target > 0 {
		cells += 1 + c.target
	}
	for _, n := range c.stages {
		cells += 1 + n
	}
	return smallWidth(cells) + 16
}

// Ranges writes ascending indices as "0, 3–5, 9".
func Ranges(indices []int) string {
	var b strings.Builder
	for first, last := range visible.Runs(indices) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		switch last - first {
		case 0:
			fmt.Fprint(&b, first)
		case 1:
			fmt.Fprintf(&b, "%d, %d", first, last)
		default:
			fmt.Fprintf(&b, "%d–%d", first, last)
		}
	}
	return b.String()
}

// selectedEntries counts the entries that some index selects.
func selectedEntries(t *Table) int {
	n := 0
	for _, e := range t.Entries {
		if e.Selected {
			n++
		}
	}
	return n
}

// feeds returns the offsets of the indirect jumps that select from table t.
func (s *Scene) feeds(t int) []int {
	jumps := map[int]bool{}
	for _, b := range s.Tables[t].Jumps {
		jumps[b] = true
	}
	var o []int
	for _, j := range s.Image.Jumps {
		if j.Edge >= 0 && j.Kind == Indirect && jumps[s.Edges[j.Edge].From] {
			o = append(o, j.From)
		}
	}
	slices.Sort(o)
	return slices.Compact(o)
}

// tabledJumps reports for each jump of the image whether it goes by way of a
// table.
func (s *Scene) tabledJumps() []bool {
	hasTable := make([]bool, len(s.Blocks))
	for _, t := range s.Tables {
		for _, b := range t.Jumps {
			hasTable[b] = true
		}
	}
	out := make([]bool, len(s.Image.Jumps))
	for i, j := range s.Image.Jumps {
		out[i] = j.Kind == Indirect && j.Edge >= 0 && hasTable[s.Edges[j.Edge].From]
	}
	return out
}
