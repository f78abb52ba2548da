package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/internal/visits"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/dotengine"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// renderCmd draws pictures.
type renderCmd struct {
	Input   string `arg:"" help:"An object, raw:FILE, record:FILE#NAME, or - for standard input."`
	Output  string `short:"o" help:"File to write, - for standard output (default: INPUT.PROGRAM.FORMAT here)." placeholder:"FILE"`
	Format  string `enum:"svg,html,dot,json,mermaid," default:"" help:"svg, html, dot, json or mermaid (default: by the file's name, else svg)."`
	View    string `enum:"both,cfg,layout" default:"both" help:"both, cfg or layout: which halves to draw."`
	Overlay string `help:"Paint visit counts: a verifier log of level 2, or lines SLOT COUNT. HTML and SVG." placeholder:"FILE"`
	Engine  string `enum:"layered,dot" default:"layered" help:"layered, or dot: Graphviz, in the helper program bpfcfg-dot."`
	analysisFlags

	kernel kernelSide // what a recorded kernel made of the programs
}

// Help returns the examples of --help.
func (renderCmd) Help() string {
	return `Examples:
  bpfcfg render prog.o                            one picture for each program: prog.NAME.svg
  bpfcfg render prog.o --prog f1 -o f1.svg
  bpfcfg render prog.o#f1 --view cfg -o - > f1.svg
  bpfcfg render prog.o -o prog.html               a page with pan, zoom and search, all programs in it
  bpfcfg render prog.o#f1 --overlay f1.log        visits of the verifier: veristat -v -l 2 prog.o > f1.log
  bpfcfg render prog.o#f1 -o f1.dot               for Graphviz
  bpfcfg render record:FILE.jsonl.gz#NAME -o record.svg`
}

// drawing is how to draw a scene.
type drawing struct{ format, view, engine string }

// draw returns the picture's bytes.
func (d drawing) draw(s *render.Scene) ([]byte, error) {
	switch d.format {
	case "dot":
		return render.DOT(s)
	case "mermaid":
		return render.Mermaid(s)
	}
	l, err := d.place(s)
	if err != nil {
		return nil, err
	}
	switch d.format {
	case "json":
		return render.LayoutJSON(l), nil
	case "html":
		return render.HTML(s, l)
	default:
		return render.SVG(s, l), nil
	}
}

// place lays the scene out with the chosen engine.
func (d drawing) place(s *render.Scene) (*render.Layout, error) {
	opt := render.PlaceOptions{View: render.View(d.view)}
	if d.engine != "dot" {
		return render.Place(s, opt)
	}
	e, err := dotengine.New(dotengine.Options{})
	if err != nil {
		return nil, fmt.Errorf("%w: install it with go install ./cmd/bpfcfg-dot, or leave --engine out", err)
	}
	defer e.Close()
	opt.Engine = e
	return render.Place(s, opt)
}

// Run implements the verb.
func (c *renderCmd) Run(std streams, p *process) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	s, err := openOne(c.Input, c.Prog, std.in)
	if err != nil {
		return err
	}
	if err := c.oneOutput(s, format); err != nil {
		return err
	}
	prof, err := c.profile(s)
	if err != nil {
		return err
	}
	if c.kernel, err = newRecorded(s, nil); err != nil {
		return inputError(err)
	}
	return c.draw(std, p, s, prof, drawing{format, c.View, c.Engine})
}

// draw writes a picture for each program, or a page of all.
func (c *renderCmd) draw(std streams, proc *process, s source, prof jit.Profile, d drawing) error {
	var overlay []byte
	if c.Overlay != "" {
		var err error
		if overlay, err = readInput(c.Overlay, std.in); err != nil {
			return inputError(err)
		}
	}
	var pages []render.Page
	failed := s.failed
	for i, p := range s.programs {
		if len(s.programs) > 1 || len(p.Insns) > 20_000 {
			progress(std.err, i, len(s.programs), p.Name)
		}
		scene, err := c.scene(s, p, prof, d.format, overlay)
		if err == nil && c.together(d.format) {
			var l *render.Layout
			if l, err = d.place(scene); err == nil {
				pages = append(pages, render.Page{Scene: scene, Layout: l})
				continue
			}
		}
		var data []byte
		if err == nil {
			data, err = d.draw(scene)
		}
		if err != nil {
			failed = append(failed, failure{p.Name, p.Section, err})
			continue
		}
		progressDone(std.err)
		if err := c.write(std, proc, c.path(s, i, d.format), data); err != nil {
			return err
		}
	}
	progressDone(std.err)
	if len(pages) > 0 {
		title := pages[0].Scene.Title
		if len(pages) > 1 {
			title = shortName(s.name)
		}
		data, err := render.HTMLPages(title, pages)
		if err != nil {
			return err
		}
		if err := c.write(std, proc, c.Output, data); err != nil {
			return err
		}
	}
	return failures(std.err, s.name, failed)
}

