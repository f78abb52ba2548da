package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/ask"
)

// Kernels to ask in tests: an image for QEMU, and user-mode Linux.
const (
	vmVariable  = "BPFCFG_VM"
	umlVariable = "BPFCFG_UML"
)

// staticProgram builds the command as docs/ask.md says, without C, and returns its
// path.
func staticProgram(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("guests are Linux on x86-64")
	}
	path := filepath.Join(t.TempDir(), "bpfcfg")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// TestStatic states that the command needs no libraries: it is the first process of
// a guest.
func TestStatic(t *testing.T) {
	data, err := os.ReadFile(staticProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := ask.Static(data); err != nil {
		t.Error(err)
	}
}

// jumps returns the condition [gotox]: whether a user-mode Linux, which prints its
// release, has indirect jumps.
func jumps(uml string) func(string) (bool, error) {
	return func(string) (bool, error) {
		out, err := exec.Command(uml, "--version").Output()
		if err != nil {
			return false, err
		}
		v, err := kernel.Parse(strings.TrimSpace(string(out)))
		return err == nil && v >= kernel.Version(6019), err
	}
}

// TestAsk runs the scripts that start kernels, those that are there.
func TestAsk(t *testing.T) {
	vm, uml := os.Getenv(vmVariable), os.Getenv(umlVariable)
	if vm == "" && uml == "" {
		t.Skipf("no kernel to ask: %s=IMAGE (with QEMU) or %s=BINARY names one", vmVariable, umlVariable)
	}
	data, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	program := staticProgram(t)
	for name, file := range map[string]string{"vm": vm, "uml": uml} {
		if file == "" {
			t.Logf("skipped: no kernel for the scripts of %s", name)
			continue
		}
		testscript.Run(t, testscript.Params{
			Files:               []string{filepath.Join("testdata", "ask", name+".txtar")},
			RequireExplicitExec: true,
			Condition:           jumps(file),
			Setup: func(e *testscript.Env) error {
				e.Setenv("TESTDATA", data)
				e.Setenv("BPFCFG", program)
				e.Setenv("KERNEL", file)
				return nil
			},
		})
	}
}

// TestAskOutputs checks where answers are saved: each kernel has a file of its own, even if their
// images have the same name.
func TestAskOutputs(t *testing.T) {
	one := []ask.Machine{{VM: "6.12/vmlinuz"}}
	several := []ask.Machine{{VM: "6.12/vmlinuz"}, {VM: "7.3/vmlinuz"}, {UML: "linux"}, {VM: "7.3/vmlinuz"}}
	for _, tt := range []struct {
		output string
		list   []ask.Machine
		want   []string
	}{
		{"", several, []string{"", "", "", ""}},
		{"rec.jsonl.gz", one, []string{"rec.jsonl.gz"}},
		{"dir", several, []string{"dir/6.12-vmlinuz.jsonl.gz", "dir/7.3-vmlinuz.jsonl.gz", "dir/linux.jsonl.gz",
			"dir/7.3-vmlinuz-2.jsonl.gz"}},
	} {
		cmd := askCmd{Output: filepath.FromSlash(tt.output)}
		for i, got := range cmd.outputs(tt.list) {
			if got != filepath.FromSlash(tt.want[i]) {
				t.Errorf("-o %q: %v in %q, want %q", tt.output, tt.list[i], got, tt.want[i])
			}
		}
	}
}
