package rewrite_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestRemovedFunction predicts recorded programs, accepted or not, of which
// only a beginning was seen. There is no truth to compare with, but each must
// give a program or an error, also when a function that an instruction refers
// to is removed.
func TestRemovedFunction(t *testing.T) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.Open(testenv.Path(t, "records/suite.7.3.4.off.jsonl.gz"), record.Options{SkipLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	programs := 0
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Job == nil {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil || p.Len() > 100 {
			continue
		}
		programs++
		for n := range p.Len() {
			seen := make([]cfg.Truth, p.Len())
			for i := range n {
				seen[i] = cfg.Yes
			}
			res, err := rewrite.Predict(p, rewrite.Facts{Seen: seen}, prof, rewrite.Options{})
			if (res == nil) == (err == nil) {
				t.Fatalf("%s, %d slots seen: %v, %v", p.Name, n, res, err)
			}
		}
	}
	if programs < 100 {
		t.Errorf("only %d programs", programs)
	}
}
