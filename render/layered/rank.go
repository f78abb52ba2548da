package layered

import "container/heap"

// assignRanks gives each node a row such that edges which do not retreat lead
// down.
//
// Rows are filled from the top, as in the list scheduling of E. Coffman and
// R. Graham, "Optimal scheduling for two-processor systems" (1972): a row takes
// the nodes whose predecessors are all placed, in preorder, while they fit. So
// a row is the longest path from the entry unless it would be too wide; the
// 300 cases of a switch become a block of rows, and the blocks of a case stay
// together. Longest-path rows alone, tried first, made such pictures 60,000
// pixels wide.
//
// Code behind a loop is placed below the whole loop, not beside it. This makes
// drawings a little longer and loops much plainer.
func assignRanks(g Graph, t *tree, f *forest, maxWidth, gap int) []int {
	s := newSchedule(g, t, f, true)
	if !s.run(maxWidth, gap) {
		// An irreducible loop whose exit leads to its own other entry.
		s = newSchedule(g, t, f, false)
		if !s.run(maxWidth, gap) {
			panic("bug: layered: cycle without a retreating edge")
		}
	}
	ranks := s.rank[:len(g.Nodes)]
	sinkUnreached(g, t, ranks)
	return compact(ranks)
}

// schedule is a graph without cycles, in which jobs wait for others. Jobs are
// the nodes, followed by the end of each loop.
type schedule struct {
	g     Graph
	t     *tree
	nodes int
	next  [][]int // jobs that wait for this one
	waits []int   // number of jobs waited for
	rank  []int
}

func newSchedule(g Graph, t *tree, f *forest, ends bool) *schedule {
	n := len(g.Nodes)
	jobs := n + len(f.header)
	s := &schedule{g: g, t: t, nodes: n,
		next: make([][]int, jobs), waits: make([]int, jobs), rank: make([]int, jobs)}
	for i, e := range g.Edges {
		if !t.retreating[i] {
			s.before(e.From, e.To)
		}
		if !ends {
			continue
		}
		if l := f.ends[i]; l >= 0 {
			s.before(e.From, n+l)
		} else if l := outermostExited(f, f.of[e.From], f.of[e.To]); l >= 0 {
			s.before(n+l, e.To)
		}
	}
	return s
}

func (s *schedule) before(a, b int) {
	s.next[a] = append(s.next[a], b)
	s.waits[b]++
}

// outermostExited returns the largest loop around the source that does not
// contain the target, -1 for none. Loops inside it end before it does.
func outermostExited(f *forest, from, to int) int {
	both := f.common(from, to)
	for l := from; l >= 0 && l != both; l = f.parent[l] {
		if f.parent[l] == both {
			return l
		}
	}
	return -1
}

// run assigns rows; it reports false when jobs wait for each other.
func (s *schedule) run(maxWidth, gap int) bool {
	ready := &readyHeap{pre: s.t.pre}
	var fresh []int // nodes that get ready for the next row
	done := 0
	finish := func(job, row int) {
		work := []int{job} // ends of loops take no row and finish at once
		for len(work) > 0 {
			j := work[len(work)-1]
			work = work[:len(work)-1]
			done++
			for _, w := range s.next[j] {
				if s.waits[w]--; s.waits[w] > 0 {
					continue
				}
				if w < s.nodes {
					fresh = append(fresh, w)
				} else {
					work = append(work, w)
				}
			}
		}
	}
	for j := range s.waits {
		if s.waits[j] != 0 {
			continue
		}
		if j < s.nodes {
			fresh = append(fresh, j)
		} else {
			finish(j, 0)
		}
	}
	for row := 0; len(fresh) > 0 || ready.Len() > 0; row++ {
		for _, v := range fresh {
			heap.Push(ready, v)
		}
		fresh = fresh[:0]
		for width := 0; ready.Len() > 0; {
			width += s.g.Nodes[ready.nodes[0]].W + gap
			if width > maxWidth && width > s.g.Nodes[ready.nodes[0]].W+gap {
				break
			}
			v := heap.Pop(ready).(int)
			s.rank[v] = row
			finish(v, row)
		}
	}
	return done == len(s.next)
}

// readyHeap holds nodes, least preorder number first.
type readyHeap struct {
	nodes []int
	pre   []int
}

func (h *readyHeap) Len() int           { return len(h.nodes) }
func (h *readyHeap) Less(i, j int) bool { return h.pre[h.nodes[i]] < h.pre[h.nodes[j]] }
func (h *readyHeap) Swap(i, j int)      { h.nodes[i], h.nodes[j] = h.nodes[j], h.nodes[i] }
func (h *readyHeap) Push(x any)         { h.nodes = append(h.nodes, x.(int)) }
func (h *readyHeap) Pop() any {
	v := h.nodes[len(h.nodes)-1]
	h.nodes = h.nodes[:len(h.nodes)-1]
	return v
}

// sinkUnreached moves nodes that the entry does not lead to down, to just
// above what they lead to, and those that lead nowhere to the bottom. Left at
// the top they would look like entries.
func sinkUnreached(g Graph, t *tree, ranks []int) {
	bottom := 0
	for _, r := range ranks {
		bottom = max(bottom, r)
	}
	for i := len(t.order) - 1; i >= 0; i-- {
		v := t.order[i]
		if t.reached[v] {
			continue
		}
		lowest := bottom + 1
		for _, e := range t.out[v] {
			if !t.retreating[e] {
				lowest = min(lowest, ranks[g.Edges[e].To]-1)
			}
		}
		ranks[v] = max(ranks[v], min(lowest, bottom))
	}
}

// compact renumbers rows so that none is empty.
func compact(ranks []int) []int {
	n := 0
	for _, r := range ranks {
		n = max(n, r+1)
	}
	row := make([]int, n)
	for _, r := range ranks {
		row[r] = 1
	}
	next := 0
	for r, used := range row {
		row[r] = next
		next += used
	}
	for v := range ranks {
		ranks[v] = row[ranks[v]]
	}
	return ranks
}
