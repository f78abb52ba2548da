package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/layers"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// renderCmd draws pictures.
type renderCmd struct {
	Input   string  `arg:"" help:"An object, raw:FILE, record:FILE#NAME, or - for standard input."`
	Output  string  `short:"o" help:"File to write, - for standard output (default: INPUT.PROGRAM.FORMAT in the working directory)." placeholder:"FILE"`
	Format  string  `enum:"svg,html,png,pdf,dot,json,mermaid," default:"" help:"svg, html, png, pdf, dot, json or mermaid (default: by the file's name, else svg)."`
	View    string  `enum:"both,cfg,layout," default:"" help:"Halves to draw: both (default), cfg or layout."`
	Style   string  `enum:"full,figure," default:"" help:"full (default), or figure: one narrow column with little text, for a README, paper or slide (SVG, PNG, PDF)."`
	Overlay string  `help:"Colour blocks by visit counts from a verifier log of level 2, or from lines SLOT COUNT (SVG, HTML, PNG, PDF)." placeholder:"FILE"`
	Way     string  `help:"Mark the shortest way that an execution can take to a place (block@N, insn@N, gotox@N), the blocks that every way passes, and the shortest cycle back." placeholder:"AT"`
	Engine  string  `enum:"layered,dot," default:"" help:"Layout engine: layered (default), or dot, which runs Graphviz in the helper program bpfcfg-dot."`
	Fold    *int    `help:"Fold chains, loops, regions, then subprograms until svg, png or pdf shows at most N blocks; 0: never (default: 4000)." placeholder:"N"`
	Scale   float64 `help:"PNG pixels per picture pixel (default: 2, less for large pictures)." placeholder:"N"`
	Scheme  string  `enum:"light,dark," default:"" help:"Colours of svg, png and pdf: light or dark (default: an svg follows its viewer, others are light)."`
	NoFacts bool    `help:"With --view cfg: do not compute what never executes, for a fast picture of the graph alone."`
	analysisFlags

	kernel    kernelSide // a recorded kernel's results for the programs
	kernelErr error      // why the kernel did not answer
}

// Help returns the examples of --help.
func (renderCmd) Help() string {
	return `Examples:
  bpfcfg render prog.o                            one picture for each program: prog.NAME.svg
  bpfcfg render prog.o --prog f1 -o f1.svg
  bpfcfg render prog.o#f1 --view cfg -o - > f1.svg
  bpfcfg render prog.o#f1 --style figure          for a document: up to about 20 blocks it is at most 830 pixels wide
  bpfcfg render prog.o -o prog.html               a page of all programs with pan, zoom and search
  bpfcfg render prog.o#f1 --overlay f1.log        the verifier's visit counts, from veristat -v -l 2 prog.o > f1.log
  bpfcfg render prog.o#f1 --way block@8           the way to block b8
  bpfcfg render prog.o#f1 -o f1.png --scheme dark
  bpfcfg render prog.o#f1 -o f1.pdf               vector graphics with selectable text
  bpfcfg render prog.o#f1 -o f1.dot               for Graphviz
  bpfcfg render record:FILE.jsonl.gz#NAME -o record.svg`
}

// Run implements the verb.
func (c *renderCmd) Run(std streams, p *process) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	s, err := openOne(c.Input, c.Prog, std)
	if err != nil {
		return err
	}
	if err := c.oneOutput(s, format); err != nil {
		return err
	}
	prof, err := c.profile(std, s)
	if err != nil {
		return err
	}
	if c.kernel, err = newRecorded(s, nil); err != nil {
		c.kernel, c.kernelErr = noKernel{}, err // the picture does not need it
	}
	d := drawing{format: format, view: cmp.Or(c.View, "both"), engine: cmp.Or(c.Engine, "layered"),
		fold: foldDefault, style: c.Style, scheme: c.Scheme, scale: c.Scale, proc: p}
	if c.Fold != nil {
		d.fold = *c.Fold
	}
	d.console, _ = std.err.(*console)
	return c.draw(std, p, s, prof, d)
}

// draw writes a picture for each program, or a page of all.
func (c *renderCmd) draw(std streams, proc *process, s input.Source, prof jit.Profile, d drawing) error {
	var overlay []byte
	if c.Overlay != "" {
		var err error
		if overlay, err = input.Read(c.Overlay, std.in); err != nil {
			return inputError(err)
		}
	}
	var pages render.Pages
	title := ""
	out := &pictures{verb: c, proc: proc, written: written{std: std}}
	defer out.written.hint()
	names := c.names(s, d.format)
	failed := s.Failed
	var broken error
	inOrder(len(s.Programs), c.workers(s, d), func(i int) *drawn {
		return c.drawOne(s, s.Programs[i], prof, d, overlay)
	}, func(i int, o *drawn) bool {
		p := s.Programs[i]
		progress(std.err, i, len(s.Programs), p.Name)
		for _, r := range o.remarks {
			fmt.Fprintf(std.err, "bpfcfg: note: %s\n", visible.Text(r))
		}
		if o.err == nil && o.layout != nil {
			title = o.scene.Title
			o.err = pages.Add(o.scene, o.layout)
		}
		switch {
		case o.err != nil:
			failed = append(failed, input.Failure{Name: p.Name, Section: p.Section, Err: o.err})
		case o.layout == nil:
			progressDone(std.err)
			broken = out.write(names[i], d.format, o.data)
		}
		return broken == nil
	})
	if broken != nil {
		return broken
	}
	progressDone(std.err)
	if pages.Len() > 0 {
		if pages.Len() > 1 {
			title = s.Title
		}
		data, err := pages.HTML(title)
		if err != nil {
			return err
		}
		if err := out.write(c.Output, d.format, data); err != nil {
			return err
		}
	}
	return failures(std.err, s.Name, failed)
}

