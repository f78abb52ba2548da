package soundness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// longVariable is how many steps TestMixed takes, in place of -soundness.steps: 10^8
// in its long mode.
const longVariable = "BPFCFG_SOUNDNESS_STEPS"

// TestMixed executes programs of the patterns that an analysis of memory, calls and
// joins gets wrong first, and counts the steps in each.
func TestMixed(t *testing.T) {
	want, runs := *stepsFlag, 6
	if s := os.Getenv(longVariable); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s: %v", longVariable, err)
		}
		want, runs = n, 100
	}
	var c total
	var steps [progen.NumPatterns]int
	for seed := *seedFlag << 32; c.steps < want; seed++ {
		runMixed(t, &c, &steps, seed, runs)
		if t.Failed() {
			return
		}
	}
	for p, n := range steps {
		t.Logf("%10d steps: %v", n, progen.Pattern(p))
		if n < want/1000 {
			t.Errorf("%v: of %d steps only %d", progen.Pattern(p), want, n)
		}
	}
	t.Logf("%d programs, %d runs, %d steps, %d edges, %d states at block entries", c.programs, c.runs, c.steps, c.edges,
		c.moments)
}

// TestFoundSeeds executes the programs again in which long runs have found a contradiction.
func TestFoundSeeds(t *testing.T) {
	var c total
	var steps [progen.NumPatterns]int
	for _, seed := range []uint64{
		9701<<32 + 151, // a number that decides is an argument on the stack
		9702<<32 + 845, // an argument of a global function that cannot be read
	} {
		runMixed(t, &c, &steps, seed, 100)
	}
}

// runMixed executes the program of a seed so many times.
func runMixed(t *testing.T, c *total, steps *[progen.NumPatterns]int, seed uint64, runs int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 10))
	size := 8 + int(seed%24)
	p, patterns := progen.Mixed(seed, size)
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		t.Fatalf("seed %d, size %d: %v", seed, size, err)
	}
	w := watch(r)
	k := &kernel{rnd: rnd, iters: map[uint64][2]uint32{}}
	vm, err := interp.New(p, interp.Config{
		Helpers: k.helpers(), Kfuncs: k.kfuncs(), Steps: 2_000, MayGoto: 20,
		Stack:   func(b []byte) { fill(rnd, b) },
		Clobber: func(regs []uint64) { scatter(rnd, regs) },
		OnStep:  w.step, OnEdge: w.edge,
	})
	if err != nil {
		t.Fatalf("seed %d, size %d: %v", seed, size, err)
	}
	w.vm, w.count = vm, make([]int, p.Len())
	c.programs++
	for range runs {
		scramble(rnd, vm, p)
		in := input{ctx: make([]byte, 64), data: make([]byte, 14+rnd.IntN(40))}
		for i := 0; i < 64; i += 8 {
			binary.LittleEndian.PutUint64(in.ctx[i:], word(rnd))
		}
		fill(rnd, in.data)
		name := fmt.Sprintf("seed %d, size %d, context %x, data %x", seed, size, in.ctx, in.data)
		_, err := vm.Run(form(p.Type, in.ctx, in.data))
		if w.why != "" {
			t.Fatalf("%s: %s", name, w.why)
		}
		if err != nil && !errors.Is(err, interp.ErrSteps) {
			t.Fatalf("%s: %v", name, err)
		}
		c.runs++
	}
	c.steps, c.edges, c.moments = c.steps+w.steps, c.edges+w.edges, c.moments+w.moments
	for pc, n := range w.count {
		steps[patterns[pc]] += n
	}
}
