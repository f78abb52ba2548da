package jit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Values of Profile.CFI.
const (
	CFIOff     = "off"
	CFIKcfi    = "kcfi"
	CFIFine    = "fineibt"
	CFIFineBHI = "fineibt-bhi"
)

// Values of Profile.Indirect.
const (
	IndirectPlain     = "plain"     // jmp *reg
	IndirectLfence    = "lfence"    // lfence; jmp *reg
	IndirectRetpoline = "retpoline" // jmp to a thunk, with call depth tracking to another one
	IndirectITS       = "its"       // jmp to a thunk safe from indirect target selection
)

// Values of Profile.BHI.
const (
	BHIOff       = "off"
	BHILoop      = "loop"            // software loop
	BHILoopGuest = "loop+hypervisor" // software loop in a virtual machine
	BHIHardware  = "hw"              // an instruction
)

// Values of Profile.StackForm.
const (
	StackNear = "near" // a sign-extended 32-bit number: 7 bytes
	StackFar  = "far"  // 10 bytes
)

// Return thunks, values of Profile.ReturnThunk.
const (
	thunkITS       = "its_return_thunk"
	thunkUnret     = "retbleed_return_thunk"
	thunkSRSO      = "srso_return_thunk"
	thunkSRSOAlias = "srso_alias_return_thunk"
	thunkCallDepth = "call_depth_return_thunk"
)

// DefaultProfile is the name of the profile for the newest kernel.
const DefaultProfile = "linux-7.3"

// builtin returns the profile of a version that has one: Debian's cloud kernel on
// a CPU without its own protection from branch target injection, built with IBT,
// SLS and retpolines, which are in use; plain returns. There are exceptions:
//
//   - linux-6.18: a kernel built without IBT and SLS on a CPU that is affected
//     by indirect target selection: retpolines and a return thunk. Option debian
//     makes it Debian's.
//   - linux-6.1: Debian's, without IBT, which its releases did not build in; the
//     JIT does not use BMI2 yet.
//   - linux-6.6: read from source. Structure offsets are those of 6.19 and not to
//     be relied upon.
//   - linux-next: 7.3 with later features, read from source.
func builtin(v kernel.Version) Profile {
	p := Profile{
		Name: v.Name(), Version: v.String(), IBT: true, SLS: true, RetpolineBuild: true, CFI: CFIOff,
		Indirect: IndirectRetpoline, BHI: BHIOff, BMI2: true, SMP: true, KASLR: true,
		OffMaxEntries: 0x44, OffPtrs: 0x130, OffValue: 0x130, OffBPFFunc: 0x48,
	}
	switch v {
	case kernel.Next, 7003:
		p.OffPtrs, p.OffValue = 0x128, 0x128
	case 7001, 7002:
		p.OffMaxEntries = 0x4c
	case 6018:
		p.IBT, p.SLS, p.ReturnThunk = false, false, thunkITS
		p.OffMaxEntries, p.OffPtrs, p.OffValue = 0x4c, 0x138, 0x138
	case 6001:
		p.IBT = false
		p.OffMaxEntries, p.OffPtrs, p.OffValue, p.OffBPFFunc = 0x24, 0x110, 0x110, 0x30
	case 6012, 6016, 6017:
		p.OffMaxEntries, p.OffPtrs, p.OffValue, p.OffBPFFunc = 0x24, 0x108, 0x108, 0x30
	}
	p.Release = recorded(v)
	f := kernel.Of(v)
	p.AXReg = 11
	if f.Has(kernel.StackArgs) {
		p.AXReg = 12
	}
	p.BMI2 = f.Has(kernel.ShiftX)
	p.XchgLock, p.MovImm64Short = f.Has(kernel.LockedXchg), f.Has(kernel.ShortMov64)
	p.Gotox, p.EndbrTargets, p.StackArgs = f.Has(kernel.Gotox), f.Has(kernel.EndbrTargets), f.Has(kernel.StackArgs)
	return p
}

