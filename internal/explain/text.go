package explain

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Limits of the text form; JSON has all.
const (
	maxTextSteps = 24
	maxTextRows  = 40
	maxTextFacts = 8
)

// writer prints the parts of an answer.
type writer struct{ *bufio.Writer }

func (w writer) f(format string, args ...any) { fmt.Fprintf(w.Writer, format, args...) }

// Write writes the answer for a person.
func (ans *Answer) Write(out io.Writer) error {
	w := writer{bufio.NewWriter(out)}
	w.f("%s  in b%d of %s  %s\n", ans.Place, ans.Block, visible.Text(ans.Function), visible.Text(ans.Text))
	w.source("  ", ans.Source)
	if ans.Reloc != "" {
		w.f("  %s\n", ans.Reloc)
	}
	w.f("  %s\n", visible.Text(ans.Verdict))
	w.dead(ans.Dead)
	w.way(ans.Way, ans.Skipped)
	w.blocks("on every way from the start of the function: ", ", ", ans.Before)
	w.blocks("in a cycle, the shortest: ", " → ", ans.Cycle)
	w.origin(ans.Origin)
	if ans.Targets != nil && len(ans.Facts) > 0 {
		w.f("index\n  %s\n", visible.Text(ans.Facts[0]))
	} else if len(ans.Facts) > 0 {
		w.f("facts\n")
		w.facts("  ", ans.Facts)
	}
	for i := range ans.Tables {
		w.table(&ans.Tables[i])
	}
	w.targets(ans)
	w.edges("ways in", ans.In, func(e Way) string { return fmt.Sprintf("b%d", e.From) })
	w.edges("ways out", ans.Out, func(e Way) string { return fmt.Sprintf("b%d", e.To) })
	w.code(ans.Code)
	return w.Flush()
}

// source writes a C line.
func (w writer) source(indent string, s *Source) {
	if s != nil {
		w.f("%s%s\n", indent, sourceText(s))
	}
}

// sourceText writes "; x = 1; @ file.c:12".
func sourceText(s *Source) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("; %s @ %s:%d", visible.Text(s.Text), visible.Text(visible.Base(s.File)), s.Line)
}

// dead writes why nothing reaches the place.
func (w writer) dead(reasons []Reason) {
	if len(reasons) == 0 {
		return
	}
	w.f("why\n")
	for _, r := range reasons {
		w.f("  %s\n", visible.Text(r.Text))
		w.source("    ", r.Source)
		w.facts("    ", r.Facts)
	}
}

// facts writes states.
func (w writer) facts(indent string, facts []string) {
	for i, t := range facts {
		if i == maxTextFacts {
			w.f("%s… %d more\n", indent, len(facts)-i)
			return
		}
		w.f("%s%s\n", indent, visible.Text(t))
	}
}

// way writes the way in; of a long one only the ends.
func (w writer) way(steps []Step, skipped int) {
	if len(steps) == 0 {
		return
	}
	w.f("way in (the shortest over edges that can be taken)\n")
	for i, s := range steps {
		if len(steps)+skipped > maxTextSteps && i >= maxTextSteps/2 && i < len(steps)-maxTextSteps/2 {
			if i == maxTextSteps/2 {
				w.f("  … %s\n", visible.Count(len(steps)+skipped-maxTextSteps, "block"))
			}
			continue
		}
		w.f("  b%-4d → b%-4d %-12s %4d  %-36s %s\n", s.Block, s.To, s.Kind, s.Insn, visible.Text(s.Text),
			sourceText(s.Source))
	}
}

// blocks writes a list of blocks in one line; of a long one only the ends.
func (w writer) blocks(what, between string, list []int) {
	if len(list) == 0 {
		return
	}
	var names []string
	for i, b := range list {
		switch {
		case len(list) <= maxTextSteps || i < maxTextSteps/2 || i >= len(list)-maxTextSteps/2:
			names = append(names, fmt.Sprintf("b%d", b))
		case i == maxTextSteps/2:
			names = append(names, "…")
		}
	}
	w.f("%s%s\n", what, strings.Join(names, between))
}

