package succ_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// otherStages are messages that Linux 7.3 refuses programs with before or
// without computing values, by a part of each.
var otherStages = []string{
	"uses reserved fields", "unknown opcode", "invalid may_goto", "no jump tables found", "points outside of the subprog",
	"properly initialize insn array", "infinite loop detected", "last insn is not an exit", "unreachable insn",
	"invalid access to map value pointer", "R11 is invalid", "requires BPF JIT",
	"invalid func unknown#",
}

// TestFaults compares faults with the verdicts of Linux 7.3.4: a program that it
// loaded has none, and one that it refused for a value has its message.
func TestFaults(t *testing.T) {
	var fine, same, first int
	linux := rules.Linux73()
	for _, path := range testenv.Glob(t, "records/*.7.3.4.off.jsonl.gz") {
		rd, err := record.Open(path, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range rd.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil {
				continue
			}
			p, err := rec.Job.Program()
			if err != nil {
				continue
			}
			r, err := succ.Resolve(p, succ.Options{})
			if err != nil {
				t.Errorf("%s: %v", rec.Job.Name, err)
				continue
			}
			load, faults := rec.Result.Load, r.Facts.Faults()
			is := func(f abstract.Fault) bool { return linux.Words(f) == load.Error }
			switch {
			case load.OK && len(faults) > 0:
				t.Errorf("%s: %s: loaded, but %+v", filepath.Base(path), rec.Job.Name, faults)
			case load.OK:
				fine++
			case load.Error == "" || slices.ContainsFunc(otherStages, func(s string) bool { return strings.Contains(load.Error, s) }):
			case !slices.ContainsFunc(faults, is):
				t.Errorf("%s: %s: refused with %q, not among %+v", filepath.Base(path), rec.Job.Name, load.Error, faults)
			default:
				same++
				if is(faults[0]) {
					first++
				}
			}
		}
		rd.Close()
	}
	t.Logf("%d programs loaded and have no fault; %d were refused with one of ours, %d with the first", fine, same, first)
	if fine == 0 || same == 0 {
		t.Error("no programs")
	}
}
