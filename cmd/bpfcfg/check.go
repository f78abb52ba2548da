package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/policy"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// checkCmd is the gate for CI.
type checkCmd struct {
	Input         []string `arg:"" optional:"" help:"Objects, directories, raw:FILE, record:FILE#NAME, or - for standard input."`
	Prog          []string `help:"Use only programs whose name matches GLOB. Repeatable." placeholder:"GLOB" sep:"none"`
	Profile       string   `aliases:"kernel" help:"Kernel and mitigations (default: linux-7.3; for a record, the recorded machine's). A list with commas, or all, gives a table." placeholder:"PROFILE"`
	Config        string   `help:"Policy file (default: .bpfcfg.yaml, if it exists)." placeholder:"FILE"`
	Baseline      string   `help:"Accept the findings listed in FILE." placeholder:"FILE"`
	NewFrom       string   `help:"Accept the findings that OLD already has: an object, or a directory laid out like the input." placeholder:"OLD"`
	WriteBaseline bool     `help:"Write the current findings to the file of --baseline and accept them."`
	Shard         string   `help:"Check only part i of n of the inputs, split by content; join the parts with bpfcfg merge." placeholder:"i/n"`
	Jobs          int      `help:"Number of inputs to analyse in parallel (default: one for each processor)." placeholder:"N"`
	SourceRoot    string   `help:"Name C files relative to DIR (default: --root)." placeholder:"DIR"`
	VM            []string `name:"vm" help:"Also start this kernel image in QEMU and show its verdict beside the prediction." placeholder:"IMAGE" sep:"none"`
	UML           []string `name:"uml" help:"The same with user-mode Linux, an executable." placeholder:"BINARY" sep:"none"`
	PolicySchema  bool     `help:"Print the JSON schema of policy files and exit."`
	Explain       string   `help:"Describe the finding ID, or all, and exit." placeholder:"ID"`
	excludeFlags
	outputFlags
}

// outputFlags say what a report looks like and when it fails.
type outputFlags struct {
	Format []string `help:"text, json, sarif, junit or github; FORMAT=FILE writes to a file. Repeatable (default: text)." placeholder:"FORMAT[=FILE]" sep:"none"`
	FailOn string   `enum:"error,warning,note,never," default:"" help:"Lowest level that gives status 1: error (default), warning, note, or never." placeholder:"LEVEL"`
	Show   string   `enum:"error,warning,note" default:"warning" help:"Lowest level to list as text: error, warning or note." placeholder:"LEVEL"`
}

// Help returns the examples of --help.
func (checkCmd) Help() string {
	return `Examples:
  bpfcfg check prog.o
  bpfcfg check build/ --prog 'xdp_*' --fail-on warning
  bpfcfg check build/ --format sarif=out.sarif --format text
  bpfcfg check prog.o --profile linux-6.19,linux-7.0,linux-7.3   the verdict of each kernel
  bpfcfg check build/ --baseline bpfcfg.baseline --write-baseline
  bpfcfg check prog.o --set enable_ipv6=0 --show note     code that is dead without IPv6
  bpfcfg check build/ --shard 2/4 --format json=part2.json
  bpfcfg check --explain nop-target`
}

// errFindings is returned when the analysis worked and findings fail; they have
// been printed.
var errFindings = &statusError{exitFindings, errors.New("findings")}

// Run implements the verb.
func (c *checkCmd) Run(std streams, p *process) error {
	if c.Explain != "" {
		return explainFinding(std.out, c.Explain)
	}
	if c.PolicySchema {
		_, err := io.WriteString(std.out, policy.Schema)
		return err
	}
	run, err := c.prepare(std)
	if err != nil {
		return err
	}
	r, err := run.all(std)
	if err != nil {
		return err
	}
	if err := c.baseline(r, p); err != nil {
		return err
	}
	if err := c.newFrom(run, r, std); err != nil {
		return err
	}
	return c.finish(std, p, r)
}

