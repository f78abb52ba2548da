package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/succ/callgraph"
)

// listCmd lists the content of an input.
type listCmd struct {
	Input  []string `arg:"" help:"Objects, directories, raw:FILE, record:FILE, or - for standard input."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
	Prog   []string `help:"Use only programs whose name matches GLOB. Repeatable." placeholder:"GLOB" sep:"none"`
	excludeFlags
}

// Help returns the examples of --help.
func (listCmd) Help() string {
	return `Examples:
  bpfcfg list prog.o
  bpfcfg list build/                    every object below a directory
  bpfcfg list prog.o --format json`
}

// Run implements the verb.
func (c *listCmd) Run(std streams) error {
	in, err := c.inputs(c.Input, c.Prog)
	if err != nil {
		return err
	}
	var failed error
	first := true
	for _, s := range in.Sources(std.opener) {
		if c.Format == "json" {
			err = writeJSON(std.out, listDoc(s))
		} else {
			if !first {
				fmt.Fprintln(std.out)
			}
			first = false
			err = listText(std.out, s)
		}
		if err != nil {
			return err
		}
		if err := failures(std.err, s.Name, s.Failed); err != nil {
			failed = err
		}
	}
	return worse(failed, end(std, in))
}

// listText prints a table of programs with their subprograms and tables.
func listText(w io.Writer, s input.Source) error {
	fmt.Fprintf(w, "%s: %s\n", visible.Text(s.Name), visible.Count(len(s.Programs), "program"))
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, p := range s.Programs {
		jumps, calls := indirectCount(p)
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\n", visible.Text(p.Name), visible.Text(p.Section),
			visible.Count(len(p.Insns), "insn"), stage.IndirectText(jumps, calls))
		for i, sub := range p.Subprogs {
			if len(p.Subprogs) > 1 {
				fmt.Fprintf(tw, "    func %s\t\t%s\tfrom %d\n", stage.FuncName(p, i), visible.Count(int(sub.End-sub.Start), "insn"),
					sub.Start)
			}
		}
		for _, t := range p.Tables {
			fmt.Fprintf(tw, "    table %s\t\t%s\t%d distinct\n", visible.Text(t.Name), visible.Count(len(t.Targets), "entry"),
				distinct(t.Targets))
		}
	}
	for _, f := range s.NeverCalled() {
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\n", visible.Text(f.Name), visible.Text(f.Section),
			visible.Count(int(f.Len), "insn"), callgraph.NeverCalled)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, c := range s.Compilers() {
		fmt.Fprintf(w, "  compiler: %s\n", compilerText(c))
	}
	if text := unsettledText(s.Programs); text != "" {
		fmt.Fprintf(w, "  %s\n", text)
	}
	for _, t := range untabled(s.Programs) {
		fmt.Fprintf(w, "  note: %s\n", visible.Text(t))
	}
	for _, d := range s.Diags {
		fmt.Fprintf(w, "  note: %s\n", visible.Text(d))
	}
	return nil
}

// compilerText names a compiler, with a remark on what it does to control flow.
func compilerText(c load.Compiler) string {
	text := visible.Text(c.Text)
	if r := c.Remark(); r != "" {
		text += ": " + r
	}
	return text
}

// indirectCount returns the number of indirect jumps and calls.
func indirectCount(p *bytecode.Program) (jumps, calls int) {
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		switch {
		case p.Insns[pc].IsGotox():
			jumps++
		case p.Insns[pc].IsCallx():
			calls++
		}
	}
	return jumps, calls
}

// distinct returns the number of different slots.
func distinct(pcs []bytecode.PC) int {
	seen := make(map[bytecode.PC]bool, len(pcs))
	for _, pc := range pcs {
		seen[pc] = true
	}
	return len(seen)
}

// listDoc returns the JSON of an input.
func listDoc(s input.Source) listDocument {
	type tableDoc struct {
		Name     string `json:"name"`
		Entries  int    `json:"entries"`
		Distinct int    `json:"distinct"`
	}
	type programDoc struct {
		stage.Head
		Type        string             `json:"type"`
		Subprograms []stage.Subprogram `json:"subprograms"`
		Gotox       int                `json:"gotox"`
		Callx       int                `json:"callx"`
		Tables      []tableDoc         `json:"tables"`
		Maps        []string           `json:"maps"`
		Pending     int                `json:"pending"` // instructions and variables that are unknown until load
		Diagnostics []string           `json:"diagnostics"`
	}
	doc := document{Schema: schema, Input: s.Name, Programs: []any{}, Notes: s.Diags}
	for _, p := range s.Programs {
		d := programDoc{Head: stage.HeadOf(p), Type: p.Type, Subprograms: stage.Subprograms(p),
			Tables: []tableDoc{}, Maps: []string{}, Diagnostics: append([]string{}, p.Diags...)}
		d.Gotox, d.Callx = indirectCount(p)
		relocs, config := unsettled([]*bytecode.Program{p})
		for _, n := range relocs {
			config += n
		}
		d.Pending = config
		for _, t := range p.Tables {
			d.Tables = append(d.Tables, tableDoc{t.Name, len(t.Targets), distinct(t.Targets)})
		}
		for _, m := range p.Maps {
			d.Maps = append(d.Maps, m.Name)
		}
		doc.Programs = append(doc.Programs, d)
	}
	for _, f := range s.Failed {
		doc.Programs = append(doc.Programs, failedProgram{f.Name, f.Section, f.Err.Error()})
	}
	out := listDocument{document: doc, Compilers: []compilerDoc{}, NeverCalled: []string{}}
	for _, c := range s.Compilers() {
		out.Compilers = append(out.Compilers, compilerDoc{c.Name, c.Text, c.Remark()})
	}
	for _, f := range s.NeverCalled() {
		out.NeverCalled = append(out.NeverCalled, f.Name)
	}
	return out
}

// listDocument is the JSON of list.
type listDocument struct {
	document
	Compilers   []compilerDoc `json:"compilers"`
	NeverCalled []string      `json:"never_called"`
}

// compilerDoc is a compiler.
type compilerDoc struct {
	Name   string `json:"name"`
	Text   string `json:"text"`
	Remark string `json:"remark,omitempty"`
}

// switchLine matches a line of C that begins a switch.
var switchLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(?:\}\s*)?switch\s*\(`)
})

