package main

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/policy"
	"github.com/bpfcfg/bpfcfg/internal/pullrequest"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// prCmd describes the effect of a change, for a comment on a pull request.
type prCmd struct {
	Base         string   `arg:"" help:"Old version: object or directory."`
	Head         string   `arg:"" help:"New version, of the same kind."`
	Output       string   `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
	Prog         []string `help:"Use only programs whose name matches GLOB. Repeatable." placeholder:"GLOB" sep:"none"`
	Profile      []string `aliases:"kernel" help:"Kernel and mitigations (default: the kernels of the policy, or linux-7.3). Repeatable." placeholder:"PROFILE"`
	Config       string   `help:"Policy file (default: .bpfcfg.yaml, if it exists)." placeholder:"FILE"`
	Page         string   `help:"Link to this address of a page that diff --format html wrote." placeholder:"URL"`
	VeristatBase string   `help:"Add this CSV of veristat (-o csv) for BASE to the table." placeholder:"FILE"`
	VeristatHead string   `help:"The same for HEAD." placeholder:"FILE"`
	CSV          string   `name:"csv" help:"Write verdicts and sizes of HEAD for the first kernel in veristat's CSV format." placeholder:"FILE"`
	Comment      bool     `help:"In GitHub Actions: post the text as a comment on the pull request, or replace the previous one. Needs GITHUB_TOKEN and the permission pull-requests: write."`
	excludeFlags
}

// Help returns the examples of --help.
func (prCmd) Help() string {
	return `Examples:
  bpfcfg pr build.main/ build/ -o comment.md
  bpfcfg pr old.o new.o --profile linux-6.18 --profile linux-7.3
  bpfcfg pr build.main/ build/ --comment               in a CI job of a pull request
  bpfcfg pr build.main/ build/ --csv head.csv          verdicts and sizes for veristat -C

The exit status is 3 if something could not be analysed; the text names it.`
}

// Run implements the verb.
func (c *prCmd) Run(std streams, p *process) error {
	pol, err := loadPolicy(c.Config)
	if err != nil {
		return err
	}
	c.Exclude = append(c.Exclude, pol.Exclude...)
	kernels, err := c.kernels(std, pol)
	if err != nil {
		return err
	}
	r := &pullrequest.Report{Base: c.Base, Head: c.Head, Page: c.Page}
	asked, err := c.veristat()
	if err != nil {
		return err
	}
	var failed error
	var verdicts []pullrequest.Verdict
	for i, kernel := range kernels {
		var said bytes.Buffer
		quiet := streams{in: std.in, out: io.Discard, err: &said, opener: std.opener, said: std.said,
			types: std.types}
		d := diffCmd{analysisFlags: analysisFlags{Prog: c.Prog, Profile: kernel}, excludeFlags: c.excludeFlags}
		old, oldFailed, err := d.side(quiet, c.Base)
		if err != nil {
			return err
		}
		now, nowFailed, err := d.side(quiet, c.Head)
		if err != nil {
			return err
		}
		failed = worse(failed, worse(oldFailed, nowFailed))
		if i == 0 {
			c.remarks(r, said.String(), oldFailed, nowFailed)
		}
		dead := [2]map[string]int{deadCode(old, nil), nil}
		fresh := &newDead{known: deadIDs(old)}
		dead[1] = deadCode(now, fresh)
		if i == 0 {
			r.Dead = fresh.texts
		}
		cmp := diff.Compare(old, now)
		verdicts = append(verdicts, c.rows(r, cmp, kernel, dead, asked, i == 0)...)
	}
	slices.SortStableFunc(r.Rows, pullrequest.Compare)
	if c.CSV != "" {
		err := p.writeFunc(c.CSV, func(w io.Writer) error { return pullrequest.WriteVeristat(w, verdicts) })
		if err != nil {
			return err
		}
	}
	if c.Output != "" || !c.Comment {
		if err := writeOutput(std.out, p, c.Output, r.Markdown); err != nil {
			return err
		}
	}
	if c.Comment {
		return worse(failed, c.comment(std, r))
	}
	return failed
}

// kernels returns the names of the profiles to compare for: those of --profile, or
// those of the policy.
func (c *prCmd) kernels(std streams, pol *policy.Policy) ([]string, error) {
	names := c.Profile
	if _, err := lookupKernels(std, pol.Kernels); err != nil {
		return nil, err
	}
	for i := 0; len(c.Profile) == 0 && i < len(pol.Kernels); i++ {
		names = append(names, pol.Kernels[i].Name)
	}
	if len(names) == 0 {
		names = []string{jit.DefaultProfile}
	}
	_, err := lookupProfiles(std, names)
	return names, err
}

// remarks adds what was passed over and what failed.
func (c *prCmd) remarks(r *pullrequest.Report, said string, errs ...error) {
	for line := range strings.Lines(said) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "bpfcfg: ")
		switch {
		case strings.HasPrefix(line, "passed over"):
			r.Passed = line // head's, if there are two
		case line != "":
			r.Failed = append(r.Failed, line)
		}
	}
	for _, err := range errs {
		if err != nil {
			r.Failed = append(r.Failed, err.Error())
		}
	}
}

// veristat reads veristat's results for either side.
func (c *prCmd) veristat() (out [2]map[pullrequest.Key]pullrequest.Veristat, err error) {
	for i, file := range []string{c.VeristatBase, c.VeristatHead} {
		if file == "" {
			continue
		}
		data, err := input.Read(file, nil)
		if err != nil {
			return out, inputError(err)
		}
		if out[i], err = pullrequest.ReadVeristat(bytes.NewReader(data)); err != nil {
			return out, inputError(fmt.Errorf("%s: %w", file, err))
		}
	}
	return out, nil
}

// rows adds the rows of one kernel, and with details the changes of targets and layouts.
// It returns the verdicts of head when details are asked for.
func (c *prCmd) rows(r *pullrequest.Report, d *diff.Report, kernel string, dead [2]map[string]int,
	asked [2]map[pullrequest.Key]pullrequest.Veristat, details bool) []pullrequest.Verdict {
	var verdicts []pullrequest.Verdict
	side := func(i int, name string, a *pipeline.Analysis, verdict string) *pullrequest.Side {
		s := &pullrequest.Side{Verdict: verdict, Insns: len(a.Program.Insns), Dead: dead[i][name], Image: -1}
		if verdict == diff.NotRefused {
			s.Verdict = ""
		}
		if a.Image != nil {
			s.Image = len(a.Image.Code)
		}
		if details {
			if v, ok := asked[i][c.key(i, name)]; ok {
				s.Veristat = &v
			}
			if i == 1 {
				verdicts = append(verdicts, pullrequest.Verdict{Key: c.key(i, name), Refused: s.Verdict != "", Insns: s.Insns,
					Image: s.Image})
			}
		}
		return s
	}
	for i := range d.Programs {
		p := &d.Programs[i]
		r.Rows = append(r.Rows, pullrequest.Row{Program: p.Name, Kernel: kernel,
			Old: side(0, p.OldName, p.Old, p.Verdict[0]), New: side(1, p.Name, p.New, p.Verdict[1])})
		if !details {
			continue
		}
		for k := range p.Jumps {
			r.Targets = append(r.Targets, p.Name+": "+p.Jumps[k].Headline())
		}
		r.Layout = append(r.Layout, layoutCauses(p)...)
	}
	for _, only := range []struct {
		side     int
		programs []diff.Compiled
	}{{0, d.OnlyOld}, {1, d.OnlyNew}} {
		for _, q := range only.programs {
			row := pullrequest.Row{Program: q.Key, Kernel: kernel}
			s := side(only.side, q.Key, q.Analysis, diff.Verdict(q.Analysis))
			if only.side == 0 {
				row.Old = s
			} else {
				row.New = s
			}
			r.Rows = append(r.Rows, row)
		}
	}
	return verdicts
}

// key returns veristat's name of a program of a side.
func (c *prCmd) key(i int, name string) pullrequest.Key {
	object, prog, ok := cutLast(name, "#")
	if !ok {
		object, prog = []string{c.Base, c.Head}[i], name
	}
	return pullrequest.Key{File: path.Base(strings.ReplaceAll(object, `\`, "/")), Program: prog}
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// layoutCauses says why the layout of a program changed.
func layoutCauses(p *diff.Program) []string {
	a, err1 := golden.InputOf(p.Old)
	b, err2 := golden.InputOf(p.New)
	if err1 != nil || err2 != nil {
		return nil
	}
	var out []string
	for _, cause := range golden.Compare(golden.Of(a), golden.Of(b)) {
		out = append(out, p.Name+": "+cause.Text)
	}
	return out
}

// newDead collects the dead code that an older side does not have.
type newDead struct {
	known map[string]bool
	texts []string
}

// deadCode counts the dead code of each program of a side.
func deadCode(s diff.Side, fresh *newDead) map[string]int {
	out := map[string]int{}
	eachDead(s, func(q diff.Compiled, f *check.Finding) {
		out[q.Key]++
		if fresh != nil && !fresh.known[f.Fingerprint] {
			at := fmt.Sprintf("%s: %s:%d", q.Key, visible.Base(f.Location.File), f.Location.Line)
			fresh.texts = append(fresh.texts, at+": "+f.Message)
		}
	})
	return out
}

// deadIDs returns the fingerprints of the dead code of a side.
func deadIDs(s diff.Side) map[string]bool {
	out := map[string]bool{}
	eachDead(s, func(_ diff.Compiled, f *check.Finding) { out[f.Fingerprint] = true })
	return out
}

// eachDead calls f for the dead code of a side, object by object.
func eachDead(s diff.Side, f func(q diff.Compiled, d *check.Finding)) {
	join := check.NewJoin()
	codes := make([]*check.Code, len(s.Programs))
	for i := range s.Programs {
		_, codes[i] = check.Program(s.Programs[i].Analysis, check.Expect{})
		join.Add(codes[i])
	}
	for i := 0; i < len(s.Programs); {
		object, _, _ := cutLast(s.Programs[i].Key, "#")
		whole := !strings.Contains(s.Programs[i].Key, "#") // one object
		first := i
		for ; i < len(s.Programs); i++ {
			if o, _, _ := cutLast(s.Programs[i].Key, "#"); !whole && o != object {
				break
			}
		}
		for k, fs := range join.Findings(codes[first:i]) {
			for j := range fs {
				if fs[j].ID == check.DeadCode && fs[j].Level == check.Warning {
					f(s.Programs[first+k], &fs[j])
				}
			}
		}
	}
}
