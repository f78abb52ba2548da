package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/internal/tag"
	"github.com/bpfcfg/bpfcfg/internal/where"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// whereCmd maps a machine offset to source.
type whereCmd struct {
	Input    string `arg:"" help:"An object, record:FILE#NAME, live:ID, or - for standard input."`
	Position string `arg:"" help:"+0xOFF, NAME+0xOFF, bpf_prog_TAG_NAME+0xOFF[/0xLEN], or with a live: input an address 0x…"`
	Format   string `enum:"text,json" default:"text" help:"text or json."`
	analysisFlags
}

// Help returns the examples of --help.
func (whereCmd) Help() string {
	return `Examples:
  bpfcfg where prog.o#handler +0x8a0                         offset in the entry function
  bpfcfg where prog.o --prog handler helper+0x1c             in another function of the program
  bpfcfg where live:17 bpf_prog_6deef7357e7b4530_f+0x8a0/0x900   a line of a stack trace

Offsets count from the function's address, as in /proc/kallsyms. Every line but the first
of a stack trace is a return address, so the call before it is shown too.`
}

// Run implements the verb.
func (c *whereCmd) Run(std streams) error {
	pos, err := where.Parse(c.Position)
	if err != nil {
		return usagef("%w", err)
	}
	s, err := openOne(c.Input, c.Prog, std)
	if err != nil {
		return err
	}
	prof, err := c.profile(std, s)
	if err != nil {
		return err
	}
	a, f, off, err := locate(s, pos, prof)
	if err != nil {
		return err
	}
	doc, err := where.At(a, f, off)
	if err != nil {
		return inputError(fmt.Errorf("%s: %w", s.Name, err))
	}
	if c.Format == "json" {
		return writeJSON(std.out, struct {
			Schema string `json:"schema"`
			Input  string `json:"input"`
			*where.Place
		}{schema, s.Name, doc})
	}
	doc.Text(std.out)
	return nil
}

// locate finds the function of a position, and the offset in it from its
// address.
func locate(s input.Source, pos where.Position, prof jit.Profile) (*pipeline.Analysis, int, int, error) {
	var found *bytecode.Program
	fn := 0
	var names []string
	for _, p := range s.Programs {
		i, ok := function(s, p, pos)
		names = append(names, p.Name)
		if !ok {
			continue
		}
		if found != nil {
			return nil, 0, 0, usagef("%s: several programs have this function: choose one with --prog (%s)", s.Name,
				input.Names(names))
		}
		found, fn = p, i
	}
	if len(s.Failed) > 0 && found == nil {
		return nil, 0, 0, failures(io.Discard, s.Name, s.Failed)
	}
	if found == nil && pos.Name == "" && pos.Tag != "" {
		return nil, 0, 0, inputError(fmt.Errorf("%s: no program has the tag %s: another build, or another loader; "+
			"use name+0xOFF to look anyway", s.Name, pos.Tag))
	}
	if found == nil {
		return nil, 0, 0, inputError(fmt.Errorf("%s: no such function: %s", s.Name, functionNames(s)))
	}
	a, err := s.Analyse(found, prof)
	if err == nil {
		err = a.ImageErr
	}
	if err != nil {
		return nil, 0, 0, inputError(fmt.Errorf("%s: program %s: %w", s.Name, found.Name, err))
	}
	if err := pos.SameBuild(tagsOf(s.Live[found], a.Program), a, fn); err != nil {
		return nil, 0, 0, inputError(fmt.Errorf("%s: program %s: %w", s.Name, found.Name, err))
	}
	off := int(pos.Offset)
	if pos.Absolute {
		off = int(pos.Offset - a.Rewrite.Program.Addresses.Funcs[fn])
	}
	return a, fn, off, nil
}

// tagsOf returns the kernels' names of the program: one name for a running one, one for each age of
// kernels for another, none when that is not known.
func tagsOf(lp *live.Program, p *bytecode.Program) []string {
	if lp != nil && lp.Tag == "" {
		return nil
	}
	if lp != nil {
		return []string{lp.Tag}
	}
	if tags, known := tag.Of(p); known {
		return tags[:]
	}
	return nil
}

// function returns the function of a program that a position is in.
func function(s input.Source, p *bytecode.Program, pos where.Position) (int, bool) {
	lp := s.Live[p]
	if pos.Absolute {
		if lp == nil {
			return 0, false
		}
		for i, f := range lp.Capture.Funcs {
			if f.Addr != 0 && pos.Offset-f.Addr < uint64(f.Len) {
				return i, true
			}
		}
		return 0, false
	}
	if pos.Name == "" {
		have := tagsOf(lp, p)
		return 0, pos.Tag == "" || len(s.Programs) == 1 || len(have) == 0 || slices.Contains(have, pos.Tag)
	}
	for i, sub := range p.Subprogs {
		// Without types, names of programs are cut off after 15 bytes.
		if sub.Name == pos.Name || len(pos.Name) == 15 && strings.HasPrefix(sub.Name, pos.Name) {
			return i, true
		}
	}
	return 0, p.Name == pos.Name
}

// functionNames lists the functions of the source's programs.
func functionNames(s input.Source) string {
	var names []string
	for _, p := range s.Programs {
		for i := range p.Subprogs {
			names = append(names, stage.FuncName(p, i))
		}
	}
	return "the functions are " + input.Names(names)
}
