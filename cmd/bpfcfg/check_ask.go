package main

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/report"
)

// planKernels lists the programs for the kernels that will be asked, so that each kernel is started
// once.
func (c *checkRun) planKernels() {
	for _, m := range c.machines {
		for _, f := range c.inputs.Files {
			file, _, _ := object.Split(f.Name)
			c.std.opener.Guests.Want(m, file)
		}
	}
	c.std.opener.Guests.Expect(c.inputs.Files)
}

// kernels adds the verdicts of the kernels that are asked to the programs of an object. A refusal
// is a finding, unless there is an error already: then that is probably what the kernel refuses.
func (c *checkRun) kernels(name string, programs []*bytecode.Program, out []report.Program) error {
	for _, m := range c.machines {
		file, _, _ := object.Split(name)
		a, err := c.std.opener.Guests.Ask(m, file)
		if err != nil {
			return err
		}
		records, env, err := a.ByProgram()
		if err != nil {
			return err
		}
		for i, p := range programs {
			k := report.Kernel{Kernel: m.String(), Release: env.Release, Answer: input.NoAnswer}
			if r := records[p.Name]; r != nil {
				k.Answer, k.Reason = input.AnswerOf(r)
			}
			out[i].Kernels = append(out[i].Kernels, k)
			if k.Answer == input.Refused && !slices.ContainsFunc(out[i].Findings, func(f report.Finding) bool {
				return f.Level == check.Error
			}) {
				f := check.Refused(p, "Linux "+k.Release, k.Reason)
				set := c.policy.For(p.Name)
				out[i].Findings = append(out[i].Findings, report.Findings(set.Levels([]check.Finding{f}), c.root, c.detailed)...)
			}
		}
	}
	return nil
}
