package visible_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{-1: "-1 bytes", 0: "0 bytes", 1: "1 byte", 2: "2 bytes", 21: "21 bytes"} {
		if got := visible.Count(n, "byte"); got != want {
			t.Errorf("Count(%d) is %q, want %q", n, got, want)
		}
	}
	if one, two := visible.Count(1, "entry"), visible.Count(2, "entry"); one != "1 entry" || two != "2 entries" {
		t.Errorf("%q, %q", one, two)
	}
}
