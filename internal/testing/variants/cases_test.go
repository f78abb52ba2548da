package variants_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// input is a program of a case, and what a kernel says of it: nothing when it accepts it.
type input struct {
	file    string // below testdata
	program string // of an object; all of them when empty
	kernel  string // "linux-7.3" when empty
	message string
}

// cases are small programs on which the rules were wrong once. What is right was said by
// Linux 7.3.4, and by 6.19.14 where that is named.
func cases() map[string][]input {
	const (
		trap    = "unexpected __bpf_trap() due to uninitialized variable?"
		endless = "infinite loop detected at insn "
		frames9 = "the call stack of 9 frames is too deep"
		r0Unset = "R0 !read_ok"
	)
	return map[string][]input{
		"bpf-trap": {
			{"calls/trap.o", "hole", "", trap}, {"calls/trap.o", "noret", "", trap}, {"calls/trap.o", "insub", "", trap},
			{"calls/trap.o", "falls", "", trap}, {"calls/trap.o", "deadtrap", "", ""},
		},
		"closed-loop": {
			{"cases/closed-loop/cl_call.bin", "", "", endless + "3"},
			{"cases/closed-loop/cl_count.bin", "", "", "BPF program is too large. Processed 1000001 insn"},
			{"cases/closed-loop/cl_diamond.bin", "", "", endless + "1"},
			{"cases/closed-loop/cl_sub.bin", "", "", endless + "2"},
		},
		"context-switch": {{"calls/context.o", "", "", ""}},
		"frames": {
			{"cases/frames/dp17.bin", "", "", "the call stack of 17 frames is too deep"},
			{"cases/frames/fr9.bin", "", "linux-6.19", frames9}, {"cases/frames/rec1.bin", "", "linux-6.19", frames9},
			{"cases/frames/fr9.bin", "", "linux-6.18", frames9}, {"cases/frames/fr9.bin", "", "", ""},
		},
		"freplace":       {{"calls/replace.o", "", "", ""}},
		"iterator":       {{"cases/iterator/iterjt.o", "", "", ""}},
		"kfunc-callback": {{"calls/wq.o", "", "", ""}},
		"loop-number": {
			{"cases/loop-number/el_m0.bin", "", "", endless + "4"}, {"cases/loop-number/el_m0.bin", "", "linux-6.19", endless + "4"},
		},
		"mid-ldimm64": {
			{"cases/mid-ldimm64/ml1.bin", "", "", "unreachable insn 2"},
			{"cases/mid-ldimm64/rb179a.bin", "", "", "unreachable insn 2"},
		},
		"nullness":    {{"cases/nullness/nullness.o", "", "", ""}},
		"patch-range": {{"cases/patch-range/pr_div.bin.gz", "", "", "insn 3 cannot be patched due to 16-bit range"}},
		"stack-args":  {{"calls/stackargs.o", "", "", ""}},
		"stack-table": {
			{"cases/stack-table/cg.o", "twovol", "", "R1 has type scalar, expected PTR_TO_INSN"},
		},
		"text-only-global": {{"calls/library.o", "", "", ""}},
		"unset-register": {
			{"cases/unset-register/r0u.bin", "", "", r0Unset}, {"cases/unset-register/rx1.bin", "", "", r0Unset},
			{"cases/unset-register/la1.bin", "", "", "R6 !read_ok"}, {"cases/unset-register/cx1.bin", "", "", r0Unset},
		},
		// Records alone: see TestCaseRecords.
		"loop-zero": nil, "retval-range": nil, "truth-jobs": nil,
	}
}

// TestCases holds the rules against what kernels said of the cases.
func TestCases(t *testing.T) {
	for name, inputs := range cases() {
		t.Run(name, func(t *testing.T) {
			for _, in := range inputs {
				in.check(t)
			}
			caseRecords(t, name)
		})
	}
}

