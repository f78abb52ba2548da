package abstract

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Replay computes the facts in the middle of blocks: it carries out instructions again from the
// states at a block's entry.
//
//	r := abstract.NewReplay(facts, abstract.Options{})
//	for _, s := range r.Before(17) {
//		fmt.Println(s.Reg(bytecode.R2)) // scalar(umax=14)
//	}
//
// It is for explanations and tests. Facts keep only the states at the entries of blocks, which
// suffice for everything else.
type Replay struct {
	f *Facts
	a *analyzer
}

// NewReplay prepares a Replay of facts that Analyze found with these options. The cost is linear
// in the program.
func NewReplay(f *Facts, opt Options) *Replay {
	g := f.g
	opt.Like = f
	scratch := newFacts(g.Program, g) // results that Replay discards
	a := &analyzer{p: g.Program, g: g, opt: opt, f: scratch, kinds: make([]accessKind, g.Program.Len())}
	a.cover, a.rounds = newCovering(g.Program, g, false), f.rounds
	a.prepare()
	return &Replay{f, a}
}

// maxBefore bounds the states that Before returns.
const maxBefore = maxStates + maxForks

// Before returns the states in which an execution can be just before the instruction at pc, none
// if there is no instruction or no execution reaches it. Registers that nothing reads any more
// are unknown. The cost is linear in the block.
func (r *Replay) Before(pc bytecode.PC) []*State {
	b, ok := r.f.g.BlockAt(pc)
	if !ok || !r.f.g.InsnAt(pc) {
		return nil
	}
	blk := &r.f.g.Blocks[b]
	var out []*State
	for _, s := range r.f.statesAt(b) {
		x := &run{a: r.a, sub: blk.Sub, forks: maxForks}
		todo := []point{{blk.Start, s.fork()}}
		for len(todo) > 0 && len(out) < maxBefore {
			p := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for p.pc < pc {
				if again := x.step(p.pc, p.s); again != nil {
					todo = append(todo, point{p.pc, again})
					x.forks--
				}
				p.pc += r.a.p.Insns[p.pc].Slots()
			}
			out = append(out, p.s)
		}
	}
	return out
}

// Reg returns the value of a register, nil if it may be anything or is not initialised.
func (s *State) Reg(r bytecode.Reg) *Value {
	if r >= numRegs {
		return nil
	}
	return s.regs[r]
}

// UseDef returns the registers that an instruction reads and those that it
// overwrites: bit n for register n.
func UseDef(p *bytecode.Program, pc bytecode.PC) (use, def uint16) { return useDef(p, pc) }