// recorded returns the stable release that the profile of a version describes, 0 if it describes
// none.
func recorded(v kernel.Version) int {
	return map[kernel.Version]int{7003: 4, 7002: 13, 7001: 13, 7000: 13, 6019: 14, 6018: 44, 6017: 13, 6016: 12,
		6012: 117, 6001: 192}[v]
}

// profiles returns the versions that have a built-in profile, newest first.
func profiles() []kernel.Version {
	return []kernel.Version{kernel.Next, 7003, 7002, 7001, 7000, 6019, 6018, 6017, 6016, 6012, 6006, 6001}
}

// nearest returns the newest version with a built-in profile that is not newer
// than v, and whether there is one.
func nearest(v kernel.Version) (kernel.Version, bool) {
	for _, have := range profiles() {
		if have <= v {
			return have, true
		}
	}
	return 0, false
}

// ProfileNames returns the names of the built-in profiles, newest first.
func ProfileNames() []string {
	var names []string
	for _, v := range profiles() {
		names = append(names, v.Name())
	}
	return names
}

// Verified reports whether code of the profile's kernel, options apart, has been
// compared with a running kernel's.
func (p *Profile) Verified() bool {
	v := p.Kernel().Version
	return v != kernel.Next && v != 6006
}

// Title returns the profile's name for people: with "(unverified)" after it when no
// kernel was compared with.
func (p *Profile) Title() string {
	if p.Verified() {
		return p.Name
	}
	return p.Name + " (unverified)"
}

// option is a departure from a built-in profile.
type option struct {
	name string
	doc  string
	on   func(*Profile) // with +
	off  func(*Profile) // with -, nil if that makes no sense
}

// options returns all options in the order of documentation.
func options() []option {
	flag := func(name, doc string, field func(*Profile) *bool) option {
		return option{name, doc,
			func(p *Profile) { *field(p) = true },
			func(p *Profile) { *field(p) = false }}
	}
	indirect := func(name, doc string) option {
		return option{name, doc,
			func(p *Profile) { p.Indirect = name },
			func(p *Profile) {
				if p.Indirect == name {
					p.Indirect = IndirectPlain
				}
			}}
	}
	thunk := func(name, symbol, doc string) option {
		return option{name, doc,
			func(p *Profile) { p.ReturnThunk = symbol },
			func(p *Profile) {
				if p.ReturnThunk == symbol {
					p.ReturnThunk = ""
				}
			}}
	}
	text := func(name, value, none, doc string, field func(*Profile) *string) option {
		return option{name, doc,
			func(p *Profile) { *field(p) = value },
			func(p *Profile) {
				if *field(p) == value {
					*field(p) = none
				}
			}}
	}
	cfi := func(p *Profile) *string { return &p.CFI }
	bhi := func(p *Profile) *string { return &p.BHI }
	stack := func(p *Profile) *string { return &p.StackForm }
	opts := []option{
		flag("ibt", "built with CONFIG_X86_KERNEL_IBT", func(p *Profile) *bool { return &p.IBT }),
		flag("sls", "built with CONFIG_MITIGATION_SLS", func(p *Profile) *bool { return &p.SLS }),
		flag("retpolinebuild", "built with CONFIG_MITIGATION_RETPOLINE",
			func(p *Profile) *bool { return &p.RetpolineBuild }),
		{"plain", "plain indirect jumps", func(p *Profile) { p.Indirect = IndirectPlain }, nil},
		indirect(IndirectRetpoline, "indirect jumps through retpolines"),
		indirect(IndirectLfence, "indirect jumps after LFENCE"),
		indirect(IndirectITS, "indirect jumps through ITS thunks"),
		thunk("itsret", thunkITS, "returns through the ITS thunk"),
		thunk("unret", thunkUnret, "returns through the Retbleed thunk (AMD Zen 1 and 2)"),
		thunk("srso", thunkSRSO, "returns through the SRSO thunk (AMD, families but 19h)"),
		thunk("srsoalias", thunkSRSOAlias, "returns through the SRSO alias thunk (AMD family 19h: Zen 3 and 4)"),
		{"ret", "plain returns", func(p *Profile) { p.ReturnThunk = "" }, nil},
	}
	opts = append(opts, depthOptions()...)
	opts = append(opts, option{"debian", "built as Debian's cloud kernels, as all profiles but linux-6.18 are anyway",
		func(p *Profile) { asDebian(p) }, nil})
	return append(opts,
		flag("bmi2", "CPU has BMI2", func(p *Profile) *bool { return &p.BMI2 }),
		flag("smp", "built with CONFIG_SMP", func(p *Profile) *bool { return &p.SMP }),
		flag("la57", "5-level paging", func(p *Profile) *bool { return &p.LA57 }),
		flag("kaslr", "built with CONFIG_RANDOMIZE_BASE", func(p *Profile) *bool { return &p.KASLR }),
		text("kcfi", CFIKcfi, CFIOff, "built with CONFIG_CFI, no FineIBT", cfi),
		text("fineibt", CFIFine, CFIOff, "FineIBT", cfi),
		text("fineibtbhi", CFIFineBHI, CFIOff, "FineIBT with BHI protection", cfi),
		text("bhiloop", BHILoop, BHIOff, "branch history cleared by a loop", bhi),
		text("bhiloopguest", BHILoopGuest, BHIOff, "the same in a virtual machine", bhi),
		text("bhihw", BHIHardware, BHIOff, "branch history cleared by hardware", bhi),
		text("nearstack", StackNear, "", "private stacks lie in the first chunk of per-CPU memory", stack),
		text("farstack", StackFar, "", "private stacks lie in a later chunk", stack),
	)
}

