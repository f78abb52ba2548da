package pipeline

import (
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// VerifyKernel returns what a checker must know of the kernel of a profile.
func VerifyKernel(p jit.Profile) verify.Kernel {
	since := func(major, minor int) bool { return !before(p.Version, major, minor) }
	return verify.Kernel{
		Name: p.Name,
		IBT:  p.IBT, SLS: p.SLS, RetpolineBuild: p.RetpolineBuild, EndbrTargets: p.EndbrTargets, CFI: p.CFI,
		ReturnThunk: p.ReturnThunk, Indirect: p.Indirect, BHI: p.BHI, CallDepth: p.CallDepth,
		BMI2: p.BMI2, SMP: p.SMP, LA57: p.LA57, XchgLock: p.XchgLock, StackArgs: p.StackArgs, AXReg: p.AXReg,
		OffMaxEntries: p.OffMaxEntries, OffPtrs: p.OffPtrs, OffValue: p.OffValue, OffBPFFunc: p.OffBPFFunc,
		CountOnStack: !since(6, 12), SignedGuards: since(6, 12), TimedMayGoto: since(6, 15),
		DecidesEarly: since(7, 1), EntriesSkip: since(7, 4), Fastcall: since(6, 12),
	}
}

// before reports whether a release such as "7.3" or "7.3.4" is older than another.
func before(version string, major, minor int) bool {
	a, rest, _ := strings.Cut(version, ".")
	b, _, _ := strings.Cut(rest, ".")
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x < major || x == major && y < minor
}

// Verify proves that the analysis's machine code has the control flow of its
// program. There must be an image.
func (a *Analysis) Verify() *verify.Proof {
	return verify.Check(a.Xlated.Program, a.Image, VerifyKernel(a.Profile))
}