// check judges the programs of an input.
func (in *input) check(t *testing.T) {
	t.Helper()
	set, err := rules.Lookup(in.kernel)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range readPrograms(t, testenv.Path(t, in.file)) {
		if in.program != "" && p.Name != in.program {
			continue
		}
		found = true
		v, err := set.Judge(p)
		said := v.Message
		if err == nil && v.Accept {
			said, err = whenRewritten(p)
		}
		if err != nil || said != in.message {
			t.Errorf("%s %s by %s: %q, %v; want %q", in.file, p.Name, set.Name, said, err, in.message)
		}
	}
	if !found {
		t.Errorf("%s: no program %q", in.file, in.program)
	}
}

// whenRewritten returns what Linux 7.3 says when it rewrites a program that its verifier
// has accepted.
func whenRewritten(p *bytecode.Program) (string, error) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		return "", err
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil {
		return "", err
	}
	if far := (*rewrite.RangeError)(nil); errors.As(a.ImageErr, &far) {
		return far.Error(), nil
	}
	return "", nil
}

// TestCaseNullness checks that the branch is removed that Linux 7.3.4 removes: it made 95
// bytes of the program.
func TestCaseNullness(t *testing.T) {
	prof, err := jit.LookupProfile("linux-7.3+plain+la57")
	if err != nil {
		t.Fatal(err)
	}
	p := readPrograms(t, testenv.Path(t, "cases/nullness/nullness.o"))[0]
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil || a.Image == nil || len(a.Image.Code) != 95 {
		t.Errorf("%v, image %+v", err, a.Image)
	}
}

// TestCaseIterator checks which entries of a table can be selected when the index was kept
// on the stack beside an iterator: Linux 7.3.4 keeps it in 0 to 7.
func TestCaseIterator(t *testing.T) {
	p := readPrograms(t, testenv.Path(t, "cases/iterator/iterjt.o"))[0]
	r, err := rules.Linux73().Resolve(p)
	if err != nil || len(r.Indirect) != 1 || len(r.Indirect[0].Range) != 8 {
		t.Errorf("%v, %+v", err, r.Indirect)
	}
}

// readPrograms reads the programs of an object, or of instructions alone.
func readPrograms(t *testing.T, path string) []*bytecode.Program {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(filepath.Base(path), ".bin") {
		p, err := load.Raw(filepath.Base(path), data, binary.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		return []*bytecode.Program{p}
	}
	o, err := load.ELF(filepath.Base(path), data)
	if err != nil || len(o.Failed) > 0 {
		t.Fatalf("%s: %v %v", path, err, o.Failed)
	}
	return o.Programs
}

// caseRecords holds the rules against the records of a case.
func caseRecords(t *testing.T, name string) {
	paths, err := filepath.Glob(filepath.Join(testenv.Path(t, "cases"), name, "*.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		r, err := record.Open(path, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		set := rules.Linux73()
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Env != nil {
				v, err := kernel.Parse(rec.Env.Release)
				if err != nil {
					t.Fatal(err)
				}
				set = rules.Of(kernel.Of(v))
				continue
			}
			if rec.Result != nil && rec.Result.Load != nil {
				caseRecord(t, set, filepath.Base(path), rec)
			}
		}
		r.Close()
	}
}

// caseRecord compares one answer: the verdict, and of a refusal the words.
func caseRecord(t *testing.T, set rules.Set, file string, rec *record.Record) {
	p, err := rec.Job.Program()
	if err != nil {
		t.Errorf("%s: %s: %v", file, rec.Job.Name, err)
		return
	}
	v, err := set.Judge(p)
	if ok := rec.Result.Load.OK; err != nil || v.Accept != ok || !ok && !v.Says(rec.Result.Load.Error) {
		t.Errorf("%s: %s by %s: %+v %v; want %v %q", file, rec.Job.Name, set.Name, v, err, ok, rec.Result.Load.Error)
	}
}
