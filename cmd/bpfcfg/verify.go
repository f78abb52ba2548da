package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// verifyCmd checks machine code against bytecode, and predictions against
// kernels.
type verifyCmd struct {
	Input  []string `arg:"" help:"Objects, directories, raw:FILE, record:FILE#NAME, live:ID, or - for standard input."`
	VM     string   `name:"vm" help:"Start this kernel image in QEMU, load the objects, and compare with its code." placeholder:"IMAGE"`
	UML    string   `name:"uml" help:"The same with user-mode Linux, an executable." placeholder:"BINARY"`
	Load   bool     `help:"Load the programs into the running kernel, compare, and unload them. Nothing is attached."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
	analysisFlags
	excludeFlags
}

// Help returns the examples of --help.
func (verifyCmd) Help() string {
	return `Examples:
  bpfcfg verify prog.o                      the predicted code has the control flow of the bytecode
  bpfcfg verify record:FILE.jsonl.gz#NAME   so has the kernel's code, and the prediction equals it
  bpfcfg verify --vm vmlinuz prog.o         the same for the code of that kernel, started in QEMU
  sudo bpfcfg verify live:17                the same for a program of the running kernel
  sudo bpfcfg verify --load prog.o          the same after loading it into the running kernel

The exit status is 4 if something differs and 3 if a program cannot be checked.`
}

// Outcomes of a check.
const (
	outcomeSame    = "same"
	outcomeDiffers = "differs"
	outcomeUnknown = "unknown"
	// The kernel does not load the program, so there is nothing to compare.
	outcomeRefused = "refused"
	// The two sides differ only in code that the kernel's verifier, older than
	// the rules that predictions go by, does not prove dead.
	outcomeExplained = "explained"
)

// checkDoc is one comparison.
type checkDoc struct {
	What       string    `json:"what"`    // cfg, kernel-cfg, jit, rewriting, code or tables
	Outcome    string    `json:"outcome"` // same, differs, explained, refused or unknown
	Detail     string    `json:"detail"`
	Mismatches []string  `json:"mismatches"`
	Proof      *proofDoc `json:"proof,omitempty"` // of cfg and kernel-cfg
}

// verifyDoc is the result for a program.
type verifyDoc struct {
	stage.Head
	Profile   string     `json:"profile"`
	Same      bool       `json:"same"` // nothing differs
	Checks    []checkDoc `json:"checks"`
	Recovered []string   `json:"recovered"` // inputs that were read from the kernel's own code

	title  string // of the profile
	failed error
}

// add appends a check.
func (d *verifyDoc) add(c checkDoc) {
	if c.Mismatches == nil {
		c.Mismatches = []string{}
	}
	d.Same = d.Same && c.Outcome != outcomeDiffers
	d.Checks = append(d.Checks, c)
}

// Run implements the verb.
func (c *verifyCmd) Run(std streams) error {
	args, err := c.kernelInputs()
	if err != nil {
		return err
	}
	in, err := c.inputs(args, c.Prog)
	if err != nil {
		return err
	}
	var failed error
	differs, first := false, true
	for _, s := range in.Sources(std.opener) {
		if !first && c.Format == "text" {
			fmt.Fprintln(std.out)
		}
		first = false
		docs, err := c.source(std, s)
		if err != nil {
			return err
		}
		if err := c.print(std, s, docs); err != nil {
			failed = err
		}
		for _, d := range docs {
			differs = differs || d.failed == nil && !d.Same
		}
	}
	failed = worse(failed, end(std, in))
	switch {
	case failed != nil:
		return failed
	case differs:
		return errDiffers
	}
	return nil
}

// kernelInputs returns the inputs, as inputs of a kernel to be asked if there is one.
func (c *verifyCmd) kernelInputs() ([]string, error) {
	list := machines(nonEmpty(c.VM), nonEmpty(c.UML))
	switch {
	case len(list) == 0:
		return c.Input, nil
	case len(list) > 1 || c.Load:
		return nil, usagef("--vm, --uml and --load exclude each other")
	}
	var out []string
	for _, arg := range c.Input {
		out = append(out, list[0].String()+":"+arg)
	}
	return out, nil
}

// nonEmpty returns a list of s, without an empty one.
func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// source verifies the programs of a source.
func (c *verifyCmd) source(std streams, s input.Source) ([]*verifyDoc, error) {
	name := c.Profile
	if name == "" && c.Load {
		name = "host"
	}
	if name == "" && s.NoProfile != nil {
		return nil, inputError(fmt.Errorf("%s: %w: no prediction for this kernel; name another with --profile",
			s.Name, s.NoProfile))
	}
	prof, err := analysisFlags{Profile: name}.profile(std, s)
	if err != nil {
		return nil, err
	}
	var kernels kernelSide
	if c.Load {
		kernels, err = newLoader(s)
	} else {
		kernels, err = newRecorded(s, c.override(prof))
	}
	if err != nil {
		return nil, inputError(err)
	}
	var docs []*verifyDoc
	for i, p := range s.Programs {
		progress(std.err, i, len(s.Programs), p.Name)
		d := &verifyDoc{Head: stage.HeadOf(p), Profile: prof.Name, title: prof.Title(), Same: true,
			Checks: []checkDoc{}, Recovered: []string{}}
		if lp := s.Live[p]; lp != nil {
			d.failed = d.kernel(lp.Capture.Compare(prof), lp.Capture.Code)
		} else {
			d.failed = d.program(p, prof, kernels)
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// override returns the profile if the user asks for one.
func (c *verifyCmd) override(prof jit.Profile) *jit.Profile {
	if c.Profile == "" {
		return nil
	}
	return &prof
}

// kernelSide holds a kernel's results for programs; some programs may have none.
type kernelSide interface {
	// of returns the observation of the source's program, how the kernel's
	// code compares with ours, and the code itself; nil and nil when there is
	// nothing to compare with, for the reason given.
	of(p *bytecode.Program, prof jit.Profile) (*observation, error)
}

// observation is the result of a kernel for one program.
type observation struct {
	*compare.Observed
	result      *replay.Result
	why         string // why there is nothing to compare with
	blinded     bool   // loaded with random constants
	attach      uint32 // expected_attach_type
	kept        []bool // source slots that are left; nil when unknown
	unpredicted string // why predictions do not cover this load; empty if they do
}

// program verifies a program of which we have the source.
func (d *verifyDoc) program(p *bytecode.Program, prof jit.Profile, kernels kernelSide) error {
	o, err := kernels.of(p, prof)
	if err != nil {
		return err
	}
	a, err := pipeline.Run(p, prof, optionsOf(o))
	if err != nil {
		return err
	}
	if a.ImageErr != nil {
		if o != nil && o.why != "" {
			return fmt.Errorf("%w; %s", a.ImageErr, o.why)
		}
		return a.ImageErr
	}
	d.add(checkFlow("cfg", a.Verify()))
	return d.kernels(a, o)
}

// kernels compares an analysis with what a kernel made of the program, if it did.
func (d *verifyDoc) kernels(a *pipeline.Analysis, o *observation) error {
	switch {
	case o == nil:
		return nil
	case o.why != "":
		d.add(checkDoc{What: "jit", Outcome: outcomeUnknown, Detail: o.why})
		return nil
	case o.unpredicted != "":
		d.add(checkDoc{What: "rewriting", Outcome: outcomeUnknown, Detail: o.unpredicted})
	default:
		if err := d.predictions(a, o); err != nil {
			return err
		}
	}
	if err := d.kernel(o.result, o.Code); err != nil {
		d.add(checkDoc{What: "jit", Outcome: outcomeUnknown, Detail: err.Error()})
	}
	return nil
}

// predictions compares what was predicted from the source. Where that differs and the kernel is
// older than the rules of the analysis, it tests whether the kernel's own view of dead code
// explains the difference.
func (d *verifyDoc) predictions(a *pipeline.Analysis, o *observation) error {
	list := compare.Predicted(a, o.Observed)
	why := ""
	if anyDiffers(list) && !newestRules(a.Profile) && o.kept != nil {
		b, other, err := compare.WithKept(a, o.kept, optionsOf(o))
		if err != nil {
			return err
		}
		if again := compare.Predicted(b, o.Observed); len(other) > 0 && !anyDiffers(again) {
			list = again
			why = fmt.Sprintf("; the verifiers of this kernel and of %s disagree on whether %s can execute, "+
				"the first is slot %d: %s",
				jit.DefaultProfile, visible.Count(len(other), "instruction"), other[0], bytecode.Text(a.Program.Insns, other[0]))
		}
	}
	for _, c := range list {
		// The constants of a blinded program are random, and so are the sizes of moves.
		if o.blinded && c.What != "rewriting" {
			continue
		}
		doc := checkDoc{What: c.What, Outcome: outcomeUnknown, Detail: c.Detail}
		switch {
		case c.Known && c.Same && why != "":
			doc.Outcome, doc.Detail = outcomeExplained, c.Detail+why
		case c.Known && c.Same:
			doc.Outcome = outcomeSame
		case c.Known:
			doc.Outcome, doc.Mismatches = outcomeDiffers, []string{c.Detail}
		}
		d.add(doc)
	}
	return nil
}

// anyDiffers reports whether any of the comparisons found a difference.
func anyDiffers(list []compare.Outcome) bool {
	return slices.ContainsFunc(list, func(c compare.Outcome) bool { return c.Known && !c.Same })
}

// newestRules reports whether the profile is of the version whose rules the analysis follows, so
// that no difference is excused.
func newestRules(prof jit.Profile) bool {
	newest, err := jit.LookupProfile(jit.DefaultProfile)
	return err == nil && strings.HasPrefix(prof.Version+".", newest.Version+".")
}

// kernel compares the kernel's code with ours of the same rewritten program,
// and checks that the kernel's has the control flow of that program.
func (d *verifyDoc) kernel(res *replay.Result, code []byte) error {
	d.Recovered = append(d.Recovered, res.Recovered...)
	switch res.Match {
	case replay.Same:
		d.add(checkDoc{What: "jit", Outcome: outcomeSame, Detail: fmt.Sprintf("%s, %s, %s",
			visible.Count(res.Bytes, "byte"), visible.Count(res.Funcs, "function"), visible.Count(res.Insns, "slot"))})
	case replay.Differs:
		c := checkDoc{What: "jit", Outcome: outcomeDiffers, Detail: res.Reason, Mismatches: []string{res.Reason}}
		if res.Image != nil {
			if cause := compare.Parting(res.Program, res.Image, code); cause != "" {
				c.Mismatches = append(c.Mismatches, "the difference is "+cause)
			}
		}
		d.add(c)
	default:
		return fmt.Errorf("nothing to compare with: %s", res.Reason)
	}
	img, err := compare.WithBytes(res, code)
	if err != nil {
		d.add(checkDoc{What: "kernel-cfg", Outcome: outcomeUnknown, Detail: err.Error()})
		return nil
	}
	d.add(checkFlow("kernel-cfg", verify.Check(res.Program, img, pipeline.VerifyKernel(res.Machine))))
	return nil
}

// checkFlow returns the check of a proof of control flow.
func checkFlow(what string, r *verify.Proof) checkDoc {
	c := checkDoc{What: what, Outcome: outcomeSame, Proof: proofOf(r)}
	c.Detail = fmt.Sprintf("%s: %s, %s, %s, %s, %s, %s, %s", c.Proof.Statement,
		visible.Count(r.Funcs, "function"), visible.Count(r.Insns, "instruction"), visible.Count(r.X86, "x86 instruction"),
		visible.Count(r.Jumps, "jump"), visible.Count(r.Calls, "call"), visible.Count(r.Indirect, "indirect jump"),
		visible.Count(r.Entries, "table cell"))
	if r.Source {
		c.Detail += fmt.Sprintf("; %s of the source, %d absent with dead code", visible.Count(r.Edges, "edge"), r.Absent)
	}
	for _, m := range slices.Concat(r.Mismatches, r.Lost) {
		c.Outcome = outcomeDiffers
		c.Mismatches = append(c.Mismatches, m.String())
	}
	if r.Refused != "" && r.OK() {
		c.Outcome = outcomeRefused
	}
	return c
}

// proofDoc is the result of a check of control flow, in numbers; see
// verify.Proof.
type proofDoc struct {
	Statement  string `json:"statement"` // "control flow of the source = machine code, for linux-7.3"
	Proven     bool   `json:"proven"`
	Kernel     string `json:"kernel"`     // profile
	Source     bool   `json:"source"`     // from the source graph on, not from the rewritten program
	Refused    string `json:"refused"`    // why the kernel does not load the program; empty if it does
	Edges      int    `json:"edges"`      // of the source graph that the machine code has
	Unseen     int    `json:"unseen"`     // of these, edges that the verifier never takes
	Absent     int    `json:"absent"`     // edges of the source graph that are gone with dead code
	Insertions int    `json:"insertions"` // instructions that became a form of the kernel's
	Opaque     int    `json:"opaque"`     // instructions that became something that leads to its end
	Unknown    int    `json:"unknown"`    // slots that the kernel replaced by something unknown
	Lost       int    `json:"lost"`       // edges that the kernel has no code for
}

func proofOf(r *verify.Proof) *proofDoc {
	return &proofDoc{
		Statement: r.String(), Proven: r.Proven(), Kernel: r.Kernel, Source: r.Source, Refused: r.Refused,
		Edges: r.Edges, Unseen: r.Unseen, Absent: r.Absent, Insertions: r.Insertions, Opaque: r.Opaque,
		Unknown: r.Unknown, Lost: len(r.Lost),
	}
}

// print prints what was found about a source, and returns an error when a
// program of it could not be checked.
func (c *verifyCmd) print(std streams, s input.Source, docs []*verifyDoc) error {
	failed := s.Failed
	out := document{Schema: schema, Input: s.Name, Programs: []any{}, Notes: s.Diags}
	for i, d := range docs {
		if d.failed != nil {
			failed = append(failed, input.Failure{Name: d.Name, Section: d.Section, Err: d.failed})
			continue
		}
		out.Programs = append(out.Programs, d)
		if c.Format == "text" {
			d.text(std.out, s.Programs[i])
		}
	}
	for _, f := range failed {
		out.Programs = append(out.Programs, failedProgram{f.Name, f.Section, f.Err.Error()})
	}
	if c.Format == "json" {
		if err := writeJSON(std.out, out); err != nil {
			return err
		}
	}
	return failures(std.err, s.Name, failed)
}

// whatText describes what the checks compare.
var whatText = map[string]string{
	"cfg":        "control flow of our code",
	"rewriting":  "rewritten program as predicted",
	"code":       "machine code as predicted",
	"tables":     "jump tables as predicted",
	"jit":        "our code and the kernel's",
	"kernel-cfg": "control flow of the kernel's code",
}

// maxMismatches bounds how many mismatches of a check are printed as text.
const maxMismatches = 10

// text prints what was found about a program.
func (d *verifyDoc) text(w io.Writer, p *bytecode.Program) {
	stage.Title(w, p, ", profile "+visible.Text(d.title))
	for _, c := range d.Checks {
		fmt.Fprintf(w, "  %-34s %-8s", whatText[c.What], c.Outcome)
		if c.Outcome != outcomeDiffers {
			fmt.Fprintf(w, " %s\n", visible.Text(c.Detail))
			continue
		}
		fmt.Fprintf(w, " in %s\n", visible.Count(len(c.Mismatches), "place"))
		if c.Proof != nil {
			fmt.Fprintf(w, "    %s\n", visible.Text(c.Proof.Statement))
		}
		for i, m := range c.Mismatches {
			if i == maxMismatches {
				fmt.Fprintf(w, "    and %d more\n", len(c.Mismatches)-i)
				break
			}
			fmt.Fprintf(w, "    %s\n", visible.Text(m))
		}
	}
	for _, n := range d.Recovered {
		fmt.Fprintf(w, "  taken from the kernel's code, so not compared: %s\n", visible.Text(n))
	}
}
