package calls

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// rowless holds kernel functions without a row, and why. What they do is as their
// prototype in the object permits.
func rowless() map[string]string {
	return map[string]string{
		"bpf_get_lowcore":     "there is none on x86-64",
		"cubictcp_cwnd_event": "gone in 7.3, with another name there",
		"scx_bpf_cpu_rq":      "gone in 7.3",
	}
}

// testModule reports whether a kernel function is one of the modules that the kernel's own
// tests load.
func testModule(name string) bool {
	for _, start := range []string{"bpf_kfunc_", "bpf_testmod_", "bpf_test_modorder_", "bpf_iter_testmod_"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	letter, ok := strings.CutPrefix(name, "kfunc_")
	return ok && len(letter) == 1
}

// TestRows lists the kernel functions without a row: those that kernels have by other
// tools, and those of the source. Each must be known to have none. Helpers are told of by
// TestHelpers.
func TestRows(t *testing.T) {
	data, err := os.ReadFile("testdata/kfuncs.txt")
	if err != nil {
		t.Fatal(err)
	}
	why := rowless()
	with, tests := 0, 0
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		name := fields[0]
		_, has := Kfunc(name)
		if !has { // before 7.3, with arguments that Linux adds
			_, has = Kfunc(strings.TrimSuffix(name, "_impl"))
		}
		switch reason, known := why[name]; {
		case has && known:
			t.Errorf("%s has a row", name)
		case has:
			with++
		case testModule(name) && !slices.Contains(fields, "7.3.4"):
			tests++
		case known:
			t.Logf("%s has no row: %s", name, reason)
		default:
			t.Errorf("%s (%s) has no row", name, strings.Join(fields[1:], ", "))
		}
	}
	t.Logf("%d with a row, %d of test modules without", with, tests)
	if with < 300 {
		t.Errorf("only %d kernel functions have rows", with)
	}
}
