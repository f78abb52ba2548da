package pipeline_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/cilium/ebpf/asm"
)

// TestFields predicts every access to a context that a kernel takes, as recorded with
// the programs of tools/fields: each the very bytes, none marked, with
// the control flow of the source.
func TestFields(t *testing.T) {
	for _, file := range testenv.Glob(t, "records/fields.*.jsonl.gz") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			const fewest = 25 // kinds of context
			if n := fields(t, file); n < fewest {
				t.Errorf("%d kinds of context, want %d or more", n, fewest)
			}
		})
	}
}

// TestRegisters predicts accesses to contexts through other registers and beside each other, and
// lookups of AF_XDP sockets, of which stable releases have several forms.
func TestRegisters(t *testing.T) {
	for _, name := range []string{"registers", "xsk"} {
		for _, file := range testenv.Glob(t, "records/"+name+".*.jsonl.gz") {
			t.Run(filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				if n := fields(t, file); n == 0 {
					t.Error("no programs")
				}
			})
		}
	}
}

// fields compares the programs of a file, and returns how many kinds of context there are.
func fields(t *testing.T, file string) int {
	r, err := record.Open(file, record.Options{SkipLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var prof jit.Profile
	contexts, wrong := map[string]bool{}, 0
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Env != nil {
			if prof, err = replay.ProfileOf(rec.Env); err != nil {
				t.Fatal(err)
			}
		}
		if rec.Kind != record.KindResult || rec.Result.Prog == nil {
			continue
		}
		contexts[filepath.Dir(rec.Job.Name)] = true
		if why := field(t, rec, prof); why != "" {
			if wrong++; wrong <= 20 {
				t.Errorf("%s: %s", rec.Job.Name, why)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d wrong", wrong)
	}
	return len(contexts)
}

// field compares one program, and says what is wrong.
func field(t *testing.T, rec *record.Record, prof jit.Profile) string {
	p, err := rec.Job.Program()
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{AttachType: rec.Job.AttachType})
	if err != nil {
		return err.Error()
	}
	if a.Rewrite != nil && len(a.Rewrite.Unpredicted) > 0 {
		return "it is marked"
	}
	xlated, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range compare.Predicted(a, &compare.Observed{Xlated: xlated, Code: rec.Result.Prog.Jited,
		Tables: make([][]compare.Entry, len(p.Tables))}) {
		if o.What != "tables" && (!o.Known || !o.Same) {
			return o.What + ": " + o.Detail
		}
	}
	if proof := a.Verify(); !proof.Source || len(proof.Mismatches) > 0 {
		return fmt.Sprintf("not verified: %+v", proof)
	}
	moved := xlated[0] != p.Insns[0] && xlated[0].Class() == asm.LdXClass // not a constant
	if p.Insns[0].Class() == asm.LdXClass && moved && a.Rewrite.Build == "" {
		return "the build is not named"
	}
	return ""
}
