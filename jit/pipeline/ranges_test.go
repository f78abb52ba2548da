package pipeline_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestRanges compares which instructions Linux 6.1.192, 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13,
// 7.1.13, 7.2.13 and 7.3.4 have left of programs that compare and compute numbers whose ranges with and without a
// sign are not one arc, or link many of them. Of 6.1.192 alone are questions about the stack, what it
// computes of no number, and links that it does not compare. Nothing may be uncertain but in random
// programs, and where a name says so.
// BPFCFG_RANGES names other records.
func TestRanges(t *testing.T) {
	path := cmp.Or(os.Getenv("BPFCFG_RANGES"), "testdata/ranges.jsonl.gz")
	r, err := record.Open(path, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var prof jit.Profile
	maybes, all := map[string]int{}, map[string]int{}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e := rec.Env; e != nil {
			prof, err = jit.ProfileForEnv(e.Release, e.Cmdline, e.CPUFlags, e.CPUBugs, e.Vulnerabilities)
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if rec.Verdict() != "OK" {
			continue
		}
		wrong, open := reached(t, rec, prof)
		if wrong != "" {
			t.Errorf("%s, %s: %s", prof.Name, rec.Job.Name, wrong)
		}
		if open && !strings.HasPrefix(rec.Job.Name, "ranges") && !strings.HasPrefix(rec.Job.Name, "perhaps") {
			t.Errorf("%s, %s: not certain", prof.Name, rec.Job.Name)
		}
		if all[prof.Version]++; open {
			maybes[prof.Version]++
		}
	}
	t.Logf("%v programs, not certain %v", all, maybes)
	if len(all) == 0 || path == "testdata/ranges.jsonl.gz" && len(all) != 10 {
		t.Error("there are answers of ten kernels")
	}
}

// reached compares what the verifier is said to reach with the instructions that are left, and reports
// whether it is not certain of any.
func reached(t *testing.T, rec *record.Record, prof jit.Profile) (wrong string, open bool) {
	t.Helper()
	p, err := rec.Job.Program()
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		left := slices.ContainsFunc(rec.Result.Prog.Lines, func(l record.Line) bool { return bytecode.PC(l.Insn) == pc })
		switch got := a.Succ.Facts.Reach(pc); {
		case got == cfg.Maybe:
			open = true
		case p.Flow(pc).Kind != bytecode.FlowCond && (got == cfg.Yes) != left:
			wrong = fmt.Sprintf("slot %d %q: %v, the kernel has it: %v", pc, p.Text(pc), got, left)
		}
	}
	return wrong, open
}
