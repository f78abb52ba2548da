package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// askCmd loads programs into kernels of the user and reports the results.
type askCmd struct {
	Input  []string `arg:"" help:"Objects, directories or record:FILE#NAME."`
	VM     []string `name:"vm" help:"Start this kernel image in QEMU." placeholder:"IMAGE" sep:"none"`
	UML    []string `name:"uml" help:"Start this user-mode Linux executable." placeholder:"BINARY" sep:"none"`
	Output string   `short:"o" help:"Save the answers as a record, an input for record:FILE; with several kernels, a directory of records." placeholder:"FILE.jsonl.gz" type:"path"`
	Log    bool     `help:"Print the verifier's log of each program."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
	Prog   []string `help:"Use only programs whose name matches GLOB. Repeatable." placeholder:"GLOB"`
	excludeFlags
	machineFlags
}

// Help returns the examples of --help.
func (askCmd) Help() string {
	return `Examples:
  bpfcfg ask --vm vmlinuz prog.o                 verdict, sizes of the rewritten program and its machine code
  bpfcfg ask --vm vmlinuz --log prog.o#f         also the verifier's log
  bpfcfg ask --vm vmlinuz -o rec.jsonl.gz prog.o   save everything that the kernel answered
  bpfcfg ask --vm 6.12/vmlinuz --vm 7.3/vmlinuz build/
  bpfcfg ask --uml linux.uml prog.o              takes a second, needs no QEMU, but has no JIT

The kernel starts with bpfcfg as its init process. Neither privileges nor KVM are
needed, and nothing is downloaded. See docs/ask.md.

The exit status is 1 if a kernel refuses a program and 3 if a program got no answer.`
}

// machines returns the machines that the flags name.
func machines(vm, uml []string) []ask.Machine {
	var out []ask.Machine
	for _, f := range vm {
		out = append(out, ask.Machine{VM: f})
	}
	for _, f := range uml {
		out = append(out, ask.Machine{UML: f})
	}
	return out
}

// Run implements the verb.
func (c *askCmd) Run(std streams, p *process) error {
	list := machines(c.VM, c.UML)
	if len(list) == 0 {
		return usagef("no kernel given: use --vm IMAGE or --uml BINARY")
	}
	w := input.NewWork()
	in, err := c.inputs(c.Input, c.Prog)
	if err != nil {
		return err
	}
	in.Sort()
	for _, f := range in.Files {
		if err := w.Add(f.Name, in.Selector, std.opener); !in.Lacks(f, err) {
			in.Opened++
		}
	}
	if err := end(std, in); err != nil {
		return inputError(err)
	}
	if err := failures(std.err, strings.Join(c.Input, " "), w.Failed); err != nil && len(w.Items) == 0 {
		return err
	}
	if c.Output != "" && len(list) > 1 {
		if err := os.MkdirAll(c.Output, 0o777); err != nil {
			return inputError(err)
		}
	}
	t := &askTally{cmd: c, out: std.out, doc: askDoc{Schema: schema, Kernels: []*askKernel{}}, unanswered: len(w.Failed)}
	var failed error
	for i, path := range c.outputs(list) {
		switch err := c.machine(std, p, list[i], w.Work, t, path); {
		case errors.Is(err, ask.ErrAsk) && len(list) > 1: // the others may answer
			fmt.Fprintln(std.err, "bpfcfg:", visible.Text(err.Error()))
			failed = inputError(errors.New("not every kernel could be asked"))
		case err != nil:
			return err
		}
	}
	if c.Format == "json" {
		if err := writeJSON(std.out, t.doc); err != nil {
			return err
		}
	}
	return worse(failed, t.status())
}

// outputs returns for each machine the file in which its answers are saved, empty for none. With
// several machines, each has a file in a directory, named after the machine's file; if two have the
// same name, the directories that contain them distinguish them.
func (c *askCmd) outputs(list []ask.Machine) []string {
	out, taken := make([]string, len(list)), map[string]int{}
	for i, m := range list {
		switch {
		case c.Output == "":
			continue
		case len(list) == 1:
			out[i] = c.Output
			continue
		}
		name := m.Label()
		if slices.ContainsFunc(list, func(o ask.Machine) bool { return o != m && o.Label() == name }) {
			name = filepath.Base(filepath.Dir(absolute(m.Path()))) + "-" + name
		}
		if taken[name]++; taken[name] > 1 {
			name += fmt.Sprintf("-%d", taken[name])
		}
		out[i] = filepath.Join(c.Output, name+".jsonl.gz")
	}
	return out
}

// absolute returns a path from the root, or the path itself if the working directory is not known.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// machine lets one machine load all programs, and saves the answers in a file
// unless path is empty.
func (c *askCmd) machine(std streams, p *process, m ask.Machine, work ask.Work, t *askTally, path string) error {
	a, err := c.asker(m, std.types)
	if err != nil {
		return err
	}
	a.Log = 1
	if c.Log || c.Output != "" {
		a.Log = 2
	}
	a.Tell = func(text string) { progressText(std.err, text) }
	t.begin(m)
	var asked error // of the kernel, not of the file
	run := func(keep func(*record.Record) error) error {
		defer p.hold()()
		asked = a.Run(p, work, func(r *record.Record) error {
			progressDone(std.err)
			if err := keep(r); err != nil {
				return err
			}
			return t.record(r)
		})
		return asked
	}
	if path == "" {
		return inputError(run(func(*record.Record) error { return nil }))
	}
	err = p.writeFunc(path, func(w io.Writer) error { return keepRecords(w, path, run) })
	if errors.Is(asked, ask.ErrAsk) {
		return inputError(asked)
	}
	return err
}

// keepRecords writes the records of a run as lines, compressed if the name of the
// file says so.
func keepRecords(w io.Writer, path string, run func(keep func(*record.Record) error) error) error {
	if filepath.Ext(path) != ".gz" {
		return run(func(r *record.Record) error { return input.WriteRecord(w, r) })
	}
	z := gzip.NewWriter(w)
	if err := run(func(r *record.Record) error { return input.WriteRecord(z, r) }); err != nil {
		return err
	}
	return z.Close()
}

// askDoc is the JSON of ask.
type askDoc struct {
	Schema  string       `json:"schema"`
	Kernels []*askKernel `json:"kernels"`
}

// askKernel holds the answers of one kernel.
type askKernel struct {
	Kernel   string       `json:"kernel"` // as it was named
	Release  string       `json:"release"`
	Programs []askProgram `json:"programs"`
}

// askProgram is the answer of a kernel about one program.
type askProgram struct {
	Name     string             `json:"name"`
	Answer   string             `json:"answer"` // accepted, refused or not answered
	Reason   string             `json:"reason,omitempty"`
	Log      string             `json:"log,omitempty"`
	Verified uint32             `json:"verified_insns,omitempty"`
	Insns    int                `json:"insns"`
	Xlated   []record.Hex       `json:"xlated"`
	Code     record.Hex         `json:"code"`
	Funcs    []record.Func      `json:"functions"`
	Lines    []record.Line      `json:"lines"`
	Tables   []record.MapResult `json:"tables"`
}

// askTally prints answers and counts them.
type askTally struct {
	cmd                           *askCmd
	out                           io.Writer
	doc                           askDoc
	kernel                        *askKernel
	accepted, refused, unanswered int
}

// begin begins with a machine.
func (t *askTally) begin(m ask.Machine) {
	t.kernel = &askKernel{Kernel: m.String(), Programs: []askProgram{}}
	t.doc.Kernels = append(t.doc.Kernels, t.kernel)
}

// record takes a record of the machine.
func (t *askTally) record(r *record.Record) error {
	if r.Kind == record.KindEnv {
		t.kernel.Release = r.Env.Release
		if t.cmd.Format == "text" {
			if len(t.doc.Kernels) > 1 {
				fmt.Fprintln(t.out)
			}
			fmt.Fprintf(t.out, "%s: Linux %s\n", visible.Text(t.kernel.Kernel), visible.Text(r.Env.Release))
		}
		return nil
	}
	p := askProgram{Name: r.Job.Name, Insns: len(r.Job.Insns), Xlated: []record.Hex{}, Funcs: []record.Func{},
		Lines: []record.Line{}, Tables: []record.MapResult{}}
	p.Answer, p.Reason = input.AnswerOf(r)
	switch p.Answer {
	case input.Accepted:
		t.accepted++
	case input.Refused:
		t.refused++
	default:
		t.unanswered++
	}
	if res := r.Result; res != nil {
		p.take(res)
	}
	if t.cmd.Format == "text" {
		return t.text(&p)
	}
	if !t.cmd.Log {
		p.Log = ""
	}
	t.kernel.Programs = append(t.kernel.Programs, p)
	return nil
}

// take copies the content of a result.
func (p *askProgram) take(res *record.Result) {
	if res.Load != nil {
		p.Log = res.Load.Log
	}
	if g := res.Prog; g != nil {
		p.Verified, p.Xlated, p.Code = g.VerifiedInsns, g.Xlated, g.Jited
		p.Funcs, p.Lines = append(p.Funcs, g.Funcs...), append(p.Lines, g.Lines...)
	}
	for _, m := range res.Maps {
		if len(m.Insns) > 0 {
			p.Tables = append(p.Tables, m)
		}
	}
}

// text prints one answer.
func (t *askTally) text(p *askProgram) error {
	detail := p.Reason
	if p.Answer == input.Accepted {
		detail = fmt.Sprintf("%s, %s visited", visible.Count(p.Insns, "slot"), visible.Count(int(p.Verified), "instruction"))
		if len(p.Xlated) > 0 {
			detail += fmt.Sprintf("; rewritten: %s", visible.Count(len(p.Xlated), "slot"))
		}
		if len(p.Code) > 0 {
			detail += fmt.Sprintf("; machine code: %s", visible.Count(len(p.Code), "byte"))
		}
		if n := len(p.Tables); n > 0 {
			detail += "; " + visible.Count(n, "jump table")
		}
	}
	_, err := fmt.Fprintf(t.out, "  %-12s  %s  %s\n", p.Answer, visible.Text(p.Name), visible.Text(detail))
	if t.cmd.Log {
		for line := range strings.Lines(p.Log) {
			if _, err := fmt.Fprintf(t.out, "    %s\n", visible.Text(strings.TrimRight(line, "\r\n"))); err != nil {
				return err
			}
		}
	}
	return err
}

// status prints the counts and returns the error that decides the exit status.
func (t *askTally) status() error {
	if t.cmd.Format == "text" {
		fmt.Fprintf(t.out, "%d accepted, %d refused, %d not answered\n", t.accepted, t.refused, t.unanswered)
	}
	switch {
	case t.unanswered > 0:
		return inputError(fmt.Errorf("%s not answered", visible.Count(t.unanswered, "program")))
	case t.refused > 0:
		return errFindings
	case t.accepted == 0:
		return inputError(input.ErrNothing)
	}
	return nil
}
