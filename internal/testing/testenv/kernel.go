package testenv

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// LiveVariable names the environment variable that decides whether tests load programs into the
// running kernel: "off" never; "must" always, so tests fail where that is impossible; not set,
// where it is possible.
const LiveVariable = "BPFCFG_LIVE"

// NeedKernel skips the test, with the reason, where Kernel says that no programs can be loaded and
// read back. With "must" it fails the test there.
func NeedKernel(t testing.TB) {
	t.Helper()
	ok, why := Kernel()
	switch {
	case !ok && os.Getenv(LiveVariable) == "must":
		t.Fatalf("%s=must: %s", LiveVariable, why)
	case !ok:
		t.Skipf("no programs can be loaded and read here: %s", why)
	}
	t.Logf("this test loads programs into the running kernel, and unloads them: %s=off leaves it out", LiveVariable)
}

// Kernel reports whether programs can be loaded into the running kernel and their machine code
// read, and otherwise the reason. It uses the library cilium/ebpf and none of our packages: a test
// whose subject is broken must fail, not be skipped.
func Kernel() (ok bool, why string) {
	switch {
	case os.Getenv(LiveVariable) == "off":
		return false, LiveVariable + "=off"
	case runtime.GOOS != "linux" || runtime.GOARCH != "amd64":
		return false, "not Linux on x86-64"
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "available", Type: ebpf.SocketFilter, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, errors.ErrUnsupported), errors.Is(err, ebpf.ErrNotSupported):
		return false, fmt.Sprintf("loading: %v", err)
	case err != nil:
		return true, "" // not a matter of rights: the tests find out what is wrong
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return false, fmt.Sprintf("reading: %v", err)
	}
	if _, ok := info.JitedInsns(); !ok {
		return false, "the kernel shows no machine code: there is no JIT, or this user may not see its code"
	}
	return true, ""
}
