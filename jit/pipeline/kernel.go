package pipeline

import (
	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// VerifyKernel returns what a checker must know of the kernel of a profile.
func VerifyKernel(p jit.Profile) verify.Kernel {
	return verify.Kernel{
		Name: p.Name,
		IBT:  p.IBT, SLS: p.SLS, RetpolineBuild: p.RetpolineBuild, EndbrTargets: p.EndbrTargets, CFI: p.CFI,
		ReturnThunk: p.ReturnThunk, Indirect: p.Indirect, BHI: p.BHI, CallDepth: p.CallDepth,
		BMI2: p.BMI2, SMP: p.SMP, LA57: p.LA57, XchgLock: p.XchgLock, StackArgs: p.StackArgs, AXReg: p.AXReg,
		OffMaxEntries: p.OffMaxEntries, OffPtrs: p.OffPtrs, OffValue: p.OffValue, OffBPFFunc: p.OffBPFFunc,
		Features: p.Kernel(),
	}
}

// Verify proves that the analysis's machine code has the control flow of its
// program, from the source graph to the bytes. Of a program that a kernel has
// rewritten already there is no source. There
// must be an image.
func (a *Analysis) Verify() *verify.Proof {
	return verify.Prove(a.Claim())
}

// Claim returns what Verify proves.
func (a *Analysis) Claim() verify.Claim {
	c := verify.Claim{Kernel: VerifyKernel(a.Profile), Program: a.Xlated.Program, Image: a.Image}
	if !a.Program.Rewritten {
		if v := a.Rules.Check(a.Program, a.Succ); !v.Accept {
			c.Refused = v.Message
		}
		c.Source = &verify.Source{
			Graph: a.Graph, Facts: seen{a.Succ.Facts},
			Original: a.Xlated.Original, Xlated: a.Xlated.Xlated, Unpredicted: a.Xlated.Unpredicted,
			Unprivileged: a.Options.NoCapBPF, Masks: a.Options.NoCapPerfmon, Blinded: a.Options.Blind,
		}
	}
	return c
}

// seen answers what Linux's verifier sees by the facts that follow its rules.
type seen struct{ f *abstract.Facts }

func (s seen) Seen(pc bytecode.PC) verify.Answer { return answer(s.f.Reach(pc)) }
func (s seen) EdgeSeen(i int) verify.Answer      { return answer(s.f.Take(i)) }

func answer(t cfg.Truth) verify.Answer {
	switch t {
	case cfg.Yes:
		return verify.Yes
	case cfg.No:
		return verify.No
	}
	return verify.Maybe
}
