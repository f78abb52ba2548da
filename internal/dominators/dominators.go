// Package dominators finds immediate dominators of a flow graph of any type:
// package cfg asks for blocks, package render/layered for boxes.
//
//	idom := dominators.Immediate(parent, func(w int32, from func(v int32)) {
//		for _, v := range preds[w] {
//			from(v)
//		}
//	})
//
// It does not search the graph: a vertex is the number that a depth-first search
// gave it, and what is not reached has none.
package dominators

// Immediate returns the immediate dominator of each vertex. Vertices are preorder
// numbers of a depth-first search from vertex 0, which has none: its entry is 0.
// parent[w] is the vertex that the search came from, parent[0] is not looked at.
// preds calls from for each vertex that an edge leads from to w; repetitions do no
// harm. The cost is O(m log n) for n vertices and m edges, in practice linear.
//
// Source: Thomas Lengauer and Robert Endre Tarjan, A Fast Algorithm for Finding
// Dominators in a Flowgraph, 1979, https://doi.org/10.1145/357062.357071, the
// version with simple linking and path compression; steps and names are the
// paper's. Cooper, Harvey and Kennedy's iteration is shorter and faster on
// common graphs, but quadratic on deep nests of loops.
func Immediate(parent []int32, preds func(w int32, from func(v int32))) []int32 {
	n := len(parent)
	l := &forest{semi: make([]int32, n), ancestor: make([]int32, n), label: make([]int32, n)}
	dom, bucket, inBucket := make([]int32, n), make([]int32, n), make([]int32, n)
	for v := range int32(n) { // step 1
		l.semi[v], l.ancestor[v], l.label[v], bucket[v] = v, -1, v, -1
	}
	var w int32
	from := func(v int32) { l.semi[w] = min(l.semi[w], l.semi[l.eval(v)]) }
	for w = int32(n) - 1; w > 0; w-- { // step 2
		preds(w, from)
		s, p := l.semi[w], parent[w]
		inBucket[w], bucket[s] = bucket[s], w
		l.ancestor[w] = p
		for v := bucket[p]; v >= 0; v = inBucket[v] { // step 3
			if u := l.eval(v); l.semi[u] < l.semi[v] {
				dom[v] = u
			} else {
				dom[v] = p
			}
		}
		bucket[p] = -1
	}
	for w := 1; w < n; w++ { // step 4
		if dom[w] != l.semi[w] {
			dom[w] = dom[dom[w]]
		}
	}
	return dom
}

// forest holds the arrays of Lengauer and Tarjan by vertex. A vertex is a preorder
// number, so "vertex" and "semi" need no translation.
type forest struct {
	semi     []int32 // smallest semidominator candidate found so far
	ancestor []int32 // link in the forest, -1 for a root of it
	label    []int32 // vertex with the smallest semi on the path to the root of the forest
	path     []int32 // scratch of eval
}

// eval returns the vertex with the smallest semi on the path from v up to, not
// including, the root of its tree in the forest; v itself when it is the root.
func (l *forest) eval(v int32) int32 {
	if l.ancestor[v] < 0 {
		return v
	}
	l.path = l.path[:0]
	for u := v; l.ancestor[l.ancestor[u]] >= 0; u = l.ancestor[u] {
		l.path = append(l.path, u)
	}
	for i := len(l.path) - 1; i >= 0; i-- {
		u := l.path[i]
		a := l.ancestor[u]
		if l.semi[l.label[a]] < l.semi[l.label[u]] {
			l.label[u] = l.label[a]
		}
		l.ancestor[u] = l.ancestor[a]
	}
	return l.label[v]
}