// prepare checks the command line and reads the files that the check depends on.
func (c *checkCmd) prepare(std streams) (*checkRun, error) {
	if len(c.Input) == 0 {
		return nil, usagef("check needs an input: an object or a directory")
	}
	if c.WriteBaseline && (c.Baseline == "" || c.Shard != "") {
		return nil, usagef("--write-baseline requires --baseline FILE and cannot be used with --shard")
	}
	if _, err := c.outputs(); err != nil {
		return nil, err
	}
	run := &checkRun{root: c.SourceRoot, std: std, jobs: c.Jobs, misused: new(atomic.Pointer[error]),
		machines: machines(c.VM, c.UML)}
	var err error
	if run.shard, run.shards, err = parseShard(c.Shard); err != nil {
		return nil, err
	}
	if run.root == "" {
		run.root = std.opener.Root.Dir()
	} else if run.root, err = filepath.Abs(run.root); err != nil {
		return nil, usagef("--source-root: %w", err)
	}
	if run.jobs <= 0 {
		run.jobs = runtime.GOMAXPROCS(0)
	}
	if run.policy, err = c.readPolicy(); err != nil {
		return nil, err
	}
	if err := run.setProfiles(std, c.Profile); err != nil {
		return nil, err
	}
	if len(run.profiles) > 1 && len(run.machines) > 0 {
		return nil, usagef("--vm and --uml take one profile: run check once for each profile")
	}
	c.Exclude = append(c.Exclude, run.policy.Exclude...)
	if run.inputs, err = c.inputs(c.Input, c.Prog); err != nil {
		return nil, err
	}
	run.inputs.Sort()
	run.detailed = c.detailed()
	return run, nil
}

// defaultPolicy is read if it exists.
const defaultPolicy = ".bpfcfg.yaml"

// readPolicy reads the policy file and adds the requirements of the flags.
func (c *checkCmd) readPolicy() (*policy.Policy, error) {
	p, err := loadPolicy(c.Config)
	if err != nil {
		return nil, err
	}
	if c.FailOn == "" && p.FailOn != "" {
		c.FailOn = string(p.FailOn)
		if p.FailOn == check.Off {
			c.FailOn = "never"
		}
	}
	return p, nil
}

// loadPolicy reads a policy file; "" stands for the default one, if it exists.
func loadPolicy(file string) (*policy.Policy, error) {
	if file == "" {
		if _, err := os.Stat(defaultPolicy); err == nil {
			file = defaultPolicy
		}
	}
	if file == "" {
		return &policy.Policy{}, nil
	}
	data, err := input.Read(file, nil)
	if err != nil {
		return nil, usagef("policy %w", err)
	}
	p, err := policy.Parse(file, data)
	if err != nil {
		return nil, usagef("policy %w", err)
	}
	return p, nil
}

// parseShard reads "i/n"; an empty text is all inputs.
func parseShard(s string) (i, n int, err error) {
	if s == "" {
		return 1, 1, nil
	}
	a, b, _ := strings.Cut(s, "/")
	i, err1 := strconv.Atoi(a)
	n, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil || i < 1 || i > n {
		return 0, 0, usagef("--shard %s: write i/n with 1 <= i <= n, as in 2/4", s)
	}
	return i, n, nil
}

// failOn returns the level that fails, check.Off for none.
func (o *outputFlags) failOn() check.Level {
	switch o.FailOn {
	case "":
		return check.Error
	case "never":
		return check.Off
	}
	return check.Level(o.FailOn)
}

// detailed returns which findings are written with all details: JSON and SARIF have the details
// of every finding, the other formats only of those that they list.
func (o *outputFlags) detailed() func(*report.Finding) bool {
	outs, _ := o.outputs() // prepare has handled the error
	if slices.ContainsFunc(outs, func(out output) bool { return out.format == "json" || out.format == "sarif" }) {
		return func(*report.Finding) bool { return true }
	}
	show, fail := check.Level(o.Show), o.failOn()
	return func(f *report.Finding) bool {
		return f.Level.AtLeast(show) || fail != check.Off && f.Level.AtLeast(fail)
	}
}

