package pipeline_test

import (
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
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
// the programs of tools/fields: each the very bytes, none marked. Before
// Linux 7.2 few are: stable releases differ there.
func TestFields(t *testing.T) {
	for _, file := range testenv.Glob(t, "records/fields.*.jsonl.gz") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			fields(t, file)
		})
	}
}

// fields compares the programs of a file.
func fields(t *testing.T, file string) {
	r, err := record.Open(file, record.Options{SkipLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var prof jit.Profile
	contexts, wrong, few := map[string]bool{}, 0, 0
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
		why, marked := field(t, rec, prof)
		if marked && !prof.Kernel().Has(kernel.QueueWord) {
			few++
			continue
		}
		if why != "" {
			if wrong++; wrong <= 20 {
				t.Errorf("%s: %s", rec.Job.Name, why)
			}
		}
	}
	const fewest = 25 // kinds of context
	most := 50        // marks before Linux 7.2
	if !prof.Kernel().Has(kernel.KnownNumbers) {
		most = 200 // packets of Linux 6.1 have other members for VLANs and time stamps
	}
	if len(contexts) < fewest || wrong > 0 || few > most {
		t.Errorf("%d wrong, %d marked; %d kinds of context, want %d or more", wrong, few, len(contexts), fewest)
	}
}

// field compares one program, and says what is wrong, and whether it is marked.
func field(t *testing.T, rec *record.Record, prof jit.Profile) (why string, marked bool) {
	p, err := rec.Job.Program()
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{AttachType: rec.Job.AttachType})
	if err != nil {
		return err.Error(), false
	}
	if a.Rewrite != nil && len(a.Rewrite.Unpredicted) > 0 {
		return "it is marked", true
	}
	xlated, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range compare.Predicted(a, &compare.Observed{Xlated: xlated, Code: rec.Result.Prog.Jited,
		Tables: make([][]compare.Entry, len(p.Tables))}) {
		if o.What != "tables" && (!o.Known || !o.Same) {
			return o.What + ": " + o.Detail, false
		}
	}
	moved := xlated[0] != p.Insns[0] && xlated[0].Class() == asm.LdXClass // not a constant
	if p.Insns[0].Class() == asm.LdXClass && moved && a.Rewrite.Build == "" {
		return "the build is not named", false
	}
	return "", false
}
