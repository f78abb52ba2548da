package succ_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// moment shows a machine to the facts.
type moment struct{ m *machine }

func (c moment) Reg(r bytecode.Reg) uint64 { return c.m.Regs[r] }

func (c moment) Base(k abstract.Kind, obj int, _ uint64) uint64 {
	switch k {
	case abstract.Ctx:
		return ctxBase
	case abstract.Stack:
		return stackTop(len(c.m.Stack) - 1 - obj)
	case abstract.MapPtr:
		return mapAddr(obj)
	case abstract.MapValue:
		return mapValueAddr(obj)
	case abstract.Table:
		return tableAddr(obj)
	case abstract.Func:
		return codeAddr(c.m.P.Subprogs[obj].Start)
	case abstract.Label:
		return codeAddr(0)
	}
	return 0
}

func (c moment) Cells(k abstract.Kind, obj int, addr uint64) (offs []uint64) {
	if k == abstract.Insn {
		for i, to := range c.m.P.Tables[obj].Targets {
			if codeAddr(to) == addr {
				offs = append(offs, uint64(8*i))
			}
		}
		return offs
	}
	for _, cell := range c.m.P.Maps[obj].Code {
		if codeAddr(cell.Target) == addr {
			offs = append(offs, uint64(cell.Off))
		}
	}
	return offs
}

func (c moment) StackWord(frame, num int) uint64 {
	f := c.m.Stack[len(c.m.Stack)-1-frame]
	return binary.LittleEndian.Uint64(f[stackSize-8*num:])
}

// watcher checks facts against what a machine does.
type watcher struct {
	g     *cfg.Graph
	facts *abstract.Facts
	last  map[int]bytecode.PC // of each activation, the instruction before
	pc    bytecode.PC
	why   string

	refusals []string
}

// visit checks the instruction that is about to be executed, and the way there.
func (w *watcher) visit(m *machine, pc bytecode.PC) bool {
	from, act := bytecode.PC(-1), m.Acts[len(m.Acts)-1]
	if before, ok := w.last[act]; ok {
		from = before
	}
	w.last[act], w.pc = pc, pc
	b, _ := w.g.BlockAt(pc)
	switch {
	case !w.facts.Reached(pc):
		w.why = "is executed, but not reached"
	case w.g.Blocks[b].Start == pc && !w.facts.Admits(b, moment{m}):
		w.why = "has registers or stack that no fact admits"
	case from >= 0 && w.g.Blocks[b].Start == pc && !w.edge(from, b):
		w.why = "is reached along no feasible edge"
	}
	if w.why != "" {
		w.refusals = w.facts.Refusals(b, moment{m})
	}
	return w.why == ""
}

// edge reports whether the facts admit an edge from the block that ends with
// the instruction from.
func (w *watcher) edge(from bytecode.PC, to cfg.BlockID) bool {
	b, _ := w.g.BlockAt(from)
	if w.g.Blocks[b].Last != from {
		return false
	}
	lo, hi := w.g.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if w.g.Edges()[i].To == to && w.facts.EdgeFeasible(i) {
			return true
		}
	}
	return false
}

// check runs a program with inputs of a seed and fails the test when it does what facts exclude. It
// returns how many instructions were executed.
func check(t testing.TB, p *bytecode.Program, seed uint64, runs int) (steps int) {
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range runs {
		for _, facts := range []*abstract.Facts{r.Facts, r.Exact} {
			m := newMachine(p, rand.New(rand.NewPCG(seed, uint64(i))))
			w := &watcher{g: r.Graph, facts: facts, last: map[int]bytecode.PC{}}
			m.Visit = w.visit
			_, err := m.Run()
			steps += 10_000 - m.Steps
			if errors.Is(err, errStop) {
				pc := w.pc
				b, _ := r.Graph.BlockAt(pc)
				t.Fatalf("seed %d run %d: insn %d %s: %s\nregisters %x\n%v: %q",
					seed, i, pc, p.Text(pc), w.why, m.Regs, b, w.refusals)
			}
		}
	}
	return steps
}

// TestSoundness executes random programs and checks that facts and graph admit
// whatever happens: each instruction, each edge between blocks, and the values
// of all registers and stack slots at the start of each block.
func TestSoundness(t *testing.T) {
	programs := 150
	if testing.Short() {
		programs = 30
	}
	steps := 0
	for seed := range programs {
		steps += check(t, progen.Random(uint64(seed), 20+seed%60), uint64(seed), 12)
	}
	t.Logf("%d programs, %d instructions executed", programs, steps)
}

// FuzzSoundness is TestSoundness for any seed: a program, small ones first, and a few
// runs of it with other inputs. A fuzzer that finds a program comes back to it with
// more inputs.
func FuzzSoundness(f *testing.F) {
	for size := range uint8(8) {
		f.Add(uint64(size), uint64(0), 1+3*size)
	}
	f.Fuzz(func(t *testing.T, program, inputs uint64, size uint8) {
		check(t, progen.Random(program, 1+int(size)%48), inputs, 2)
	})
}
