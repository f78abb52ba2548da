package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// diffHTML writes a page that opens without a network: one picture of both versions
// of each program that differs, in the viewer of render, with the numbers and the
// differences in words beside it.
func diffHTML(w io.Writer, r *diff.Report) error {
	var pages render.Pages
	for i := range r.Programs {
		if p := &r.Programs[i]; !p.Same {
			if err := addDiffPage(&pages, r, p); err != nil {
				return err
			}
		}
	}
	if pages.Len() == 0 {
		s := &render.Scene{Title: "no difference", Aside: aroundDiff(r)}
		for _, part := range s.Aside {
			s.Notes = append(s.Notes, part.Lines...)
		}
		l, err := render.Place(s, render.PlaceOptions{})
		if err == nil {
			err = pages.Add(s, l)
		}
		if err != nil {
			return err
		}
	}
	data, err := pages.HTML(fmt.Sprintf("%s → %s", r.Old, r.New))
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// aroundDiff describes the results of a comparison other than programs that differ.
func aroundDiff(r *diff.Report) []render.Section {
	var lines []string
	same := 0
	for i := range r.Programs {
		if r.Programs[i].Same {
			same++
		}
	}
	if same > 0 {
		lines = append(lines, visible.Count(same, "program")+" without a difference")
	}
	for _, n := range r.Added {
		lines = append(lines, "only in the new version: "+n)
	}
	for _, n := range r.Removed {
		lines = append(lines, "only in the old version: "+n)
	}
	if len(lines) == 0 {
		return nil
	}
	return []render.Section{{Title: "other programs", Lines: lines}}
}

// addDiffPage adds both versions of a program to a page.
func addDiffPage(pages *render.Pages, r *diff.Report, p *diff.Program) error {
	s := unionScene(p, fmt.Sprintf("%s → %s", shortName(r.Old), shortName(r.New)))
	picture.AddCode(s, p.New)
	s.Findings = diffFindings(p)
	if p.OldName != p.Name {
		s.Title = p.OldName + " → " + p.Name
	}
	metrics := render.Section{Title: fmt.Sprintf("numbers: old, new, difference, %s", r.Title)}
	for _, m := range p.Metrics {
		metrics.Lines = append(metrics.Lines, fmt.Sprintf("%-16s %8s %8s  %s", m.Name, known(m.Old), known(m.New), m.Delta()))
	}
	one := diff.Report{Programs: []diff.Program{*p}}
	var text bytes.Buffer
	if err := one.Text(&text, diff.Options{}); err != nil {
		return err
	}
	_, list, _ := strings.Cut(text.String(), "\n  blocks: ")
	lines := strings.Split(strings.TrimRight("blocks: "+list, "\n"), "\n")
	words := render.Section{Title: "differences, in words", Lines: lines}
	s.Aside = append([]render.Section{metrics, words}, aroundDiff(r)...)
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		return err
	}
	return pages.Add(s, l)
}

// diffFindings returns what check finds in the new version, and what it found in the
// old one at the same block and finds no more.
func diffFindings(p *diff.Program) []render.Finding {
	type place struct {
		id    string
		block int
	}
	found, out := map[place]bool{}, pageFindings(p.New)
	for _, f := range out {
		found[place{f.ID, f.Block}] = true
	}
	now := blocksOfOld(p)
	for _, f := range pageFindings(p.Old) {
		if f.Block != render.Outside {
			f.Block = now[f.Block]
		}
		if found[place{f.ID, f.Block}] {
			continue
		}
		f.Level, f.Message, f.Fix = string(check.Note), "no longer found: "+f.Message, ""
		out = append(out, f)
	}
	return out
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
		return usagef("%d programs differ and a picture shows one: choose one with --prog (%s), or use --format html",
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