// untabled lists the C switch statements without a jump table, and the possible reason.
// If there are many, it names the first few.
func untabled(programs []*bytecode.Program) []string {
	const most = 3
	type place struct {
		file string
		line int
	}
	tabled, seen := map[place]bool{}, map[place]bool{}
	var list []place
	for _, p := range programs {
		for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
			if l, ok := p.LineAt(pc); ok && p.Insns[pc].IsGotox() {
				tabled[place{l.File, l.Line}] = true
			}
		}
		for _, l := range p.Lines {
			if at := (place{l.File, l.Line}); switchLine().MatchString(l.Text) && !seen[at] {
				seen[at] = true
				list = append(list, at)
			}
		}
	}
	list = slices.DeleteFunc(list, func(at place) bool { return tabled[at] })
	if len(list) == 0 {
		return nil
	}
	var names []string
	for _, at := range list[:min(len(list), most)] {
		names = append(names, fmt.Sprintf("%s:%d", visible.Base(at.file), at.line))
	}
	if len(list) > most {
		names = append(names, fmt.Sprintf("%d more", len(list)-most))
	}
	return []string{"no table for " + visible.Count(len(list), "switch statement") + ", at " + strings.Join(names, ", ") +
		": the compiler made comparisons of them; tables need clang 22 or newer, -mcpu=v4 and 13 cases " +
		"(-mllvm -bpf-min-jump-table-entries=N for fewer)"}
}
