package interp_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestRecords runs the programs that real kernels were given with test runs, and
// compares return value, context and data.
func TestRecords(t *testing.T) {
	total := tally{}
	for _, path := range testenv.Glob(t, "records/*.jsonl.gz") {
		r, err := record.Open(path, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Verdict() == "OK" && len(rec.Result.Runs) > 0 {
				total.job(t, filepath.Base(path), rec)
			}
		}
		r.Close()
	}
	t.Logf("%d jobs, %d runs, %d of them and %d map values compared; passed over: %v",
		total.jobs, total.runs, total.compared, total.values, total.skipped)
	if total.compared < 11000 {
		t.Errorf("only %d runs were compared", total.compared)
	}
}

// tally counts what was compared.
type tally struct {
	jobs, runs, compared int
	values               int            // map values that were compared after the runs
	skipped              map[string]int // runs by reason
}

// skip counts a run that cannot be compared.
func (c *tally) skip(why string) {
	if c.skipped == nil {
		c.skipped = map[string]int{}
	}
	c.skipped[why]++
}

// job runs one program on its inputs.
func (c *tally) job(t *testing.T, file string, rec *record.Record) {
	t.Helper()
	c.jobs++
	p, err := rec.Job.Program()
	if err != nil {
		t.Errorf("%s: %s: %v", file, rec.Job.Name, err)
		return
	}
	helpers := interp.CommonHelpers()
	if selfTailCall(rec.Job) {
		helpers[12] = tailCallSelf()
	}
	vm, err := interp.New(p, interp.Config{Helpers: helpers, Kfuncs: interp.CommonKfuncs()})
	if err != nil {
		t.Errorf("%s: %s: %v", file, rec.Job.Name, err)
		return
	}
	for _, m := range rec.Job.Maps {
		for _, op := range m.Ops {
			if mm := vm.Map(m.Name); mm != nil && op.Op == "update" && m.Type != "insn_array" && m.Type != "prog_array" {
				mm.Update(op.Key, op.Value)
			}
		}
	}
	for i, want := range rec.Result.Runs {
		c.runs++
		run := rec.Job.Runs[i]
		switch {
		case want.Errno != "":
			c.skip("the kernel refused the run: " + want.Errno)
			continue
		case run.Repeat > 1:
			c.skip("repeated")
			continue
		}
		if why := c.one(vm, rec.Job.ProgType, run, want); why != "" {
			t.Errorf("%s: %s: run %d: %s", file, rec.Job.Name, i, why)
		}
	}
	for _, m := range rec.Result.Maps {
		for i, want := range m.Dump {
			if got := vm.Map(m.Name).Value(uint32(i)); got != nil && !bytes.Equal(got, want) {
				t.Errorf("%s: %s: map %s[%d] is %x, want %x", file, rec.Job.Name, m.Name, i, got, []byte(want))
			}
			c.values++
		}
	}
}

// selfTailCall reports whether the job puts its own program into a program array.
func selfTailCall(j *record.Job) bool {
	for _, m := range j.Maps {
		for _, op := range m.AfterLoad {
			if op.Op == "update_self" {
				return true
			}
		}
	}
	return false
}

// tailCallSelf is bpf_tail_call on a program array that holds the program in
// element 0. It succeeds 33 times (MAX_TAIL_CALL_CNT, include/linux/bpf.h).
func tailCallSelf() interp.Helper {
	left := 33
	return func(_ *interp.VM, args [5]uint64) (uint64, error) {
		if uint32(args[2]) != 0 || left == 0 {
			return 0, nil
		}
		left--
		return 0, interp.ErrRestart
	}
}

// one makes one run and returns how the result differs, "" if it does not.
func (c *tally) one(vm *interp.VM, typ string, run record.Run, want record.RunResult) string {
	data := make([]byte, max(run.DataSize, len(run.Data)))
	copy(data, run.Data)
	in := input(typ, run.Ctx, data)
	r0, err := vm.Run(in)
	if err != nil {
		if strings.Contains(err.Error(), "not modelled") {
			_, what, _ := strings.Cut(err.Error(), ": ")
			c.skip(what)
			return ""
		}
		return err.Error()
	}
	c.compared++
	switch {
	case uint32(r0) != want.Retval:
		return fmt.Sprintf("returned %d, want %d", uint32(r0), want.Retval)
	case typ == "syscall" && !bytes.Equal(in.Ctx, want.Ctx):
		return fmt.Sprintf("context %x, want %x", in.Ctx, []byte(want.Ctx))
	case want.Data != nil && !bytes.Equal(data, want.Data):
		return fmt.Sprintf("data %x, want %x", data, []byte(want.Data))
	case want.Data == nil && !bytes.Equal(data[:len(run.Data)], run.Data):
		return fmt.Sprintf("data became %x and should not change", data)
	}
	return ""
}
