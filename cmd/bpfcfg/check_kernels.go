package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/config"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// allProfiles stands for all built-in profiles in --profile.
const allProfiles = "all"

// setProfiles looks up the profiles of --profile or, without it, of the policy: one, or several for
// which every program is checked.
func (c *checkRun) setProfiles(std streams, flag string) error {
	kernels, err := lookupKernels(std, c.policy.Kernels)
	if err != nil {
		return err
	}
	switch flag {
	case "":
		c.profiles = kernels
	case allProfiles:
		c.profiles, err = lookupProfiles(std, jit.ProfileNames())
	default:
		c.profiles, err = lookupProfiles(std, strings.Split(flag, ","))
	}
	if err != nil {
		return err
	}
	for i := range kernels {
		if slices.ContainsFunc(c.profiles, sameProfile(&kernels[i])) {
			c.failFor = append(c.failFor, kernels[i].Name)
		}
	}
	if len(c.profiles) == 1 {
		c.profile, c.profiles = &c.profiles[0], nil
	}
	return nil
}

// onKernels checks one program for several kernels. Work that does not depend on the kernel is done
// once.
func (c *checkRun) onKernels(p *bytecode.Program, types *config.Types) (report.Program, *check.Code) {
	out := report.Program{Name: p.Name, Section: p.Section, Insns: len(p.Insns), Findings: []report.Finding{}}
	code := check.Alive(p)
	lists, err := guard(func() ([][]check.Finding, error) {
		set := c.policy.For(p.Name)
		q, err := set.Apply(p, types)
		if err != nil {
			return nil, err
		}
		as, err := pipeline.Across(q, c.profiles, rewrite.Options{})
		if err != nil {
			return nil, err
		}
		var lists [][]check.Finding
		lists, code = check.Across(as, set.Expect)
		for i, fs := range lists {
			out.Profiles = append(out.Profiles, onProfile(as[i], fs))
			lists[i] = set.Levels(fs)
		}
		return lists, nil
	})
	if err != nil {
		out.Error = err.Error()
		return out, code
	}
	for _, f := range check.OneList(lists) {
		g := c.findings([]check.Finding{f.Finding})[0]
		for _, i := range f.On {
			g.Profiles = append(g.Profiles, c.profiles[i].Name)
		}
		out.Findings = append(out.Findings, g)
	}
	return out, code
}

// onProfile summarises a program on one kernel.
func onProfile(a *pipeline.Analysis, fs []check.Finding) report.OnProfile {
	o := report.OnProfile{Profile: a.Profile.Name, Verified: a.Profile.Verified(), Verdict: report.NotRefused, Insn: -1}
	i := slices.IndexFunc(fs, func(f check.Finding) bool { return f.Level == check.Error && f.Kernel != "" })
	if i >= 0 {
		o.Verdict, o.Message, o.Insn = report.Refused, fs[i].Kernel, int(fs[i].PC)
		return o
	}
	if unwinds := (*rewrite.UnwindError)(nil); errors.As(a.RewriteErr, &unwinds) {
		o.Verdict, o.Message, o.Insn = report.Unknown, rules.UnwindText, int(unwinds.Insn)
	}
	if a.Rewrite != nil {
		o.Slots = len(a.Rewrite.Program.Insns)
	}
	if a.Image != nil {
		o.Bytes = len(a.Image.Code)
	}
	return o
}
