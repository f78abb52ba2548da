package jit

import "github.com/bpfcfg/bpfcfg/cfg/kernel"

// Profile is everything outside of the bytecode that determines the x86-64 code: the kernel's
// version rules, its build options, and what the boot CPU and command line switched on. It is
// plain data; see docs/profiles.md for the JSON form.
type Profile struct {
	Name    string `json:"name"`    // "linux-7.3", with "+option" for each departure
	Version string `json:"version"` // "7.3"; decides what the kernel has, see package kernel

	// Release is the stable release of the version, 15 for 6.18.15, 0 when it is not known. It matters
	// where the releases of a version differ.
	Release int `json:"release,omitempty"`

	// StandsFor is the requested kernel, "linux-7.5", when there is no
	// profile of it and this one, of the nearest older version, is used instead.
	StandsFor string `json:"stands_for,omitempty"`

	IBT            bool   `json:"ibt"`             // CONFIG_X86_KERNEL_IBT
	SLS            bool   `json:"sls"`             // CONFIG_MITIGATION_SLS
	RetpolineBuild bool   `json:"retpoline_build"` // CONFIG_MITIGATION_RETPOLINE
	CFI            string `json:"cfi"`             // "off", "kcfi", "fineibt", "fineibt-bhi"
	CFIHash        uint32 `json:"cfi_hash"`        // CFI type hash of programs, 0 when unknown
	CFISubHash     uint32 `json:"cfi_sub_hash"`    // CFI type hash of subprograms, 0 when unknown
	ReturnThunk    string `json:"return_thunk"`    // symbol, empty for a plain return
	Indirect       string `json:"indirect"`        // "plain", "lfence", "retpoline", "its"
	CallDepth      bool   `json:"call_depth"`      // call depth tracking
	BHI            string `json:"bhi"`             // classic epilogue: "off", "loop", "loop+hypervisor", "hw"
	BMI2           bool   `json:"bmi2"`            // CPU has BMI2
	SMP            bool   `json:"smp"`             // CONFIG_SMP
	LA57           bool   `json:"la57"`            // 5-level paging in use
	KASLR          bool   `json:"kaslr"`           // CONFIG_RANDOMIZE_BASE: module area at 0xffffffffc0000000

	// StackForm is the place of the kernel's memory for private stacks: StackNear for the first
	// chunk of per-CPU memory (mm/percpu.c), which is used while it has room, StackFar for a later
	// one. It decides how long the instruction is that loads the address, differs between programs
	// of one running kernel, and is empty when it is not known: then rewrite marks the function.
	StackForm string `json:"stack_form,omitempty"`

	AXReg         uint8 `json:"ax_reg"`          // number of the hidden register in xlated code: 11 or 12
	XchgLock      bool  `json:"xchg_lock"`       // LOCK prefix on xchg
	Gotox         bool  `json:"gotox"`           // knows indirect jumps
	EndbrTargets  bool  `json:"endbr_targets"`   // ENDBR64 at gotox targets in IBT builds
	StackArgs     bool  `json:"stack_args"`      // stack-passed arguments through r11
	MovImm64Short bool  `json:"mov_imm64_short"` // 7-byte form of sign-extended constants

	// Byte offsets in kernel structures; they depend on the configuration.
	OffMaxEntries int `json:"off_max_entries"` // bpf_array.map.max_entries
	OffPtrs       int `json:"off_ptrs"`        // bpf_array.ptrs
	OffValue      int `json:"off_value"`       // bpf_array.value
	OffBPFFunc    int `json:"off_bpf_func"`    // bpf_prog.bpf_func

	ThisCPUOff uint64            `json:"this_cpu_off"`      // address, 0 when unknown
	Symbols    map[string]uint64 `json:"symbols,omitempty"` // addresses of kernel symbols
}

// Kernel returns the features of the profile's version. There are none if Version is not a version,
// which does not occur in profiles of LookupProfile and ParseProfile.
func (p *Profile) Kernel() kernel.Features {
	v, _ := kernel.Parse(p.Version)
	return kernel.OfRelease(v, p.Release)
}
