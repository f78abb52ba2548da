package native_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/native"
)

// TestCrash checks that a wrong image ends in a failed child process, and so in a
// failed test: a load through a null pointer, which no verifier would let pass.
func TestCrash(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("images are for linux/amd64")
	}
	if os.Getenv(childEnv) != "" {
		p := &bytecode.Program{Name: "crash", Type: "syscall", Insns: []bytecode.Insn{
			{Code: 0xb7, Dst: 2},         // r2 = 0
			{Code: 0x79, Dst: 0, Src: 2}, // r0 = *(u64 *)(r2 +0)
			{Code: bytecode.CodeExit},
		}}
		p.Subprogs = []bytecode.Subprogram{{Name: "crash", End: p.Len()}}
		code, why := place(t, p, profile(t, profiles[0]))
		if why != "" {
			t.Skip(why)
		}
		r0, err := code.Run(nil)
		t.Logf("still here: %d, %v", r0, err)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"=none")
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "--- SKIP"):
		t.Skip(string(out))
	case err == nil:
		t.Errorf("a null pointer was followed without a crash:\n%s", out)
	}
}

// TestMissing checks that an image that needs a kernel is refused.
func TestMissing(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("images are for linux/amd64")
	}
	p := &bytecode.Program{Name: "missing", Type: "syscall", Insns: []bytecode.Insn{
		{Code: bytecode.CodeCall, Imm: 14}, // bpf_get_current_pid_tgid
		{Code: bytecode.CodeExit},
	}}
	p.Subprogs = []bytecode.Subprogram{{Name: "missing", End: p.Len()}}
	_, why := place(t, p, profile(t, profiles[0]))
	if !strings.HasPrefix(why, native.ErrMissing.Error()) || !strings.Contains(why, "pid_tgid") {
		t.Errorf("loading a call of bpf_get_current_pid_tgid: %q", why)
	}
}
