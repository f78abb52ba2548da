package asked_test

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/visits"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Environment: the kernels, how many programs, the seed of the first, and a
// directory for the records; a record of answers that were kept; records of programs to
// mutate, in place of made ones.
const (
	vmVariable       = "BPFCFG_VM"
	umlVariable      = "BPFCFG_UML"
	programsVariable = "BPFCFG_ASKED_PROGRAMS"
	seedVariable     = "BPFCFG_RANDOM_SEED"
	keepVariable     = "BPFCFG_ASKED_KEEP"
	answersVariable  = "BPFCFG_ASKED_ANSWERS"
	baseVariable     = "BPFCFG_ASKED_BASE"
)

// number reads a number from the environment.
func number(t *testing.T, name string, def int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestRandom asks the kernels that the environment names about random programs and
// mutations of them.
func TestRandom(t *testing.T) {
	kernels := map[string]string{"--vm": os.Getenv(vmVariable), "--uml": os.Getenv(umlVariable)}
	maps.DeleteFunc(kernels, func(_, path string) bool { return path == "" })
	if len(kernels) == 0 {
		t.Skipf("no kernel to ask: %s=IMAGE (with QEMU) or %s=BINARY names one", vmVariable, umlVariable)
	}
	dir := os.Getenv(keepVariable)
	if dir == "" {
		dir = t.TempDir()
	}
	n, seed := number(t, programsVariable, 200), number(t, seedVariable, 1)
	jobs := filepath.Join(dir, "jobs.jsonl.gz")
	writeJobs(t, jobs, n, uint64(seed))
	program := build(t)
	for _, flag := range slices.Sorted(maps.Keys(kernels)) {
		t.Run(strings.Trim(flag, "-"), func(t *testing.T) {
			answers := filepath.Join(dir, strings.Trim(flag, "-")+".jsonl.gz")
			cmd := exec.Command(program, "ask", flag, kernels[flag], "record:"+jobs, "-o", answers, "--format", "json")
			out, err := cmd.Output()
			var exit *exec.ExitError
			if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 2 || len(out) == 0) {
				t.Fatalf("%v: %v", cmd, err)
			}
			compare(t, answers, n)
		})
	}
}

// TestAnswers compares answers that were kept: those of Linux 7.2.7, 6.12.117 and 6.19.14 about programs of
// which the analysis said something else before it was fixed, those of Linux 7.2.7 about some with
// callbacks, and of 7.3.4 and 6.12.117 about some with slots that are read in many ways, or those that the
// environment names.
func TestAnswers(t *testing.T) {
	path := os.Getenv(answersVariable)
	if path == "" {
		path = filepath.Join("testdata", "found.jsonl.gz")
	}
	compare(t, path, 1)
}

// build returns a static bpfcfg, which can be the first process of a guest.
func build(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("guests are Linux on x86-64")
	}
	path := filepath.Join(t.TempDir(), "bpfcfg")
	cmd := exec.Command("go", "build", "-o", path, "../../../cmd/bpfcfg")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// generated returns the program of a seed.
func generated(seed uint64) *bytecode.Program {
	rnd := rand.New(rand.NewPCG(seed, 17))
	var p *bytecode.Program
	switch rnd.IntN(4) {
	case 0:
		p = progen.Stack(seed, true)
	case 1:
		p = progen.Stack(seed, false)
	case 2:
		p = progen.Copies(seed)
	default:
		p = progen.RandomLoadable(seed, 5+rnd.IntN(60))
	}
	switch loops := rand.New(rand.NewPCG(seed, 18)); loops.IntN(5) {
	case 0:
		p = progen.Rounds(seed)
	case 1:
		p = progen.Callbacks(seed)
	case 2:
		p = progen.Idle(seed)
	}
	if rnd.IntN(2) == 0 {
		p = progen.Mutate(p, seed)
	}
	const sleepable = 1 << 4 // BPF_F_SLEEPABLE, which programs of type syscall must be
	p.Flags |= sleepable
	p.Name = fmt.Sprintf("random%d", seed)
	return p
}

