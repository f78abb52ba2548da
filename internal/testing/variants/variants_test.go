package variants_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/testing/variants"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Environment: the kernel to ask, and where its answers are kept.
const (
	vmVariable   = "BPFCFG_VM"
	umlVariable  = "BPFCFG_UML"
	keepVariable = "BPFCFG_VARIANTS_KEEP"
	kindVariable = "BPFCFG_VARIANTS_KINDS" // those to ask about, with commas; all by default
)

// TestAsk loads all variants into a kernel and compares.
func TestAsk(t *testing.T) {
	flag, image := "--uml", os.Getenv(umlVariable)
	if image == "" {
		flag, image = "--vm", os.Getenv(vmVariable)
	}
	dir := os.Getenv(keepVariable)
	switch {
	case image == "":
		t.Skipf("no kernel to ask: %s or %s names one", umlVariable, vmVariable)
	case runtime.GOOS != "linux" || runtime.GOARCH != "amd64":
		t.Skip("guests are Linux on x86-64")
	case dir == "":
		dir = t.TempDir()
	}
	jobs, answers := filepath.Join(dir, "jobs.jsonl.gz"), filepath.Join(dir, "answers.jsonl.gz")
	writeJobs(t, jobs)
	program := filepath.Join(t.TempDir(), "bpfcfg")
	build := exec.Command("go", "build", "-o", program, "../../../cmd/bpfcfg")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ask := exec.Command(program, "ask", flag, image, "record:"+jobs, "-o", answers)
	if out, err := ask.CombinedOutput(); err != nil {
		t.Logf("%v: %v\n%s", ask, err, out)
	}
	compare(t, answers)
}

// writeJobs writes the variants as jobs.
func writeJobs(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	enc := json.NewEncoder(z)
	index := 0
	only := os.Getenv(kindVariable)
	for _, kind := range variants.Kinds() {
		if only != "" && !slices.Contains(strings.Split(only, ","), kind) {
			continue
		}
		for n := range variants.PerKind {
			p := variants.Make(kind, n)
			job, err := live.JobOf(&live.Source{Name: p.Name, Program: p})
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			if err := enc.Encode(&record.Record{Kind: record.KindResult, Index: index, Job: job}); err != nil {
				t.Fatal(err)
			}
			index++
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestAnswers compares with the answers that are kept.
func TestAnswers(t *testing.T) {
	for _, path := range testenv.Glob(t, "variants/*.jsonl.gz") {
		t.Run(filepath.Base(path), func(t *testing.T) { compare(t, path) })
	}
}

// foreign matches refusals for what the rules leave to the kernel.
var foreign = regexp.MustCompile("^invalid bpf_context access|cannot use helper|invalid mem access .(map_value|mem)_or_null|on pkt_end prohibited")

// tally counts the answers of a kind.
type tally struct{ accepted, refused, same, others int }

// compare compares verdict, message and instruction.
func compare(t *testing.T, path string) {
	r, err := record.Open(path, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var set rules.Set
	kinds := map[string]*tally{}
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
		if rec.Result == nil || rec.Result.Load == nil {
			continue
		}
		kind, _, _ := strings.Cut(rec.Job.Name, "/")
		if kinds[kind] == nil {
			kinds[kind] = &tally{}
		}
		kinds[kind].one(t, set, rec)
	}
	for _, kind := range variants.Kinds() {
		c := kinds[kind]
		if c == nil {
			t.Logf("%s: no answers", kind)
			continue
		}
		t.Logf("%s: %d accepted, %d refused with the same words, %d not ours to tell", kind, c.accepted, c.same, c.others)
	}
}

// one compares one answer.
func (c *tally) one(t *testing.T, set rules.Set, rec *record.Record) {
	p, err := rec.Job.Program()
	if err != nil {
		t.Errorf("%s: %v", rec.Job.Name, err)
		return
	}
	v, err := set.Judge(p)
	if err != nil {
		t.Errorf("%s: %v", rec.Job.Name, err)
		return
	}
	load := rec.Result.Load
	ours := !foreign.MatchString(load.Error)
	if load.Error == "callbacks are not allowed in non-JITed programs" { // said of what passed before
		load.OK = true
	}
	switch {
	case !ours && (v.Accept || v.Fault.Proven):
		c.others++ // refused for what is not modelled, before what we may say
	case load.OK:
		c.accepted++
		if !v.Accept {
			t.Errorf("%s: accepted, and we refuse it: %s (insn %d)", rec.Job.Name, v.Message, v.PC)
		}
	case v.Accept && load.Errno == "ENOMEM":
		c.late(t, p, rec)
	case v.Accept:
		c.refused++
		t.Errorf("%s: refused (%s %s), and we accept it", rec.Job.Name, load.Errno, load.Error)
	case !v.Says(load.Error) || v.Errno != load.Errno:
		c.refused++
		t.Errorf("%s: %s %q, and we say %s %q (insn %d)", rec.Job.Name, load.Errno, load.Error, v.Errno, v.Message, v.PC)
	default:
		c.refused++
		c.same++
		if last := lastInsn(load.Log); last >= 0 && v.Rule == rules.Values && last != int(v.PC) {
			t.Errorf("%s: refused at insn %d, and we say %d: %s", rec.Job.Name, last, v.PC, v.Message)
		}
	}
}

// late compares a refusal while the program is rewritten.
func (c *tally) late(t *testing.T, p *bytecode.Program, rec *record.Record) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.refused++
	if v := a.Verdict(); v.Accept || v.Message != rec.Result.Load.Error {
		t.Errorf("%s: %q, and we say %v", rec.Job.Name, rec.Result.Load.Error, a.ImageErr)
		return
	}
	c.same++
}

// lastInsn returns the instruction that a log shows last, -1 when it shows none.
func lastInsn(log string) int {
	last := -1
	for line := range strings.Lines(log) {
		num, rest, ok := strings.Cut(line, ": (")
		n, err := strconv.Atoi(num)
		if ok && err == nil && len(rest) > 3 && rest[2] == ')' {
			last = n
		}
	}
	return last
}
