package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/succ"
)

// unreachable finds the code that no edge reaches in the graph that Linux's control-flow
// pass walks, which has the edges of all entries of all tables. It skips subprograms with a
// jump whose targets are not known at all; other findings report those.
func (c *context) unreachable() {
	g, reached, unknown := c.reachStatic()
	for b := 0; b < len(g.Blocks); b++ {
		blk := g.Blocks[b]
		if reached[b] || unknown[blk.Sub] {
			continue
		}
		end := blk.End
		for b+1 < len(g.Blocks) && !reached[b+1] && g.Blocks[b+1].Sub == blk.Sub {
			b++
			end = g.Blocks[b].End
		}
		c.add(Unreachable, blk.Start, "no control flow reaches "+slots(blk.Start, end))
	}
}

// midLoads finds the direct jumps to the second slot of a 64-bit load.
func (c *context) midLoads() {
	for pc := bytecode.PC(0); pc < c.p.Len(); pc += c.p.Insns[pc].Slots() {
		f := c.p.Flow(pc)
		switch f.Kind {
		case bytecode.FlowGoto, bytecode.FlowCond:
			if to := f.Target; to > 0 && to < c.p.Len() && !c.g.InsnAt(to) && c.g.InsnAt(to-1) && c.p.Insns[to-1].IsWide() {
				c.add(TargetMidLoad, pc, fmt.Sprintf("the jump leads to the second slot of the 64-bit load at insn %d", to-1))
			}
		}
	}
}

// reachStatic reports which blocks of a graph can be reached when every gotox
// goes to all targets that Linux's pass assumes, and which subprograms have a
// gotox without any. All jumps of a subprogram have the same targets then, so
// one that is reached has the edges for all of them: the graph stays linear.
// When the one chosen turns out not to be reached and another is, that other
// one is taken instead, at most once for each subprogram.
func (c *context) reachStatic() (g *cfg.Graph, reached, unknown []bool) {
	carrier := make([]bytecode.PC, len(c.p.Subprogs))
	for i := range carrier {
		carrier[i] = -1
	}
	for _, in := range c.a.Succ.Indirect {
		if sub := c.p.SubprogAt(in.PC); in.Op == "gotox" && (carrier[sub] < 0 || in.Reached && !c.reached(carrier[sub])) {
			carrier[sub] = in.PC
		}
	}
	union, unions := make([][]bytecode.PC, len(carrier)), c.unions()
	unknown = make([]bool, len(carrier))
	for sub, pc := range carrier {
		if pc >= 0 {
			union[sub] = c.inProgram(unions[sub])
			unknown[sub] = len(union[sub]) == 0
		}
	}
	for again := true; again; {
		t := c.callees()
		for sub, pc := range carrier {
			if pc >= 0 {
				t.Add(pc, union[sub]...)
			}
		}
		var err error
		if g, err = cfg.Build(c.p, t); err != nil {
			panic("bug: a program that has a graph has none with more targets: " + err.Error())
		}
		reached = cfg.ReachableStatic(g)
		again = c.moveCarriers(g, reached, carrier)
	}
	return g, reached, unknown
}

// moveCarriers takes a reached gotox for one that is not, and reports whether
// it did.
func (c *context) moveCarriers(g *cfg.Graph, reached []bool, carrier []bytecode.PC) bool {
	at := func(pc bytecode.PC) bool {
		b, _ := g.BlockAt(pc)
		return reached[b]
	}
	moved := false
	for _, in := range c.a.Succ.Indirect {
		if sub := c.p.SubprogAt(in.PC); in.Op == "gotox" && at(in.PC) && !at(carrier[sub]) {
			carrier[sub], moved = in.PC, true
		}
	}
	return moved
}

// callees returns the targets of indirect calls and callbacks that a pass
// without values has to assume: for a callx every function whose address is in
// a data section.
func (c *context) callees() *cfg.Targets {
	t := &cfg.Targets{}
	var funcs []bytecode.PC
	for i := range c.p.Maps {
		for _, cell := range c.p.Maps[i].Code {
			if cell.Func && cell.Target >= 0 {
				funcs = append(funcs, cell.Target)
			}
		}
	}
	for _, in := range c.a.Succ.Indirect {
		if in.Op == "callx" {
			t.Add(in.PC, funcs...)
		}
	}
	for _, pc := range c.a.Succ.Targets.PCs() {
		if !c.p.Insns[pc].IsGotox() {
			t.Add(pc, c.a.Succ.Targets.Of(pc)...)
		}
	}
	return t
}

// inProgram returns the slots that hold an instruction of the program.
func (c *context) inProgram(pcs []bytecode.PC) []bytecode.PC {
	return slices.DeleteFunc(slices.Clone(pcs), func(pc bytecode.PC) bool { return !c.g.InsnAt(pc) })
}

// slots names the instructions from start to before end.
func slots(start, end bytecode.PC) string {
	if end-start == 1 {
		return fmt.Sprintf("insn %d", start)
	}
	return fmt.Sprintf("insn %d to %d", start, end-1)
}

