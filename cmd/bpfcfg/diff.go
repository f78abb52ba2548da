package main

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/union"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// diffCmd compares two builds.
type diffCmd struct {
	Old      string   `arg:"" help:"Old version: object, directory, raw:FILE or record:FILE#NAME."`
	New      string   `arg:"" help:"New version, of the same kind."`
	Format   []string `help:"text, markdown, json, html or svg; FORMAT=FILE writes to a file. Repeatable (default: text)." placeholder:"FORMAT[=FILE]" sep:"none"`
	All      bool     `help:"List all numbers and blocks, not only the differences and the first few."`
	ExitCode bool     `help:"Exit with status 4 when there is a difference."`

	Overlay    string `help:"Colour blocks by visit counts of the new version, from a verifier log of level 2 or lines SLOT COUNT (html, svg)." placeholder:"FILE"`
	OverlayOld string `help:"Show those of the old version, too." placeholder:"FILE"`
	analysisFlags
	excludeFlags
}

// Help returns the examples of --help.
func (diffCmd) Help() string {
	return `Examples:
  bpfcfg diff old.o new.o
  bpfcfg diff old.o#f new.o#f --all
  bpfcfg diff old.o new.o --prog f --format svg=f.svg       both versions in one picture
  bpfcfg diff old.o new.o --format html=diff.html --overlay new.log --overlay-old old.log
  bpfcfg diff build.main/ build/ --format markdown=comment.md --format html=diff.html --format text`
}

// formats holds the writer of each format by name.
func (c *diffCmd) formats(std streams) map[string]func(io.Writer, *diff.Report) error {
	opt := diff.Options{All: c.All}
	drawn := func(w io.Writer, r *diff.Report, draw func(union.Options) ([]byte, error)) error {
		opt, err := c.pictureOptions(std, r)
		if err != nil {
			return err
		}
		data, err := draw(opt)
		switch {
		case err == nil:
			_, err = w.Write(data)
		case c.Overlay != "" || c.OverlayOld != "":
			err = inputError(err)
		}
		return err
	}
	return map[string]func(io.Writer, *diff.Report) error{
		"text":     func(w io.Writer, r *diff.Report) error { return r.Text(w, opt) },
		"markdown": func(w io.Writer, r *diff.Report) error { return r.Markdown(w, opt) },
		"json": func(w io.Writer, r *diff.Report) error {
			return writeJSON(w, struct {
				Schema string `json:"schema"`
				Same   bool   `json:"same"`
				*diff.Report
			}{schema, r.Same(), r})
		},
		"html": func(w io.Writer, r *diff.Report) error {
			return drawn(w, r, func(opt union.Options) ([]byte, error) { return union.HTML(r, opt) })
		},
		"svg": func(w io.Writer, r *diff.Report) error {
			p, err := drawnProgram(r)
			if err != nil {
				return err
			}
			return drawn(w, r, func(opt union.Options) ([]byte, error) { return union.SVG(p, opt) })
		},
	}
}

// Run implements the verb.
func (c *diffCmd) Run(std streams, p *process) error {
	if len(c.Format) == 0 {
		c.Format = []string{"text"}
	}
	formats := c.formats(std)
	for _, f := range c.Format {
		name, _, _ := strings.Cut(f, "=")
		if formats[name] == nil {
			return usagef("--format %s: want text, markdown, json, html or svg", f)
		}
	}
	if c.Old == "-" && c.New == "-" {
		return usagef("standard input can be only one of the two inputs")
	}
	old, oldFailed, err := c.side(std, c.Old)
	if err != nil {
		return err
	}
	now, nowFailed, err := c.side(std, c.New)
	if err != nil {
		return err
	}
	if oldFailed != nil && len(old.Programs) == 0 || nowFailed != nil && len(now.Programs) == 0 {
		return worse(oldFailed, nowFailed) // if a side is incomplete, nothing counts as new or gone
	}
	r := diff.Compare(old, now)
	for _, f := range c.Format {
		name, file, _ := strings.Cut(f, "=")
		if err := writeOutput(std.out, p, file, func(w io.Writer) error { return formats[name](w, r) }); err != nil {
			return err
		}
	}
	last := worse(oldFailed, nowFailed)
	if last == nil && c.ExitCode && !r.Same() {
		return errDiffers
	}
	return last
}

// writeOutput writes to a file, or to w when no file is named.
func writeOutput(w io.Writer, p *process, file string, write func(io.Writer) error) error {
	if file == "" || file == "-" {
		return write(w)
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return p.write(file, b.Bytes())
}

// side analyses all programs of one side. Programs of a directory are named with the path of their
// object in it. Failed is the error for what could not be analysed or read; it is reported at the
// end.
func (c *diffCmd) side(std streams, arg string) (side diff.Side, failed error, err error) {
	side = diff.Side{Input: arg}
	in, err := c.inputs([]string{arg}, c.Prog)
	if err != nil {
		return side, nil, err
	}
	done := 0
	for f, s := range in.Sources(std.opener) {
		progress(std.err, done, len(in.Files), s.Name)
		done++
		prof, err := c.profile(std, s)
		if err != nil {
			return side, nil, err
		}
		for _, comp := range s.Compilers() {
			side.Compilers = appendNew(side.Compilers, comp.Text)
			if r := comp.Remark(); r != "" {
				side.Remarks = appendNew(side.Remarks, r)
			}
		}
		prefix := ""
		if f.Dir != "" {
			prefix = f.InDir() + "#"
		}
		for _, p := range s.Programs {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil {
				s.Failed = append(s.Failed, input.Failure{Name: p.Name, Section: p.Section, Err: err})
				continue
			}
			side.Programs = append(side.Programs, diff.Compiled{Key: prefix + p.Name, Analysis: a})
		}
		progressDone(std.err)
		failed = worse(failed, failures(std.err, s.Name, s.Failed))
	}
	return side, worse(failed, end(std, in)), nil
}

// appendNew appends a text that the list does not have.
func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
