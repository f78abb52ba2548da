package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// explainCmd tells why the analysis says what it says.
type explainCmd struct {
	Input  string   `arg:"" help:"Object, raw:FILE, record:FILE#NAME, or - for standard input."`
	At     []string `arg:"" optional:"" help:"gotox@N, callx@N or insn@N (N is a slot), block@N, FILE:LINE, or a function (default: all indirect jumps and dead code)."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
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
	if len(places) > 0 && !several && len(s.programs) > 1 {
		var names []string
		for _, p := range s.programs {
			names = append(names, p.Name)
		}
		return usagef("%s contains %d programs: choose one with --prog (%s)", s.name, len(s.programs), listNames(names))
	}
	prof, err := c.profile(std, s)
	if err != nil {
		return err
	}
	doc := document{Schema: schema, Input: s.name, Programs: []any{}, Notes: s.diags}
	failed := s.failed
	told := 0
	for i, p := range s.programs {
		progress(std.err, i, len(s.programs), p.Name)
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			failed = append(failed, failure{p.Name, p.Section, err})
			continue
		}
		answers, err := answer(a, places)
		if err != nil {
			return err
		}
		if several && len(answers) == 0 {
			continue
		}
		told++
		if c.Format == "text" {
			if told > 1 {
				fmt.Fprintln(std.out)
			}
			if err := c.text(std, a, answers); err != nil {
				return err
			}
		}
		doc.Programs = append(doc.Programs, explainedProgram{headOf(p), answers})
	}
	if several && told == 0 && len(failed) == 0 {
		return usagef("%s: no program has code of %s%s", s.name, strings.Join(c.At, ", "), s.knownPlaces(places))
	}
	for _, f := range failed {
		doc.Programs = append(doc.Programs, failedProgram{f.name, f.section, f.err.Error()})
	}
	if c.Format == "json" {
		if err := writeJSON(std.out, doc); err != nil {
			return err
		}
	}
	return failures(std.err, s.name, failed)
}

// explainedProgram is a program in the JSON of the verb.
type explainedProgram struct {
	head
	Answers []*explain.Answer `json:"answers"`
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

// answer explains the places, or all that there are in a program.
func answer(a *pipeline.Analysis, places []explain.Place) ([]*explain.Answer, error) {
	x := explain.New(a)
	if len(places) == 0 {
		places = x.Places()
	}
	out := []*explain.Answer{}
	var all []explain.Place
	for _, at := range places {
		all = append(all, x.Expand(at)...)
	}
	for _, at := range all {
		ans, err := x.At(at)
		if errors.Is(err, explain.ErrPlace) {
			return nil, usagef("%s: %w", a.Program.Name, err)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, ans)
	}
	return out, nil
}

// text prints the answers on a program.
func (c *explainCmd) text(std streams, a *pipeline.Analysis, answers []*explain.Answer) error {
	title(std.out, a.Program, "")
	if len(answers) == 0 {
		fmt.Fprintln(std.out, "no indirect jump or call, and no dead code")
	}
	for _, ans := range answers {
		fmt.Fprintln(std.out)
		if err := ans.Write(std.out); err != nil {
			return err
		}
	}
	return nil
}

// knownPlaces names the lines with code next to a line that has none, or the functions
// that there are.
func (s source) knownPlaces(places []explain.Place) string {
	at := places[slices.IndexFunc(places, explain.Place.Several)]
	if at.Kind == "function" {
		return ": " + s.functionNames()
	}
	before, after := 0, 0
	for _, p := range s.programs {
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
