package diff

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Options control the detail of Text and Markdown.
type Options struct {
	All bool // every number and block, instead of those that differ and the first few
}

// Limits without Options.All.
const (
	maxBlocks   = 12 // blocks of a program
	maxInsns    = 12 // instructions of a block
	maxTargets  = 8  // targets of a jump
	fewMatched  = 4  // below one in so many, blocks are not listed
	leastBlocks = 12 // … in programs with at least so many
)

// page prints lines.
type page struct {
	*bufio.Writer
	opt Options
}

func (w page) f(format string, args ...any) { fmt.Fprintf(w.Writer, format, args...) }

// Text writes the report for a terminal, with numbers in columns of old, new and
// difference as veristat has them.
func (r *Report) Text(out io.Writer, opt Options) error {
	w := page{bufio.NewWriter(out), opt}
	w.f("%s → %s  %s\n", visible.Text(r.Old), visible.Text(r.New), visible.Text(r.Title))
	for _, line := range r.compilers() {
		w.f("%s\n", visible.Text(line))
	}
	same := 0
	for i := range r.Programs {
		p := &r.Programs[i]
		if p.Same && !opt.All {
			same++
			continue
		}
		w.program(p)
	}
	for _, n := range r.Added {
		w.f("\n%s: only in the new version\n", visible.Text(n))
	}
	for _, n := range r.Removed {
		w.f("\n%s: only in the old version\n", visible.Text(n))
	}
	if same > 0 {
		w.f("\n%s without a difference\n", visible.Count(same, "program"))
	}
	return w.Flush()
}

// title names a program, and its old name if it was another.
func (p *Program) title() string {
	if p.Name == p.OldName {
		return visible.Text(p.Name)
	}
	return visible.Text(p.OldName) + " → " + visible.Text(p.Name)
}

// program writes one program.
func (w page) program(p *Program) {
	w.f("\n%s\n", p.title())
	rows := p.rows(w.opt.All)
	var width [4]int
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], len(c))
		}
	}
	for _, r := range rows {
		w.f("  %-*s  %*s  %*s  %s\n", width[0], r[0], width[1], r[1], width[2], r[2], r[3])
	}
	if p.Verdict[0] != p.Verdict[1] {
		w.f("  kernel's rules: %s, was: %s\n", visible.Text(p.Verdict[1]), visible.Text(p.Verdict[0]))
	}
	for _, f := range p.changedFuncs() {
		w.f("  %s\n", f)
	}
	w.f("  blocks: %s\n", p.Counts)
	if p.scattered() && !w.opt.All {
		w.f("  too few blocks are the same to list the others: --all lists them\n")
	} else {
		w.blocks(p)
	}
	for i := range p.Jumps {
		w.jump(&p.Jumps[i])
	}
}

// rows returns the table of numbers, its head first: those that differ, and the
// two that are always of interest.
func (p *Program) rows(all bool) [][4]string {
	rows := [][4]string{{"metric", "old", "new", "diff"}}
	for _, m := range p.Metrics {
		if all || m.Old != m.New || m.Name == "instructions" || m.Name == "image bytes" {
			rows = append(rows, [4]string{m.Name, value(m.Old), value(m.New), m.Delta()})
		}
	}
	return rows
}

// value writes a number of a metric.
func value(n int) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// Delta writes the difference as veristat does: "+2 (+3.17%)".
func (m Metric) Delta() string {
	switch d := m.New - m.Old; {
	case m.Old < 0 || m.New < 0:
		return "?"
	case m.Old == 0 && m.New == 0:
		return "+0 (+0.00%)"
	case m.Old == 0:
		return fmt.Sprintf("%+d (+100.00%%)", d)
	default:
		return fmt.Sprintf("%+d (%+.2f%%)", d, 100*float64(d)/float64(m.Old))
	}
}

// String writes the counts.
func (c Counts) String() string {
	s := fmt.Sprintf("%d same, %d changed, %d added, %d removed", c.Same, c.Changed, c.Added, c.Removed)
	if c.Moved > 0 {
		s += fmt.Sprintf(", %d moved", c.Moved)
	}
	return s
}

// scattered reports whether so few blocks were matched that a list of the others is useless:
// another compiler, or another program.
func (p *Program) scattered() bool {
	n := p.Counts.Same + p.Counts.Changed + p.Counts.Added
	return n >= leastBlocks && p.Counts.Same*fewMatched < n
}

// changedFuncs lists the functions whose numbers differ, when there are several.
func (p *Program) changedFuncs() []string {
	if len(p.Funcs) < 2 {
		return nil
	}
	var out []string
	for _, f := range p.Funcs {
		switch {
		case f.Insns[0] < 0:
			out = append(out, fmt.Sprintf("+ function %s: %s, %s bytes", visible.Text(f.Name), visible.Count(f.Insns[1], "slot"),
				value(f.Bytes[1])))
		case f.Insns[1] < 0:
			out = append(out, fmt.Sprintf("- function %s: %s, %s bytes", visible.Text(f.OldName),
				visible.Count(f.Insns[0], "slot"), value(f.Bytes[0])))
		case f.Insns[0] != f.Insns[1] || f.Bytes[0] != f.Bytes[1] || f.Stack[0] != f.Stack[1] || f.Name != f.OldName:
			name := visible.Text(f.Name)
			if f.Name != f.OldName {
				name = visible.Text(f.OldName) + " → " + name
			}
			out = append(out, fmt.Sprintf("~ function %s: %d → %d slots, %s → %s bytes, %d → %d stack bytes", name, f.Insns[0],
				f.Insns[1], value(f.Bytes[0]), value(f.Bytes[1]), f.Stack[0], f.Stack[1]))
		}
	}
	return out
}

