package cfg

import "github.com/bpfcfg/bpfcfg/internal/dominators"

// Postdominators returns the immediate postdominator of each block: the first later block that
// lies on every path from the block to an end, NoBlock if there is none. Paths consist of the
// local edges for which keep, called with the index in Edges, is true. A path ends at a block
// without such an edge, and at a block for which ends is true. A block from which no path ends,
// because it only leads into a loop without an exit, has no postdominator.
func Postdominators(g *Graph, keep func(edge int) bool, ends func(BlockID) bool) []BlockID {
	s := newExits(g, keep, ends)
	dom := dominators.Immediate(s.parent, func(w int32, from func(v int32)) {
		b := s.order[w]
		if s.ends[b] {
			from(0)
		}
		lo, hi := g.SuccIDs(b)
		for i := lo; i < hi; i++ {
			if e := g.edges[i]; g.Local(e) && keep(i) && s.num[e.To] > 0 {
				from(s.num[e.To])
			}
		}
	})
	out := make([]BlockID, len(g.Blocks))
	for b := range out {
		out[b] = NoBlock
		if v := s.num[b]; v > 0 && dom[v] > 0 {
			out[b] = s.order[dom[v]]
		}
	}
	return out
}

// exits is a depth-first search against the edges, from a vertex 0 that follows all ends.
// Vertices are preorder numbers.
type exits struct {
	ends   []bool    // of each block: a path ends there
	num    []int32   // vertex of each block, 0 when it is not reached
	order  []BlockID // of each vertex
	parent []int32   // of each vertex
}

func newExits(g *Graph, keep func(edge int) bool, ends func(BlockID) bool) *exits {
	n := len(g.Blocks)
	s := &exits{
		ends: make([]bool, n), num: make([]int32, n), order: make([]BlockID, 1, n+1), parent: make([]int32, 1, n+1),
	}
	type visit struct {
		b    BlockID
		from int32
	}
	var todo []visit
	for b := range g.Blocks {
		lo, hi := g.SuccIDs(BlockID(b))
		s.ends[b] = ends(BlockID(b))
		goes := false
		for i := lo; i < hi && !goes; i++ {
			goes = g.Local(g.edges[i]) && keep(i)
		}
		if s.ends[b] = s.ends[b] || !goes; s.ends[b] {
			todo = append(todo, visit{BlockID(b), 0})
		}
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.num[v.b] != 0 {
			continue
		}
		me := int32(len(s.order))
		s.num[v.b] = me
		s.order, s.parent = append(s.order, v.b), append(s.parent, v.from)
		for _, i := range g.PredIDs(v.b) {
			if e := g.edges[i]; g.Local(e) && keep(int(i)) && s.num[e.From] == 0 {
				todo = append(todo, visit{e.From, me})
			}
		}
	}
	return s
}