// origin writes where the register comes from.
func (w writer) origin(steps []Origin) {
	if len(steps) == 0 {
		return
	}
	w.f("where the address comes from, on that way\n")
	shown := ""
	for _, s := range steps {
		if text := sourceText(s.Source); text != shown {
			shown = text
			w.source("        ", s.Source)
		}
		value := ""
		if s.Value != "" {
			value = s.Reg + " = " + s.Value
		}
		w.f("  %4d  %-7s  %-40s %s\n", s.Insn, s.Role, visible.Text(s.Text), visible.Text(value))
	}
}

// table writes the rows of a table.
func (w writer) table(t *Table) {
	w.f("table %s  %s, index %d..%d, %d selected\n", visible.Text(t.Name), visible.Count(t.Entries, "entry"),
		t.Min, t.Max, t.Selected)
	for i, e := range t.Rows {
		if i == maxTextRows && t.More > 0 {
			w.f("  … more rows\n")
			return
		}
		if i == maxTextRows {
			w.f("  … %d more rows\n", len(t.Rows)-i)
			return
		}
		index := fmt.Sprint(e.First)
		if e.Last > e.First {
			index += fmt.Sprintf("..%d", e.Last)
		}
		block := "outside"
		if e.Block >= 0 {
			block = fmt.Sprintf("b%d", e.Block)
		}
		w.f("  %-9s → %-6s insn %-5d %s", index, block, e.Target, sourceText(e.Source))
		if e.Why != "" {
			w.f("  (not selected: %s)", e.Why)
		}
		w.f("\n")
	}
}

// targets writes the three answers and why they differ.
func (w writer) targets(ans *Answer) {
	t := ans.Targets
	if t == nil {
		return
	}
	w.f("targets\n")
	more := Counts{}
	if t.More != nil {
		more = *t.More
	}
	w.f("  exact   %s\n", list(t.Exact, more.Exact))
	w.f("  range   %s\n", sameOr(t.Range, t.Exact, more.Range, more.Exact, "exact"))
	w.f("  kernel  %s\n", sameOr(t.Kernel, t.Range, more.Kernel, more.Range, "range"))
	for _, d := range t.Differences {
		w.f("  %s\n", visible.Text(d))
	}
	w.f("  %s\n", visible.Text(ans.Rules))
}

// list writes slots, and how many more are left out.
func list(pcs []int, more int) string {
	switch {
	case len(pcs) == 0:
		return "none"
	case more > 0:
		return fmt.Sprintf("%s … %d more (%d)", strings.Trim(fmt.Sprint(pcs), "[]"), more, len(pcs)+more)
	}
	return fmt.Sprintf("%s (%d)", strings.Trim(fmt.Sprint(pcs), "[]"), len(pcs))
}

// sameOr is list, or a word for a list that is the same as another. Cut lists cannot be compared.
func sameOr(pcs, other []int, more, otherMore int, word string) string {
	if more == 0 && otherMore == 0 && slices.Equal(pcs, other) {
		return fmt.Sprintf("as %s (%d)", word, len(pcs))
	}
	return list(pcs, more)
}

// edges writes the edges on one side of a block.
func (w writer) edges(title string, ways []Way, name func(Way) string) {
	if len(ways) == 0 {
		return
	}
	w.f("%s\n", title)
	for i, e := range ways {
		if i == maxTextRows {
			w.f("  … %d more\n", len(ways)-i)
			return
		}
		never := ""
		if !e.Feasible {
			never = "  never taken"
		}
		w.f("  %-6s %-12s %s%s\n", name(e), e.Kind, visible.Text(e.Text), never)
	}
}

// code writes where the verifier and the JIT put the place.
func (w writer) code(c *CodePlace) {
	switch {
	case c == nil:
	case c.Xlated < 0 || c.Offset < 0:
		w.f("machine code\n  none: the verifier removes it\n")
	case c.Len > 0:
		w.f("machine code\n  xlated %d, +0x%x, %s\n", c.Xlated, c.Offset, visible.Count(c.Len, "byte"))
	default:
		w.f("machine code\n  xlated %d, +0x%x\n", c.Xlated, c.Offset)
	}
}
