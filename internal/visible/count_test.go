package visible_test

import (
	"slices"
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

func TestRuns(t *testing.T) {
	for _, c := range []struct{ in, want []int }{
		{nil, nil}, {[]int{3}, []int{3, 3}}, {[]int{-1, 0, 1, 3, 5, 6}, []int{-1, 1, 3, 3, 5, 6}},
	} {
		var got []int
		for first, last := range visible.Runs(c.in) {
			got = append(got, first, last)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("Runs(%v) yields %v, want %v", c.in, got, c.want)
		}
	}
}
