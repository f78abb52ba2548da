package jit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// ProfileForEnv returns the profile of a running or recorded machine:
//
//	release          uname -r
//	cmdline          /proc/cmdline
//	cpuFlags         flags of /proc/cpuinfo
//	cpuBugs          bugs of /proc/cpuinfo
//	vulnerabilities  /sys/devices/system/cpu/vulnerabilities, by file name
//
// The kernel's version and the state of its mitigations come from these; build options and
// structure offsets are not visible there; they are those of the built-in profile for the version,
// or of the nearest older one (LookupProfile). A release older than all is an error that wraps
// ErrProfile.
//
// Source: the texts of arch/x86/kernel/cpu/bugs.c, Linux 6.18 to 7.3.
func ProfileForEnv(release, cmdline string, cpuFlags, cpuBugs []string,
	vulnerabilities map[string]string) (Profile, error) {
	v, err := kernel.Parse(release)
	have, ok := nearest(v)
	if err != nil || !ok {
		return Profile{}, fmt.Errorf("%w: no built-in profile for kernel %q", ErrProfile, release)
	}
	p := builtin(have)
	if have == 6018 && strings.Contains(release, "+deb") {
		p.Name += "+debian"
		asDebian(&p)
	}
	e := env{flags: cpuFlags, bugs: cpuBugs, vulnerabilities: vulnerabilities, forced: forcedFeatures(cmdline)}
	want := p
	want.BMI2 = p.BMI2 && slices.Contains(cpuFlags, "bmi2")
	want.LA57 = slices.Contains(cpuFlags, "la57")
	want.CallDepth = e.has("retbleed", "Mitigation: Stuffing")
	want.Indirect = e.indirect()
	want.ReturnThunk = e.returnThunk()
	want.BHI = e.bhi()
	named, err := LookupProfile(v.Name() + strings.TrimPrefix(p.Name, have.Name()) + departures(p, want))
	if have == v {
		named.Release = stableRelease(release)
	}
	return named, err
}

// stableRelease returns the number of a stable release, 0 when it is not known. Debian 12 counts its
// kernels itself: 6.1.0-55 and 6.1.0-56 are 6.1.192.
func stableRelease(release string) int {
	if strings.HasPrefix(release, "6.1.0-55-") || strings.HasPrefix(release, "6.1.0-56-") {
		return 192
	}
	return kernel.StableRelease(release)
}

// env is the part of a machine's description that determines mitigations.
type env struct {
	flags, bugs     []string
	vulnerabilities map[string]string
	forced          []string // numbers of CPU features forced on
}

// has reports whether the state of a vulnerability contains text.
func (e *env) has(name, text string) bool { return strings.Contains(e.vulnerabilities[name], text) }

// Numbers of synthetic CPU features that no file shows, for the kernel
// parameter setcpuid (arch/x86/include/asm/cpufeatures.h).
const (
	featureClearLoop = "673" // X86_FEATURE_CLEAR_BHB_LOOP
	featureClearHW   = "675" // X86_FEATURE_CLEAR_BHB_HW
	featureITSThunk  = "682" // X86_FEATURE_INDIRECT_THUNK_ITS
)

// forcedFeatures returns the CPU features that a command line forces on.
func forcedFeatures(cmdline string) []string {
	var list []string
	for word := range strings.FieldsSeq(cmdline) {
		if v, ok := strings.CutPrefix(word, "setcpuid="); ok {
			list = append(list, strings.Split(v, ",")...)
		}
	}
	return list
}

// indirect returns the form of indirect jumps. ITS thunks are for CPUs whose protection from
// Spectre v2 is not the retpoline.
func (e *env) indirect() string {
	const v2 = "spectre_v2"
	switch {
	case slices.Contains(e.forced, featureITSThunk):
		return IndirectITS
	case e.has(v2, "LFENCE"):
		return IndirectLfence
	case e.has(v2, "Retpolines"):
		return IndirectRetpoline
	case e.has("indirect_target_selection", "Aligned branch/return thunks"):
		return IndirectITS
	}
	return IndirectPlain
}

// returnThunk returns the symbol that functions return through.
func (e *env) returnThunk() string {
	switch {
	case e.has("retbleed", "Mitigation: Stuffing"):
		return thunkCallDepth
	case e.has("spec_rstack_overflow", "Safe RET") && slices.Contains(e.bugs, "retbleed"):
		return thunkSRSO // family 17h, which alone has Retbleed, too; later ones than 19h are taken for 19h
	case e.has("spec_rstack_overflow", "Safe RET"):
		return thunkSRSOAlias
	case e.has("retbleed", "untrained return thunk"):
		return thunkUnret
	case e.has("indirect_target_selection", "Aligned branch/return thunks"):
		return thunkITS
	}
	return ""
}

// bhi returns how branch history is cleared.
func (e *env) bhi() string {
	guest := slices.Contains(e.flags, "hypervisor")
	loop := slices.Contains(e.forced, featureClearLoop) || e.has("spectre_v2", "BHI: SW loop")
	switch {
	case loop && guest:
		return BHILoopGuest
	case loop:
		return BHILoop
	case slices.Contains(e.forced, featureClearHW) || e.has("spectre_v2", "BHI: BHI_DIS_S"):
		return BHIHardware
	}
	return BHIOff
}

// departures returns the options that turn profile from into to.
func departures(from, to Profile) string {
	var s strings.Builder
	flag := func(name string, a, b bool) {
		switch {
		case b && !a:
			s.WriteString("+" + name)
		case a && !b:
			s.WriteString("-" + name)
		}
	}
	choice := func(a, b string, names map[string]string) {
		if a != b {
			s.WriteString("+" + names[b])
		}
	}
	if to.CallDepth {
		s.WriteString("+stuff")
		from.CallDepth, from.Indirect, from.ReturnThunk = true, IndirectRetpoline, thunkCallDepth
	}
	choice(from.Indirect, to.Indirect, map[string]string{
		IndirectPlain: "plain", IndirectITS: "its", IndirectLfence: "lfence", IndirectRetpoline: "retpoline"})
	choice(from.ReturnThunk, to.ReturnThunk, map[string]string{
		"": "ret", thunkITS: "itsret", thunkUnret: "unret", thunkSRSO: "srso", thunkSRSOAlias: "srsoalias"})
	flag("bmi2", from.BMI2, to.BMI2)
	flag("la57", from.LA57, to.LA57)
	choice(from.BHI, to.BHI, map[string]string{
		BHIOff: "bhioff", BHILoop: "bhiloop", BHILoopGuest: "bhiloopguest", BHIHardware: "bhihw"})
	return s.String()
}