// deadBranches finds conditional jumps of which the facts prove one way. The
// compare is the finding's instruction; the blocks that are dead because of it
// are in the message.
func (c *context) deadBranches() {
	exact, kernel := c.a.Succ.Exact, c.a.Succ.Facts
	var dead []cfg.Edge
	var first []int // findings, parallel to dead
	for b := range c.g.Blocks {
		last := c.g.Blocks[b].Last
		lo, hi := c.g.SuccIDs(cfg.BlockID(b))
		if c.p.Flow(last).Kind != bytecode.FlowCond || hi-lo != 2 || !exact.BlockReached(cfg.BlockID(b)) {
			continue
		}
		if exact.EdgeFeasible(lo) == exact.EdgeFeasible(lo+1) {
			continue
		}
		i, always := lo, "always"
		if exact.EdgeFeasible(lo) {
			i, always = lo+1, "never"
		}
		e := c.g.Edges()[i]
		f := c.add(DeadBranch, last, fmt.Sprintf("the branch \"%s\" is %s taken", c.p.Text(last), always))
		f.key = always
		f.Related = c.facts(cfg.BlockID(b))
		if kernel.EdgeFeasible(i) {
			f.Message += " (Linux does not detect this)"
		}
		dead, first = append(dead, e), append(first, c.place(f))
	}
	c.deadBlocks(dead, first)
}

// deadBlocks returns for each dead edge the blocks that only it reaches: those that
// can be reached by edges and not by facts, from the edge on and not through
// another dead edge. Each block is reported once, so the cost is linear.
func (c *context) deadBlocks(dead []cfg.Edge, finding []int) {
	seen := make([]bool, len(c.g.Blocks))
	for i, e := range dead {
		var got []cfg.BlockID
		stack := []cfg.BlockID{e.To}
		for len(stack) > 0 {
			b := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[b] || c.a.Succ.Exact.BlockReached(b) {
				continue
			}
			seen[b] = true
			got = append(got, b)
			for _, s := range c.g.Succs(b) {
				stack = append(stack, s.To)
			}
		}
		if len(got) == 0 || finding[i] < 0 {
			continue
		}
		slices.Sort(got)
		f := &c.found[finding[i]]
		n := bytecode.PC(0)
		for _, b := range got {
			n += c.g.Blocks[b].End - c.g.Blocks[b].Start
			f.dead += c.location(c.g.Blocks[b].Start).Text + "\x00"
		}
		f.Message += fmt.Sprintf(": %s (%s) never execute", visible.Count(len(got), "block"), visible.Count(int(n), "insn"))
		if len(got) == 1 {
			f.Message = f.Message[:len(f.Message)-len("execute")] + "executes"
		}
		start := c.g.Blocks[got[0]].Start
		f.Related = append(f.Related, Related{c.location(start), start, "dead: first of " + visible.Count(len(got), "block")})
	}
}

// unresolved finds the indirect jumps and calls that could go anywhere. It is an error if the
// verifier itself reaches them in such a state.
func (c *context) unresolved() {
	for _, in := range c.a.Succ.Indirect {
		if !in.Reached || in.Status != succ.Unresolved {
			continue
		}
		id, what := UnresolvedJump, "jump"
		if in.Op == "callx" {
			id, what = UnresolvedCall, "call"
		}
		if !in.Refused { // the verifier may know more
			id = MayRefuse
		}
		f := c.add(id, in.PC, fmt.Sprintf("the targets of this indirect %s through %s are unknown", what, in.Reg))
		if in.Reason != "" {
			f.Message += ": " + in.Reason
		}
	}
}

// irreducible finds the loops that can be entered at several places. Loops that
// nest deeper than a compiler nests them would make looking at the blocks of
// each quadratic: past a budget the places are omitted.
func (c *context) irreducible() {
	loops := cfg.Loops(c.g)
	budget := 100*len(c.g.Blocks) + 1_000_000
	for i, l := range loops.All {
		if !l.Irreducible || !c.a.Succ.Exact.BlockReached(l.Header) {
			continue
		}
		blocks := loops.Blocks(i)
		msg := fmt.Sprintf("a loop of %s can be entered at ", visible.Count(len(blocks), "block"))
		if budget -= len(blocks); budget < 0 {
			c.add(IrreducibleLoop, c.g.Blocks[l.Header].Start, msg+"several places")
			continue
		}
		entries := c.entriesInto(loops, i)
		f := c.add(IrreducibleLoop, c.g.Blocks[l.Header].Start, msg+visible.Count(len(entries), "place"))
		for _, b := range entries[:min(len(entries), maxRelated)] {
			start := c.g.Blocks[b].Start
			f.Related = append(f.Related, Related{c.location(start), start, fmt.Sprintf("entry at insn %d", start)})
		}
	}
}

// entriesInto returns the blocks of a loop that are entered from outside.
func (c *context) entriesInto(loops *cfg.LoopForest, i int) []cfg.BlockID {
	var out []cfg.BlockID
	for _, b := range loops.Blocks(i) {
		outside := slices.ContainsFunc(c.g.Preds(b), func(e cfg.Edge) bool { return !loops.Contains(i, e.From) })
		if outside || b == c.g.Entry(c.g.Blocks[b].Sub) {
			out = append(out, b)
		}
	}
	return out
}

// oddities reports the loader's remarks about the program.
func (c *context) oddities() {
	for _, d := range c.p.Diags {
		f := c.add(OddObject, -1, d)
		f.key = d
		if d == bytecode.OddText ||
			strings.Contains(d, "which libbpf would not find") { // loader-refuses reports it for the object
			f.Level = Note
		}
	}
}

// maxRelated bounds the further places that a finding lists.
const maxRelated = 10
