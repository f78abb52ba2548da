package compare

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/marks"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// TestTailCalls predicts programs with tail calls: the index fixed, variable, beyond the map, or
// different between paths, as the map is; on few paths, and on so many that states are joined; with
// calls of helpers besides. What Linux compiled must come out, direct jumps where it made them. Only where a path may
// be dead or not is a mark in place, and then at the tail call, too.
func TestTailCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/tail.*.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	seen, marked, blind := 0, 0, 0
	for _, file := range files {
		r, err := record.Open(file, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var env *record.Env
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Env != nil {
				env = rec.Env
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Prog == nil {
				continue
			}
			seen++
			if strings.HasSuffix(rec.Job.Name, "/blinded") {
				blind++
			}
			why, open := tailCall(t, env, rec)
			if open {
				if marked++; !strings.Contains(rec.Job.Name, "joined20_") {
					why = "it is marked"
				}
			}
			if why != "" {
				t.Errorf("%s %s: %s", filepath.Base(file), rec.Job.Name, why)
			}
		}
	}
	if seen != 188+3*6 || blind == 0 || marked > 6 {
		t.Errorf("%d programs, %d of them blinded, %d marked", seen, blind, marked)
	}
}

// tailCall compares one program, and says what is wrong, and whether it is marked.
func tailCall(t *testing.T, env *record.Env, rec *record.Record) (why string, marked bool) {
	opt := options(env, rec.Job)
	prof, err := jit.ProfileForEnv(env.Release, env.Cmdline, env.CPUFlags, env.CPUBugs, env.Vulnerabilities)
	if err != nil {
		t.Fatal(err)
	}
	p, err := rec.Job.Program()
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, *opt)
	if err != nil || a.ImageErr != nil {
		t.Fatal(err, a.ImageErr)
	}
	if vr := a.Verify(); !vr.OK() {
		return "verify: " + vr.Mismatches[0].String(), false
	}
	var s tally
	switch {
	case opt.Blind && len(a.Rewrite.Program.TailCalls) > 0:
		return "a blinded tail call is direct", false
	case opt.Blind:
		return s.xlatedEqual(a, rec), unpredicted(a, p, prof, *opt)
	case len(a.Rewrite.Unpredicted) == 0:
		return s.xlatedEqual(a, rec) + s.jittedEqual(a, rec), false
	}
	xlated, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		t.Fatal(err)
	}
	why = marks.Unmarked(a.Rewrite, a.Rewrite.Dump(prof), xlated, rec.Result.Prog.Lines)
	for _, pc := range a.Rewrite.Unpredicted {
		if a.Rewrite.Program.Insns[pc].Code == bytecode.CodeTailCall {
			return why, true
		}
	}
	return why + "whether its tail call is direct is not marked", true
}
