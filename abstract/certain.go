package abstract

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Reach reports whether Linux's verifier follows a path to the instruction at pc, if it accepts
// the program, for facts with rules Verifier. Maybe means that all states there were joined from
// others, or depend on something that is not modelled: they cover the verifier's states there,
// and it may have none. For facts with rules Executions, the answer Yes has no meaning.
func (f *Facts) Reach(pc bytecode.PC) cfg.Truth {
	b, ok := f.g.BlockAt(pc)
	if !ok {
		return cfg.No
	}
	return f.ReachBlock(b)
}

// ReachBlock is Reach for the first instruction of a block.
func (f *Facts) ReachBlock(b cfg.BlockID) cfg.Truth {
	return truth(f.BlockReached(b), f.sure[b])
}

// Take reports whether Linux's verifier follows the edge with this index in Graph.Edges, in the
// same way as Reach.
func (f *Facts) Take(i int) cfg.Truth { return truth(f.EdgeFeasible(i), f.sureEdges.has(i)) }

func truth(possible, sure bool) cfg.Truth {
	switch {
	case !possible:
		return cfg.No
	case sure:
		return cfg.Yes
	}
	return cfg.Maybe
}

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (s bitset) has(i int) bool { return s[i>>6]>>(i&63)&1 != 0 }

func (s bitset) add(i int) { s[i>>6] |= 1 << (i & 63) }

// conclude marks as certain whatever follows from certain facts. The verifier follows each path
// of an accepted program to its end. So it reaches a block that lies on every path from a certain
// one, the callee of a certain call, and the target of the only remaining edge.
func (f *Facts) conclude() {
	c := conclusion{f: f}
	open := false // a block may be reached
	for b, sure := range f.sure {
		if sure {
			c.todo = append(c.todo, cfg.BlockID(b))
		}
		open = open || !sure && f.BlockReached(cfg.BlockID(b))
	}
	if open {
		c.meets = f.meetings()
	}
	for len(c.todo) > 0 {
		b := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		if open && c.meets[b] != cfg.NoBlock {
			c.reach(c.meets[b])
		}
		c.follow(b)
	}
}

// conclusion is the state of conclude.
type conclusion struct {
	f     *Facts
	meets []cfg.BlockID // of each block, the next block that all its paths pass; nil if none is open
	todo  []cfg.BlockID // certain blocks to conclude from
}

// reach records a block that is certainly reached.
func (c *conclusion) reach(b cfg.BlockID) {
	if !c.f.sure[b] && c.f.BlockReached(b) {
		c.f.sure[b] = true
		c.todo = append(c.todo, b)
	}
}

// follow records the edges that are certainly taken from a block that is certainly reached: its
// direct call, and its edge if it has only one.
func (c *conclusion) follow(b cfg.BlockID) {
	f := c.f
	lo, hi := f.g.SuccIDs(b)
	edges := f.g.Edges()
	direct := f.g.Program.Flow(f.g.Blocks[b].Last).Kind == bytecode.FlowCall
	ways, way := 0, 0
	for i := lo; i < hi; i++ {
		switch {
		case !f.EdgeFeasible(i):
		case edges[i].Kind == cfg.Call && direct, edges[i].Kind == cfg.Exception:
			f.sureEdges.add(i)
			c.reach(edges[i].To)
		case edges[i].Kind == cfg.Unwind: // no known kernel goes there
			ways += 2
		case f.g.Local(edges[i]) && edges[i].Kind != cfg.Return:
			ways, way = ways+1, i
		}
	}
	if ways == 1 {
		f.sureEdges.add(way)
		c.reach(edges[way].To)
	}
}

// meetings returns for each block the next block that all its paths pass. A call may not return
// if the program throws exceptions or an indirect jump leaves its function.
func (f *Facts) meetings() []cfg.BlockID {
	away := false
	for i, e := range f.g.Edges() {
		leaves := e.Kind == cfg.Exception || e.Kind == cfg.Unwind || e.Kind == cfg.Indirect && !f.g.Local(e)
		away = away || leaves && f.EdgeFeasible(i)
	}
	return cfg.Postdominators(f.g, f.EdgeFeasible, func(b cfg.BlockID) bool {
		switch last := f.g.Blocks[b].Last; f.g.Program.Flow(last).Kind {
		case bytecode.FlowCall, bytecode.FlowCallx, bytecode.FlowIndirect:
			return away
		}
		return f.g.Throws(b)
	})
}
