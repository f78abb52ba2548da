package jit_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// TestProfileForEnv derives profiles from the machines of all records. What is
// expected is what the recording set up: processor model and kernel parameters
// of each variant.
func TestProfileForEnv(t *testing.T) {
	want := map[string]string{
		"6.1.192.off":      "linux-6.1+plain+la57",
		"6.1.192.default":  "linux-6.1+la57",
		"6.12.117.off":     "linux-6.12+plain+la57",
		"6.12.117.default": "linux-6.12+la57",
		"6.16.12.off":      "linux-6.16+plain+la57",
		"6.16.12.default":  "linux-6.16+la57",
		"6.17.13.off":      "linux-6.17+plain+la57",
		"6.17.13.default":  "linux-6.17+la57",
		"6.18.15.off":      "linux-6.18+debian+plain+la57",
		"6.18.15.default":  "linux-6.18+debian+la57",
		"6.19.14.off":      "linux-6.19+plain+la57",
		"6.19.14.default":  "linux-6.19+la57",
		"6.19.14.intel":    "linux-6.19+itsret",
		"6.19.14.stuff":    "linux-6.19+stuff",
		"6.19.14.unret":    "linux-6.19+unret",
		"7.0.13.off":       "linux-7.0+plain+la57",
		"7.0.13.default":   "linux-7.0+la57",
		"7.1.13.off":       "linux-7.1+plain+la57",
		"7.1.13.default":   "linux-7.1+la57",
		"7.2.13.off":       "linux-7.2+plain+la57",
		"7.2.13.default":   "linux-7.2+la57",
		"7.3.4.off":        "linux-7.3+plain+la57",
		"7.3.4.default":    "linux-7.3+la57",
		"7.3.4.intel":      "linux-7.3+itsret",
		"7.3.4.stuff":      "linux-7.3+stuff",
		"7.3.4.unret":      "linux-7.3+unret",
	}
	seen := map[string]bool{}
	for _, path := range testenv.Glob(t, "records/*.jsonl.gz") {
		env := readEnv(t, path)
		prof, err := jit.ProfileForEnv(env.Release, env.Cmdline, env.Flags, env.Bugs, env.Vulnerabilities)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl.gz")
		_, id, _ := strings.Cut(name, ".")
		switch {
		case want[id] == "":
			t.Errorf("%s: profile %s; name the file NAME.RELEASE.VARIANT.jsonl.gz, and add a row %q to this test that says "+
				"how its machine was set up", path, prof.Name, id)
		case prof.Name != want[id]:
			t.Errorf("%s: profile %s, want %s", path, prof.Name, want[id])
		}
		seen[id] = true
	}
	for label := range want {
		if !seen[label] {
			t.Errorf("no record of %s", label)
		}
	}
}

type recordEnv struct {
	Release, Cmdline string
	Flags            []string `json:"cpu_flags"`
	Bugs             []string `json:"cpu_bugs"`
	Vulnerabilities  map[string]string
}

// readEnv reads the first line of a record file.
func readEnv(t *testing.T, path string) recordEnv {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(z).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var first struct{ Env recordEnv }
	if err := json.Unmarshal(line, &first); err != nil {
		t.Fatal(err)
	}
	return first.Env
}

// TestProfileForEnvTexts covers states of mitigations that no record has, in
// the words of arch/x86/kernel/cpu/bugs.c.
func TestProfileForEnvTexts(t *testing.T) {
	tests := []struct {
		v2, its, srso, bugs, flags, cmdline, want string
	}{
		{v2: "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional", flags: "bmi2", want: "linux-7.3+plain"},
		{v2: "Mitigation: Enhanced / Automatic IBRS; BHI: SW loop", its: "Mitigation: Aligned branch/return thunks",
			flags: "bmi2 la57", want: "linux-7.3+its+itsret+la57+bhiloop"},
		{v2: "Mitigation: Enhanced / Automatic IBRS; BHI: SW loop", flags: "bmi2 hypervisor",
			want: "linux-7.3+plain+bhiloopguest"},
		{v2: "Mitigation: Enhanced / Automatic IBRS; BHI: BHI_DIS_S", flags: "bmi2", want: "linux-7.3+plain+bhihw"},
		{v2: "Mitigation: Enhanced / Automatic IBRS + Retpolines; BHI: Retpoline", flags: "bmi2", want: "linux-7.3"},
		{v2: "Vulnerable: LFENCE", flags: "bmi2", want: "linux-7.3+lfence"},
		{v2: "Mitigation: Retpolines", srso: "Mitigation: Safe RET", bugs: "retbleed", flags: "bmi2", want: "linux-7.3+srso"},
		{v2: "Mitigation: Retpolines", srso: "Mitigation: Safe RET", flags: "bmi2", want: "linux-7.3+srsoalias"},
		{v2: "Vulnerable", cmdline: "setcpuid=682 quiet", want: "linux-7.3+its-bmi2"},
	}
	for _, tt := range tests {
		states := map[string]string{
			"spectre_v2": tt.v2, "indirect_target_selection": tt.its, "spec_rstack_overflow": tt.srso,
		}
		prof, err := jit.ProfileForEnv("7.3.4", tt.cmdline, strings.Fields(tt.flags), strings.Fields(tt.bugs), states)
		if err != nil || prof.Name != tt.want {
			t.Errorf("%+v: %s, %v", tt, prof.Name, err)
		}
	}
	for _, release := range []string{"", "5.10.1", "six"} {
		if _, err := jit.ProfileForEnv(release, "", nil, nil, nil); !errors.Is(err, jit.ErrProfile) {
			t.Errorf("release %q: %v", release, err)
		}
	}
}

