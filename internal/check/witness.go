package check

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
)

// maxSteps bounds the blocks in a path that is shown; the middle of a longer
// one is left out.
const maxSteps = 40

// tree holds a shortest feasible path from the program's entry to each block.
type tree struct {
	parent []cfg.BlockID // NoBlock for the entry and unreachable blocks
	depth  []int32       // -1 for unreachable blocks
	early  []cfg.BlockID // the block at depth maxSteps/2-1 of the path, of those that are deeper
}

// paths searches the graph breadth first along the edges that an execution can
// take, in the order of Succs, so that paths are shortest and always the same.
func (c *context) paths() *tree {
	n := len(c.g.Blocks)
	t := &tree{parent: make([]cfg.BlockID, n), depth: make([]int32, n), early: make([]cfg.BlockID, n)}
	for i := range n {
		t.parent[i], t.depth[i] = cfg.NoBlock, -1
	}
	t.depth[0] = 0
	queue := []cfg.BlockID{0}
	for len(queue) > 0 {
		b := queue[0]
		queue = queue[1:]
		lo, hi := c.g.SuccIDs(b)
		for i := lo; i < hi; i++ {
			to := c.g.Edges()[i].To
			if t.depth[to] < 0 && c.a.Succ.Exact.EdgeFeasible(i) {
				t.depth[to], t.parent[to], t.early[to] = t.depth[b]+1, b, t.early[b]
				if t.depth[to] == maxSteps/2-1 {
					t.early[to] = to
				}
				queue = append(queue, to)
			}
		}
	}
	return t
}

// pathTo returns the path from the entry to a block, nil when there is none.
func (c *context) pathTo(b cfg.BlockID) []Step {
	if c.tree == nil {
		c.tree = c.paths()
	}
	depth := int(c.tree.depth[b])
	if depth < 0 {
		return nil
	}
	var steps []Step
	const half = maxSteps / 2
	for at, end := depth, b; b != cfg.NoBlock; at, b = at-1, c.tree.parent[b] {
		s := c.step(b)
		if depth >= maxSteps && at == depth-half+1 {
			s.Skipped = depth - 2*half + 1
		}
		steps = append(steps, s)
		if s.Skipped > 0 { // continue with the first half
			steps = append(steps, c.step(c.tree.early[end]))
			at, b = half-1, c.tree.early[end]
		}
	}
	slices.Reverse(steps)
	return steps
}

// step describes a block by the instruction that ends it.
func (c *context) step(b cfg.BlockID) Step {
	last := c.g.Blocks[b].Last
	return Step{Location: c.location(last), Block: b, PC: last, Text: c.p.Text(last)}
}
