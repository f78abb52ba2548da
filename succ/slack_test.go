package succ_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// indexed makes a program that reads six and four bits of its context into r2 and r5, lets
// compute make an index in r2, and jumps through a table of n entries with it.
func indexed(n int, compute func(a *progen.Asm)) *bytecode.Program {
	var a progen.Asm
	a.Emit(0x71, 2, 1, 0, 0)
	a.Emit(0x57, 2, 0, 0, 63)
	a.Emit(0x71, 5, 1, 8, 0)
	a.Emit(0x57, 5, 0, 0, 15)
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

// selects runs the program with all contents of these bits and returns the targets of its jump.
func selects(p *bytecode.Program) []bytecode.PC {
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
	for x := range 64 {
		for y := range 16 {
			m.Ctx[0], m.Ctx[8] = byte(x), byte(y)
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
	for seed := range uint64(250) {
		p := indexed(8, func(a *progen.Asm) { randomIndex(a, rand.New(rand.NewPCG(seed, 7))) })
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
		for _, pc := range d.Proven {
			if !slices.Contains(runs, pc) && len(runs) > 0 {
				t.Errorf("seed %d: %v are proven, executions go to %v", seed, d.Proven, runs)
				break
			}
		}
	}
	t.Logf("%d of 250 are exact", exact)
	if exact < 100 {
		t.Error("too few are exact")
	}
}

// randomIndex makes an index below 8 out of r2 and r5.
func randomIndex(a *progen.Asm, rnd *rand.Rand) {
	small := func() int32 { return rnd.Int32N(9) }
	a.Emit(0xbf, 3, 2, 0, 0)
	regs := []bytecode.Reg{2, 3, 5}
	reg := func() bytecode.Reg { return regs[rnd.IntN(len(regs))] }
	for range 1 + rnd.IntN(4) {
		ops := []uint8{0x07, 0x17, 0x57, 0x47, 0xa7, 0x67, 0x77, 0x27, 0x97, 0x04, 0x14, 0x54, 0x64, 0x74}
		switch rnd.IntN(5) {
		case 0:
			a.Emit([]uint8{0x0f, 0x1f, 0x5f, 0xaf, 0x2f, 0xbf, 0xbc}[rnd.IntN(7)], reg(), reg(), 0, 0)
		case 1:
			conds := []uint8{0x15, 0x55, 0x25, 0xb5, 0x45, 0xa5, 0x65, 0x26, 0x16, 0x46, 0x56}
			a.If(conds[rnd.IntN(len(conds))], reg(), 0, small()*small(), "out")
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
