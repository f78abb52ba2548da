package hazard_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// recorded are the record files of a kernel, and what TestRecords counts there:
// docs/kernel-rules.md has the numbers.
var recorded = []struct {
	set, glob string
	want      counts
}{
	{"linux-7.3", "records/*.7.3.4.*.jsonl.gz", counts{6095, 26, 19, 4, 4}},
	{"linux-6.19", "records/*.6.19.14.*.jsonl.gz", counts{5638, 19, 17, 9, 9}},
}

// TestRecords holds hazards against what kernels did. Each program that took the
// machine down is flagged. A program is flagged for a deleted target if and only
// if a table of the kernel that loaded it has no address for an entry that the
// jump can take.
func TestRecords(t *testing.T) {
	for _, c := range recorded {
		t.Run(c.set, func(t *testing.T) {
			t.Parallel()
			set, err := rules.Lookup(c.set)
			if err != nil {
				t.Fatal(err)
			}
			prof, err := jit.LookupProfile(c.set)
			if err != nil {
				t.Fatal(err)
			}
			n := &counts{}
			for _, file := range testenv.Glob(t, c.glob) {
				n.file(t, file, set, prof)
			}
			t.Logf("%d programs that loaded: %d flagged, %d with a deleted target of their kernel; %d crashed, %d flagged",
				n.loaded, n.flagged, n.deleted, n.crashed, n.crashedFlagged)
			if *n != c.want {
				t.Errorf("counts are %+v, want %+v", *n, c.want)
			}
		})
	}
}

// counts is what TestRecords counts.
type counts struct{ loaded, flagged, deleted, crashed, crashedFlagged int }

func (n *counts) file(t *testing.T, file string, set rules.Set, prof jit.Profile) {
	r, err := record.Open(file, record.Options{SkipLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		crashed := rec.Kind == record.KindCrash
		if rec.Job == nil || !crashed && (rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK) {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil {
			continue
		}
		res, err := set.Resolve(p)
		if err != nil {
			t.Fatal(err)
		}
		lacks := func(c string) bool {
			return slices.Contains(rec.Job.DropCaps, c) || slices.Contains(rec.Job.DropCaps, "all")
		}
		x, err := rewrite.Predict(p, pipeline.Facts(p, res), prof,
			rewrite.Options{AttachType: rec.Job.AttachType, NoCapBPF: lacks("CAP_BPF"), NoCapPerfmon: lacks("CAP_PERFMON")})
		if err != nil {
			t.Errorf("%s %s: %v", filepath.Base(file), rec.Job.Name, err)
			continue
		}
		found := hazard.Find(p, res, x, set)
		name := filepath.Base(file) + " " + rec.Job.Name
		checkPaths(t, name, found)
		if crashed {
			n.crashed++
			if slices.ContainsFunc(found, func(h hazard.Hazard) bool { return h.Selected && h.Kind != hazard.Moved }) {
				n.crashedFlagged++
			} else {
				t.Errorf("%s: the machine crashed, and the program is not flagged: %v", name, found)
			}
		} else {
			n.loaded++
			if len(found) > 0 {
				n.flagged++
			}
		}
		n.compare(t, name, rec, found, reach(res))
	}
}

// compare holds hazards against the tables of the kernel that loaded the program.
func (n *counts) compare(t *testing.T, name string, rec *record.Record, found []hazard.Hazard, can map[uint32]bool) {
	if rec.Result == nil {
		return
	}
	gone := map[uint32]bool{}
	for _, m := range rec.Result.Maps {
		for _, e := range m.Insns {
			if e.Xlated == record.DeletedInsn && can[e.Orig] {
				gone[e.Orig] = true
			}
		}
	}
	if len(gone) > 0 {
		n.deleted++
	}
	said := map[uint32]bool{}
	for _, h := range found {
		if h.Kind == hazard.Deleted {
			said[uint32(h.Target)] = true
			if len(h.Entries) == 0 && len(rec.Result.Maps) > 0 {
				t.Errorf("%s: no entry for %+v", name, h)
			}
		}
	}
	tables := slices.ContainsFunc(rec.Result.Maps, func(m record.MapResult) bool { return len(m.Insns) > 0 })
	for pc := range said {
		if tables && !gone[pc] {
			t.Errorf("%s: target %d is flagged, and the kernel did not delete it", name, pc)
		}
	}
	for pc := range gone {
		if !said[pc] {
			t.Errorf("%s: the kernel deleted target %d, which is not flagged", name, pc)
		}
	}
}

// checkPaths states that each hazard comes with a path that begins at the
// program's start and ends in the jump and its target, and says what it is.
func checkPaths(t *testing.T, name string, found []hazard.Hazard) {
	for _, h := range found {
		n := len(h.Path)
		if n < 2 || h.Path[n-1] != h.Target || h.Path[n-2] != h.PC || n > 2 && h.Path[0] != 0 {
			t.Errorf("%s: path %v of %+v", name, h.Path, h)
		}
		if h.Text == "" || strings.Contains(h.Text, "%!") {
			t.Errorf("%s: text %q", name, h.Text)
		}
	}
}
