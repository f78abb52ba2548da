// Package host derives the profile of the running machine: everything outside of the program that
// determines the code of its JIT.
//
//	r, err := host.Derive(live.NewKernel())
//	fmt.Println(r.Profile.ReturnThunk)      // srso_return_thunk
//	for _, f := range r.Findings { … }      // return_thunk: probed, read in compiled code
//
// The values come from four sources, each better than the one before it: the built-in profile for
// the kernel's version (assumed), the files in which the kernel describes its machine, its build
// options and types, and code that it compiled: tiny programs that are loaded, read and unloaded
// again at once, where the caller may do that. Nothing is attached and nothing changed.
//
// A value without a source stays as assumed, and the findings mark it.
package host

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Places that a finding comes from.
const (
	Assumed = "assumed" // the built-in profile's, or a rule of the version
	File    = "file"    // /proc and /sys
	Config  = "config"  // the kernel's build options
	Types   = "types"   // the kernel's types
	Probed  = "probed"  // compiled code
)

// Finding says where a member of the profile comes from.
type Finding struct {
	Member string // JSON name of the profile's member
	From   string // Assumed, File, Config, Types or Probed
	Why    string // the evidence
}

// Result is the profile of the running machine.
type Result struct {
	Profile  jit.Profile
	Base     string    // name of the built-in profile, with options, that it began with
	Findings []Finding // the last one for each member, in a fixed order
	Notes    []string  // sources that could not be read, and why
}

// Name is the name of the running machine's profile.
const Name = "host"

// ErrMachine is returned when the running machine is not one that profiles exist for.
var ErrMachine = errors.New("no profile of this machine: profiles are for Linux on x86-64")

// Derive returns the profile of the running machine. It loads programs if the
// caller may; Result.Findings has the results.
func Derive(k *live.Kernel) (*Result, error) { return derive("/", k, true) }

// derive is Derive with the files below root, and with or without probes.
func derive(root string, k *live.Kernel, probes bool) (*Result, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return nil, ErrMachine
	}
	d := &deriver{root: root, r: &Result{}, from: map[string]Finding{}}
	if err := d.base(); err != nil {
		return nil, err
	}
	d.config()
	d.types()
	if probes {
		d.probe(k)
	} else {
		d.note("no programs were loaded")
	}
	d.r.Profile.Name = Name
	for _, m := range members {
		if f, ok := d.from[m]; ok {
			d.r.Findings = append(d.r.Findings, f)
		}
	}
	return d.r, nil
}

// members lists the profile's members in the order of findings.
var members = []string{
	"version", "ibt", "sls", "retpoline_build", "cfi", "return_thunk", "indirect", "call_depth", "bhi", "bmi2", "smp",
	"la57", "kaslr", "ax_reg", "xchg_lock", "gotox", "endbr_targets", "stack_args", "mov_imm64_short",
	"off_max_entries", "off_ptrs", "off_value", "off_bpf_func", "this_cpu_off",
}

// deriver is the work of one Derive.
type deriver struct {
	root string
	r    *Result
	from map[string]Finding
}

// found records the source of members.
func (d *deriver) found(from, why string, members ...string) {
	for _, m := range members {
		d.from[m] = Finding{m, from, why}
	}
}

// note records a source that could not be read.
func (d *deriver) note(format string, args ...any) {
	d.r.Notes = append(d.r.Notes, fmt.Sprintf(format, args...))
}

// read returns the content of a file, nothing when it cannot be read.
func (d *deriver) read(path string) string {
	b, _ := os.ReadFile(filepath.Join(d.root, path))
	return string(b)
}

