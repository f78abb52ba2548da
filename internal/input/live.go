package input

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/host"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// openLive reads a program of the running kernel. The profile is that of the
// running machine.
func openLive(selector string) (Source, error) {
	s := Source{Name: "live:" + selector}
	k := live.NewKernel()
	p, err := live.Open(selector, k)
	if err != nil {
		return s, err
	}
	r, err := HostProfile(k)
	if err != nil {
		return s, err
	}
	s.Profile = &r.Profile
	s.Programs = []*bytecode.Program{p.Program}
	s.Live = map[*bytecode.Program]*live.Program{p.Program: p}
	s.Diags = p.Program.Diags
	return s, nil
}

// Analyse runs the whole analysis on a program of the source. The code of a program of the running
// kernel, or of one that was asked, is not predicted: it is the kernel's.
func (s Source) Analyse(p *bytecode.Program, prof jit.Profile) (*pipeline.Analysis, error) {
	if lp := s.Live[p]; lp != nil {
		return compare.Compiled(p, lp.Capture.Compare(prof), lp.Capture.Code)
	}
	if k := s.asked[p]; k != nil {
		return k.analyse(p, prof)
	}
	return pipeline.Run(p, prof, s.Options(p))
}

// Options returns how a program of the source is loaded.
func (s Source) Options(p *bytecode.Program) rewrite.Options {
	opt := s.loaded[p]
	opt.Blind = opt.Blind || s.Harden
	return opt
}

// HostProfile returns the profile of the running machine.
func HostProfile(k *live.Kernel) (*host.Result, error) {
	r, err := host.Derive(k)
	if err != nil {
		return nil, fmt.Errorf("profile host: %w", err)
	}
	return r, nil
}
