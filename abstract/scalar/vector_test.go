package scalar

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// TestKernelVectors compares every Kernel function with what the kernel's own
// functions gave for the same operands; the file describes its form. Random states
// reach corners that programs, as in TestVerifierLog, do not.
func TestKernelVectors(t *testing.T) {
	f, err := os.Open("testdata/kernel-7.3.4.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	compared, wrong := 0, 0
	for lines := bufio.NewScanner(z); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		compared++
		left, want, _ := strings.Cut(line, " = ")
		if got := vector(t, strings.Fields(left)); got != want {
			wrong++
			if wrong <= 10 {
				t.Errorf("%s: %s, the kernel has %s", left, got, want)
			}
		}
	}
	if compared < 7000 || wrong > 0 {
		t.Errorf("%d of %d differ", wrong, compared)
	}
}

// vector computes the results of a line.
func vector(t *testing.T, f []string) string {
	t.Helper()
	if len(f) != 5 {
		t.Fatalf("%q", f)
	}
	is32 := f[2] == "32"
	a, b := parseSet(t, f[3]), parseSet(t, f[4])
	bytes, _ := strconv.Atoi(f[1])
	bytes /= 8
	switch f[0] {
	case "alu":
		for op := OpInvalid + 1; op < opsCount; op++ {
			if op.String() == f[1] {
				return setText(KernelALU(op, is32, a, b))
			}
		}
	case "decide":
		return outcomeText(KernelDecide(condByName(t, f[1]), is32, a, b, false))
	case "same":
		return outcomeText(KernelDecide(condByName(t, f[1]), is32, a, a, true))
	case "refine":
		x, y := KernelRefine(condByName(t, f[1]), is32, a, b)
		return setText(x) + " " + setText(y)
	case "load", "loadsx":
		return setText(KernelNarrow(a, bytes, f[0] == "loadsx"))
	case "sync":
		return setText(KernelSync(a))
	case "sanity":
		if _, ok := KernelSanity(a); !ok {
			return "1"
		}
		return "0"
	}
	t.Fatalf("%q", f)
	return ""
}

func outcomeText(o Outcome) string {
	return map[Outcome]string{Both: "-1", Never: "0", Always: "1"}[o]
}

func parseSet(t *testing.T, text string) S {
	t.Helper()
	s := Unknown()
	if text == "-" {
		return s
	}
	part := strings.Split(text, ",")
	var n int
	for i, dst := range [][2]any{{&s.Var.Value, &s.Var.Mask}, {&s.R64.Base, &s.R64.Size}, {&s.R32.Base, &s.R32.Size}} {
		if part[i] == "" {
			n += 2
			continue
		}
		k, _ := fmt.Sscanf(strings.ReplaceAll(part[i], "+", ":"), "%x:%x", dst[0], dst[1])
		n += k
	}
	if len(part) != 3 || n != 6 {
		t.Fatalf("set %q", text)
	}
	return s
}

func setText(s S) string {
	var v, r, w string
	if s.Var != tnum.Unknown() {
		v = fmt.Sprintf("%x:%x", s.Var.Value, s.Var.Mask)
	}
	if s.R64 != arc.Full[uint64]() {
		r = fmt.Sprintf("%x+%x", s.R64.Base, s.R64.Size)
	}
	if s.R32 != arc.Full[uint32]() {
		w = fmt.Sprintf("%x+%x", s.R32.Base, s.R32.Size)
	}
	return v + "," + r + "," + w
}
