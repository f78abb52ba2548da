package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/policy"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// checkRun is what a check works on.
type checkRun struct {
	names         []string     // of inputs, sorted
	prog          []string     // globs of program names, none for all
	profile       *jit.Profile // nil for the default, or a record's own
	policy        *policy.Policy
	root          string
	shard, shards int
	jobs          int
	std           streams
	detailed      func(*report.Finding) bool // whether its path and related places are needed
}

// expandAll returns the inputs that the arguments stand for, each once, by name.
func expandAll(args []string) ([]string, error) {
	var names []string
	for _, a := range args {
		n, err := expand(a)
		if err != nil {
			return nil, err
		}
		names = append(names, n...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// all checks all inputs, several at a time, and returns the report in the order
// of the inputs.
func (c *checkRun) all(std streams) (*report.Report, error) {
	outs := make([]*report.Input, len(c.names))
	var mu sync.Mutex
	done, programs := 0, 0
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(c.jobs, len(c.names)) {
		wg.Go(func() {
			for i := range next {
				in := c.input(c.names[i])
				n := 0
				if in != nil {
					n = len(in.Programs)
					in.Pack() // with thousands of inputs it is what memory goes to
				}
				mu.Lock()
				outs[i] = in
				programs += n
				progress(std.err, done, len(c.names), c.names[i])
				done++
				mu.Unlock()
			}
		})
	}
	for i := range c.names {
		next <- i
	}
	close(next)
	wg.Wait()
	progressDone(std.err)
	r := &report.Report{Schema: report.Schema, Kind: report.Kind, Profile: c.profileName()}
	var all []report.Input
	for _, in := range outs {
		if in != nil {
			all = append(all, *in)
		}
	}
	r.Add(all...)
	failed := r.Count().FailedInputs > 0
	if programs == 0 && !failed && c.shards == 1 {
		return nil, inputError(fmt.Errorf("no program to check: nothing in the inputs matches --prog %v", c.prog))
	}
	if failed || c.shards > 1 {
		return r, nil
	}
	unused, asked := c.policy.Unused()
	if len(asked) > 0 {
		return nil, usagef("--set: %s", asked[0])
	}
	for _, u := range unused {
		fmt.Fprintf(std.err, "bpfcfg: warning: policy %s\n", visible.Text(u))
	}
	return r, nil
}

// profileName names the profile in the report.
func (c *checkRun) profileName() string {
	if c.profile != nil {
		return c.profile.Name
	}
	return jit.DefaultProfile
}

// input checks one input; nil when it belongs to another shard.
func (c *checkRun) input(name string) *report.Input {
	in := &report.Input{Name: name, Programs: []report.Program{}}
	if c.shards > 1 {
		mine, err := c.mine(name)
		if err != nil {
			in.Error = strings.TrimPrefix(err.Error(), name+": ")
			return in
		}
		if !mine {
			return nil
		}
	}
	s, err := guard(func() (source, error) { return open(name, "", c.std) })
	if err != nil {
		in.Error = strings.TrimPrefix(err.Error(), name+": ")
		return in
	}
	prof, err := c.profileFor(s)
	if err != nil {
		in.Error = strings.TrimPrefix(err.Error(), name+": ")
		return in
	}
	in.Notes = s.diags
	if prof.Name != c.profileName() {
		in.Profile = prof.Name
	}
	for _, f := range s.failed {
		if c.selects(f.name) {
			in.Programs = append(in.Programs, report.Program{Name: f.name, Section: f.section, Error: f.err.Error(),
				Findings: []report.Finding{}})
		}
	}
	for _, p := range s.programs {
		if c.selects(p.Name) {
			in.Programs = append(in.Programs, c.program(p, prof))
		}
	}
	return in
}

// mine reports whether the input is in this shard: by its content, so that all
// machines agree without talking, and by nothing else.
func (c *checkRun) mine(name string) (bool, error) {
	file := name
	for _, prefix := range []string{"raw:", "record:"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			file = rest
		}
	}
	if file == "-" {
		return false, fmt.Errorf("standard input cannot be split with --shard: name files")
	}
	if f, _, ok := splitProgram(file); ok {
		file = f
	}
	f, err := os.Open(file)
	if err != nil {
		return false, cause(file, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxInput+1)); err != nil {
		return false, cause(file, err)
	}
	n := binary.BigEndian.Uint64(h.Sum(nil)) % uint64(c.shards)
	return int(n)+1 == c.shard, nil
}

// profileFor returns the profile for a source's programs.
func (c *checkRun) profileFor(s source) (jit.Profile, error) {
	switch {
	case c.profile != nil:
		return *c.profile, nil
	case s.profile != nil:
		c.std.standsFor(*s.profile)
		return *s.profile, nil
	}
	return lookupProfile(c.std, jit.DefaultProfile)
}

// selects reports whether the globs select a program; without globs all are.
func (c *checkRun) selects(name string) bool {
	return len(c.prog) == 0 || slices.ContainsFunc(c.prog, func(g string) bool {
		ok, _ := filepath.Match(g, name)
		return ok
	})
}

// program checks one program.
func (c *checkRun) program(p *bytecode.Program, prof jit.Profile) report.Program {
	out := report.Program{Name: p.Name, Section: p.Section, Insns: len(p.Insns), Findings: []report.Finding{}}
	fs, err := guard(func() ([]check.Finding, error) {
		set := c.policy.For(p.Name)
		q, err := set.Apply(p)
		if err != nil {
			return nil, err
		}
		a, err := pipeline.Run(q, prof, rewrite.Options{})
		if err != nil {
			return nil, err
		}
		fs := check.Findings(a, set.Expect)
		if a.ImageErr != nil && !errors.Is(a.ImageErr, pipeline.ErrRewritten) && !check.Broken(fs) {
			err = fmt.Errorf("no machine code could be predicted: %w", a.ImageErr)
		}
		return set.Levels(fs), err
	})
	out.Findings = report.Findings(fs, c.root)
	for i := range out.Findings {
		if f := &out.Findings[i]; !c.detailed(f) {
			f.Path, f.Related = nil, nil // most of a report
		}
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

// guard runs f and returns a panic, which is a fault of bpfcfg, as an error: an
// input that brings the tool down must neither hide the others' findings nor
// end in an exit status that means something else.
func guard[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("bpfcfg failed on it, which is a fault of bpfcfg (please report it with the file): %v", r)
			if os.Getenv("BPFCFG_DEBUG") != "" {
				err = fmt.Errorf("%w\n%s", err, debug.Stack())
			}
		}
	}()
	return f()
}
