package layered

import (
	"cmp"
	"container/heap"
	"slices"
)

// assignRanks gives each node a row such that edges which do not retreat lead
// down.
//
// Rows are filled from the top, as in the list scheduling of E. Coffman and
// R. Graham, "Optimal scheduling for two-processor systems" (1972): a row takes
// the nodes whose predecessors are all placed, in preorder, while they fit. So
// a row is the longest path from the entry unless it would be too wide; the
// 300 cases of a switch become a block of rows, and the blocks of a case stay
// together: a node that only a fall-through leads to has its place below the
// one before it, whatever else is ready. Longest-path rows alone, tried first,
// made such pictures 60,000 pixels wide.
//
// Code after a group is placed below the whole group, not beside it. This makes drawings a little
// longer and loops much clearer.
func assignRanks(g Graph, t *tree, gr *groups, idom []int, maxWidth, gap int) []int {
	s := newSchedule(g, t, gr)
	s.pools = makePools(g, t, gr, idom, maxWidth, gap)
	s.run(gap)
	if s.done != len(s.waits) {
		panic("bug: layered: cycle without a retreating edge")
	}
	ranks := s.rank[:len(g.Nodes)]
	sinkUnreached(g, t, ranks)
	return compact(ranks)
}

// schedule is a graph without cycles, in which jobs wait for others. Jobs are
// the nodes, followed by the end of each group.
type schedule struct {
	g      Graph
	t      *tree
	nodes  int
	next   lists // jobs that wait for each
	waits  []int // number of jobs waited for
	rank   []int
	pools  *pools
	follow []int // node that takes the place below each, -1
	colW   []int // width of each node's column
	active []int // pools with nodes that are ready
	fresh  []int // nodes that get ready for the next row
	done   int
}

// newSchedule lists which job waits for which. After an irreducible loop that is left towards its
// own other entry, nodes and the end of the loop would wait for each other: such nodes do not wait
// for the end.
func newSchedule(g Graph, t *tree, gr *groups) *schedule {
	n := len(g.Nodes)
	jobs := n + len(gr.parent)
	s := &schedule{g: g, t: t, nodes: n, waits: make([]int, jobs), rank: make([]int, jobs)}
	exits := fill(len(g.Edges)) // outermost group that each edge leaves, -1
	for i, e := range g.Edges {
		if !t.retreating[i] {
			exits[i] = gr.outermostExited(gr.of[e.From], gr.of[e.To])
		}
	}
	var cycle []int32 // strongly connected component of each job
	before := func(add func(a, b int)) {
		for i, e := range g.Edges {
			if t.retreating[i] {
				continue
			}
			add(e.From, e.To)
			if l := exits[i]; l >= 0 && (cycle == nil || cycle[n+l] != cycle[e.To]) {
				add(n+l, e.To)
			}
		}
		for v, l := range gr.of {
			if l >= 0 {
				add(v, n+l)
			}
		}
		for l, p := range gr.parent {
			if p >= 0 {
				add(n+l, n+p)
			}
		}
	}
	s.next = makeLists(jobs, before)
	cycle = s.next.components()
	s.next = makeLists(jobs, before)
	before(func(_, b int) { s.waits[b]++ })
	return s
}

// run assigns rows.
func (s *schedule) run(gap int) {
	s.columns(gap)
	for j := range s.waits {
		if s.waits[j] != 0 {
			continue
		}
		if j < s.nodes {
			s.fresh = append(s.fresh, j)
		} else {
			s.finish(j)
		}
	}
	var forced []int // nodes that have their place in this row
	for row := 0; len(s.fresh)+len(forced)+len(s.active) > 0; row++ {
		s.push()
		placed := len(forced) > 0
		for _, v := range forced {
			s.pools.list[s.pools.of[v]].take(row, s.colW[v])
		}
		now := forced
		forced = nil
		for _, v := range now {
			forced = s.place(v, row, forced)
		}
		for _, k := range s.active {
			q := &s.pools.list[k]
			for q.ready.Len() > 0 && s.fits(k, q.ready.nodes[0], row, false) {
				forced = s.place(heap.Pop(&q.ready).(int), row, forced)
				placed = true
			}
		}
		if !placed && len(s.active) > 0 {
			// All ready nodes wait for room that other pools have.
			q := &s.pools.list[s.active[0]]
			s.fits(s.active[0], q.ready.nodes[0], row, true)
			forced = s.place(heap.Pop(&q.ready).(int), row, forced)
		}
		s.active = slices.DeleteFunc(s.active, func(k int) bool {
			q := &s.pools.list[k]
			q.active = q.ready.Len() > 0
			return !q.active
		})
	}
}

