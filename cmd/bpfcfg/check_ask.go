package main

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/report"
)

// expect notes what kernels will be asked about, so that each is started once.
func (c *checkRun) expect() {
	for _, m := range c.machines {
		for _, f := range c.inputs.files {
			file, _, _ := object.Split(f.name)
			c.std.guests.want(m, file)
		}
	}
	c.std.guests.expect(c.inputs.files)
}

// kernels adds to the programs of an object what the kernels say that are to be
// asked. A refusal is a finding, unless there is an error already: that will be
// what the kernel refuses.
func (c *checkRun) kernels(name string, programs []*bytecode.Program, out []report.Program) error {
	for _, m := range c.machines {
		file, _, _ := object.Split(name)
		a, err := c.std.guests.ask(m, file)
		if err != nil {
			return err
		}
		records, env, err := a.byProgram()
		if err != nil {
			return err
		}
		for i, p := range programs {
			k := report.Kernel{Kernel: m.String(), Release: env.Release, Answer: answerNone}
			if r := records[p.Name]; r != nil {
				k.Answer, k.Reason = answerOf(r)
			}
			out[i].Kernels = append(out[i].Kernels, k)
			if k.Answer == answerRefused && !slices.ContainsFunc(out[i].Findings, func(f report.Finding) bool {
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

// byProgram returns the answers by name of program, and the machine.
func (a *answers) byProgram() (map[string]*record.Record, *record.Env, error) {
	out, env := map[string]*record.Record{}, &record.Env{}
	r, err := a.records(record.Options{SkipLogs: true})
	if err != nil {
		return nil, nil, fmt.Errorf("answers: %w", err)
	}
	for rec, err := range r.Records() {
		switch {
		case err != nil:
			return nil, nil, err
		case rec.Env != nil:
			env = rec.Env
		default:
			out[rec.Job.Name] = rec
		}
	}
	return out, env, nil
}
