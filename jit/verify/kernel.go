package verify

// Kernel is what a checker must know of a kernel: the forms of its insertions
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

	CountOnStack bool // the tail-call counter itself is on the stack (before Linux 6.12)
	SignedGuards bool // signed division is guarded against -1, too (Linux 6.12)
	TimedMayGoto bool // may_goto looks at the clock, and may_goto +0 is removed (Linux 6.15)
	DecidesEarly bool // branches on constants are decided before verification (Linux 7.1)
	EntriesSkip  bool // table entries pass over what the verifier puts in front of a function (after Linux 7.3)
	Fastcall     bool // spills around inlined helpers are removed (Linux 6.12)
}
