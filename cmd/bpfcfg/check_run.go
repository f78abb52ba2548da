package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/config"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/policy"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// checkRun is the state of a check.
type checkRun struct {
	inputs        *input.List   // sorted by name, each once
	profile       *jit.Profile  // nil for the default, or a record's own
	profiles      []jit.Profile // several: programs are checked for each
	failFor       []string      // those of them whose findings can fail; none are all
	policy        *policy.Policy
	root          string
	shard, shards int
	contents      []content // of the inputs, when there are several shards
	jobs          int
	machines      []ask.Machine // kernels to ask, too
	std           streams
	detailed      func(*report.Finding) bool // whether its path and related places are needed
	found         []foundCode                // of each input
	join          *check.Join                // of all of them
	misused       *atomic.Pointer[error]     // an error of an input that counts as one of the command line
}

// all checks all inputs, several at a time, and returns the report in the order
// of the inputs.
func (c *checkRun) all(std streams) (*report.Report, error) {
	c.prepareShards()
	files := c.inputs.Files
	outs := make([]*report.Input, len(files))
	c.found, c.join = make([]foundCode, len(files)), check.NewJoin()
	var mu sync.Mutex
	done, programs := 0, 0
	c.planKernels()
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(c.jobs, len(files)) {
		wg.Go(func() {
			for i := range next {
				in, passed := c.input(i)
				n := 0
				if in != nil {
					n = len(in.Programs)
					in.Pack() // with thousands of inputs, most of the memory holds findings
				}
				mu.Lock()
				c.found[i].addTo(c.join)
				outs[i] = in
				c.inputs.Passed = append(c.inputs.Passed, passed...)
				programs += n
				progress(std.err, done, len(files), files[i].Name)
				done++
				mu.Unlock()
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()
	progressDone(std.err)
	if err := c.misused.Load(); err != nil {
		return nil, *err
	}
	c.deadCode(outs)
	r := &report.Report{Schema: report.Schema, Kind: report.Kind, Profile: c.profileName(), Shard: c.shardOf(),
		FailFor: c.failFor}
	var all []report.Input
	for _, in := range outs {
		if in != nil {
			all = append(all, *in)
		}
	}
	r.Add(all...)
	for _, p := range c.inputs.Passed {
		r.Passed = append(r.Passed, report.Passed{Name: p.Name, Why: p.Why})
	}
	slices.SortFunc(r.Passed, func(a, b report.Passed) int { return strings.Compare(a.Name, b.Name) })
	failed := r.Count().FailedInputs > 0
	if programs == 0 && !failed && c.shards == 1 {
		return nil, inputError(fmt.Errorf("no program to check: %s", c.noPrograms(r)))
	}
	if failed || c.shards > 1 {
		return r, nil
	}
	if err := c.std.opener.Config.Unused(); err != nil {
		return nil, err
	}
	for _, u := range c.policy.Unused() {
		fmt.Fprintf(std.err, "bpfcfg: warning: policy %s\n", visible.Text(u))
	}
	return r, nil
}

// profileName names the profile in the report.
func (c *checkRun) profileName() string {
	if len(c.profiles) > 0 {
		var names []string
		for i := range c.profiles {
			names = append(names, c.profiles[i].Name)
		}
		return strings.Join(names, ",")
	}
	if c.profile != nil {
		return c.profile.Name
	}
	return jit.DefaultProfile
}

// noPrograms returns the reason why there is no program to check.
func (c *checkRun) noPrograms(r *report.Report) string {
	if sel := c.inputs.Selector; !sel.All() {
		return "nothing in the inputs matches --prog " + sel.String()
	}
	return cmp.Or(r.PassedLine(), "the inputs hold none")
}

// input checks an input. The result is nil when it belongs to another shard, or is
// a file of a directory that is passed over.
func (c *checkRun) input(i int) (*report.Input, []input.Passed) {
	f := c.inputs.Files[i]
	name := f.Name
	in := &report.Input{Name: name, Object: string(c.std.opener.Root.Name(name)), Programs: []report.Program{}}
	fail := func(err error) (*report.Input, []input.Passed) {
		in.Error = strings.TrimPrefix(err.Error(), name+": ")
		return in, nil
	}
	if c.shards > 1 {
		if err := c.contents[i].err; err != nil {
			return fail(err)
		}
		if !c.inShard(i) {
			return nil, nil
		}
	}
	s, err := guard(func() (input.Source, error) { return c.std.opener.Open(name, input.Selector{}) })
	if f.Dir != "" && errors.Is(err, load.ErrNoPrograms) {
		return nil, []input.Passed{{Name: name, Why: "no programs"}}
	}
	if misused(err) {
		c.misused.Store(&err)
	}
	if err != nil {
		return fail(err)
	}
	prof, err := c.profileFor(s)
	if err != nil {
		return fail(err)
	}
	if prof.Name != c.profileName() && len(c.profiles) == 0 {
		in.Profile = prof.Name
	}
	in.Findings = c.objectFindings(s)
	for _, f := range s.Failed {
		if c.inputs.Selector.Selects(f.Name) {
			in.Programs = append(in.Programs, report.Program{Name: f.Name, Section: f.Section, Error: f.Err.Error(),
				Findings: []report.Finding{}})
		}
	}
	failed := len(in.Programs)
	programs := c.programs(i, in, s, prof)
	if err := c.kernels(name, programs, in.Programs[failed:]); err != nil {
		in.Error = err.Error()
	}
	return in, nil
}

// programs checks the programs of the i-th input, one after the other. It returns the
// programs that it added to the input.
func (c *checkRun) programs(i int, in *report.Input, s input.Source, prof jit.Profile) (checked []*bytecode.Program) {
	var codes []*check.Code
	types := c.types(s)
	var at []int // of each, its place in in.Programs, -1 for a program that is not checked
	for _, p := range s.Programs {
		if !c.inputs.Selector.Selects(p.Name) {
			codes, at = append(codes, check.Alive(p)), append(at, -1)
			continue
		}
		checked = append(checked, p)
		var out report.Program
		var code *check.Code
		if len(c.profiles) > 0 {
			out, code = c.onKernels(p, types)
		} else {
			out, code = c.program(p, types, prof)
		}
		in.Programs = append(in.Programs, out)
		codes, at = append(codes, code), append(at, len(in.Programs)-1)
	}
	c.found[i] = foundCode{codes, at}
	return checked
}

// types returns the types of an input's variables, when the policy sets constants.
func (c *checkRun) types(s input.Source) *config.Types {
	if s.Object == nil || !c.policy.Constants() {
		return nil
	}
	return config.TypesOf(s.Object)
}

// findings converts findings, with the details that the outputs need.
func (c *checkRun) findings(fs []check.Finding) []report.Finding {
	return report.Findings(fs, c.root, c.detailed) // most of a report is details
}

// objectFindings returns the findings about an object as a whole.
func (c *checkRun) objectFindings(s input.Source) []report.Finding {
	fs := c.policy.For("").Levels(check.ObjectFindings(check.Object{Odd: s.Diags, Refused: s.Refused}))
	if len(fs) == 0 {
		return nil
	}
	return c.findings(fs)
}

// profileFor returns the profile for a source's programs.
func (c *checkRun) profileFor(s input.Source) (jit.Profile, error) {
	switch {
	case c.profile != nil:
		return *c.profile, nil
	case s.Profile != nil:
		c.std.standsFor(*s.Profile)
		return *s.Profile, nil
	}
	return lookupProfile(c.std, jit.DefaultProfile)
}

// program checks one program. If it cannot be analysed, its code counts as alive.
func (c *checkRun) program(p *bytecode.Program, types *config.Types, prof jit.Profile) (report.Program, *check.Code) {
	out := report.Program{Name: p.Name, Section: p.Section, Insns: len(p.Insns), Findings: []report.Finding{}}
	code := check.Alive(p)
	fs, err := guard(func() ([]check.Finding, error) {
		set := c.policy.For(p.Name)
		q, err := set.Apply(p, types)
		if err != nil {
			return nil, err
		}
		a, err := pipeline.Run(q, prof, rewrite.Options{})
		if err != nil {
			return nil, err
		}
		var fs []check.Finding
		fs, code = check.Program(a, set.Expect)
		unwinds := (*rewrite.UnwindError)(nil) // the unknown part is a finding
		if a.ImageErr != nil && !errors.Is(a.ImageErr, pipeline.ErrRewritten) && !check.Broken(fs) &&
			!errors.As(a.ImageErr, &unwinds) {
			err = fmt.Errorf("no machine code could be predicted: %w", a.ImageErr)
		}
		return set.Levels(fs), err
	})
	out.Findings = c.findings(fs)
	if err != nil {
		out.Error = err.Error()
	}
	return out, code
}

// guard runs f and returns a panic, which is a fault of bpfcfg, as an error: an input that crashes
// the tool must neither hide the findings of others nor lead to an exit status with another
// meaning.
func guard[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error, please report it with the file: %v", r)
			if os.Getenv("BPFCFG_DEBUG") != "" {
				err = fmt.Errorf("%w\n%s", err, debug.Stack())
			}
		}
	}()
	return f()
}
