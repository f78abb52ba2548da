package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render/textgraph"
)

// analysisFlags are the flags of every verb that analyses programs.
type analysisFlags struct {
	Prog    []string `help:"Use only programs whose name matches GLOB. Repeatable." placeholder:"GLOB" sep:"none"`
	Profile string   `aliases:"kernel" help:"Kernel and mitigations (default: linux-7.3; for a record, the recorded machine's)." placeholder:"PROFILE"`
}

// profile returns the profile that a source's programs are analysed for.
func (f analysisFlags) profile(std streams, s input.Source) (jit.Profile, error) {
	switch {
	case f.Profile != "":
		return lookupProfile(std, f.Profile)
	case s.Profile != nil:
		std.standsFor(*s.Profile)
		return *s.Profile, nil
	}
	return lookupProfile(std, jit.DefaultProfile)
}

// showCmd prints a stage.
type showCmd struct {
	Input  []string `arg:"" help:"Objects, directories, raw:FILE, record:FILE#NAME, or - for standard input."`
	Stage  string   `required:"" enum:"insns,cfg,facts,succ,tables,xlated,jit,layout" help:"One of ${enum}." placeholder:"STAGE"`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
	Facts  *bool    `negatable:"" help:"Stage cfg: say which parts never execute (default, but for --brief): --no-facts is fast."`
	All    bool     `help:"Stages succ and cfg: list all targets of every jump (default: some 10,000 of a program, then each list once)."`
	Harden bool     `help:"Blind constants as net.core.bpf_jit_harden=2 does, with zeros for the random numbers."`
	graphFlags
	analysisFlags
	excludeFlags
}

// Help returns the examples of --help.
func (showCmd) Help() string {
	return `Examples:
  bpfcfg show prog.o --stage insns               instructions with C lines
  bpfcfg show prog.o#f1 --stage cfg              the graph, drawn in the terminal
  bpfcfg show prog.o --stage cfg --brief         one line for each block, fast: without dead code
  bpfcfg show prog.o --stage cfg --brief --facts   the same, and what never executes
  bpfcfg show prog.o --stage succ --format json  targets of indirect jumps, for tools
  bpfcfg show prog.o --stage succ --profile linux-6.19   also whether that kernel accepts it
  bpfcfg show prog.o#f1 --stage tables           where each table entry ends up
  bpfcfg show prog.o --stage jit --profile linux-6.19+plain
  bpfcfg show prog.o --stage tables --harden     the same with constant blinding
  bpfcfg show record:FILE.jsonl.gz#NAME --stage xlated`
}

// Run implements the verb.
func (c *showCmd) Run(std streams) error {
	st := stage.All()[c.Stage]
	if c.Facts != nil && c.Stage != "cfg" {
		return usagef("--facts and --no-facts are for --stage cfg")
	}
	graph, err := c.graphFlags.options(std.out, os.Getenv)
	if err != nil {
		return err
	}
	in, err := c.inputs(c.Input, c.Prog)
	if err != nil {
		return err
	}
	var failed error
	first := true
	for _, s := range in.Sources(std.opener) {
		s.Harden = c.Harden
		prof, err := c.profile(std, s)
		if err != nil {
			return err
		}
		if c.Format == "text" && !first {
			fmt.Fprintln(std.out)
		}
		first = false
		if err := c.show(std, s, st, prof, graph); err != nil {
			failed = err
		}
		if writeError(std.out) != nil {
			break
		}
	}
	return worse(failed, end(std, in))
}

// show prints one source. It returns an error if a program could not be analysed; the
// others are printed nevertheless.
func (c *showCmd) show(std streams, s input.Source, st stage.Stage, prof jit.Profile, graph textgraph.Options) error {
	failed := s.Failed
	programs := func(yield func(any) bool) {
		for i, p := range s.Programs {
			progress(std.err, i, len(s.Programs), p.Name)
			v := &stage.View{Program: p, Programs: s.Programs, Options: s.Options(p), Brief: c.Brief, All: c.All,
				Graph: graph}
			out, err := c.one(std.out, s, v, st, prof, i > 0)
			switch {
			case writeError(std.out) != nil:
				return // not an error of the program
			case err != nil:
				failed = append(failed, input.Failure{Name: p.Name, Section: p.Section, Err: err})
			case !yield(out):
				return
			}
		}
		for _, f := range failed {
			if !yield(failedProgram{f.Name, f.Section, f.Err.Error()}) {
				return
			}
		}
	}
	if c.Format == "json" {
		doc := struct {
			Schema   string            `json:"schema"`
			Input    string            `json:"input"`
			Programs jsonstream.Series `json:"programs"` // each is written before the next is analysed
			Notes    []string          `json:"notes,omitempty"`
		}{schema, s.Name, programs, s.Diags}
		if err := writeJSON(std.out, doc); err != nil {
			return err
		}
	} else {
		programs(func(any) bool { return true })
	}
	if err := writeError(std.out); err != nil {
		return err
	}
	return failures(std.err, s.Name, failed)
}

// one prints or returns one program.
func (c *showCmd) one(w io.Writer, s input.Source, v *stage.View, st stage.Stage, prof jit.Profile,
	gap bool) (any, error) {
	if st.Analysed {
		analyse := s.Analyse
		if c.graphOnly() {
			analyse = pipeline.GraphOnly
		}
		a, err := analyse(v.Program, prof)
		if err != nil {
			return nil, err
		}
		v.Analysis = a
	}
	if c.Format == "json" {
		return st.JSON(v)
	}
	switch c.Stage {
	case "cfg", "facts", "insns": // may be gigabytes, and fail only if writing fails
		if gap {
			fmt.Fprintln(w)
		}
		out := bufio.NewWriterSize(w, 1<<16)
		if err := st.Text(out, v); err != nil {
			return nil, err
		}
		return nil, out.Flush()
	}
	var b strings.Builder
	if err := st.Text(&b, v); err != nil {
		return nil, err
	}
	if gap {
		fmt.Fprintln(w)
	}
	_, err := io.WriteString(w, b.String())
	return nil, err
}

// graphOnly reports whether the output needs no facts.
func (c *showCmd) graphOnly() bool {
	if c.Facts != nil {
		return !*c.Facts
	}
	return c.Stage == "cfg" && c.Brief && c.Format == "text"
}

// failures reports the programs of a source that could not be analysed, and
// returns an error when there are any.
func failures(w io.Writer, input string, failed []input.Failure) error {
	for _, f := range failed {
		fmt.Fprintf(w, "bpfcfg: %s: program %s: %s\n", visible.Text(input), visible.Text(f.Name), message(f.Err))
	}
	if n := len(failed); n > 0 {
		return inputError(fmt.Errorf("%s: %d of its programs could not be analysed", input, n))
	}
	return nil
}
