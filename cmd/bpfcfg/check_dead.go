package main

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/report"
)

// foundCode is the C code of an input's programs.
type foundCode struct {
	codes []*check.Code
	at    []int // of each, its place in the report's programs, -1 for one that is not there
}

// addTo records the lines that executions reach.
func (f foundCode) addTo(j *check.Join) {
	for _, code := range f.codes {
		j.Add(code)
	}
}

// deadCode adds the code that is dead in all copies, in all inputs, to the reports of the inputs;
// those of other shards are nil.
func (c *checkRun) deadCode(outs []*report.Input) {
	if c.shards > 1 {
		c.otherShards(outs)
	}
	for i := range c.found {
		found := c.join.Findings(c.found[i].codes)
		if outs[i] == nil || !slices.ContainsFunc(found, func(fs []check.Finding) bool { return len(fs) > 0 }) {
			continue
		}
		outs[i].Edit(func(in *report.Input) {
			for k, fs := range found {
				if at := c.found[i].at[k]; at >= 0 && len(fs) > 0 {
					c.addTo(&in.Programs[at], fs)
				}
			}
		})
	}
}

// addTo adds findings to a program's findings.
func (c *checkRun) addTo(p *report.Program, fs []check.Finding) {
	p.Findings = append(p.Findings, c.findings(c.policy.For(p.Name).Levels(fs))...)
	slices.SortStableFunc(p.Findings, func(a, b report.Finding) int {
		return cmp.Or(cmp.Compare(a.Insn, b.Insn), cmp.Compare(b.Level.Rank(), a.Level.Rank()), cmp.Compare(a.ID, b.ID))
	})
}

// otherShards analyses the inputs of other shards that contain lines which are dead in
// ours: they may be alive there. So the findings do not depend on the shards.
func (c *checkRun) otherShards(outs []*report.Input) {
	wanted := check.Lines{}
	for i := range c.found {
		for _, code := range c.found[i].codes {
			code.Wanted(wanted)
		}
	}
	if len(wanted) == 0 {
		return
	}
	for i, f := range c.inputs.Files {
		if outs[i] != nil || c.contents[i].err != nil || c.inShard(i) {
			continue
		}
		s, err := guard(func() (input.Source, error) { return c.std.opener.Open(f.Name, input.Selector{}) })
		if err != nil {
			continue // its own shard reports it
		}
		prof, err := c.profileFor(s)
		if err != nil {
			continue
		}
		var codes []*check.Code
		types := c.types(s)
		for _, p := range s.Programs {
			code := check.Alive(p)
			if c.inputs.Selector.Selects(p.Name) && wanted.In(p) {
				_, code = c.program(p, types, prof)
			}
			codes = append(codes, code)
		}
		c.found[i] = foundCode{codes: codes}
		c.found[i].addTo(c.join)
	}
}