// columns finds which node follows which in a column, and how wide columns
// are.
func (s *schedule) columns(gap int) {
	s.follow, s.colW = fill(s.nodes), make([]int, s.nodes)
	for i := s.nodes - 1; i >= 0; i-- {
		v := s.t.order[i]
		s.colW[v] = s.g.Nodes[v].W + gap
		if len(s.t.out[v]) == 0 || s.pools.root[v] > 0 {
			continue
		}
		e := s.t.out[v][0] // straight edges come first
		w := s.g.Edges[e].To
		if s.g.Edges[e].Straight && !s.t.retreating[e] && s.waits[w] == 1 &&
			s.pools.root[w] == 0 && s.pools.of[v] == s.pools.of[w] && s.t.pre[w] > s.t.pre[v] {
			s.follow[v] = w
			s.colW[v] = max(s.colW[v], s.colW[w])
		}
	}
	for _, v := range s.t.order {
		if w := s.follow[v]; w >= 0 {
			s.colW[w] = s.colW[v]
		}
	}
}

// push makes the fresh nodes ready.
func (s *schedule) push() {
	before := len(s.active)
	for _, v := range s.fresh {
		k := s.pools.of[v]
		if s.pools.root[v] > 0 {
			k = s.pools.list[k].parent
		}
		q := &s.pools.list[k]
		q.ready.pre = s.t.place.pre
		heap.Push(&q.ready, v)
		if !q.active {
			q.active = true
			s.active = append(s.active, k)
		}
	}
	s.fresh = s.fresh[:0]
	if len(s.active) > before {
		slices.Sort(s.active)
	}
}

// fits reports whether a node has room in a row, and takes it. The first of its pool always has
// room, beside whatever fans there are.
func (s *schedule) fits(k, v, row int, force bool) bool {
	if r := s.pools.root[v]; r > 0 {
		if !s.pools.open(r, force) {
			return false
		}
		s.pools.list[r].take(row, s.colW[v])
		return true
	}
	q := &s.pools.list[k]
	room := q.room(row)
	if room < s.colW[v] && q.used > 0 && !force {
		return false
	}
	q.take(row, s.colW[v])
	return true
}

// place puts a node into a row, and adds the one that must follow it to
// forced.
func (s *schedule) place(v, row int, forced []int) []int {
	s.rank[v] = row
	s.finish(v)
	if w := s.follow[v]; w >= 0 {
		forced = append(forced, w)
	}
	for k := s.pools.of[v]; k > 0; k = s.pools.list[k].parent {
		q := &s.pools.list[k]
		if q.left--; q.left > 0 {
			break
		}
		s.pools.list[q.parent].reserved -= q.width
	}
	return forced
}

// finish removes a job from the lists of those that wait for it. Ends of groups take no row
// and finish at once.
func (s *schedule) finish(job int) {
	work := []int{job}
	for len(work) > 0 {
		j := work[len(work)-1]
		work = work[:len(work)-1]
		s.done++
		for _, w := range s.next.of(j) {
			if s.waits[w]--; s.waits[w] > 0 {
				continue
			}
			switch {
			case w < s.nodes && (j >= s.nodes || s.follow[j] != w):
				s.fresh = append(s.fresh, w)
			case w >= s.nodes:
				work = append(work, w)
			}
		}
	}
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

// sinkUnreached moves unreached nodes down, to just above their successors, and those without
// successors to the bottom. Left at the top they would look like entries.
func sinkUnreached(g Graph, t *tree, ranks []int) {
	var dead []int
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
		dead = append(dead, v)
	}
	// Their successors follow closely, even those without successors.
	slices.SortFunc(dead, func(a, b int) int { return cmp.Or(cmp.Compare(ranks[a], ranks[b]), cmp.Compare(a, b)) })
	for _, v := range dead {
		above := -1
		for _, e := range t.in[v] {
			if !t.retreating[e] {
				above = max(above, ranks[g.Edges[e].From])
			}
		}
		if above >= 0 {
			ranks[v] = min(ranks[v], above+1)
		}
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
