package cfg

import (
	"slices"

	"gonum.org/v1/gonum/graph"
)

// Directed presents a Graph to the algorithms of gonum.org/v1/gonum/graph. Blocks are nodes, and
// a node's ID is its BlockID. Parallel edges count as one; edges from a block to itself are kept.
// It implements graph.Directed. Iterators run in ascending order of IDs.
//
// Beware of some algorithms of gonum v0.17: flow.Intervals panics on ordinary
// control-flow graphs, topo.TarjanSCC and flow.Dominators recurse, and
// topo.DirectedCyclesIn has no fixed order.
type Directed struct {
	succ, pred adjacency
}

// adjacency holds the neighbours of each block, ascending: to[start[b]:start[b+1]].
type adjacency struct {
	to    []BlockID
	start []int32
}

var _ graph.Directed = (*Directed)(nil)

// Gonum returns a view of the graph along the edges that keep admits, or along all edges if keep
// is nil.
func (g *Graph) Gonum(keep func(Edge) bool) *Directed {
	if keep == nil {
		return g.GonumOf(func(int) bool { return true })
	}
	return g.GonumOf(func(i int) bool { return keep(g.edges[i]) })
}

// GonumOf is Gonum for the edges with these indices in Edges.
func (g *Graph) GonumOf(keep func(i int) bool) *Directed {
	kept := make([]bool, len(g.edges))
	for i := range kept {
		kept[i] = keep(i)
	}
	return &Directed{
		succ: g.adjacency(func(b BlockID, add func(BlockID)) {
			lo, hi := g.SuccIDs(b)
			for i := lo; i < hi; i++ {
				if kept[i] {
					add(g.edges[i].To)
				}
			}
		}),
		pred: g.adjacency(func(b BlockID, add func(BlockID)) {
			for _, i := range g.PredIDs(b) {
				if kept[i] {
					add(g.edges[i].From)
				}
			}
		}),
	}
}

// adjacency collects the neighbours of each block.
func (g *Graph) adjacency(neighbours func(b BlockID, add func(BlockID))) adjacency {
	a := adjacency{to: make([]BlockID, 0, len(g.edges)), start: make([]int32, len(g.Blocks)+1)}
	for b := range g.Blocks {
		lo := len(a.to)
		neighbours(BlockID(b), func(n BlockID) { a.to = append(a.to, n) })
		slices.Sort(a.to[lo:])
		a.to = a.to[:lo+len(slices.Compact(a.to[lo:]))]
		a.start[b+1] = int32(len(a.to))
	}
	return a
}

// of returns the neighbours of a node, or none for an unknown one.
func (a adjacency) of(id int64) []BlockID {
	if id < 0 || id >= int64(len(a.start)-1) {
		return nil
	}
	return a.to[a.start[id]:a.start[id+1]]
}

// ID returns the block's number, for graph.Node.
func (b BlockID) ID() int64 { return int64(b) }

// Node returns the block with this ID, or nil if there is none.
func (d *Directed) Node(id int64) graph.Node {
	if id < 0 || id >= int64(len(d.succ.start)-1) {
		return nil
	}
	return BlockID(id)
}

// Nodes returns all blocks.
func (d *Directed) Nodes() graph.Nodes {
	all := make([]BlockID, len(d.succ.start)-1)
	for b := range all {
		all[b] = BlockID(b)
	}
	return newNodes(all)
}

// From returns the blocks that edges from this one lead to.
func (d *Directed) From(id int64) graph.Nodes { return newNodes(d.succ.of(id)) }

// To returns the blocks that edges to this one come from.
func (d *Directed) To(id int64) graph.Nodes { return newNodes(d.pred.of(id)) }

// HasEdgeFromTo reports whether an edge leads from u to v.
func (d *Directed) HasEdgeFromTo(u, v int64) bool {
	_, ok := slices.BinarySearchFunc(d.succ.of(u), v, func(b BlockID, id int64) int { return int(int64(b) - id) })
	return ok
}

// HasEdgeBetween reports whether an edge leads from x to y or from y to x.
func (d *Directed) HasEdgeBetween(x, y int64) bool {
	return d.HasEdgeFromTo(x, y) || d.HasEdgeFromTo(y, x)
}

// Edge returns the edge from u to v, or nil if there is none.
func (d *Directed) Edge(u, v int64) graph.Edge {
	if !d.HasEdgeFromTo(u, v) {
		return nil
	}
	return pair{BlockID(u), BlockID(v)}
}

// Edges returns all edges.
func (d *Directed) Edges() graph.Edges {
	var all []graph.Edge
	for b := range len(d.succ.start) - 1 {
		for _, to := range d.succ.of(int64(b)) {
			all = append(all, pair{BlockID(b), to})
		}
	}
	if len(all) == 0 {
		return graph.Empty
	}
	return &edges{all: all, at: -1}
}

// pair is a graph.Edge.
type pair struct{ from, to BlockID }

func (p pair) From() graph.Node         { return p.from }
func (p pair) To() graph.Node           { return p.to }
func (p pair) ReversedEdge() graph.Edge { return pair{p.to, p.from} }

// nodes iterates over blocks.
type nodes struct {
	all []BlockID
	at  int // index of the current one, -1 before the first
}

// newNodes returns an iterator.
func newNodes(all []BlockID) graph.Nodes {
	if len(all) == 0 {
		return graph.Empty
	}
	return &nodes{all: all, at: -1}
}

func (n *nodes) Len() int         { return max(0, len(n.all)-n.at-1) }
func (n *nodes) Next() bool       { n.at = min(n.at+1, len(n.all)); return n.at < len(n.all) }
func (n *nodes) Reset()           { n.at = -1 }
func (n *nodes) Node() graph.Node { return n.all[n.at] }

// NodeSlice returns the remaining nodes as a new slice. It must be new, because algorithms of
// gonum reorder it.
func (n *nodes) NodeSlice() []graph.Node {
	if n.Len() == 0 {
		return nil
	}
	out := make([]graph.Node, 0, n.Len())
	for n.Next() {
		out = append(out, n.Node())
	}
	return out
}

// edges iterates over edges.
type edges struct {
	all []graph.Edge
	at  int // index of the current one, -1 before the first
}

func (e *edges) Len() int         { return max(0, len(e.all)-e.at-1) }
func (e *edges) Next() bool       { e.at = min(e.at+1, len(e.all)); return e.at < len(e.all) }
func (e *edges) Reset()           { e.at = -1 }
func (e *edges) Edge() graph.Edge { return e.all[e.at] }