// drawn is the picture of a program.
type drawn struct {
	data    []byte
	scene   *render.Scene     // for a page of several programs
	layout  *render.Placement // likewise, nil for others
	remarks []string
	err     error
}

// drawOne draws a program. Its remarks are printed in the order of programs.
func (c *renderCmd) drawOne(s input.Source, p *bytecode.Program, prof jit.Profile, d drawing, overlay []byte) *drawn {
	out := &drawn{}
	d.remarks = &out.remarks
	_, out.err = guard(func() (struct{}, error) {
		scene, err := c.scene(s, p, prof, d.format, overlay)
		switch {
		case err != nil:
		case c.together(d.format):
			out.scene = scene
			out.layout, err = d.place(scene)
		default:
			out.data, err = d.draw(scene)
		}
		return struct{}{}, err
	})
	return out
}

// workers returns how many programs are drawn at a time. Answers of recorded kernels are
// looked up one after the other, and Graphviz is a process of its own.
func (c *renderCmd) workers(s input.Source, d drawing) int {
	if s.Records != nil || s.Live != nil || d.engine == "dot" {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// names returns the file of each program's picture.
func (c *renderCmd) names(s input.Source, format string) []string {
	if c.Output != "" {
		return slices.Repeat([]string{c.Output}, len(s.Programs))
	}
	var programs []string
	for _, p := range s.Programs {
		programs = append(programs, p.Name)
	}
	return pictureNames(s.Name, programs, format)
}

// pictures writes pictures.
type pictures struct {
	verb    *renderCmd
	proc    *process
	written written
}

// write writes a picture and says where.
func (o *pictures) write(path, format string, data []byte) error {
	if path == "-" {
		_, err := o.written.std.out.Write(data)
		return err
	}
	if overwrites(path, o.verb.Input) {
		return usagef("%s is the input: name another file with -o", path)
	}
	if err := o.proc.write(path, data); err != nil {
		return err
	}
	return o.written.add(path, format, len(data))
}

// together reports whether all programs go into one file.
func (c *renderCmd) together(format string) bool { return format == "html" && c.Output != "" }

// scene analyses a program and returns what to draw.
func (c *renderCmd) scene(s input.Source, p *bytecode.Program, prof jit.Profile, format string,
	overlay []byte) (*render.Scene, error) {
	analyse := s.Analyse
	if c.NoFacts {
		analyse = pipeline.GraphOnly
	}
	a, err := analyse(p, prof)
	if err != nil {
		return nil, err
	}
	scene := picture.Scene(a, s.Title)
	c.check(scene, a)
	switch {
	case format == "html":
		picture.AddDetails(scene, a)
		scene.Findings = layers.Findings(a)
	case isSheet(format) && !c.NoFacts:
		picture.AddCode(scene, a)
	}
	if c.Way != "" {
		if err := markWay(scene, a, c.Way); err != nil {
			return nil, err
		}
	}
	if c.Overlay == "" {
		return scene, nil
	}
	visits := layers.Visits{File: c.Overlay, Data: overlay}
	if err := visits.Add(scene, a); err != nil {
		return nil, inputError(err)
	}
	return scene, nil
}

// format returns the format of --format, or the one that the output's name ends in, and refuses
// flags that have no effect on it.
func (c *renderCmd) format() (string, error) {
	format := c.Format
	if format == "" {
		var err error
		if format, err = formatOf(c.Output); err != nil {
			return "", err
		}
	}
	if err := c.ignored(format); err != nil {
		return "", err
	}
	switch {
	case c.NoFacts && c.Way != "":
		return "", usagef("--no-facts is not for --way: which edges can be taken is a fact")
	case c.NoFacts && format == "html":
		return "", usagef("--no-facts is not for html: a page shows facts")
	case c.NoFacts && c.View != "cfg" && pictureFormatNamed(format).kind != formatGraph:
		return "", usagef("--no-facts needs --view cfg: the machine code depends on facts")
	case c.Scale != 0 && format != "png":
		return "", usagef("--scale is for PNG: %s has no pixels", format)
	case c.Scale != 0 && !(c.Scale >= 0.01 && c.Scale <= 100):
		return "", usagef("--scale %v: a number from 0.01 to 100", c.Scale)
	case c.Scheme != "" && !isSheet(format):
		return "", usagef("--scheme is for svg, png and pdf")
	}
	return format, nil
}

// foldDefault is the number of blocks above which a picture is folded.
const foldDefault = 4000

// ignored refuses flags without effect on a format: graphs as text have neither machine code nor
// places, and only pictures are painted.
func (c *renderCmd) ignored(format string) error {
	places := pictureFormatNamed(format).kind != formatGraph // boxes with positions
	sheet := isSheet(format)
	for _, f := range []struct {
		flag string
		set  bool
		good bool
	}{
		{"--view", c.View != "", places},
		{"--engine", c.Engine != "", places},
		{"--fold", c.Fold != nil, sheet},
		{"--style", c.Style != "", sheet},
		{"--way", c.Way != "", format != "json"},
		{"--overlay", c.Overlay != "", sheet || format == "html"},
	} {
		if f.set && !f.good {
			return usagef("%s has no effect with %s: omit it", f.flag, format)
		}
	}
	return nil
}

// oneOutput refuses one output file for several programs, unless it is a page.
func (c *renderCmd) oneOutput(s input.Source, format string) error {
	if c.Output == "" || len(s.Programs) <= 1 || c.together(format) {
		return nil
	}
	var names []string
	for _, p := range s.Programs {
		names = append(names, p.Name)
	}
	return usagef("%s contains %d programs and -o names one file: choose one with --prog (%s), "+
		"write a page (.html), or omit -o", s.Name, len(names), input.Names(names))
}
