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
	"github.com/bpfcfg/bpfcfg/render"
)

// diffCSS is the style of the page.
//
//go:embed page/diff.css
var diffCSS string

// diffHTML writes a page that opens without a network: numbers, and one picture
// of both versions of each program that differs. It has no script. Each
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
		if err := diffProgram(&b, r, p); err != nil {
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
func diffProgram(b *bytes.Buffer, r *diff.Report, p *diff.Program) error {
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
	b.WriteString("</p>\n")
	var one diff.Report
	one.Programs = []diff.Program{*p}
	var text bytes.Buffer
	if err := one.Text(&text, diff.Options{}); err != nil {
		return err
	}
	_, list, _ := strings.Cut(text.String(), "\n  blocks: ")
	fmt.Fprintf(b, "<details><summary>In words</summary><pre>%s</pre></details>\n", html.EscapeString(list))
	svg, err := drawUnion(r, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "<iframe title=\"both versions\" srcdoc=\"%s\"></iframe>\n", html.EscapeString("<!doctype html>"+
		"<meta charset=\"utf-8\"><style>body{margin:0}</style>"+string(svg)))
	return nil
}

// known writes a number, or that it is not known.
func known(n int) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// diffSVG writes the picture of the one program that differs, or of the only one.
func diffSVG(w io.Writer, r *diff.Report) error {
	var differ []*diff.Program
	var names []string
	for i := range r.Programs {
		if p := &r.Programs[i]; !p.Same || len(r.Programs) == 1 {
			differ = append(differ, p)
			names = append(names, p.Name)
		}
	}
	switch {
	case len(differ) == 0:
		return usagef("no program differs: choose one of the %d with --prog to draw it", len(r.Programs))
	case len(differ) > 1:
		return usagef("%d programs differ and a picture shows one: choose with --prog (%s), or use --format html",
			len(differ), listNames(names))
	}
	svg, err := drawUnion(r, differ[0])
	if err == nil {
		_, err = w.Write(svg)
	}
	return err
}

// drawUnion draws both versions of a program as one picture.
func drawUnion(r *diff.Report, p *diff.Program) ([]byte, error) {
	s := unionScene(p, fmt.Sprintf("%s → %s", shortName(r.Old), shortName(r.New)))
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		return nil, err
	}
	return render.SVG(s, l), nil
}

// join puts two notes together.
func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}