// blocks writes the blocks that changed.
func (w page) blocks(p *Program) {
	for i := range p.Blocks {
		if i == maxBlocks && !w.opt.All {
			w.f("  … %d more blocks: --all lists them\n", len(p.Blocks)-i)
			return
		}
		b := &p.Blocks[i]
		w.f("  %s\n", b.headline())
		for j, l := range b.Lines {
			if j == maxInsns && !w.opt.All {
				w.f("        … %d more\n", len(b.Lines)-j)
				break
			}
			w.f("      %s %s\n", l.Op, visible.Text(l.Text))
		}
	}
}

// Headline describes a block in a line.
func (b *Block) headline() string {
	sign := map[Change]string{Changed: "~", Added: "+", Removed: "-", Moved: ">"}[b.Change]
	var parts []string
	switch b.Change {
	case Added:
		parts = append(parts, fmt.Sprintf("%s b%d", sign, b.ID[1]), span(b.Start[1], b.End[1]), value(b.Bytes[1])+" bytes")
	case Removed:
		parts = append(parts, fmt.Sprintf("%s b%d", sign, b.ID[0]), span(b.Start[0], b.End[0]), value(b.Bytes[0])+" bytes")
	default:
		name := fmt.Sprintf("%s b%d", sign, b.ID[1])
		if b.ID[0] != b.ID[1] {
			name = fmt.Sprintf("%s b%d → b%d", sign, b.ID[0], b.ID[1])
		}
		parts = append(parts, name, span(b.Start[1], b.End[1]), fmt.Sprintf("%s → %s bytes", value(b.Bytes[0]),
			value(b.Bytes[1])))
	}
	switch {
	case b.Change == Moved:
		parts = append(parts, "moved")
	case b.ID[0] >= 0 && b.ID[1] >= 0 && b.Alive[0] && !b.Alive[1]:
		parts = append(parts, "no longer reached")
	case b.ID[0] >= 0 && b.ID[1] >= 0 && !b.Alive[0] && b.Alive[1]:
		parts = append(parts, "reached now")
	case b.ID[1] >= 0 && !b.Alive[1]:
		parts = append(parts, "not reached")
	}
	if b.Edges != nil {
		parts = append(parts, fmt.Sprintf("leads to %s instead of %s", names(b.Edges.Gained), names(b.Edges.Lost)))
	}
	if b.Source != nil {
		parts = append(parts, sourceText(b.Source))
	}
	return strings.Join(parts, "  ")
}

// span writes the slots of a block, both ends inclusive.
func span(start, end int) string { return fmt.Sprintf("insn %d..%d", start, end-1) }

// names writes block names.
func names(ids []int) string {
	var out []string
	for _, id := range ids {
		out = append(out, fmt.Sprintf("b%d", id))
	}
	return strings.Join(out, " ")
}

// sourceText writes "; x = 1; @ file.c:12".
func sourceText(s *Source) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("; %s @ %s:%d", visible.Text(s.Text), visible.Text(visible.Base(s.File)), s.Line)
}

// jump writes an indirect jump or call whose targets changed.
func (w page) jump(j *Jump) {
	w.f("  %s\n", j.Headline())
	if !j.listed() && !w.opt.All {
		return
	}
	w.targets("-", j.Lost)
	w.targets("+", j.Gained)
}

// Headline describes a jump in a line.
func (j *Jump) Headline() string {
	source := ""
	if j.Source != nil {
		source = "  " + sourceText(j.Source)
	}
	switch {
	case j.Insn[0] < 0:
		return fmt.Sprintf("+ %s@%d  %s, %s%s", j.Op, j.Insn[1], visible.Count(j.Targets[1], "target"), j.Status[1], source)
	case j.Insn[1] < 0:
		return fmt.Sprintf("- %s@%d  %s, %s%s", j.Op, j.Insn[0], visible.Count(j.Targets[0], "target"), j.Status[0], source)
	}
	status := j.Status[1]
	if j.Status[0] != j.Status[1] {
		status = j.Status[0] + " → " + j.Status[1]
	}
	at := fmt.Sprintf("%s@%d", j.Op, j.Insn[1])
	if j.Insn[0] != j.Insn[1] {
		at = fmt.Sprintf("%s@%d → %d", j.Op, j.Insn[0], j.Insn[1])
	}
	return fmt.Sprintf("~ %s  %d → %s, %s%s", at, j.Targets[0], visible.Count(j.Targets[1], "target"), status, source)
}

// listed reports whether the targets of a jump are listed: an added or removed jump takes one line.
func (j *Jump) listed() bool { return j.Insn[0] >= 0 && j.Insn[1] >= 0 }

// targets writes added or removed targets.
func (w page) targets(sign string, list []Target) {
	for i, t := range list {
		if i == maxTargets && !w.opt.All {
			w.f("        … %d more\n", len(list)-i)
			return
		}
		w.f("      %s b%d  %s\n", sign, t.Block, sourceText(t.Source))
	}
}
