package soundness

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/runvec"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/succ"
)

var (
	stepsFlag = flag.Int("soundness.steps", 200_000, "instructions to execute, for each source of programs")
	seedFlag  = flag.Uint64("soundness.seed", 1, "seed of made-up inputs and programs")
)

// subject is a program with inputs that it is known to run on.
type subject struct {
	name   string
	p      *bytecode.Program
	typ    string
	inputs []input
	r      *succ.Result // made when first needed
	narrow *abstract.Facts
}

// input is a context and a packet, before they are given their form.
type input struct{ ctx, data []byte }

// total counts what was checked.
type total struct{ programs, runs, failed, steps, edges, moments int }

// run executes a subject on one input and checks every step.
func (c *total) run(t *testing.T, s *subject, in input, rnd *rand.Rand) {
	t.Helper()
	if s.r == nil {
		r, err := succ.Resolve(s.p, succ.Options{})
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		narrow := r
		if len(r.Indirect) == 0 {
			if narrow, err = succ.Resolve(s.p, succ.Options{Narrow: true}); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		s.r, s.narrow = r, narrow.Facts
		c.programs++
	}
	w := watch(s.r)
	w.facts = append(w.facts, named{"narrow", s.narrow})
	vm, err := interp.New(s.p, interp.Config{
		Helpers: helpers(rnd), Kfuncs: interp.CommonKfuncs(), Steps: 100_000, MayGoto: 1 + rnd.IntN(50),
		Key:     func(bytecode.PC) bool { return rnd.IntN(2) == 0 },
		Stack:   func(b []byte) { fill(rnd, b) },
		Clobber: func(regs []uint64) { scatter(rnd, regs) },
		OnStep:  w.step, OnEdge: w.edge,
	})
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	w.vm = vm
	scramble(rnd, vm, s.p)
	_, err = vm.Run(form(s.typ, bytes.Clone(in.ctx), bytes.Clone(in.data)))
	if w.why != "" {
		t.Fatalf("%s: context %x, data %x: %s", s.name, in.ctx, in.data, w.why)
	}
	c.runs++
	c.steps, c.edges, c.moments = c.steps+w.steps, c.edges+w.edges, c.moments+w.moments
	if err != nil && !errors.Is(err, interp.ErrSteps) {
		c.failed++
		if !strings.Contains(err.Error(), "not modelled") {
			t.Errorf("%s: context %x, data %x: an accepted program fails: %v", s.name, in.ctx, in.data, err)
		}
	}
}

// report logs and checks the counts.
func (c *total) report(t *testing.T) {
	t.Helper()
	t.Logf("%d programs, %d runs (%d stopped at a helper), %d instructions, %d edges, %d states at block entries",
		c.programs, c.runs, c.failed, c.steps, c.edges, c.moments)
	if c.steps < *stepsFlag || c.edges == 0 || c.moments == 0 {
		t.Error("too little was executed")
	}
}

// form makes the input of a run by the program's type.
func form(typ string, ctx, data []byte) interp.Input {
	switch typ {
	case "xdp":
		return interp.XDPInput(data)
	case "sched_cls", "cgroup_skb":
		return interp.SKBInput(ctx, data, true)
	case "socket_filter":
		return interp.SKBInput(ctx, data, false)
	}
	return interp.Input{Ctx: ctx}
}

// helpers returns helpers with random results where any result is possible.
func helpers(rnd *rand.Rand) map[int32]interp.Helper {
	h := interp.CommonHelpers()
	any64 := func(*interp.VM, [5]uint64) (uint64, error) { return word(rnd), nil }
	h[5], h[14], h[15], h[118], h[125] = any64, any64, any64, any64, any64
	h[7] = func(*interp.VM, [5]uint64) (uint64, error) { return uint64(uint32(word(rnd))), nil }
	h[12] = func(*interp.VM, [5]uint64) (uint64, error) {
		return ^uint64(0), nil // an empty element: the next instruction
	}
	h[4] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		b, err := vm.Bytes(a[0], int(uint32(a[1])), true)
		fill(rnd, b)
		return word(rnd), err
	}
	return h
}

// word returns a number that is often small, or small and negative.
func word(rnd *rand.Rand) uint64 {
	v := rnd.Uint64() >> rnd.IntN(64)
	if rnd.IntN(4) == 0 {
		v = -v
	}
	return v
}

func fill(rnd *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
}

func scatter(rnd *rand.Rand, regs []uint64) {
	for i := range regs {
		regs[i] = word(rnd)
	}
}

