package succ_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// indexed makes a program that reads six and four bits of its context into r2 and r5, lets
// compute make an index in r2, and jumps through a table of n entries with it.
func indexed(n int, compute func(a *progen.Asm)) *bytecode.Program {
	return jumps(n, func(a *progen.Asm) {
		a.Emit(0x71, 2, 1, 0, 0)
		a.Emit(0x57, 2, 0, 0, 63)
		a.Emit(0x71, 5, 1, 8, 0)
		a.Emit(0x57, 5, 0, 0, 15)
		compute(a)
	})
}

// jumps makes a program that jumps through a table of n entries with an index in r2.
func jumps(n int, compute func(a *progen.Asm)) *bytecode.Program {
	var a progen.Asm
	compute(&a)
	a.Emit(0x67, 2, 0, 0, 3)
	labels := make([]string, n)
	for i := range labels {
		labels[i] = fmt.Sprint("case", i)
	}
	a.Table(3, labels...)
	a.Emit(0x0f, 3, 2, 0, 0)
	a.Emit(0x79, 4, 3, 0, 0)
	a.Emit(bytecode.CodeGotox, 4, 0, 0, 0)
	for _, l := range labels {
		a.Label(l)
		a.Emit(0xb7, 0, 0, 0, 1)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	a.Label("out")
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("indexed")
}

// selects runs a program of indexed with all contents of these bits and returns the targets of
// its jump.
func selects(p *bytecode.Program) []bytecode.PC {
	x, y := make([]uint64, 64), make([]uint64, 16)
	for i := range x {
		x[i], y[i%16] = uint64(i), uint64(i%16)
	}
	return selectsOf(p, x, y)
}

// selectsOf runs a program with all pairs of two numbers in its context, and returns the targets
// of its jump.
func selectsOf(p *bytecode.Program, xs, ys []uint64) []bytecode.PC {
	var to []bytecode.PC
	m := newMachine(p, rand.New(rand.NewPCG(1, 1)))
	last := bytecode.PC(-1)
	m.Visit = func(_ *machine, pc bytecode.PC) bool {
		if last >= 0 && p.Insns[last].IsGotox() {
			to = append(to, pc)
		}
		last = pc
		return true
	}
	for _, x := range xs {
		for _, y := range ys {
			binary.LittleEndian.PutUint64(m.Ctx[0:], x)
			binary.LittleEndian.PutUint64(m.Ctx[8:], y)
			m.Steps, last = 1000, -1
			_, _ = m.Run() // an index outside of the table ends the run
		}
	}
	slices.Sort(to)
	return slices.Compact(to)
}

// TestExactIndex checks indices that have fewer values than their range.
func TestExactIndex(t *testing.T) {
	for _, tt := range []struct {
		name    string
		compute func(a *progen.Asm)
		exact   bool // the answer is
	}{
		{"masked", func(a *progen.Asm) { a.Emit(0x57, 2, 0, 0, 3) }, true},
		{"bounded", func(a *progen.Asm) { a.If(0x25, 2, 0, 3, "out") }, true},
		{"bias", func(a *progen.Asm) { a.Emit(0x17, 2, 0, 0, 9); a.If(0x25, 2, 0, 3, "out") }, true},
		{"a hole", func(a *progen.Asm) { a.If(0x15, 2, 0, 2, "out"); a.If(0x25, 2, 0, 3, "out") }, true},
		{"three times a bit", func(a *progen.Asm) { a.Emit(0x57, 2, 0, 0, 1); a.Emit(0x27, 2, 0, 0, 3) }, true},
		{"odd", func(a *progen.Asm) { a.Emit(0x47, 2, 0, 0, 1); a.Emit(0x57, 2, 0, 0, 3) }, true},
		{"two bits", func(a *progen.Asm) {
			a.Emit(0xbf, 3, 2, 0, 0)
			a.Emit(0x57, 3, 0, 0, 1)
			a.If(0x15, 3, 0, 0, "out")
			a.Emit(0x77, 2, 0, 0, 1)
			a.Emit(0x57, 2, 0, 0, 1)
		}, true},
		{"square", func(a *progen.Asm) { a.Emit(0x2f, 2, 2, 0, 0); a.Emit(0x57, 2, 0, 0, 3) }, false},
		{"x * (x + 1)", func(a *progen.Asm) {
			a.Emit(0xbf, 3, 2, 0, 0)
			a.Emit(0x07, 3, 0, 0, 1)
			a.Emit(0x2f, 2, 3, 0, 0)
			a.Emit(0x57, 2, 0, 0, 3)
		}, false},
		{"a product was tested", func(a *progen.Asm) {
			a.Emit(0xbf, 3, 2, 0, 0)
			a.Emit(0x27, 3, 0, 0, 7)
			a.If(0x25, 3, 0, 14, "out")
			a.If(0x25, 2, 0, 3, "out")
		}, false},
		{"read again", func(a *progen.Asm) {
			a.If(0x25, 2, 0, 1, "out")
			a.Emit(0x71, 2, 1, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, false},
		{"read again, perhaps elsewhere", func(a *progen.Asm) {
			a.If(0x25, 2, 0, 1, "out")
			a.Emit(0x57, 5, 0, 0, 1)
			a.Emit(0x0f, 1, 5, 0, 0)
			a.Emit(0x71, 2, 1, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, false},
		{"at most a square", func(a *progen.Asm) {
			a.Emit(0x2f, 5, 5, 0, 0)
			a.Emit(0x57, 5, 0, 0, 3)
			a.If(0x2d, 2, 5, 0, "out")
		}, false},
		{"at most another number", func(a *progen.Asm) {
			a.Emit(0x57, 5, 0, 0, 3)
			a.If(0x2d, 2, 5, 0, "out")
		}, true},
		{"another way that nothing takes", func(a *progen.Asm) {
			a.Emit(0x2f, 5, 5, 0, 0)
			a.Emit(0x57, 5, 0, 0, 3)
			a.Emit(0xb7, 2, 0, 0, 0)
			a.If(0x55, 5, 0, 2, "join")
			a.Emit(0xb7, 2, 0, 0, 1)
			a.Label("join")
		}, false},
		{"two ways", func(a *progen.Asm) {
			a.Emit(0x57, 5, 0, 0, 3)
			a.Emit(0xb7, 2, 0, 0, 0)
			a.If(0x55, 5, 0, 2, "join")
			a.Emit(0xb7, 2, 0, 0, 1)
			a.Label("join")
		}, true},
		{"equal to another number", func(a *progen.Asm) { a.If(0x5d, 2, 5, 0, "out"); a.If(0x25, 2, 0, 3, "out") }, true},
		{"two numbers side by side", func(a *progen.Asm) {
			a.Emit(0x57, 2, 0, 0, 1)
			a.Emit(0x57, 5, 0, 0, 1)
			a.Emit(0x67, 5, 0, 0, 1)
			a.Emit(0x4f, 2, 5, 0, 0)
		}, true},
		{"written before", func(a *progen.Asm) {
			a.Emit(0x72, 1, 0, 0, 2)
			a.Emit(0x71, 2, 1, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, false},
	} {
		p := indexed(4, tt.compute)
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d, runs := r.Indirect[0], selects(p)
		if (d.Status == succ.Exact) != tt.exact || tt.exact && !slices.Equal(d.Exact, runs) {
			t.Errorf("%s: %s %v, executions go to %v", tt.name, d.Status, d.Exact, runs)
		}
	}
}

// TestExactRandom computes indices at random: a target that is proven is one that an
// execution goes to, and all that they go to are among the exact ones.
func TestExactRandom(t *testing.T) {
	exact := 0
	for seed := range uint64(1000) {
		p := indexed(8, func(a *progen.Asm) { randomIndex(a, rand.New(rand.NewPCG(seed, 7)), false) })
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d, runs := r.Indirect[0], selects(p)
		if d.Status == succ.Exact {
			exact++
		}
		for _, pc := range runs {
			if !slices.Contains(d.Exact, pc) && d.Status != succ.Unresolved {
				t.Errorf("seed %d: %s %v, executions go to %v", seed, d.Status, d.Exact, runs)
				break
			}
		}
		provenRuns(t, seed, d, runs)
	}
	t.Logf("%d of 1000 are exact", exact)
	if exact < 600 {
		t.Error("too few are exact")
	}
}

// provenRuns checks that executions go to each target that is proven, if any gets to the jump.
func provenRuns(t *testing.T, seed uint64, d succ.Indirect, runs []bytecode.PC) {
	t.Helper()
	if len(runs) > 0 && len(abstract.Common(runs, d.Proven)) < len(d.Proven) {
		t.Errorf("seed %d: %v are proven, executions go to %v", seed, d.Proven, runs)
	}
}

// TestExactWide is TestExactRandom for words. Executions are tried with numbers near those where
// an order or a width begins, as long as there is a proven target that none has gone to.
func TestExactWide(t *testing.T) {
	var near, ends []uint64
	for _, at := range []uint64{0, 1 << 31, 1 << 32, 1<<32 + 1<<31, 1 << 63} {
		for d := -70; d <= 70; d++ {
			near = append(near, at+uint64(d))
		}
		for d := range uint64(8) {
			ends = append(ends, at-1+d)
		}
	}
	exact := 0
	for seed := range uint64(150) {
		p := jumps(8, func(a *progen.Asm) {
			a.Emit(0x79, 2, 1, 0, 0)
			a.Emit(0x79, 5, 1, 8, 0)
			rnd := rand.New(rand.NewPCG(seed, 8))
			randomIndex(a, rnd, true)
			if rnd.IntN(2) == 0 {
				randomIndex(a, rnd, true)
			}
		})
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := r.Indirect[0]
		if d.Status == succ.Exact {
			exact++
		}
		missing, gets := slices.Clone(d.Proven), false
		for _, in := range [][2][]uint64{{near, ends}, {ends, near}, {near[:141], near[:141]}} {
			if len(missing) > 0 {
				runs := selectsOf(p, in[0], in[1])
				gets = gets || len(runs) > 0
				missing = slices.DeleteFunc(missing, func(pc bytecode.PC) bool { return slices.Contains(runs, pc) })
			}
		}
		if len(missing) > 0 && gets {
			t.Errorf("seed %d: %v are proven, no execution goes to %v", seed, d.Proven, missing)
		}
	}
	t.Logf("%d of 150 are exact", exact)
}

// randomIndex makes an index below 8 out of r2 and r5, for words by operations that small numbers
// undo.
func randomIndex(a *progen.Asm, rnd *rand.Rand, words bool) {
	small := func() int32 { return rnd.Int32N(9) }
	a.Emit(0xbf, 3, 2, 0, 0)
	regs := []bytecode.Reg{2, 3, 5}
	reg := func() bytecode.Reg { return regs[rnd.IntN(len(regs))] }
	for range 1 + rnd.IntN(4) {
		ops := []uint8{0x07, 0x17, 0x57, 0x47, 0xa7, 0x04, 0x14, 0x54, 0x67, 0x77, 0x27, 0x97, 0x64, 0x74}
		if words {
			ops = ops[:8]
		}
		switch rnd.IntN(5) {
		case 0:
			a.Emit([]uint8{0x0f, 0x1f, 0x5f, 0xaf, 0x2f, 0xbf, 0xbc}[rnd.IntN(7)], reg(), reg(), 0, 0)
		case 4:
			if rnd.IntN(3) == 0 {
				op := rnd.IntN(2) // no 32-bit move extends 32 bits
				a.Emit([]uint8{0xbc, 0xbf}[op], reg(), reg(), []int16{8, 16, 32}[rnd.IntN(2+op)], 0)
			}
			fallthrough
		case 1:
			conds := []uint8{0x15, 0x55, 0x25, 0xb5, 0x45, 0xa5, 0x65, 0xc5, 0x26, 0x16, 0x46, 0x56, 0x66, 0xd6}
			if cond := conds[rnd.IntN(len(conds))]; rnd.IntN(3) == 0 {
				a.If(cond|8, reg(), reg(), 0, "out")
			} else {
				a.If(cond, reg(), 0, small()*small(), "out")
			}
		default:
			op := ops[rnd.IntN(len(ops))]
			c := small()
			if op == 0x97 {
				c++
			}
			a.Emit(op, reg(), 0, 0, c)
		}
	}
	if rnd.IntN(2) == 0 {
		a.Emit(0x57, 2, 0, 0, 7)
	} else {
		a.If(0x25, 2, 0, 7, "out")
	}
}

// TestExactJoined is TestExactRandom for more ways than there are states, which are joined.
func TestExactJoined(t *testing.T) {
	exact := 0
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		p := indexed(8, func(a *progen.Asm) {
			a.Emit(0xb7, 7, 0, 0, 0)
			for bit := range int32(6) {
				skip := fmt.Sprint("skip", bit)
				a.Emit(0xbf, 8, 2, 0, 0)
				a.Emit(0x77, 8, 0, 0, bit)
				a.Emit(0x57, 8, 0, 0, 1)
				a.If(0x15, 8, 0, 0, skip)
				switch rnd.IntN(4) {
				case 0:
					a.Emit(0xb7, 5, 0, 0, rnd.Int32N(4))
				case 1:
					a.Emit(0x57, 5, 0, 0, rnd.Int32N(8))
				case 2:
					a.Emit(0x07, 5, 0, 0, 1)
				}
				a.Emit(0x07, 7, 0, 0, 1<<rnd.IntN(3))
				a.Label(skip)
			}
			a.Emit(0xbf, 2, 5, 0, 0)
			if rnd.IntN(3) > 0 {
				a.Emit(0x57, 2, 0, 0, 3)
				a.Emit(0x57, 7, 0, 0, 1)
				a.Emit(0x67, 7, 0, 0, 2)
				a.Emit(0x4f, 2, 7, 0, 0)
			} else {
				a.Emit(0x0f, 2, 7, 0, 0)
				a.Emit(0x57, 2, 0, 0, 7)
			}
		})
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := r.Indirect[0]
		if d.Status == succ.Exact {
			exact++
		}
		provenRuns(t, seed, d, selects(p))
	}
	t.Logf("%d of 300 are exact", exact)
	if exact < 200 {
		t.Error("too few are exact")
	}
}
