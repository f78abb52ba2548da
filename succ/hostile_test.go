package succ_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// spoil changes fields of instructions, references and tables at random.
func spoil(p *bytecode.Program, rnd *rand.Rand) {
	for range 1 + rnd.IntN(12) {
		in := &p.Insns[rnd.IntN(len(p.Insns))]
		switch rnd.IntN(8) {
		case 0:
			in.Code = byte(rnd.Uint32())
		case 1:
			in.Dst = bytecode.Reg(rnd.IntN(16))
		case 2:
			in.Src = bytecode.Reg(rnd.IntN(16))
		case 3:
			in.Off = int16(rnd.Uint32())
		case 4:
			in.Imm = int32(rnd.Uint32()) >> rnd.IntN(32)
		case 5:
			*in = p.Insns[rnd.IntN(len(p.Insns))]
		case 6:
			if len(p.Tables) > 0 {
				t := &p.Tables[rnd.IntN(len(p.Tables))]
				t.Targets = slices.Clone(t.Targets[:rnd.IntN(len(t.Targets)+1)])
				if len(t.Targets) > 0 {
					t.Targets[0] = bytecode.PC(rnd.IntN(2*len(p.Insns))) - 5
				}
			}
		case 7:
			if len(p.Refs) > 0 {
				ref := &p.Refs[rnd.IntN(len(p.Refs))]
				ref.Off = int64(rnd.IntN(1<<20)) - 1<<19
			}
		}
	}
}

// resolveSpoiled resolves a program that no compiler made.
func resolveSpoiled(t testing.TB, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	p := progen.Random(seed, 10+rnd.IntN(60))
	spoil(p, rnd)
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		return
	}
	if err := r.Graph.Check(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for _, d := range r.Indirect {
		if len(d.Exact) > len(d.Range) || d.Reason == "" && d.Status != succ.Exact {
			t.Fatalf("seed %d: %+v", seed, d)
		}
	}
	for b := range r.Graph.Blocks {
		r.Facts.EntryText(cfg.BlockID(b))
	}
	r.Facts.Faults()
}

// TestHostile resolves programs with random damage: they give an answer or an
// error.
func TestHostile(t *testing.T) {
	for seed := range 400 {
		resolveSpoiled(t, uint64(seed))
	}
}

// FuzzHostile is TestHostile for any seed.
func FuzzHostile(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { resolveSpoiled(t, seed) })
}

// TestTooManyTargets checks that the work for tables that many jumps select
// whole has a limit, after which jumps are unresolved and all entries reached.
func TestTooManyTargets(t *testing.T) {
	var a progen.Asm
	const jumps, entries = 200, 50_000
	labels := make([]string, entries)
	for i := range labels {
		labels[i] = []string{"a", "b", "c"}[i%3]
	}
	a.Emit(0x79, 2, 1, 0, 0)
	a.If(0x25, 2, 0, entries-1, "c")
	a.Emit(0x67, 2, 0, 0, 3)
	for i := range jumps {
		a.Table(3, labels...)
		a.Emit(0x0f, 3, 2, 0, 0)
		a.Emit(0x79, 4, 3, 0, 0)
		a.Emit(0x79, 5, 1, 8, 0)
		a.If(0x15, 5, 0, 0, fmt.Sprint("next", i))
		a.Emit(bytecode.CodeGotox, 4, 0, 0, 0)
		a.Label(fmt.Sprint("next", i))
	}
	for _, l := range []string{"a", "b", "c"} {
		a.Label(l)
		a.Emit(0xb7, 0, 0, 0, 0)
	}
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	r, err := succ.Resolve(a.Program("many"), succ.Options{})
	if err != nil {
		t.Fatal(err)
	}
	count := map[succ.Status]int{}
	for _, d := range r.Indirect {
		count[d.Status]++
	}
	if count[succ.Exact] == 0 || count[succ.Unresolved] == 0 || len(r.Indirect) != jumps {
		t.Errorf("%d jumps: %v", len(r.Indirect), count)
	}
	for b, blk := range r.Graph.Blocks {
		if !r.Facts.Reached(blk.Start) {
			t.Errorf("b%d is not reached", b)
		}
	}
}