// scramble puts random bytes into the arrays that the program may write.
func scramble(rnd *rand.Rand, vm *interp.VM, p *bytecode.Program) {
	for _, m := range p.Maps {
		for i := range min(m.MaxEntries, 16) {
			if v := vm.Map(m.Name).Value(i); v != nil && !m.ReadOnly && len(m.Code) == 0 && rnd.IntN(2) == 0 {
				fill(rnd, v)
			}
		}
	}
}

// mutate returns an input with a few words or bytes changed.
func mutate(rnd *rand.Rand, in input) input {
	change := func(b []byte) []byte {
		b = bytes.Clone(b)
		for range rnd.IntN(4) {
			if len(b) < 8 {
				break
			}
			i := rnd.IntN(len(b)/8) * 8
			if v := word(rnd); rnd.IntN(2) == 0 {
				b[i] = byte(v)
			} else {
				for j := range 8 {
					b[i+j] = byte(v >> (8 * j))
				}
			}
		}
		return b
	}
	return input{change(in.ctx), change(in.data)}
}

// exhaust runs subjects on their own inputs first, then on mutations, until
// enough was executed.
func exhaust(t *testing.T, subjects []*subject) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(*seedFlag, 5))
	var c total
	for round := 0; c.steps < *stepsFlag && round < 1<<20; round++ {
		for _, s := range subjects {
			in := s.inputs[rnd.IntN(len(s.inputs))]
			if round > 0 {
				in = mutate(rnd, in)
			}
			c.run(t, s, in, rnd)
			if c.steps >= *stepsFlag && round > 0 {
				break
			}
		}
	}
	c.report(t)
}

// TestCorpus executes the corpus.
func TestCorpus(t *testing.T) {
	var subjects []*subject
	for _, dir := range []string{"out", "out-plain"} {
		for _, file := range testenv.Glob(t, "corpus/"+dir+"/*.o") {
			base := strings.TrimSuffix(filepath.Base(file), ".o")
			inputs := map[string][]input{}
			for _, vec := range testenv.Glob(t, "corpus/vec/"+base+".txt*") {
				vectors, err := runvec.Read(vec)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range vectors {
					inputs[v.Program] = append(inputs[v.Program], input{v.Ctx, v.Data})
				}
			}
			for _, p := range programs(t, file) {
				if base == "24_rodata_table" && p.Name == "writable" {
					// No kernel accepts it, and its jump goes where random
					// bytes say.
					continue
				}
				if in := inputs[p.Name]; len(in) > 0 {
					subjects = append(subjects, &subject{name: dir + "/" + base + "#" + p.Name, p: p, typ: p.Type, inputs: in})
				}
			}
		}
	}
	exhaust(t, subjects)
}

// programs loads an object.
func programs(t *testing.T, file string) []*bytecode.Program {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return obj.Programs
}

// TestRecords executes programs that real kernels accepted and ran.
func TestRecords(t *testing.T) {
	var subjects []*subject
	seen := map[string]bool{}
	for _, file := range testenv.Glob(t, "records/*.7.3.4.off.jsonl.gz") {
		r, err := record.Open(file, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Verdict() != "OK" || len(rec.Result.Runs) == 0 || seen[rec.Job.Name] {
				continue
			}
			seen[rec.Job.Name] = true
			p, err := rec.Job.Program()
			if err != nil {
				t.Fatal(err)
			}
			s := &subject{name: filepath.Base(file) + " " + rec.Job.Name, p: p, typ: p.Type}
			for _, run := range rec.Job.Runs {
				data := make([]byte, max(run.DataSize, len(run.Data)))
				copy(data, run.Data)
				s.inputs = append(s.inputs, input{run.Ctx, data})
			}
			subjects = append(subjects, s)
		}
		r.Close()
	}
	exhaust(t, subjects)
}

// TestRandom executes random programs.
func TestRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(*seedFlag, 6))
	var c total
	for seed := *seedFlag << 32; c.steps < *stepsFlag; seed++ {
		size := 10 + int(seed%90)
		s := &subject{name: fmt.Sprintf("seed %d, size %d", seed, size), p: progen.Random(seed, size), typ: "syscall"}
		for range 8 {
			ctx := make([]byte, 64)
			c.run(t, s, mutate(rnd, mutate(rnd, mutate(rnd, input{ctx: ctx}))), rnd)
		}
	}
	c.report(t)
}
