package kernel_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// TestParse checks what counts as a release.
func TestParse(t *testing.T) {
	tests := map[string]kernel.Version{
		"7.3": 7003, "7.3.4": 7003, "6.19.14+deb13-cloud-amd64": 6019, "6.6-rc1": 6006, "10.0": 10000,
		"linux-7.3": 7003, "linux-6.12.117": 6012, "next": kernel.Next, "linux-next": kernel.Next,
		"": 0, "7": 0, "a.b": 0, "7.": 0, "-1.2": 0, "7.1000": 0, "99999999.1": 0, "linux-": 0, "linux-nexus": 0, "0.1": 0,
	}
	for s, want := range tests {
		got, err := kernel.Parse(s)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("Parse(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
}

// TestStableRelease checks which number counts as that of a stable release.
func TestStableRelease(t *testing.T) {
	tests := map[string]int{
		"7.3": 0, "linux-7.3": 0, "linux-7.3.4": 4, "6.19.14+deb13-cloud-amd64": 14, "6.8.0-45-generic": 0,
		"6.6-rc1": 0, "6.12.117": 117, "next": 0, "": 0, "7.3.x": 0, "7.3.99999999": 0, "6.1.2.3": 2,
	}
	for s, want := range tests {
		if got := kernel.StableRelease(s); got != want {
			t.Errorf("StableRelease(%q) = %d, want %d", s, got, want)
		}
	}
}

// TestOfRelease checks that a feature of some stable releases is one of these alone.
func TestOfRelease(t *testing.T) {
	for _, tc := range []struct {
		v       kernel.Version
		release int
		feature kernel.Feature
		want    bool
	}{
		{6012, 0, kernel.QueueWord, false}, {6012, 116, kernel.QueueWord, false}, {6012, 117, kernel.QueueWord, true},
		{6012, 118, kernel.QueueWord, false}, {6018, 0, kernel.QueueLong, false}, {6018, 1, kernel.QueueLong, true},
		{6018, 15, kernel.QueueLong, true}, {6018, 16, kernel.QueueLong, false}, {6018, 15, kernel.MayLinkSub, false},
		{6018, 16, kernel.MayLinkSub, true}, {7000, 12, kernel.OpsZero, false}, {7000, 13, kernel.OpsZero, true},
	} {
		if f := kernel.OfRelease(tc.v, tc.release); f.Has(tc.feature) != tc.want {
			t.Errorf("release %d of %s: %s is %v", tc.release, tc.v, kernel.Table()[tc.feature].What, !tc.want)
		}
	}
}

// TestString checks that names are read back.
func TestString(t *testing.T) {
	for _, v := range []kernel.Version{6001, 6019, 7003, 10000, kernel.Next} {
		if got, err := kernel.Parse(v.Name()); got != v || err != nil {
			t.Errorf("%s is read as %d, %v", v.Name(), got, err)
		}
	}
}

// TestTable checks that each feature has a row that makes sense.
func TestTable(t *testing.T) {
	for i, r := range kernel.Table() {
		if int(r.Feature) != i || r.What == "" || r.Evidence == "" {
			t.Errorf("row %d is not filled in: %+v", i, r)
		}
		if r.Until != 0 && r.Until <= r.Since || r.Since == 0 && r.Until == 0 {
			t.Errorf("%s: from %d until %d", r.What, r.Since, r.Until)
		}
		at := kernel.Of(max(r.Since, 1))
		if !at.Has(r.Feature) || r.Since > 1 && kernel.Of(r.Since-1).Has(r.Feature) {
			t.Errorf("%s does not begin with %s", r.What, r.Since)
		}
		if r.Until != 0 && (kernel.Of(r.Until).Has(r.Feature) || !kernel.Of(r.Until-1).Has(r.Feature)) {
			t.Errorf("%s does not end with %s", r.What, r.Until)
		}
	}
}
