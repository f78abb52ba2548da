package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// writeGitHub writes workflow commands, which GitHub Actions shows as
// annotations at the C line:
//
//	::error file=prog.c,line=12,col=3,title=unreachable::no control flow reaches insn 4
//
// Accepted findings are left out, and those below the level that is shown.
func writeGitHub(w io.Writer, r *Report, opt Options) error {
	for in := range r.inputs() {
		if in.Error != "" {
			command(w, "error", "title=not analysed", in.Name+": "+in.Error)
		}
		for p := range in.groups() {
			if p.Error != "" {
				command(w, "error", "title=not analysed", in.Name+": "+p.label()+": "+p.Error)
			}
			for k := range p.Findings {
				if f := &p.Findings[k]; !f.Accepted && (f.Level.AtLeast(opt.lowest()) || r.Failing(f)) {
					annotate(w, in, p, f)
				}
			}
		}
	}
	return nil
}

// annotate writes the command of a finding.
func annotate(w io.Writer, in *Input, p *Program, f *Finding) {
	props := ""
	if f.Line > 0 {
		props = fmt.Sprintf("file=%s,line=%d,", visible.GitHubProperty(f.File), f.Line)
		if f.Col > 0 {
			props += fmt.Sprintf("col=%d,", f.Col)
		}
	}
	msg := fmt.Sprintf("%s %s", visible.Text(in.Name), p.label())
	if f.Insn >= 0 {
		msg += fmt.Sprintf(" insn %d", f.Insn)
	}
	msg += ": " + f.fullMessage()
	if f.Fix != "" {
		msg += "\nfix: " + f.Fix
	}
	name := string(f.Level)
	if f.Level == check.Note {
		name = "notice"
	}
	command(w, name, props+"title="+visible.GitHubProperty("bpfcfg "+string(f.ID)), msg)
}

// command writes a workflow command.
func command(w io.Writer, name, props, msg string) {
	fmt.Fprintf(w, "::%s %s::%s\n", name, props, visible.GitHubMessage(msg))
}

// maxSummaryRows bounds the table of a job summary: GitHub refuses one of more
// than a mebibyte.
const maxSummaryRows = 500

// Summary returns a report in Markdown, for the job summary of GitHub Actions
// (the file that GITHUB_STEP_SUMMARY names).
func Summary(r *Report) string {
	var b strings.Builder
	c := r.Count()
	verdict := "passed"
	switch {
	case c.FailedInputs+c.FailedProg > 0:
		verdict = "could not analyse everything"
	case c.Failing > 0:
		verdict = "failed"
	}
	fmt.Fprintf(&b, "### bpfcfg check: %s\n\n%s, %s, %s in %s of %s", verdict, visible.Count(c.Errors, "error"),
		visible.Count(c.Warnings, "warning"), visible.Count(c.Notes, "note"), visible.Count(c.Programs, "program"),
		visible.Count(c.Inputs, "input"))
	if c.Accepted > 0 {
		fmt.Fprintf(&b, ", %d accepted by the baseline", c.Accepted)
	}
	b.WriteString("\n")
	if n := len(r.Removable); n > 0 {
		fmt.Fprintf(&b, "\n%s of the baseline can be removed: the findings are fixed.\n", visible.Count(n, "line"))
	}
	rows, all := summaryRows(r)
	if all > 0 {
		b.WriteString("\n| level | finding | program | where | what |\n|---|---|---|---|---|\n")
		b.WriteString(strings.Join(rows, ""))
		if n := all - len(rows); n > 0 {
			fmt.Fprintf(&b, "\nand %d more\n", n)
		}
	}
	return b.String()
}

// summaryRows returns the first rows of the table, and their number: first failures of the
// analysis, then findings that are not accepted.
func summaryRows(r *Report) (rows []string, all int) {
	var failed []string
	add := func(rows *[]string, cells ...string) {
		all++
		if len(*rows) == maxSummaryRows {
			return
		}
		for i := range cells {
			cells[i] = visible.Markdown(cells[i])
		}
		*rows = append(*rows, "| "+strings.Join(cells, " | ")+" |\n")
	}
	for in := range r.inputs() {
		if in.Error != "" {
			add(&failed, "error", "not analysed", visible.Text(in.Name), "", visible.Text(in.Error))
		}
		for p := range in.groups() {
			name := visible.Text(in.Name) + " " + p.label()
			if p.Error != "" {
				add(&failed, "error", "not analysed", name, "", visible.Text(p.Error))
			}
			for k := range p.Findings {
				if f := &p.Findings[k]; !f.Accepted {
					add(&rows, string(f.Level), string(f.ID), name, f.where(), f.fullMessage())
				}
			}
		}
	}
	rows = append(failed, rows...)
	return rows[:min(len(rows), maxSummaryRows)], all
}
