package host

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// machine writes the files of a made-up machine and derives its profile.
func machine(t *testing.T, files map[string]string) (*Result, error) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("profiles of the running machine are for Linux on x86-64")
	}
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return derive(root, live.NewKernel(), false)
}

const (
	release         = "proc/sys/kernel/osrelease"
	cpuinfo         = "proc/cpuinfo"
	vulnerabilities = "sys/devices/system/cpu/vulnerabilities/"
)

// packed returns text as /proc/config.gz has it.
func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFiles(t *testing.T) {
	zen3 := "processor : 0\ncpu family\t: 25\nflags\t\t: fpu bmi2 la57\nbugs\t\t: spectre_v2 srso\n\nprocessor : 1\nflags : none\n"
	zen5 := strings.Replace(zen3, "25", "26", 1)
	safeRet := map[string]string{release: "7.3.4\n", vulnerabilities + "spec_rstack_overflow": "Mitigation: Safe RET\n",
		vulnerabilities + "spectre_v2": "Mitigation: Retpolines; STIBP: disabled"}
	with := func(more ...string) map[string]string {
		m := map[string]string{}
		for k, v := range safeRet {
			m[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	options := "CONFIG_SMP=y\n# CONFIG_X86_KERNEL_IBT is not set\nCONFIG_MITIGATION_RETPOLINE=y\nCONFIG_MITIGATION_SLS=y\n"
	tests := []struct {
		name  string
		files map[string]string
		check func(p jit.Profile) bool
	}{
		{"family 25 returns through the alias", with(cpuinfo, zen3),
			func(p jit.Profile) bool { return p.ReturnThunk == "srso_alias_return_thunk" && p.BMI2 && p.LA57 }},
		{"family 26 does not", with(cpuinfo, zen5),
			func(p jit.Profile) bool { return p.ReturnThunk == "srso_return_thunk" }},
		{"flags are those of the first CPU", with(cpuinfo, "flags : fpu\n\nflags : bmi2\n"),
			func(p jit.Profile) bool { return !p.BMI2 }},
		{"built-in options without a configuration", with(),
			func(p jit.Profile) bool { return p.IBT && p.SLS && p.SMP && p.KASLR && p.CFI == jit.CFIOff }},
		{"packed configuration", with("proc/config.gz", packed(t, options)),
			func(p jit.Profile) bool { return !p.IBT && p.SLS && p.SMP && !p.KASLR && p.RetpolineBuild }},
		{"configuration below /boot", with("boot/config-7.3.4", options),
			func(p jit.Profile) bool { return !p.IBT && p.SLS && p.SMP && !p.KASLR && p.RetpolineBuild }},
		{"older names of options", with("boot/config-7.3.4", "CONFIG_SLS=y\nCONFIG_RETPOLINE=y\n"),
			func(p jit.Profile) bool { return p.SLS && p.RetpolineBuild }},
		{"a configuration that is cut off", with("proc/config.gz", packed(t, options)[:20]),
			func(p jit.Profile) bool { return p.IBT }},
		{"control-flow integrity", with("boot/config-7.3.4", "CONFIG_CFI_CLANG=y\nCONFIG_FINEIBT=y\nCONFIG_X86_KERNEL_IBT=y\n"),
			func(p jit.Profile) bool { return p.CFI == jit.CFIFine }},
		{"types that are none", with("sys/kernel/btf/vmlinux", "garbage"),
			func(p jit.Profile) bool { return p.OffPtrs == 0x128 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := machine(t, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if r.Profile.Name != Name || r.Profile.Version != "7.3" || !tt.check(r.Profile) {
				t.Errorf("profile %+v\nfindings %v\nnotes %q", r.Profile, r.Findings, r.Notes)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	tests := []struct{ release, version, base string }{
		{"6.18.44-fc\n", "6.18", "linux-6.18"},
		{"7.3.4", "7.3", "linux-7.3"},
		{"7.12.0-rc1+", "7.12", "linux-7.3"}, // the newest that is known
		{"6.13", "6.13", "linux-6.12"},       // between two
		{"6.10.3", "6.10", "linux-6.6"},
	}
	for _, tt := range tests {
		r, err := machine(t, map[string]string{release: tt.release})
		if err != nil {
			t.Errorf("%s: %v", tt.release, err)
			continue
		}
		if r.Profile.Version != tt.version || !strings.HasPrefix(r.Base, tt.base) {
			t.Errorf("%s: version %s, base %s, want %s, %s", tt.release, r.Profile.Version, r.Base, tt.version, tt.base)
		}
	}
	for _, bad := range []string{"", "six", "6", "5.15.0", "6.x"} {
		if r, err := machine(t, map[string]string{release: bad}); err == nil {
			t.Errorf("release %q: profile %+v", bad, r.Profile)
		} else if !errors.Is(err, ErrMachine) && !errors.Is(err, jit.ErrProfile) {
			t.Errorf("release %q: %v", bad, err)
		}
	}
}

// TestRunningMachine holds three independent sources against each other: what
// files and types say, and what the machine's compiler does. They must agree
// wherever two of them know.
func TestRunningMachine(t *testing.T) {
	testenv.NeedKernel(t)
	k := live.NewKernel()
	told, err := derive("/", k, false)
	if err != nil {
		t.Fatal(err)
	}
	probed, err := derive("/", k, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range probed.Notes {
		if strings.Contains(n, "probe") || strings.Contains(n, "not known") {
			t.Error(n)
		}
	}
	byProbe := 0
	known := map[string]string{}
	for _, f := range told.Findings {
		known[f.Member] = f.From
	}
	for _, f := range probed.Findings {
		if f.From == Probed {
			byProbe++
		}
		if f.From == Probed && known[f.Member] == Assumed {
			t.Logf("only probed: %s", f.Member)
		}
	}
	const least = 15
	if byProbe < least {
		t.Errorf("only %d members were probed: %v", byProbe, probed.Findings)
	}
	want := told.Profile
	for member, set := range map[string]func(){ // what nothing but a probe tells
		"this_cpu_off":    func() { want.ThisCPUOff = probed.Profile.ThisCPUOff },
		"ax_reg":          func() { want.AXReg = probed.Profile.AXReg },
		"stack_args":      func() { want.StackArgs = probed.Profile.StackArgs },
		"xchg_lock":       func() { want.XchgLock = probed.Profile.XchgLock },
		"gotox":           func() { want.Gotox = probed.Profile.Gotox },
		"endbr_targets":   func() { want.EndbrTargets = probed.Profile.EndbrTargets },
		"mov_imm64_short": func() { want.MovImm64Short = probed.Profile.MovImm64Short },
	} {
		if known[member] == Assumed {
			set()
		}
	}
	if d := cmp.Diff(want, probed.Profile); d != "" {
		t.Errorf("files and types (-), compiled code (+):\n%s", d)
	}
}
