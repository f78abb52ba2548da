package pipeline

import (
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
// program. There must be an image.
func (a *Analysis) Verify() *verify.Proof {
	return verify.Check(a.Xlated.Program, a.Image, VerifyKernel(a.Profile))
}
