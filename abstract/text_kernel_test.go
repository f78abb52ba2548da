package abstract

import (
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// TestRangeText: bounds are written as Linux 7.3.4 wrote them in its verifier's logs of
// testdata/records (suite.7.3.4.off), which hold these texts.
func TestRangeText(t *testing.T) {
	for _, c := range []struct {
		lo, hi uint64
		want   string
	}{
		{0, 8, "smin=smin32=0,smax=umax=smax32=umax32=8"},
		{0, 24, "smin=smin32=0,smax=umax=smax32=umax32=24"},
		{8, 24, "smin=umin=smin32=umin32=8,smax=umax=smax32=umax32=24"},
	} {
		got := string(fieldList{}.ranges(scalar.Range(c.lo, c.hi)).text)
		if text, _, _ := strings.Cut(got, ",var_off"); text != c.want {
			t.Errorf("[%d,%d] is %s, want %s", c.lo, c.hi, text, c.want)
		}
	}
	for n, want := range map[int64]string{5: "5", -1: "-1", 32767: "32767", 32768: "0x8000", -32769: "0xffffffffffff7fff"} {
		if got := string(appendSigned(nil, n)); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
