// Package pullrequest describes the effect of a change on BPF programs as one Markdown text, for a
// comment on a pull request.
//
//	r := &pullrequest.Report{Base: "base", Head: "head", Programs: […]}
//	err := r.Markdown(os.Stdout)
//
// It also reads and writes the CSV of veristat, so that the results of a kernel's verifier are in
// the same table. It analyses nothing: its input is names and numbers, and names are escaped.
package pullrequest

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Side is a program of one build, for one kernel.
type Side struct {
	Verdict string // "" when no rule refuses it, else the kernel's message
	Insns   int    // slots as submitted
	Dead    int    // places of C code that never executes, -1 when not known
	Image   int    // bytes of machine code, -1 when not known

	Veristat *Veristat // results of a real verifier, nil if not given
}

// Row is a program for one kernel, before and after; nil where there is none.
type Row struct {
	Program  string
	Kernel   string
	Old, New *Side
}

// same reports whether nothing is different.
func (r *Row) same() bool {
	if r.Old == nil || r.New == nil {
		return false
	}
	a, b := *r.Old, *r.New
	va, vb := a.Veristat, b.Veristat
	a.Veristat, b.Veristat = nil, nil
	return a == b && (va == nil) == (vb == nil) && (va == nil || *va == *vb)
}

// Report describes the effects of a change.
type Report struct {
	Base, Head string
	Rows       []Row
	Dead       []string // dead code that the base does not have, a sentence each
	Targets    []string // changed targets of indirect jumps
	Layout     []string // causes of changed layouts
	Passed     string   // files that were passed over, "" for none
	Failed     []string // inputs that could not be analysed
	Page       string   // address of the page with pictures, "" for none
}

// maxList bounds each list of the text: GitHub takes 65,536 characters.
const maxList = 20

// maxRows bounds the rows of the table.
const maxRows = 100

// Markdown writes the report.
func (r *Report) Markdown(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "### BPF programs: %s → %s\n\n", visible.Markdown(r.Base), visible.Markdown(r.Head))
	for i, f := range r.Failed {
		if i == maxList {
			fmt.Fprintf(w, "- and %d more\n", len(r.Failed)-i)
			break
		}
		fmt.Fprintf(w, "- **not analysed**: %s\n", visible.Markdown(f))
	}
	if len(r.Failed) > 0 {
		_, _ = w.WriteString("\n")
	}
	r.table(w)
	list(w, "New dead code", r.Dead)
	list(w, "Targets of indirect jumps", r.Targets)
	list(w, "Layout of the machine code", r.Layout)
	if r.Passed != "" {
		fmt.Fprintf(w, "%s\n\n", visible.Markdown(r.Passed))
	}
	if strings.HasPrefix(r.Page, "https://") || strings.HasPrefix(r.Page, "http://") {
		page := strings.NewReplacer("<", "%3C", ">", "%3E", "\n", "%0A", "\r", "%0D").Replace(r.Page)
		fmt.Fprintf(w, "[Pictures and instructions](<%s>)\n\n", visible.Text(page))
	}
	_, _ = w.WriteString("A program that is not refused breaks no rule that bpfcfg models; " +
		"a kernel may refuse it for other reasons.\n")
	return w.Flush()
}

// table writes the rows with a difference, and counts the others.
func (r *Report) table(w *bufio.Writer) {
	same, shown := 0, 0
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.same() {
			same++
			continue
		}
		if shown == 0 {
			_, _ = w.WriteString("| program | kernel | verdict | instructions | dead code | image bytes | " +
				"verified instructions |\n")
			_, _ = w.WriteString("|---|---|---|--:|--:|--:|--:|\n")
		}
		if shown++; shown <= maxRows {
			row.write(w)
		}
	}
	if shown > maxRows {
		fmt.Fprintf(w, "\nand %d more rows\n", shown-maxRows)
	}
	if shown > 0 {
		_, _ = w.WriteString("\n")
	}
	switch {
	case len(r.Rows) == 0:
		_, _ = w.WriteString("No programs.\n\n")
	case same > 0:
		fmt.Fprintf(w, "Without a difference: %d of %d (program and kernel).\n\n", same, len(r.Rows))
	}
}

// write writes a row of the table.
func (r *Row) write(w *bufio.Writer) {
	get := func(f func(*Side) int) [2]int {
		out := [2]int{-1, -1}
		for i, s := range []*Side{r.Old, r.New} {
			if s != nil {
				out[i] = f(s)
			}
		}
		return out
	}
	verified := func(s *Side) int {
		if s.Veristat == nil {
			return -1
		}
		return s.Veristat.Insns
	}
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", visible.Markdown(r.Program), visible.Markdown(r.Kernel),
		r.verdict(), change(get(func(s *Side) int { return s.Insns })), change(get(func(s *Side) int { return s.Dead })),
		change(get(func(s *Side) int { return s.Image })), change(get(verified)))
}

// verdict writes the verdicts of the rules and of the real verifier.
func (r *Row) verdict() string {
	word := func(s *Side) string {
		switch {
		case s == nil:
			return "none"
		case s.Veristat != nil && !s.Veristat.Accepted:
			return "**refused** by the kernel"
		case s.Verdict != "":
			return "**refused**: " + visible.Markdown(s.Verdict)
		case s.Veristat != nil:
			return "accepted by the kernel"
		}
		return "not refused"
	}
	a, b := word(r.Old), word(r.New)
	switch {
	case r.Old == nil:
		return "new, " + b
	case r.New == nil:
		return "removed"
	case a == b:
		return a
	}
	return a + " → " + b
}

// change writes a number before and after; -1 is not known.
func change(n [2]int) string {
	text := func(n int) string {
		if n < 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	switch {
	case n[0] == n[1] || n[0] < 0:
		return text(n[1])
	case n[1] < 0:
		return text(n[0]) + " → ?"
	}
	return fmt.Sprintf("%d → %d (%+d)", n[0], n[1], n[1]-n[0])
}

// list writes a folded list.
func list(w *bufio.Writer, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(w, "<details><summary>%s: %d</summary>\n\n", title, len(items))
	for i, s := range items {
		if i == maxList {
			fmt.Fprintf(w, "- and %d more\n", len(items)-i)
			break
		}
		fmt.Fprintf(w, "- %s\n", visible.Markdown(s))
	}
	_, _ = w.WriteString("\n</details>\n\n")
}

// Compare orders rows.
func Compare(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Program, b.Program), cmp.Compare(a.Kernel, b.Kernel))
}
