package explain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestLimits demands that an answer within limits is that without, cut where it says so.
func TestLimits(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(progen.Switches(30, 16), prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	whole, cut := explain.New(a), explain.New(a)
	cut.Limit(explain.Limits{Steps: 10, Targets: 5, Rows: 6})
	ways := 0
	for _, at := range whole.Places() {
		w, err := whole.At(at)
		if err != nil {
			t.Fatal(err)
		}
		c, err := cut.At(at)
		if err != nil {
			t.Fatal(err)
		}
		if c.Skipped > 0 {
			ways++
		}
		want := w.Way
		if len(want) > 10 {
			want = slices.Concat(want[:5], want[len(want)-5:])
		}
		if len(c.Way)+c.Skipped != len(w.Way) || !slices.Equal(c.Way, want) {
			t.Errorf("%v: way %v, %d left out, of %v", at, c.Way, c.Skipped, w.Way)
		}
		if c.Targets == nil || c.Targets.More == nil || c.Targets.More.Exact != 11 || !slices.Equal(c.Targets.Exact, w.Targets.Exact[:5]) {
			t.Errorf("%v: targets %+v of %v", at, c.Targets, w.Targets.Exact)
		}
		if len(c.Tables) != 1 || len(c.Tables[0].Rows) != 6 || c.Tables[0].More != 10 {
			t.Errorf("%v: tables %+v", at, c.Tables)
		}
		var text strings.Builder
		if err := c.Write(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), "… 11 more (16)") {
			t.Errorf("%v: the text does not say what is left out:\n%s", at, text.String())
		}
	}
	if ways < 10 {
		t.Errorf("%d ways were cut: too few", ways)
	}
}
