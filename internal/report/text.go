package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// maxWay bounds the places of a path in text.
const maxWay = 8

// painter colours words, or not.
type painter bool

// level writes a level in its colour.
func (c painter) level(l check.Level) string {
	return c.sgr(map[check.Level]string{check.Error: "1;31", check.Warning: "1;33", check.Note: "36"}[l], string(l))
}

func (c painter) sgr(code, s string) string {
	if !c || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// texter writes a report as text.
type texter struct {
	w            io.Writer
	r            *Report
	show         check.Level
	paint        painter
	printedFixes map[string]bool // fixes that have been printed
}

// writeText writes the findings by program, aligned, and a line that sums up.
//
//	x.o  xdp/parse
//	  prog.c:59:2  warning  dead-code  line 61 never executes in any configuration: …
//	               switch (h->next) {
func writeText(w io.Writer, r *Report, opt Options) error {
	t := &texter{w, r, opt.lowest(), painter(opt.Colour), map[string]bool{}}
	if err := kernelTable(w, r); err != nil {
		return err
	}
	for in := range r.inputs() {
		if in.Error != "" {
			fmt.Fprintf(w, "%s: %s: %s\n", visible.Text(in.Name), t.paint.sgr("1;31", "not analysed"), visible.Text(in.Error))
		}
		for p := range in.groups() {
			t.program(in, p)
		}
	}
	for _, a := range r.Removable {
		fmt.Fprintf(w, "fixed: %s %s: %s (%s): the baseline no longer needs to accept it\n", visible.Text(a.Object),
			visible.Text(a.Program), visible.Text(a.Message), a.ID)
	}
	t.summary()
	return nil
}

// program writes the findings of a program that are shown, nothing if there are none.
func (t *texter) program(in *Input, p *Program) {
	if p.Error != "" {
		fmt.Fprintf(t.w, "%s  %s: %s: %s\n", visible.Text(in.Name), p.label(), t.paint.sgr("1;31", "not analysed"),
			visible.Text(p.Error))
	}
	var list []*Finding
	where, id := 0, 0
	for i := range p.Findings {
		f := &p.Findings[i]
		if f.Accepted || !f.Level.AtLeast(t.show) && !t.r.Failing(f) {
			continue
		}
		list = append(list, f)
		where = max(where, utf8.RuneCountInString(f.where()))
		id = max(id, len(f.ID))
	}
	if len(list)+len(p.Kernels) == 0 {
		return
	}
	fmt.Fprintf(t.w, "%s\n", t.paint.sgr("1", visible.Text(in.Name)+"  "+p.label()))
	for _, f := range list {
		t.finding(f, where, id)
	}
	for _, k := range p.Kernels {
		fmt.Fprintf(t.w, "  Linux %s: %s\n", visible.Text(k.Release), visible.Text(k.answerText()))
	}
}

// answerText returns the kernel's answer and its reason.
func (k *Kernel) answerText() string {
	if k.Reason == "" {
		return k.Answer
	}
	return k.Answer + ": " + k.Reason
}

// finding writes one finding.
func (t *texter) finding(f *Finding, where, id int) {
	pad := strings.Repeat(" ", where-utf8.RuneCountInString(f.where()))
	gap := strings.Repeat(" ", len(check.Warning)-len(f.Level))
	at := ""
	if f.Line > 0 && f.Insn >= 0 {
		at = fmt.Sprintf(" [insn %d]", f.Insn)
	}
	fmt.Fprintf(t.w, "  %s%s  %s%s  %-*s  %s%s\n",
		f.where(), pad, t.paint.level(f.Level), gap, id, f.ID, f.fullMessage(), at)
	indent := strings.Repeat(" ", where+4)
	if f.Text != "" {
		fmt.Fprintf(t.w, "%s%s\n", indent, t.paint.sgr("2", visible.Text(f.Text)))
	}
	for _, x := range f.Related {
		fmt.Fprintf(t.w, "%sat %s: %s\n", indent, x.near(f.File), visible.Text(x.Message))
	}
	if way := wayTo(f.Path, f.File); way != "" {
		fmt.Fprintf(t.w, "%sway: %s\n", indent, way)
	}
	if f.Fix != "" && !t.printedFixes[f.Fix] {
		t.printedFixes[f.Fix] = true
		fmt.Fprintf(t.w, "%sfix: %s\n", indent, f.Fix)
	}
}

// near names a place next to another one in a file, without repeating the file's name.
func (p Place) near(file string) string {
	if p.Line == 0 || p.File != file {
		return p.where()
	}
	return fmt.Sprintf("line %d", p.Line)
}

// wayTo writes a path in a line: the C lines it goes through, or instructions
// where there are none.
func wayTo(path []Step, file string) string {
	var parts []string
	for _, s := range path {
		at := Place{Insn: s.Insn, File: s.File, Line: s.Line}.near(file)
		if len(parts) == 0 || parts[len(parts)-1] != at {
			parts = append(parts, at)
		}
	}
	if len(parts) < 2 {
		return ""
	}
	if n := len(parts); n > maxWay {
		parts = append(append(parts[:maxWay/2:maxWay/2], "…"), parts[n-maxWay/2:]...)
	}
	return strings.Join(parts, " → ")
}

// summary writes the line at the end.
func (t *texter) summary() {
	c := t.r.Count()
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, visible.Count(n, what))
		}
	}
	add(c.Errors, "error")
	add(c.Warnings, "warning")
	add(c.Notes, "note")
	text := "no findings"
	if len(parts) > 0 {
		text = strings.Join(parts, ", ")
	}
	fmt.Fprintf(t.w, "%s in %s of %s", text, visible.Count(c.Programs, "program"), visible.Count(c.Inputs, "input"))
	if c.Accepted > 0 {
		fmt.Fprintf(t.w, ", %d accepted by the baseline", c.Accepted)
	}
	if hidden := t.hidden(); hidden > 0 {
		fmt.Fprintf(t.w, " (%d not listed: --show note)", hidden)
	}
	if n := c.FailedInputs + c.FailedProg; n > 0 {
		fmt.Fprintf(t.w, "; %s not be analysed", t.paint.sgr("1;31", fmt.Sprintf("%d could", n)))
	}
	fmt.Fprintln(t.w)
	if line := t.r.PassedLine(); line != "" {
		fmt.Fprintln(t.w, line)
	}
}

// hidden returns how many findings are counted and not listed.
func (t *texter) hidden() int {
	n := 0
	for in := range t.r.inputs() {
		for p := range in.groups() {
			for i := range p.Findings {
				if f := &p.Findings[i]; !f.Accepted && !f.Level.AtLeast(t.show) && !t.r.Failing(f) {
					n++
				}
			}
		}
	}
	return n
}