// baseline accepts what the baseline lists, or writes it.
func (c *checkCmd) baseline(r *report.Report, p *process) error {
	r.FailOn = c.failOn()
	if c.Baseline == "" {
		return nil
	}
	if c.WriteBaseline {
		entries := r.Baseline()
		data, err := report.EncodeBaseline(entries)
		if err != nil {
			return err
		}
		if err := p.write(c.Baseline, data); err != nil {
			return err
		}
		r.Accept(entries)
		return nil
	}
	data, err := input.Read(c.Baseline, nil)
	if err != nil {
		return inputError(fmt.Errorf("baseline %w", err))
	}
	entries, err := report.ReadBaseline(data)
	if err != nil {
		return inputError(fmt.Errorf("baseline %s: %w", c.Baseline, err))
	}
	r.Accept(entries)
	return nil
}

// output is a format and where it goes: "" is standard output.
type output struct{ format, file string }

// outputs reads the --format flags.
func (o *outputFlags) outputs() ([]output, error) {
	formats := o.Format
	if len(formats) == 0 {
		formats = []string{"text"}
	}
	var out []output
	onStdout := ""
	files := map[string]bool{}
	for _, f := range formats {
		format, file, toFile := strings.Cut(f, "=")
		known := false
		for _, k := range report.Formats() {
			known = known || k == format
		}
		switch {
		case !known:
			return nil, usagef("--format %s: one of %s, or FORMAT=FILE", f, strings.Join(report.Formats(), ", "))
		case toFile && file == "":
			return nil, usagef("--format %s: the file's name is missing", f)
		case toFile && files[file]:
			return nil, usagef("--format %s: another format writes to this file", f)
		case !toFile && onStdout != "":
			return nil, usagef("both %s and %s would go to standard output: write one to a file, as in --format %s=FILE",
				onStdout, format, format)
		case !toFile:
			onStdout = format
		}
		files[file] = true
		out = append(out, output{format, file})
	}
	return out, nil
}

// finish writes the report in all formats and returns the error that decides the exit status.
func (o *outputFlags) finish(std streams, p *process, r *report.Report) error {
	outs, err := o.outputs()
	if err != nil {
		return err
	}
	for _, out := range outs {
		if err := o.write(std.out, p, r, out); err != nil {
			return err
		}
	}
	c := r.Count()
	switch {
	case c.FailedInputs+c.FailedProg > 0:
		return inputError(fmt.Errorf("%s could not be analysed", notAnalysed(c)))
	case c.Failing > 0:
		return errFindings
	}
	return nil
}

// notAnalysed counts the inputs and programs that could not be analysed: "1 input and 2
// programs".
func notAnalysed(c report.Counts) string {
	var parts []string
	if c.FailedInputs > 0 {
		parts = append(parts, visible.Count(c.FailedInputs, "input"))
	}
	if c.FailedProg > 0 {
		parts = append(parts, visible.Count(c.FailedProg, "program"))
	}
	return strings.Join(parts, " and ")
}

// write writes a report in one format.
func (o *outputFlags) write(stdout io.Writer, p *process, r *report.Report, out output) error {
	opt := report.Options{Show: check.Level(o.Show), Version: buildVersion()}
	if out.format == "github" {
		if err := appendSummary(report.Summary(r)); err != nil {
			return err
		}
	}
	if out.file == "" {
		opt.Colour = coloured(stdout)
		return report.Write(stdout, out.format, r, opt)
	}
	return p.writeFunc(out.file, func(w io.Writer) error { return report.Write(w, out.format, r, opt) })
}

// appendSummary appends to the job summary of GitHub Actions, if there is one.
func appendSummary(text string) error {
	file := os.Getenv("GITHUB_STEP_SUMMARY")
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return inputError(fmt.Errorf("job summary: %w", input.Cause(file, err)))
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return inputError(err)
}
