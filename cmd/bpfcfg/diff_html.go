package main

import (
	"bytes"
	_ "embed" // for the page's style
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// diffCSS is the style of the page, diffMarks that of changed blocks.
var (
	//go:embed page/diff.css
	diffCSS string
	//go:embed page/marks.css
	diffMarks string
)

// diffHTML writes a page that opens without a network: numbers, and the two
// graphs of each program that differs side by side. It has no script. Each
// drawing is a document of its own, so that names of blocks stay apart; the
// content security policy, which allows no script, holds in them, too.
func diffHTML(w io.Writer, r *diff.Report) error {
	var b bytes.Buffer
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n" +
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; " +
		"base-uri 'none'; form-action 'none'\">\n")
	fmt.Fprintf(&b, "<title>%s → %s</title>\n<style>\n%s</style></head><body>\n", safeHTML(r.Old), safeHTML(r.New),
		diffCSS)
	fmt.Fprintf(&b, "<h1>%s → %s</h1>\n<p>%s</p>\n", safeHTML(r.Old), safeHTML(r.New), safeHTML(r.Profile))
	same := 0
	for i := range r.Programs {
		p := &r.Programs[i]
		if p.Same {
			same++
			continue
		}
		if err := diffProgram(&b, p); err != nil {
			return err
		}
	}
	for _, n := range r.Added {
		fmt.Fprintf(&b, "<p>Only in the new one: %s</p>\n", safeHTML(n))
	}
	for _, n := range r.Removed {
		fmt.Fprintf(&b, "<p>Only in the old one: %s</p>\n", safeHTML(n))
	}
	if same > 0 {
		fmt.Fprintf(&b, "<p>%s without a difference</p>\n", plural(same, "program"))
	}
	b.WriteString("</body></html>\n")
	_, err := w.Write(b.Bytes())
	return err
}

// safeHTML makes a text from a file safe in HTML and visible.
func safeHTML(s string) string { return html.EscapeString(visible.Text(s)) }

// diffProgram writes one program.
func diffProgram(b *bytes.Buffer, p *diff.Program) error {
	name := p.Name
	if p.OldName != p.Name {
		name = p.OldName + " → " + p.Name
	}
	fmt.Fprintf(b, "<h2>%s</h2>\n<table><tr><th>metric<th>old<th>new<th>diff</tr>\n", safeHTML(name))
	for _, m := range p.Metrics {
		class := ""
		if m.Old != m.New {
			class = ` class="d"`
		}
		fmt.Fprintf(b, "<tr%s><td>%s<td>%s<td>%s<td>%s</tr>\n", class, m.Name, known(m.Old), known(m.New), m.Delta())
	}
	fmt.Fprintf(b, "</table>\n<p>Blocks: %s. ", p.Counts)
	b.WriteString(`<span class="k changed">changed</span> <span class="k removed">removed</span> ` +
		"<span class=\"k added\">added</span> <span class=\"k moved\">moved</span></p>\n")
	var one diff.Report
	one.Programs = []diff.Program{*p}
	var text bytes.Buffer
	if err := one.Text(&text, diff.Options{}); err != nil {
		return err
	}
	_, list, _ := strings.Cut(text.String(), "\n  blocks: ")
	fmt.Fprintf(b, "<details><summary>In words</summary><pre>%s</pre></details>\n<div class=\"two\">\n",
		html.EscapeString(list))
	for side, a := range []*pipeline.Analysis{p.Old, p.New} {
		svg, err := diffSVG(p, a, side)
		if err != nil {
			return err
		}
		title := [...]string{"old", "new"}[side]
		fmt.Fprintf(b, "<figure><figcaption>%s</figcaption><iframe title=%q srcdoc=\"%s\"></iframe></figure>\n", title, title,
			html.EscapeString("<!doctype html><meta charset=\"utf-8\"><style>body{margin:0}"+
				"svg{width:100%;min-width:700px;height:auto}</style>"+string(svg)))
	}
	b.WriteString("</div>\n")
	return nil
}

// known writes a number, or that it is not known.
func known(n int) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// diffSVG draws one side with its changed blocks marked: by a note on the
// instructions concerned and, for the eye, the look of the box.
func diffSVG(p *diff.Program, a *pipeline.Analysis, side int) ([]byte, error) {
	s := picture.Scene(a, a.Program.Name)
	css := diffMarks
	for i := range p.Blocks {
		blk := &p.Blocks[i]
		id := blk.ID[side]
		if id < 0 {
			continue
		}
		css += fmt.Sprintf("#b%d { --mark: var(--%s); }\n#b%d > .box { stroke: var(--mark); stroke-width: 4; }\n"+
			"#b%d > .head { fill: var(--mark); }\n", id, blk.Change, id, id)
		markLines(&s.Blocks[id], blk, side)
	}
	l, err := render.Place(s, render.PlaceOptions{View: "cfg"})
	if err != nil {
		return nil, err
	}
	svg := render.SVG(s, l)
	end := []byte("</svg>")
	at := bytes.LastIndex(svg, end)
	if at < 0 {
		panic("bug: a drawing without an end")
	}
	return append(append(svg[:at:at], "<style>"+css+"</style>"...), svg[at:]...), nil
}

// markLines notes on the instructions of a block what became of them.
func markLines(scene *render.Block, blk *diff.Block, side int) {
	op := [...]string{"-", "+"}[side]
	word := map[string]string{"-": "removed", "+": "added"}[op]
	if blk.Change != diff.Changed && len(scene.Lines) > 0 {
		scene.Lines[0].Note = join(scene.Lines[0].Note, string(blk.Change))
		return
	}
	here := map[int]bool{}
	for _, l := range blk.Lines {
		if l.Op == op {
			here[l.Insn] = true
		}
	}
	for i := range scene.Lines {
		if l := &scene.Lines[i]; here[l.Slot] {
			l.Note = join(l.Note, word)
		}
	}
}

// join puts two notes together.
func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}