// depthOptions returns the options for call depth tracking: the mitigation has
// two names, that of the kernel parameter and its own.
func depthOptions() []option {
	on := func(p *Profile) {
		p.CallDepth, p.Indirect, p.ReturnThunk = true, IndirectRetpoline, thunkCallDepth
	}
	off := func(p *Profile) {
		p.CallDepth = false
		if p.ReturnThunk == thunkCallDepth {
			p.ReturnThunk = ""
		}
	}
	doc := "call depth tracking (retbleed=stuff, Intel Skylake)"
	return []option{{"stuff", doc, on, off}, {"calldepth", doc, on, off}}
}

// asDebian makes a profile of 6.18 that of Debian's kernel.
func asDebian(p *Profile) {
	if p.Version != kernel.Version(6018).String() {
		return
	}
	p.Release = 15
	p.IBT, p.SLS, p.ReturnThunk = true, true, ""
	p.OffMaxEntries, p.OffPtrs, p.OffValue = 0x44, 0x130, 0x130
}

// LookupProfile returns the built-in profile of a name such as "linux-7.3",
// changed by options "+name" and "-name" in order: "linux-7.3+plain-bmi2", which
// is the profile's name then. A release, "linux-7.3.4" or "7.3.4", has the profile of its
// series, with its number; a version without one that of the nearest older version, whose StandsFor
// says so. Errors wrap ErrProfile.
func LookupProfile(name string) (Profile, error) {
	base, rest := cutOption(name)
	v, err := kernel.Parse(base)
	have, ok := nearest(v)
	if err == nil && !ok {
		return Profile{}, fmt.Errorf("%w: Linux %s is older than all kernels that are modelled: the oldest is %s",
			ErrProfile, v, kernel.Oldest.Name())
	}
	if err != nil || base == kernel.Next.String() {
		return Profile{}, fmt.Errorf("%w: unknown name %q, want one of %s", ErrProfile, base,
			strings.Join(ProfileNames(), ", "))
	}
	p := builtin(have)
	p.Name += rest
	if have != v {
		p.StandsFor, p.Release = v.Name(), 0
	}
	for rest != "" {
		sign := rest[0]
		var o string
		o, rest = cutOption(rest[1:])
		if err := applyOption(&p, sign == '+', o); err != nil {
			return Profile{}, err
		}
	}
	if n := kernel.StableRelease(base); n != 0 && have == v {
		p.Release = n
	}
	if err := p.check(); err != nil {
		return Profile{}, err
	}
	return p, nil
}

