package union

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/layers"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/internal/visits"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// Options are contents of pages besides the difference.
type Options struct {
	Title  string            // of each picture: the names of the two versions
	Visits [2]*layers.Visits // of the old and the new version; nil without
}

// HTML returns a page that opens without a network: one picture of both versions
// of each program that differs, in the viewer of render, with the numbers and the
// differences in words beside it.
func HTML(r *diff.Report, opt Options) ([]byte, error) {
	var pages render.Pages
	m := newMaker(opt)
	for i := range r.Programs {
		if p := &r.Programs[i]; !p.Same {
			if err := m.page(&pages, r, p); err != nil {
				return nil, err
			}
		}
	}
	if err := m.missing(); err != nil {
		return nil, err
	}
	if pages.Len() == 0 {
		s := &render.Scene{Title: "no difference", Aside: others(r)}
		for _, part := range s.Aside {
			s.Notes = append(s.Notes, part.Lines...)
		}
		l, err := render.Place(s, render.PlaceOptions{})
		if err == nil {
			err = pages.Add(s, l)
		}
		if err != nil {
			return nil, err
		}
	}
	return pages.HTML(fmt.Sprintf("%s → %s", r.Old, r.New))
}

// SVG draws both versions of a program as one picture.
func SVG(p *diff.Program, opt Options) ([]byte, error) {
	m := newMaker(opt)
	old, now, err := m.scenes(p)
	if err == nil {
		err = m.missing()
	}
	if err != nil {
		return nil, err
	}
	s := join(p, old, now, opt.Title)
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		return nil, err
	}
	return render.SVG(s, l), nil
}

// maker makes pictures of several programs. A file of counts need not have counts of every program,
// but of at least one.
type maker struct {
	opt  Options
	used [2]bool
	err  [2]error // that a program is not in a file
}

func newMaker(opt Options) *maker { return &maker{opt: opt} }

// missing returns an error if a file of counts has none for any program.
func (m *maker) missing() error {
	for side, err := range m.err {
		if err != nil && !m.used[side] {
			return err
		}
	}
	return nil
}

// scenes returns the scenes of both versions, with visit counts.
func (m *maker) scenes(p *diff.Program) (old, now *render.Scene, err error) {
	var out [2]*render.Scene
	for side, a := range []*pipeline.Analysis{p.Old, p.New} {
		out[side] = picture.Scene(a, m.opt.Title)
		if m.opt.Visits[side] == nil {
			continue
		}
		switch err := m.opt.Visits[side].Add(out[side], a); {
		case err == nil:
			m.used[side] = true
		case errors.Is(err, visits.ErrOther):
			m.err[side] = err
		default:
			return nil, nil, err
		}
	}
	return out[0], out[1], nil
}

// others describes the results of a comparison other than programs that differ.
func others(r *diff.Report) []render.Section {
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

// page adds both versions of a program to a page.
func (m *maker) page(pages *render.Pages, r *diff.Report, p *diff.Program) error {
	old, now, err := m.scenes(p)
	if err != nil {
		return err
	}
	picture.AddCode(now, p.New) // while its instructions are those of the new version alone
	s := join(p, old, now, m.opt.Title)
	s.Findings = findings(p)
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
	s.Aside = append([]render.Section{metrics, words}, others(r)...)
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		return err
	}
	return pages.Add(s, l)
}

// findings returns the findings in the new version, and those of the old one at the same block that
// are gone.
func findings(p *diff.Program) []render.Finding {
	type place struct {
		id    string
		block int
	}
	found, out := map[place]bool{}, layers.Findings(p.New)
	for _, f := range out {
		found[place{f.ID, f.Block}] = true
	}
	now := blocksOfOld(p)
	for _, f := range layers.Findings(p.Old) {
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
