package native_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/native"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestRecords compiles the programs that real kernels ran, for the version of
// the kernel, and compares what the code does with what the kernel returned.
func TestRecords(t *testing.T) {
	if !inChild(t) {
		return
	}
	total := 0
	for _, path := range testenv.Glob(t, "records/*.jsonl.gz") {
		file := filepath.Base(path)
		prof := "linux-7.3+plain"
		if strings.Contains(file, ".6.19.") {
			prof = "linux-6.19+plain"
		}
		programs, runs, left := recordFile(t, path, prof)
		if programs+len(left) > 0 {
			t.Logf("%s: %d programs, %d runs; not run: %s", file, programs, runs, counted(left))
		}
		total += runs
	}
	t.Logf("%d runs", total)
	if total < 9000 {
		t.Errorf("only %d runs were compared", total)
	}
}

// recordFile runs the programs of a file. left has a reason for each that cannot
// be run.
func recordFile(t *testing.T, path, profName string) (programs, runs int, left []string) {
	t.Helper()
	prof := profile(t, profName)
	prof.BMI2 = cpu.X86.HasBMI2
	r, err := record.Open(path, record.Options{SkipLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Verdict() != "OK" || len(rec.Result.Runs) == 0 {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil {
			t.Fatal(err)
		}
		code, why := place(t, p, prof)
		if why != "" {
			left = append(left, why)
			continue
		}
		programs++
		name := filepath.Base(path) + ": " + rec.Job.Name
		begin(t, "%s", name)
		for _, m := range rec.Job.Maps {
			for i := range p.Maps {
				for _, op := range m.Ops {
					if p.Maps[i].Name == m.Name && op.Op == "update" && len(op.Key) == 4 {
						copy(code.Element(i, int(op.Key[0])|int(op.Key[1])<<8), op.Value)
					}
				}
			}
		}
		for i, want := range rec.Result.Runs {
			if want.Errno == "" {
				runs++
				if why := runRecord(code, rec.Job.ProgType, rec.Job.Runs[i], want); why != "" {
					t.Errorf("%s: run %d: %s", name, i, why)
				}
			}
		}
		code.Close()
	}
	return programs, runs, left
}

// runRecord makes one run and returns how the result differs, "" if it does not.
func runRecord(code *native.Code, typ string, run record.Run, want record.RunResult) string {
	var r0 uint64
	var err error
	ctx := bytes.Clone(run.Ctx)
	if typ == "xdp" {
		data := make([]byte, max(run.DataSize, len(run.Data)))
		copy(data, run.Data)
		r0, err = code.RunPacket(data)
	} else {
		r0, err = code.Run(ctx)
	}
	switch {
	case err != nil:
		return err.Error()
	case uint32(r0) != want.Retval:
		return fmt.Sprintf("returned %d, want %d", uint32(r0), want.Retval)
	case typ == "syscall" && !bytes.Equal(ctx, want.Ctx):
		return fmt.Sprintf("context %x, want %x", ctx, []byte(want.Ctx))
	}
	return ""
}

// counted joins texts with how often they occur.
func counted(texts []string) string {
	n := map[string]int{}
	for _, s := range texts {
		n[s]++
	}
	var out []string
	for _, s := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%d× %s", n[s], s))
	}
	return strings.Join(out, "; ")
}