// cutOption splits a profile name before the first + or - that follows a
// version or an option's name. The - of "linux-7.3" belongs to the name.
func cutOption(s string) (head, rest string) {
	from := 0
	if strings.HasPrefix(s, "linux-") {
		from = len("linux-")
	}
	if i := strings.IndexAny(s[from:], "+-"); i >= 0 {
		return s[:from+i], s[from+i:]
	}
	return s, ""
}

// applyOption changes p by an option.
func applyOption(p *Profile, on bool, name string) error {
	for _, o := range options() {
		if o.name != name {
			continue
		}
		f := o.on
		if !on {
			f = o.off
		}
		if f == nil {
			return fmt.Errorf("%w: option -%s has no meaning", ErrProfile, name)
		}
		f(p)
		return nil
	}
	var names []string
	for _, o := range options() {
		names = append(names, o.name)
	}
	return fmt.Errorf("%w: no option %q, want one of %s", ErrProfile, name, strings.Join(names, ", "))
}

// ParseProfile reads a profile from JSON. A member "base" names a profile for
// LookupProfile that the others change; without it all that is not mentioned
// is zero or off. Unknown members are errors, which wrap ErrProfile.
func ParseProfile(data []byte) (Profile, error) {
	var head struct {
		Base string `json:"base"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Profile{}, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	p := struct {
		Base string `json:"base"`
		Profile
	}{Profile: Profile{CFI: CFIOff, Indirect: IndirectPlain, BHI: BHIOff}}
	if head.Base != "" {
		base, err := LookupProfile(head.Base)
		if err != nil {
			return Profile{}, err
		}
		p.Profile = base
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Profile{}, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Profile{}, fmt.Errorf("%w: text after the profile", ErrProfile)
	}
	if err := p.check(); err != nil {
		return Profile{}, err
	}
	return p.Profile, nil
}

// check reports whether the profile's values exist and fit their fields.
func (p *Profile) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w %q: %s", ErrProfile, p.Name, fmt.Sprintf(format, args...))
	}
	oneOf := func(field, value string, known ...string) error {
		for _, k := range known {
			if value == k {
				return nil
			}
		}
		return fail("%s is %q, want one of %s", field, value, strings.Join(known, ", "))
	}
	if v, err := kernel.Parse(p.Version); err != nil || v < kernel.Oldest {
		return fail("version %q, want %v or newer", p.Version, kernel.Oldest)
	}
	if p.AXReg != 11 && p.AXReg != 12 {
		return fail("ax_reg is %d, want 11 or 12", p.AXReg)
	}
	if p.StackArgs && p.AXReg == uint8(paramsReg) {
		return fail("ax_reg is that of stack arguments")
	}
	if v := p.OffMaxEntries; v < -128 || v > 127 {
		return fail("off_max_entries %d does not fit a byte", v)
	}
	if v := p.OffBPFFunc; v < -128 || v > 127 {
		return fail("off_bpf_func %d does not fit a byte", v)
	}
	if v := p.OffPtrs; v < 0 || v > 1<<30 {
		return fail("off_ptrs is %d", v)
	}
	if err := oneOf("cfi", p.CFI, CFIOff, CFIKcfi, CFIFine, CFIFineBHI); err != nil {
		return err
	}
	if err := oneOf("bhi", p.BHI, BHIOff, BHILoop, BHILoopGuest, BHIHardware); err != nil {
		return err
	}
	if err := oneOf("stack_form", p.StackForm, "", StackNear, StackFar); err != nil {
		return err
	}
	return oneOf("indirect", p.Indirect, IndirectPlain, IndirectLfence, IndirectRetpoline, IndirectITS)
}