// base takes the built-in profile for the kernel's version, or the newest one before it, with the
// mitigations that the kernel reports.
func (d *deriver) base() error {
	release := strings.TrimSpace(d.read("proc/sys/kernel/osrelease"))
	version, err := kernel.Parse(release)
	if err != nil {
		return fmt.Errorf("kernel release %q: %w", release, ErrMachine)
	}
	flags, bugs, family := cpuInfo(d.read("proc/cpuinfo"))
	vulnerabilities := map[string]string{}
	dir := filepath.Join(d.root, "sys/devices/system/cpu/vulnerabilities")
	if list, err := os.ReadDir(dir); err == nil {
		for _, e := range list {
			vulnerabilities[e.Name()] = strings.TrimSpace(d.read("sys/devices/system/cpu/vulnerabilities/" + e.Name()))
		}
	}
	prof, err := jit.ProfileForEnv(release, d.read("proc/cmdline"), flags, bugs, vulnerabilities)
	if err != nil {
		return fmt.Errorf("kernel release %q: %w", release, err)
	}
	d.found(Assumed, "as in "+prof.Name, members...)
	if prof.StandsFor != "" {
		d.note("there is no built-in profile for Linux %s: its build is taken from %s", version, prof.Version)
	}
	d.r.Base, d.r.Profile = prof.Name, prof
	d.r.Profile.Version, d.r.Profile.StandsFor = version.String(), ""
	d.found(File, "/proc/sys/kernel/osrelease", "version")
	d.found(File, "flags in /proc/cpuinfo", "bmi2", "la57")
	d.found(File, "/sys/devices/system/cpu/vulnerabilities", "return_thunk", "indirect", "call_depth", "bhi")
	// The text does not show which of the two thunks is in use; the CPU's
	// family does (srso_select_mitigation in arch/x86/kernel/cpu/bugs.c).
	if strings.HasPrefix(prof.ReturnThunk, "srso") && family != 0 {
		d.r.Profile.ReturnThunk = "srso_return_thunk"
		if family == 0x19 {
			d.r.Profile.ReturnThunk = "srso_alias_return_thunk"
		}
	}
	return nil
}

// cpuInfo returns flags, bugs and family of the first CPU.
func cpuInfo(text string) (flags, bugs []string, family int) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "flags":
			flags = strings.Fields(value)
		case "bugs":
			bugs = strings.Fields(value)
		case "cpu family":
			family, _ = strconv.Atoi(strings.TrimSpace(value))
		case "":
			return flags, bugs, family // the next CPU
		}
	}
	return flags, bugs, family
}

// config takes build options from the kernel's configuration.
func (d *deriver) config() {
	text, where := d.configText()
	if text == "" {
		d.note("the kernel's build options are not shown: neither /proc/config.gz nor /boot/config-* can be read")
		return
	}
	on := map[string]bool{}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), "=y"); ok {
			on[name] = true
		}
	}
	p := &d.r.Profile
	p.IBT = on["CONFIG_X86_KERNEL_IBT"]
	p.SLS = on["CONFIG_MITIGATION_SLS"] || on["CONFIG_SLS"]
	p.RetpolineBuild = on["CONFIG_MITIGATION_RETPOLINE"] || on["CONFIG_RETPOLINE"]
	p.SMP = on["CONFIG_SMP"]
	p.KASLR = on["CONFIG_RANDOMIZE_BASE"]
	d.found(Config, where, "ibt", "sls", "retpoline_build", "smp", "kaslr")
	switch {
	case !on["CONFIG_CFI_CLANG"] && !on["CONFIG_CFI"]:
		p.CFI = jit.CFIOff
		d.found(Config, where, "cfi")
	case p.CFI == jit.CFIOff:
		p.CFI = jit.CFIKcfi
		if on["CONFIG_FINEIBT"] && p.IBT {
			p.CFI = jit.CFIFine
		}
		d.found(Assumed, "the build has control-flow integrity; which kind is in use is not shown", "cfi")
	}
}

// maxConfig bounds an unpacked configuration in bytes.
const maxConfig = 16 << 20

// configText returns the kernel's configuration, and where it was found.
func (d *deriver) configText() (text, where string) {
	if packed := d.read("proc/config.gz"); packed != "" {
		if z, err := gzip.NewReader(bytes.NewReader([]byte(packed))); err == nil {
			if b, err := io.ReadAll(io.LimitReader(z, maxConfig)); err == nil {
				return string(b), "/proc/config.gz"
			}
		}
	}
	release := strings.TrimSpace(d.read("proc/sys/kernel/osrelease"))
	for _, path := range []string{"boot/config-" + release, "lib/modules/" + release + "/config"} {
		if text := d.read(path); text != "" {
			return text, "/" + path
		}
	}
	return "", ""
}
