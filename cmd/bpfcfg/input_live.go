package main

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// openLive reads a program of the running kernel. The profile is that of the
// running machine.
func openLive(selector string) (source, error) {
	s := source{name: "live:" + selector}
	k := live.NewKernel()
	p, err := live.Open(selector, k)
	if err != nil {
		return s, err
	}
	r, err := hostProfile(k)
	if err != nil {
		return s, err
	}
	s.profile = &r.Profile
	s.programs = []*bytecode.Program{p.Program}
	s.live = map[*bytecode.Program]*live.Program{p.Program: p}
	s.diags = p.Program.Diags
	return s, nil
}

// analyse runs the whole line on a program of the source. A program of the
// running kernel, or of one that was asked, is not predicted: its code is the
// kernel's.
func (s source) analyse(p *bytecode.Program, prof jit.Profile) (*pipeline.Analysis, error) {
	if lp := s.live[p]; lp != nil {
		return compare.Compiled(p, lp.Capture.Compare(prof), lp.Capture.Code)
	}
	if k := s.asked[p]; k != nil {
		return k.analyse(p, prof)
	}
	return pipeline.Run(p, prof, s.options(p))
}

// options returns how a program of the source is loaded.
func (s source) options(p *bytecode.Program) rewrite.Options {
	opt := s.loaded[p]
	opt.Blind = opt.Blind || s.harden
	return opt
}
