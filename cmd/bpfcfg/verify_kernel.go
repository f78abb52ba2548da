package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// optionsOf returns the options with which a kernel loaded the program of o.
func optionsOf(o *observation) rewrite.Options {
	if o == nil {
		return rewrite.Options{}
	}
	return rewrite.Options{Blind: o.blinded, AttachType: o.attach}
}

// noKernel is a kernelSide without observations.
type noKernel struct{}

func (noKernel) of(*bytecode.Program, jit.Profile) (*observation, error) { return nil, nil }

// loader loads programs into the running kernel.
type loader struct {
	kernel *live.Kernel
	opt    live.LoadOptions
}

// newLoader returns a loader for the programs of a source.
func newLoader(s input.Source) (kernelSide, error) {
	if s.Live != nil {
		return nil, fmt.Errorf("%s: the program is already loaded: omit --load", s.Name)
	}
	l := loader{kernel: live.NewKernel(), opt: live.LoadOptions{License: s.License}}
	if s.Object != nil {
		spec, err := btf.LoadSpecFromReader(bytes.NewReader(s.Object))
		if err != nil && !errors.Is(err, btf.ErrNotFound) {
			return nil, fmt.Errorf("%s: types: %w", s.Name, err)
		}
		l.opt.Types = spec
	}
	return l, nil
}

// of implements kernelSide.
func (l loader) of(p *bytecode.Program, prof jit.Profile) (*observation, error) {
	lp, err := live.Load(p, l.opt, l.kernel)
	if err != nil {
		return nil, err
	}
	c := lp.Capture
	o := &observation{
		Observed: &compare.Observed{Xlated: c.Dump, Code: c.Code},
		result:   c.Compare(prof), blinded: live.Blinds(), kept: make([]bool, p.Len()),
	}
	for _, l := range c.Lines {
		if l.Insn >= 0 && l.Insn < len(o.kept) {
			o.kept[l.Insn] = true
		}
	}
	for _, t := range c.Tables {
		var list []compare.Entry
		for _, e := range t.Entries {
			list = append(list, compare.Entry{Xlated: e.Xlated, Jitted: e.Jitted})
		}
		o.Tables = append(o.Tables, list)
	}
	return o, nil
}

// recorded holds what kernels did with the programs of a record file, by name.
// Of several records with the same name the last counts.
type recorded struct {
	records map[string]*record.Record
	results map[string]*replay.Result
	env     map[string]*record.Env
}

// newRecorded returns the observations of a source: those of its record file, none for another
// source. A given profile replaces the recorded machine's.
func newRecorded(s input.Source, prof *jit.Profile) (kernelSide, error) {
	if s.Records == nil {
		return noKernel{}, nil
	}
	wanted := map[string]bool{}
	for _, p := range s.Programs {
		wanted[p.Name] = true
	}
	r := recorded{map[string]*record.Record{}, map[string]*replay.Result{}, map[string]*record.Env{}}
	f, err := s.Records(record.Options{SkipLogs: true})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var env *record.Env
	for rec, err := range f.Records() {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		if rec.Env != nil {
			env = rec.Env
		}
		if rec.Job != nil && wanted[rec.Job.Name] {
			r.records[rec.Job.Name], r.env[rec.Job.Name] = rec, env
		}
	}
	left := len(r.records)
	again, err := s.Records(record.Options{})
	if err != nil {
		return nil, err
	}
	defer again.Close()
	for res, err := range replay.Records(again, replay.Options{Profile: prof}) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		if _, done := r.results[res.Name]; !done && wanted[res.Name] {
			left--
		}
		if wanted[res.Name] {
			r.results[res.Name] = res
		}
		if left == 0 && len(wanted) == 1 {
			break
		}
	}
	return r, nil
}

// of implements kernelSide.
func (r recorded) of(p *bytecode.Program, _ jit.Profile) (*observation, error) {
	rec, res, env := r.records[p.Name], r.results[p.Name], r.env[p.Name]
	if rec == nil || res == nil {
		return nil, nil
	}
	o := &observation{result: res, attach: rec.Job.AttachType}
	if res.Match == replay.Unknown && (rec.Result == nil || rec.Result.Prog == nil) {
		o.why = res.Reason
		return o, nil
	}
	dump, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		return nil, err
	}
	o.Observed = &compare.Observed{Xlated: dump, Code: rec.Result.Prog.Jited, Tables: make([][]compare.Entry,
		len(p.Tables))}
	for _, m := range rec.Result.Maps {
		i := slices.IndexFunc(p.Tables, func(t bytecode.JumpTable) bool { return t.Name == m.Name })
		if i < 0 {
			continue
		}
		for _, e := range m.Insns {
			o.Tables[i] = append(o.Tables[i], compare.Entry{Xlated: e.Xlated, Jitted: e.Jited})
		}
	}
	if !rec.Result.Prog.LinesWrong && len(rec.Result.Prog.Lines) > 0 {
		o.kept = make([]bool, p.Len())
		for _, l := range rec.Result.Prog.Lines {
			if int(l.Insn) < len(o.kept) {
				o.kept[l.Insn] = true
			}
		}
	}
	harden := ""
	if env != nil {
		harden = env.Sysctl["net.core.bpf_jit_harden"]
	}
	if v, ok := rec.Job.Sysctl["net.core.bpf_jit_harden"]; ok {
		harden = v
	}
	o.blinded = harden == "2"
	if len(rec.Job.DropCaps) > 0 {
		o.unpredicted = "it was loaded without all capabilities, a case that bpfcfg does not predict"
	}
	return o, nil
}