// TestLookupProfile checks names and options.
func TestLookupProfile(t *testing.T) {
	for _, name := range jit.ProfileNames() {
		if _, err := jit.LookupProfile(name); err != nil {
			t.Error(err)
		}
	}
	for _, text := range jit.ProfileOptions() {
		name, doc, _ := strings.Cut(text, ": ")
		p, err := jit.LookupProfile("linux-7.3+" + name)
		if err != nil || doc == "" || p.Name != "linux-7.3+"+name {
			t.Errorf("%q: %s, %v", text, p.Name, err)
		}
	}
	p, err := jit.LookupProfile("linux-7.3-ibt-sls+stuff-bmi2")
	if err != nil {
		t.Fatal(err)
	}
	if p.IBT || p.SLS || p.BMI2 || !p.CallDepth || p.ReturnThunk != "call_depth_return_thunk" {
		t.Errorf("%+v", p)
	}
	for _, name := range []string{
		"", "linux", "linux-5.10", "next", "linux-7.3+", "linux-7.3+wrong", "linux-7.3-plain", "linux-7.3++ibt",
	} {
		if p, err := jit.LookupProfile(name); !errors.Is(err, jit.ErrProfile) {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
}

// TestStandsFor checks what stands for a kernel that has no profile.
func TestStandsFor(t *testing.T) {
	newest := jit.ProfileNames()[1] // behind linux-next
	for name, want := range map[string][2]string{
		"linux-7.3": {"linux-7.3", ""}, "linux-7.3.4+plain": {"linux-7.3+plain", ""}, "linux-next": {"linux-next", ""},
		"7.3": {"linux-7.3", ""}, "6.12.117+plain": {"linux-6.12+plain", ""},
		"linux-99.1": {newest, "linux-99.1"}, "linux-6.13.2-bmi2": {"linux-6.12-bmi2", "linux-6.13"},
	} {
		if p, err := jit.LookupProfile(name); err != nil || p.Name != want[0] || p.StandsFor != want[1] {
			t.Errorf("%s: %s stands for %q, %v; want %q", name, p.Name, p.StandsFor, err, want)
		}
	}
	p, err := jit.ProfileForEnv("99.1.1", "", []string{"bmi2"}, nil, map[string]string{"spectre_v2": "Retpolines"})
	if err != nil || p.Name != newest || p.StandsFor != "linux-99.1" {
		t.Errorf("99.1.1: %s stands for %q, %v", p.Name, p.StandsFor, err)
	}
}

// TestParseProfile checks that JSON says all of a profile, and what is refused.
func TestParseProfile(t *testing.T) {
	want, err := jit.LookupProfile("linux-6.18+kcfi")
	if err != nil {
		t.Fatal(err)
	}
	want.Symbols = map[string]uint64{"its_return_thunk": 0xffffffff822057e0}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jit.ParseProfile(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got, err = jit.ParseProfile([]byte(`{"base": "linux-7.3+plain", "name": "mine", "off_ptrs": 320}`))
	if err != nil || got.Name != "mine" || got.OffPtrs != 320 || got.Indirect != jit.IndirectPlain || !got.IBT {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		``, `[]`, `{}`, `{"base": "linux-1"}`, `{"base": "linux-7.3", "ibtt": true}`, `{"base": "linux-7.3"} x`,
		`{"base": "linux-7.3", "indirect": "maybe"}`, `{"base": "linux-7.3", "version": "5.4"}`,
		`{"base": "linux-7.3", "ax_reg": 11}`, `{"base": "linux-7.3", "off_bpf_func": 200}`,
		`{"base": "linux-7.3", "cfi": "on"}`, `{"base": "linux-7.3", "bhi": "x"}`, `{"base": "linux-7.3", "ax_reg": 3}`,
	} {
		if p, err := jit.ParseProfile([]byte(bad)); !errors.Is(err, jit.ErrProfile) {
			t.Errorf("%s: %+v, %v", bad, p, err)
		}
	}
}

// TestStableReleases checks which stable release a profile is of, as releases of a series differ.
func TestStableReleases(t *testing.T) {
	for name, want := range map[string]int{
		"linux-7.3": 4, "linux-6.12": 117, "linux-6.12.90": 90, "6.12.90+plain": 90, "linux-6.18": 44,
		"linux-6.18+debian": 15, "linux-6.18.3+debian": 3, "linux-6.14": 0, "linux-6.14.3": 0, "linux-next": 0,
	} {
		prof, err := jit.LookupProfile(name)
		if err != nil || prof.Release != want {
			t.Errorf("LookupProfile(%q) has release %d, %v; want %d", name, prof.Release, err, want)
		}
	}
	for release, want := range map[string]int{
		"7.3.4+deb13-cloud-amd64": 4, "6.18.16+deb13-cloud-amd64": 16, "6.12.0-55.el10.x86_64": 0, "6.14.3": 0,
		"6.1.0-56-cloud-amd64": 192, "6.1.0-57-cloud-amd64": 0, "6.1.0-55.el9": 0,
	} {
		prof, err := jit.ProfileForEnv(release, "", nil, nil, nil)
		if err != nil || prof.Release != want {
			t.Errorf("ProfileForEnv(%q) has release %d, %v; want %d", release, prof.Release, err, want)
		}
	}
}
