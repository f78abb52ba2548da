package native_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/native"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// childEnv marks a process that runs images, and names the file where it notes
// what it is at.
const childEnv = "BPFCFG_NATIVE_CHILD"

// inChild runs the test in a process of its own, because a wrong image ends the
// process, and reports whether this is that process. In the parent it has the
// child's output logged, and a child that crashed fails the test.
func inChild(t *testing.T) bool {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skipf("images are for linux/amd64, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	if os.Getenv(childEnv) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m")
	// Signals that stop a goroutine for the scheduler find an unknown stack;
	// the runtime copes, but nothing is gained by them here.
	last := filepath.Join(t.TempDir(), "last")
	cmd.Env = append(os.Environ(), childEnv+"="+last, "GODEBUG=asyncpreemptoff=1")
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	switch {
	case err != nil:
		about, _ := os.ReadFile(last) // absent when the child did not get far
		t.Fatalf("running images: %v\nlast begun: %s\n%s", err, about, tail(text, 4000))
	case strings.Contains(text, "--- SKIP"):
		t.Skip(text)
	}
	t.Log(text)
	return false
}

// begin notes what is about to be run, for the parent to tell after a crash.
func begin(t *testing.T, format string, args ...any) {
	t.Helper()
	if err := os.WriteFile(os.Getenv(childEnv), fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tail returns the end of a text.
func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// profiles are the ones whose code runs outside of a kernel: no thunks.
var profiles = []string{"linux-7.3+plain", "linux-7.3+plain-ibt-sls-bmi2", "linux-6.19+plain", "linux-6.18+plain+ret"}

// profile looks a profile up.
func profile(t testing.TB, name string) jit.Profile {
	t.Helper()
	prof, err := jit.LookupProfile(name)
	if err != nil {
		t.Fatal(err)
	}
	return prof
}

// place predicts and loads a program. why says what stands in the way when that
// is no fault of ours.
func place(t testing.TB, p *bytecode.Program, prof jit.Profile) (code *native.Code, why string) {
	t.Helper()
	return placeWith(t, p, prof, rewrite.Options{}, 0)
}

// placeWith is place with options for the rewrites, and with another number of
// rounds for may_goto unless that is 0.
func placeWith(t testing.TB, p *bytecode.Program, prof jit.Profile, opt rewrite.Options,
	rounds int32) (code *native.Code, why string) {
	t.Helper()
	a, err := pipeline.Run(p, prof, opt)
	if err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	switch {
	case a.RewriteErr != nil:
		return nil, "no xlated program: " + a.RewriteErr.Error()
	case a.Rewrite.Build != "":
		return nil, "accesses to structures as they lie in one kernel's build"
	case len(a.Rewrite.Unpredicted) > 0:
		return nil, "unpredicted instructions, such as accesses to a kernel's context"
	}
	for _, in := range a.Succ.Indirect {
		for _, to := range in.Exact {
			if in.Op == "gotox" && in.Reached && a.Rewrite.Xlated[to] == jit.Deleted {
				// Linux 7.3 jumps to address 0 there: it removes a jump that goes
				// nowhere, and the table entry that leads to it with it
				// (kernel/bpf/bpf_insn_array.c bpf_insn_array_adjust_after_remove).
				return nil, "a gotox leads to an instruction that the kernel removes"
			}
		}
	}
	if rounds > 0 {
		lowerMayGoto(a.Rewrite, rounds)
	}
	code, err = native.Load(p, a.Rewrite.Program, prof, native.Options{})
	switch {
	case errors.Is(err, native.ErrUnsupported):
		t.Skip(err)
	case errors.Is(err, native.ErrMissing):
		return nil, err.Error()
	case err != nil:
		t.Fatalf("%s: %v", p.Name, err)
	}
	return code, ""
}

// lowerMayGoto changes the number that the rewrites have may_goto's counter start
// with, in what they put before a function: *(u64 *)(r10 - N) = 65535.
func lowerMayGoto(x *rewrite.Result, rounds int32) {
	for i, in := range x.Program.Insns {
		if x.Original[i] < 0 && in.Code == 0x7a && in.Dst == bytecode.R10 && in.Imm == native.MayGoto {
			x.Program.Insns[i].Imm = rounds
		}
	}
}

// skipBMI2 reports whether the profile's code needs instructions that this CPU
// does not have.
func skipBMI2(t testing.TB, prof jit.Profile) bool {
	t.Helper()
	if prof.BMI2 && !cpu.X86.HasBMI2 {
		t.Logf("%s: not run, the CPU has no BMI2", prof.Name)
		return true
	}
	return false
}
