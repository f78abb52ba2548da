package diff

import (
	"bufio"
	"html"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Markdown writes the report for a comment on a pull request, in GitHub's
// flavour: a table of numbers for each program, blocks folded away.
func (r *Report) Markdown(out io.Writer, opt Options) error {
	w := page{bufio.NewWriter(out), opt}
	w.f("### BPF control flow: %s → %s\n\n", visible.Markdown(r.Old), visible.Markdown(r.New))
	for _, line := range r.compilers() {
		w.f("%s\n\n", visible.Markdown(line))
	}
	if r.Same() {
		w.f("No difference in %s (%s).\n", visible.Count(len(r.Programs), "program"), visible.Markdown(r.Title))
		return w.Flush()
	}
	w.f("| program | metric | old | new | diff |\n|---|---|--:|--:|--:|\n")
	same := 0
	for i := range r.Programs {
		p := &r.Programs[i]
		if p.Same {
			same++
			if !opt.All {
				continue
			}
		}
		for j, row := range p.rows(opt.All)[1:] {
			name := ""
			if j == 0 {
				name = visible.Markdown(p.title())
			}
			w.f("| %s | %s | %s | %s | %s |\n", name, row[0], row[1], row[2], row[3])
		}
	}
	w.f("\n")
	for i := range r.Programs {
		if p := &r.Programs[i]; !p.Same {
			w.details(p)
		}
	}
	for _, n := range r.Added {
		w.f("Only in the new version: %s\n\n", visible.Markdown(n))
	}
	for _, n := range r.Removed {
		w.f("Only in the old version: %s\n\n", visible.Markdown(n))
	}
	if same > 0 {
		w.f("%s without a difference. ", visible.Count(same, "program"))
	}
	w.f("Profile: %s\n", visible.Markdown(r.Title))
	return w.Flush()
}

// details writes blocks and jumps of a program, folded.
func (w page) details(p *Program) {
	if p.Verdict[0] != p.Verdict[1] {
		w.f("%s: the kernel's rules say: %s, was: %s\n\n", visible.Markdown(p.title()),
			visible.Markdown(p.Verdict[1]), visible.Markdown(p.Verdict[0]))
	}
	w.f("<details><summary>%s: blocks %s</summary>\n\n", html.EscapeString(visible.Text(p.title())), p.Counts)
	var b strings.Builder
	text := page{bufio.NewWriter(&b), w.opt}
	for _, f := range p.changedFuncs() {
		text.f("%s\n", f)
	}
	if p.scattered() && !w.opt.All {
		text.f("too few blocks are the same to list the others\n")
	} else {
		text.blocks(p)
	}
	for i := range p.Jumps {
		text.jump(&p.Jumps[i])
	}
	text.Flush()
	body := outdent(b.String())
	fence := strings.Repeat("`", max(3, 1+ticks(body)))
	w.f("%sdiff\n%s%s\n\n</details>\n\n", fence, body, fence)
}

// outdent moves the signs of changed lines to the first column, where the
// colours of a diff go by them.
func outdent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		trimmed := strings.TrimLeft(line, " ")
		if strings.HasPrefix(trimmed, "- ") || strings.HasPrefix(trimmed, "+ ") {
			line = trimmed[:1] + line[:len(line)-len(trimmed)] + trimmed[2:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// ticks returns the length of the longest run of backquotes.
func ticks(s string) int {
	most, n := 0, 0
	for _, c := range s {
		if c != '`' {
			n = 0
			continue
		}
		n++
		most = max(most, n)
	}
	return most
}
