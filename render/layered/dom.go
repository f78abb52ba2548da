package layered

import "github.com/bpfcfg/bpfcfg/internal/dominators"

// immediate returns the immediate dominator of each node, -1 for nodes that searches started from
// and for those that nothing but the common start dominates. Edges from unreached code into reached
// code do not count: they would make every block after a dead one a start of its own.
func immediate(g Graph, t *tree) []int {
	n := len(g.Nodes)
	parent := make([]int32, n+1) // of preorder numbers plus one; 0 is the common start
	for i, v := range t.order {
		if from := t.parent[v]; from >= 0 {
			parent[i+1] = int32(t.pre[from]) + 1
		}
	}
	idom := dominators.Immediate(parent, func(w int32, from func(v int32)) {
		v := t.order[w-1]
		if t.parent[v] < 0 {
			from(0)
		}
		for _, e := range t.in[v] {
			if p := g.Edges[e].From; t.reached[p] || !t.reached[v] {
				from(int32(t.pre[p]) + 1)
			}
		}
	})
	out := make([]int, n)
	for i, v := range t.order {
		out[v] = -1
		if d := idom[i+1]; d > 0 {
			out[v] = t.order[d-1]
		}
	}
	return out
}
