package cfg

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Check verifies the invariants of a graph: blocks tile the subprograms, every slot knows its
// block, an edge starts at the end of a block and leads to the start of one, each block has the
// edges that its last instruction states, in the order that Succs promises, no instruction inside
// a block directs control elsewhere, and the edges by source and by destination are the same. The
// error names the first violation. Every graph that Build returns passes; tests and fuzz targets
// check that.
func (g *Graph) Check() error {
	if err := g.checkTiles(); err != nil {
		return err
	}
	if err := g.checkIndex(); err != nil {
		return err
	}
	for b := range g.Blocks {
		if err := g.checkInside(BlockID(b)); err != nil {
			return err
		}
		if err := g.checkEdges(BlockID(b)); err != nil {
			return err
		}
	}
	return nil
}

// checkTiles verifies that the blocks cover each subprogram without gap or overlap.
func (g *Graph) checkTiles() error {
	p := g.Program
	if len(g.entries) != len(p.Subprogs) || len(g.blockOf) != len(p.Insns) {
		return errors.New("entries or slots do not match the program")
	}
	b := BlockID(0)
	for sub, s := range p.Subprogs {
		if g.entries[sub] != b {
			return fmt.Errorf("subprogram %d is entered at %v, not %v", sub, g.entries[sub], b)
		}
		for next := s.Start; next < s.End; b++ {
			if int(b) >= len(g.Blocks) {
				return fmt.Errorf("no block at %d", next)
			}
			blk := g.Blocks[b]
			if blk.Start != next || blk.End <= next || blk.End > s.End || blk.Sub != sub || !g.InsnAt(blk.Start) {
				return fmt.Errorf("%v is [%d, %d) of subprogram %d where %d of %d is next",
					b, blk.Start, blk.End, blk.Sub, next, sub)
			}
			for pc := blk.Start; pc < blk.End; pc++ {
				if g.blockOf[pc] != b {
					return fmt.Errorf("slot %d of %v belongs to %v", pc, b, g.blockOf[pc])
				}
			}
			next = blk.End
		}
	}
	if int(b) != len(g.Blocks) {
		return fmt.Errorf("%d blocks after the program", len(g.Blocks)-int(b))
	}
	return nil
}

// checkIndex verifies the slices that lead from blocks to edges.
func (g *Graph) checkIndex() error {
	n := len(g.Blocks)
	if len(g.succ) != n+1 || len(g.pred) != n+1 || len(g.preds) != len(g.edges) || len(g.predID) != len(g.edges) {
		return errors.New("edge index has the wrong size")
	}
	seen := make([]bool, len(g.edges))
	for b := range BlockID(n) {
		for _, e := range g.Succs(b) {
			if e.From != b || e.To < 0 || int(e.To) >= n {
				return fmt.Errorf("%v has the edge %v", b, e)
			}
		}
		for i, e := range g.Preds(b) {
			id := g.PredIDs(b)[i]
			if e.To != b || e != g.edges[id] || seen[id] || i > 0 && id <= g.PredIDs(b)[i-1] {
				return fmt.Errorf("%v is entered by %v, edge %d", b, e, id)
			}
			seen[id] = true
		}
	}
	return nil
}

// checkInside verifies the instructions of a block before its last.
func (g *Graph) checkInside(b BlockID) error {
	blk := g.Blocks[b]
	for pc := blk.Start; pc < blk.End; {
		if !g.InsnAt(pc) {
			return fmt.Errorf("%v: no instruction on slot %d", b, pc)
		}
		f := g.Program.Flow(pc)
		if pc == blk.Last {
			if f.Next < blk.End {
				return fmt.Errorf("%v: an instruction after the last, %d", b, pc)
			}
			return nil
		}
		switch f.Kind {
		case bytecode.FlowNext, bytecode.FlowFuncAddr, bytecode.FlowHelper:
		default:
			return fmt.Errorf("%v: control flow %d at %d, inside", b, f.Kind, pc)
		}
		pc = f.Next
	}
	return fmt.Errorf("%v: last instruction %d is not inside", b, blk.Last)
}

// shape lists the edges that a kind of control flow may have: at most one of each of the first
// two kinds, then any number of the third.
type shape struct {
	next, jump, many Kind
}

// shapeOf returns the shape for a kind of control flow.
func shapeOf(kind bytecode.FlowKind) shape {
	switch kind {
	case bytecode.FlowNext, bytecode.FlowFuncAddr:
		return shape{next: FallThrough}
	case bytecode.FlowGoto:
		return shape{jump: Goto}
	case bytecode.FlowCond, bytecode.FlowKey:
		return shape{next: FallThrough, jump: Taken}
	case bytecode.FlowIndirect:
		return shape{many: Indirect}
	case bytecode.FlowCall:
		return shape{next: Return, jump: Call}
	case bytecode.FlowCallx:
		return shape{next: Return, many: Call}
	case bytecode.FlowHelper:
		return shape{next: FallThrough, many: Callback}
	}
	return shape{}
}

// checkEdges verifies the edges that leave a block. A missing edge must be listed among the
// problems.
func (g *Graph) checkEdges(b BlockID) error {
	blk := g.Blocks[b]
	f := g.Program.Flow(blk.Last)
	want := shapeOf(f.Kind)
	if want.jump == Taken {
		want.jump = JumpKind(g.Program.Insns[blk.Last])
	}
	target := f.Target
	if f.Kind == bytecode.FlowCall {
		target = f.Callee
	}
	if g.Throws(b) {
		want, target = shape{}, -1
		if s := slices.IndexFunc(g.Program.Subprogs, isHandler); s >= 0 {
			want.jump, target = Exception, g.Program.Subprogs[s].Start
		}
	}
	edges := g.Succs(b)
	for _, one := range []struct {
		kind Kind
		to   bytecode.PC
	}{{want.next, f.Next}, {want.jump, target}} {
		switch {
		case one.kind == 0:
		case len(edges) > 0 && edges[0].Kind == one.kind && g.Blocks[edges[0].To].Start == one.to:
			edges = edges[1:]
		case !g.hasProblem(blk.Last):
			return fmt.Errorf("%v has no edge %v to %d", b, one.kind, one.to)
		}
	}
	if pad, ok := g.Program.PadOf(blk.Last); ok {
		switch n := len(edges) - 1; {
		case n >= 0 && edges[n].Kind == Unwind && g.Blocks[edges[n].To].Start == pad:
			edges = edges[:n]
		case !g.hasProblem(blk.Last):
			return fmt.Errorf("%v has no edge to its landing pad at %d", b, pad)
		}
	}
	for i, e := range edges {
		if want.many == 0 || e.Kind != want.many || i > 0 && e.To <= edges[i-1].To {
			return fmt.Errorf("%v at %d, which is control flow %d", e, blk.Last, f.Kind)
		}
	}
	return nil
}

// isHandler reports whether a subprogram is the exception callback.
func isHandler(s bytecode.Subprogram) bool { return s.Exception }

// hasProblem reports whether a problem is listed for the instruction at pc.
func (g *Graph) hasProblem(pc bytecode.PC) bool {
	_, ok := slices.BinarySearchFunc(g.Problems, pc, func(p Problem, pc bytecode.PC) int { return cmp.Compare(p.PC, pc) })
	return ok
}