// together reports whether all programs go into one file.
func (c *renderCmd) together(format string) bool { return format == "html" && c.Output != "" }

// scene analyses a program and returns what to draw.
func (c *renderCmd) scene(s source, p *bytecode.Program, prof jit.Profile, format string,
	overlay []byte) (*render.Scene, error) {
	a, err := s.analyse(p, prof)
	if err != nil {
		return nil, err
	}
	scene := picture.Scene(a, shortName(s.name))
	if err := c.check(scene, a, s); err != nil {
		return nil, err
	}
	if format == "html" {
		picture.AddDetails(scene, a)
	}
	if c.Overlay == "" {
		return scene, nil
	}
	counts, err := visits.Read(bytes.NewReader(overlay), p.Name, len(p.Insns))
	if err != nil {
		return nil, inputError(fmt.Errorf("%s: %w", c.Overlay, err))
	}
	source := "visits in " + filepath.Base(c.Overlay)
	if seen := counts.Total + counts.Pruned; counts.Walked > seen {
		source += fmt.Sprintf(" (only %d of %d)", seen, counts.Walked)
	}
	picture.AddCounts(scene, a, counts.Slots, source)
	return scene, nil
}

// format returns the format asked for, or the one that the output's name ends
// in.
func (c *renderCmd) format() (string, error) {
	if c.Format != "" {
		return c.Format, nil
	}
	switch ext := filepath.Ext(c.Output); ext {
	case "", ".svg":
		return "svg", nil
	case ".html", ".htm":
		return "html", nil
	case ".dot", ".gv":
		return "dot", nil
	case ".json":
		return "json", nil
	case ".mmd":
		return "mermaid", nil
	default:
		return "", usagef("no format has the ending %s: name one with --format", ext)
	}
}

// oneOutput refuses one output file for several programs, unless it is a page.
func (c *renderCmd) oneOutput(s source, format string) error {
	if c.Output == "" || len(s.programs) <= 1 || c.together(format) {
		return nil
	}
	var names []string
	for _, p := range s.programs {
		names = append(names, p.Name)
	}
	return usagef("%s holds %d programs and -o names one file: choose with --prog (%s), "+
		"write a page (.html), or leave -o out", s.name, len(names), listNames(names))
}

// path returns the file that program i is written to.
func (c *renderCmd) path(s source, i int, format string) string {
	if c.Output != "" {
		return c.Output
	}
	ext := map[string]string{"svg": ".svg", "html": ".html", "dot": ".dot", "json": ".layout.json",
		"mermaid": ".mmd"}[format]
	stem := strings.TrimSuffix(visible.FileName(shortName(s.name)), ".o")
	name := visible.FileName(s.programs[i].Name)
	for j := range i { // a section's functions may share names after cleaning
		if visible.FileName(s.programs[j].Name) == name {
			name += fmt.Sprintf("-%d", i)
			break
		}
	}
	return stem + "." + name + ext
}

// shortName returns the last element of an input's name without its prefix.
func shortName(input string) string {
	if input == "-" {
		return "stdin"
	}
	for _, prefix := range []string{"raw:", "record:"} {
		input = strings.TrimPrefix(input, prefix)
	}
	return filepath.Base(input)
}

// write writes a picture and says where.
func (c *renderCmd) write(std streams, p *process, path string, data []byte) error {
	if path == "-" {
		_, err := std.out.Write(data)
		return err
	}
	if err := p.write(path, data); err != nil {
		return err
	}
	_, err := fmt.Fprintf(std.out, "wrote %s (%d kB): open it in a browser\n", visible.Text(path), (len(data)+1023)/1024)
	return err
}
