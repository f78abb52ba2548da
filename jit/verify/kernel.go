package verify

import "github.com/bpfcfg/bpfcfg/cfg/kernel"

// Kernel holds the properties of a kernel that a checker needs: the forms of its insertions
// and of its machine code. It is plain data, so that this package needs no
// description of kernels of its own; jit/pipeline makes one of a profile. The
// strings have the values that jit.Profile's fields of the same names have.
type Kernel struct {
	Name string // of the profile, for people

	IBT, SLS, RetpolineBuild bool
	EndbrTargets             bool   // ENDBR64 at targets of gotox in IBT builds
	CFI                      string // "off", "kcfi", "fineibt" or "fineibt-bhi"
	ReturnThunk              string // symbol, empty for a plain return
	Indirect                 string // "plain", "lfence", "retpoline" or "its"
	BHI                      string // "off", "loop", "loop+hypervisor" or "hw"
	CallDepth                bool
	BMI2, SMP, LA57          bool
	XchgLock                 bool  // LOCK prefix on xchg
	StackArgs                bool  // stack-passed arguments through r11
	AXReg                    uint8 // number of the hidden register in rewritten code

	// Byte offsets in kernel structures.
	OffMaxEntries, OffPtrs, OffValue, OffBPFFunc int

	Features kernel.Features // what the version decides
}

// has reports whether the kernel's version has a feature.
func (k *Kernel) has(f kernel.Feature) bool { return k.Features.Has(f) }

// countOnStack reports whether the tail-call counter itself is on the stack.
func (k *Kernel) countOnStack() bool { return !k.has(kernel.TailCallPointer) }