// writeJobs writes a file of records without results.
func writeJobs(t *testing.T, path string, n int, seed uint64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	enc := json.NewEncoder(z)
	base := baseJobs(t)
	for i := range n {
		job, err := made(base, seed+uint64(i))
		if err != nil {
			continue // its functions overlap after a mutation
		}
		if err := enc.Encode(&record.Record{Kind: record.KindResult, Index: i, Job: job}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// made returns the program of a seed, one of base after a mutation if there are any.
func made(base []*record.Job, seed uint64) (*record.Job, error) {
	if len(base) > 0 {
		return mutated(base[int(seed*7919)%len(base)], seed)
	}
	p := generated(seed)
	return live.JobOf(&live.Source{Name: p.Name, Program: p})
}

// mutated returns a job with a few instructions changed.
func mutated(job *record.Job, seed uint64) (*record.Job, error) {
	p, err := job.Program()
	if err != nil {
		return nil, err
	}
	out := *job
	out.Name, out.Insns = fmt.Sprintf("%.8s%d", job.Name, seed), slices.Clone(job.Insns)
	for pc, in := range progen.Mutate(p, seed).Insns {
		if in != p.Insns[pc] {
			out.Insns[pc] = encoded(in)
		}
	}
	return &out, nil
}

// encoded returns the eight bytes of an instruction.
func encoded(in bytecode.Insn) record.Hex {
	b := []byte{in.Code, uint8(in.Dst) | uint8(in.Src)<<4}
	b = binary.LittleEndian.AppendUint16(b, uint16(in.Off))
	return binary.LittleEndian.AppendUint32(b, uint32(in.Imm))
}

// baseJobs returns the jobs of the records that the environment names which a kernel
// accepts and which call kernel functions, have callbacks, an arena, or arguments on the
// stack.
func baseJobs(t *testing.T) (jobs []*record.Job) {
	t.Helper()
	kinds := map[string]int{}
	for _, path := range filepath.SplitList(os.Getenv(baseVariable)) {
		r, err := record.Open(path, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK {
				continue
			}
			if p, err := rec.Job.Program(); err == nil && p.Len() < 400 && special(p, kinds) {
				jobs = append(jobs, rec.Job)
			}
		}
		r.Close()
	}
	if len(jobs) > 0 {
		t.Logf("%d programs to mutate: %v", len(jobs), kinds)
	}
	return jobs
}

// special reports whether a program is one for baseJobs, and counts why.
func special(p *bytecode.Program, kinds map[string]int) bool {
	has := map[string]bool{}
	for _, m := range p.Maps {
		has["arena"] = has["arena"] || m.Type == bytecode.MapArena
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		ref, ok := p.RefAt(pc)
		in := p.Insns[pc]
		has["kernel function"] = has["kernel function"] || ok && ref.Kind == bytecode.RefKfunc
		has["callback"] = has["callback"] || p.Flow(pc).Kind == bytecode.FlowFuncAddr
		has["stack argument"] = has["stack argument"] || in.Dst == bytecode.R11 || in.Src == bytecode.R11 && in.Code&7 == 1
	}
	some := false
	for kind, yes := range has {
		if yes {
			kinds[kind]++
			some = true
		}
	}
	return some
}

// tally counts what was compared.
type tally struct {
	verdicts map[string]int
	slots    int // visited slots that were compared
	certain  int // slots that are said to be visited in any case
	whole    int // logs that are whole
}

// compare compares the answers with the analysis.
func compare(t *testing.T, path string, n int) {
	t.Helper()
	r, err := record.Open(path, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var set rules.Set
	c := &tally{verdicts: map[string]int{}}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e := rec.Env; e != nil { // the profile tells stable releases apart
			prof, err := jit.ProfileForEnv(e.Release, e.Cmdline, e.CPUFlags, e.CPUBugs, e.Vulnerabilities)
			if err != nil {
				t.Fatal(err)
			}
			set = rules.Of(prof.Kernel())
			continue
		}
		c.verdicts[rec.Verdict()]++
		// A kernel without a JIT refuses functions that are called back when all is verified.
		if l := rec.Result; l != nil && l.Load != nil && (l.Load.OK || l.Load.NoJIT) {
			c.accepted(t, set, rec)
		}
	}
	t.Logf("%v; %d logs are whole, %d visited slots, %d certain ones", c.verdicts, c.whole, c.slots, c.certain)
	if c.whole < max(n/20, 1) {
		t.Errorf("of %d programs only %d were accepted with a whole log", n, c.whole)
	}
}

// accepted compares what is said of a program that the kernel has accepted.
func (c *tally) accepted(t *testing.T, set rules.Set, rec *record.Record) {
	p, err := rec.Job.Program()
	if err != nil {
		t.Errorf("%s: %v", rec.Job.Name, err)
		return
	}
	res, err := set.Resolve(p)
	if err != nil {
		t.Errorf("%s: accepted, and not analysed: %v", p.Name, err)
		return
	}
	if v := set.Check(p, res); !v.Accept {
		t.Errorf("%s: accepted, and we refuse it: %s (slot %d)", p.Name, v.Message, v.PC)
	}
	seen, err := visits.Read(strings.NewReader(rec.Result.Load.Log), p.Name, len(p.Insns))
	if err != nil || seen.Total+seen.Pruned != seen.Walked {
		return // the log did not fit
	}
	c.whole++
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		switch reach := res.Facts.Reach(pc); {
		case seen.Slots[pc] > 0 && reach == cfg.No:
			t.Errorf("%s: slot %d is visited, and proven dead", p.Name, pc)
		case seen.Slots[pc] == 0 && reach == cfg.Yes:
			t.Errorf("%s: slot %d is not visited, and said to be visited in any case", p.Name, pc)
		case seen.Slots[pc] > 0:
			c.slots++
		}
		if res.Facts.Reach(pc) == cfg.Yes {
			c.certain++
		}
	}
}
