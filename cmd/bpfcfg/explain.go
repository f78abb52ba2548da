package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// explainCmd explains the results of the analysis.
type explainCmd struct {
	Input  string   `arg:"" help:"Object, raw:FILE, record:FILE#NAME, or - for standard input."`
	At     []string `arg:"" optional:"" help:"gotox@N, callx@N or insn@N (N is a slot), block@N, FILE:LINE, or a function (default: all indirect jumps and dead code)."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
	All    bool     `help:"Without a place: all that there are in a program, at full length (default: the first 1000, long lists cut)."`
	analysisFlags
}

// Help returns the examples of --help.
func (explainCmd) Help() string {
	return `Examples:
  bpfcfg explain prog.o gotox@17                 why the jump at slot 17 has these targets
  bpfcfg explain prog.o --prog f block@8         why block b8 is dead, or the facts at its start
  bpfcfg explain prog.o#f insn@23 --format json  the facts before slot 23
  bpfcfg explain prog.o sample.c:41              the code of a C line, in all programs
  bpfcfg explain prog.o classify                 a function: its entry, jumps and dead code
  bpfcfg explain prog.o#f                        all indirect jumps and dead code`
}

// Run implements the verb.
func (c *explainCmd) Run(std streams) error {
	places, err := c.places()
	if err != nil {
		return err
	}
	s, err := openOne(c.Input, c.Prog, std)
	if err != nil {
		return err
	}
	several := slices.ContainsFunc(places, explain.Place.Several)
	if len(places) > 0 && !several && len(s.Programs) > 1 {
		var names []string
		for _, p := range s.Programs {
			names = append(names, p.Name)
		}
		return usagef("%s contains %d programs: choose one with --prog (%s)", s.Name, len(s.Programs), input.Names(names))
	}
	prof, err := c.profile(std, s)
	if err != nil {
		return err
	}
	doc := document{Schema: schema, Input: s.Name, Programs: []any{}, Notes: s.Diags}
	failed := s.Failed
	told := 0
	for i, p := range s.Programs {
		progress(std.err, i, len(s.Programs), p.Name)
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			failed = append(failed, input.Failure{Name: p.Name, Section: p.Section, Err: err})
			continue
		}
		x, all, left := c.expand(a, places)
		if several && len(all) == 0 {
			continue
		}
		told++
		if c.Format == "text" {
			if told > 1 {
				fmt.Fprintln(std.out)
			}
			if err := c.text(std, x, p, all, left); err != nil {
				return err
			}
			continue
		}
		answers := make([]*explain.Answer, len(all))
		for i, at := range all {
			if answers[i], err = answer(x, p, at); err != nil {
				return err
			}
		}
		doc.Programs = append(doc.Programs, explainedProgram{stage.HeadOf(p), answers, left})
	}
	if several && told == 0 && len(failed) == 0 {
		return usagef("%s: no program has code of %s%s", s.Name, strings.Join(c.At, ", "), knownPlaces(s, places))
	}
	for _, f := range failed {
		doc.Programs = append(doc.Programs, failedProgram{f.Name, f.Section, f.Err.Error()})
	}
	if c.Format == "json" {
		if err := writeJSON(std.out, doc); err != nil {
			return err
		}
	}
	return failures(std.err, s.Name, failed)
}

// explainedProgram is a program in the JSON of the verb.
type explainedProgram struct {
	stage.Head
	Answers []*explain.Answer `json:"answers"`
	LeftOut int               `json:"places_left_out,omitempty"`
}

// places reads the places on the command line.
func (c *explainCmd) places() ([]explain.Place, error) {
	var out []explain.Place
	for _, s := range c.At {
		p, err := explain.ParsePlace(s)
		if err != nil {
			return nil, usagef("%w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

// maxPlaces bounds the places that are explained when none is named.
const maxPlaces = 1000

// expand returns the places to explain, which are all places of a program when
// none is named, and how many are left out.
func (c *explainCmd) expand(a *pipeline.Analysis, places []explain.Place) (x *explain.Explainer, all []explain.Place,
	left int) {
	x = explain.New(a)
	for _, at := range places {
		all = append(all, x.Expand(at)...)
	}
	if len(places) > 0 {
		return x, all, 0
	}
	all = x.Places()
	if !c.All {
		left = max(0, len(all)-maxPlaces)
		all = all[:len(all)-left]
		each := max(500, 1_000_000/max(len(all), 1))
		x.Limit(explain.Limits{Steps: each, Targets: each, Rows: each})
	} else if c.Format == "text" {
		x.Limit(explain.Limits{Steps: 100}) // the text has fewer
	}
	return x, all, left
}

// answer explains a place of a program.
func answer(x *explain.Explainer, p *bytecode.Program, at explain.Place) (*explain.Answer, error) {
	ans, err := x.At(at)
	if errors.Is(err, explain.ErrPlace) {
		err = usagef("%s: %w", p.Name, err)
	}
	return ans, err
}

// text prints the answers on a program.
func (c *explainCmd) text(std streams, x *explain.Explainer, p *bytecode.Program, all []explain.Place, left int) error {
	for i, at := range all {
		ans, err := answer(x, p, at)
		if err != nil {
			return err
		}
		if i == 0 {
			stage.Title(std.out, p, "")
		}
		fmt.Fprintln(std.out)
		if err := ans.Write(std.out); err != nil {
			return err
		}
	}
	switch {
	case len(all) == 0:
		stage.Title(std.out, p, "")
		fmt.Fprintln(std.out, "no indirect jump or call, and no dead code")
	case left > 0:
		fmt.Fprintf(std.out, "\n… %d more: name one, or --all\n", left)
	}
	return nil
}

// knownPlaces names the lines with code next to a line that has none, or the existing functions.
func knownPlaces(s input.Source, places []explain.Place) string {
	at := places[slices.IndexFunc(places, explain.Place.Several)]
	if at.Kind == "function" {
		return ": " + functionNames(s)
	}
	before, after := 0, 0
	for _, p := range s.Programs {
		for _, l := range p.Lines {
			switch {
			case l.File != at.Name && !strings.HasSuffix(l.File, "/"+at.Name):
			case l.Line < at.Number:
				before = max(before, l.Line)
			case after == 0 || l.Line < after:
				after = l.Line
			}
		}
	}
	switch {
	case before == 0 && after == 0:
		return ": no code is from that file"
	case before == 0 || after == 0:
		return fmt.Sprintf(": the nearest line with code is %d", max(before, after))
	}
	return fmt.Sprintf(": the nearest lines with code are %d and %d", before, after)
}
