package layered

// dominators returns the immediate dominator of each node, -1 for nodes that
// searches started from and for those that only the start of everything
// dominates. Edges from unreached code into reached code do not count: they
// would make of every block behind a dead one a start of its own.
//
// Source: T. Lengauer, R. Tarjan, "A fast algorithm for finding dominators in a
// flowgraph" (TOPLAS 1, 1979), the simple version, O(m log n). Numbers are
// preorder numbers plus one; 0 is a start before all starts.
func dominators(g Graph, t *tree) []int {
	n := len(g.Nodes)
	l := &lengauer{semi: fill(n + 1), above: fill(n + 1), label: fill(n + 1)}
	dom := make([]int, n+1)
	bucket, next := fill(n+1), fill(n+1) // nodes by semidominator, as linked lists
	for i := range n + 1 {
		l.semi[i], l.label[i] = i, i
	}
	for i := n; i > 0; i-- {
		w := t.order[i-1]
		p := 0
		if t.parent[w] >= 0 {
			p = t.pre[t.parent[w]] + 1
		}
		if t.parent[w] < 0 {
			l.semi[i] = 0
		}
		for _, e := range t.in[w] {
			v := g.Edges[e].From
			if t.reached[w] && !t.reached[v] {
				continue
			}
			l.semi[i] = min(l.semi[i], l.semi[l.eval(t.pre[v]+1)])
		}
		next[i], bucket[l.semi[i]] = bucket[l.semi[i]], i
		l.above[i] = p
		for x := bucket[p]; x >= 0; x = next[x] {
			if u := l.eval(x); l.semi[u] < l.semi[x] {
				dom[x] = u
			} else {
				dom[x] = p
			}
		}
		bucket[p] = -1
	}
	out := make([]int, n)
	for i := 1; i <= n; i++ {
		if dom[i] != l.semi[i] {
			dom[i] = dom[dom[i]]
		}
		out[t.order[i-1]] = -1
		if dom[i] > 0 {
			out[t.order[i-1]] = t.order[dom[i]-1]
		}
	}
	return out
}

// lengauer is the forest of Lengauer and Tarjan's LINK and EVAL.
type lengauer struct {
	semi  []int // semidominator of each node
	above []int // its parent in the forest, -1 for roots
	label []int // the node of least semi between it and the root
	path  []int
}

// eval returns the node of least semi above v in the forest, and shortens the
// way there.
func (l *lengauer) eval(v int) int {
	if l.above[v] < 0 {
		return v
	}
	l.path = l.path[:0]
	for u := v; l.above[l.above[u]] >= 0; u = l.above[u] {
		l.path = append(l.path, u)
	}
	for i := len(l.path) - 1; i >= 0; i-- {
		u := l.path[i]
		a := l.above[u]
		if l.semi[l.label[a]] < l.semi[l.label[u]] {
			l.label[u] = l.label[a]
		}
		l.above[u] = l.above[a]
	}
	return l.label[v]
}
