package layered

// pool is the width of a row that the nodes of one fan share, and those of the
// groups in it; pool 0 is that of the whole drawing. While a fan is being
// placed it has a part of its parent's width to itself, so that two switches
// that can run in parallel stand side by side, each in rows of its own.
type pool struct {
	parent   int
	width    int // of a row
	least    int // width without which it is not begun
	area     int64
	rest     int64 // area of what else may stand beside it
	left     int   // nodes and pools not yet placed
	reserved int   // width of the fans in it that have begun
	used     int   // width of the row at hand
	row      int   // row that used is for
	ready    readyHeap
	active   bool // in schedule.active
}

// pools holds the pools and the pool of each node.
type pools struct {
	list []pool
	of   []int // pool of each node
	root []int // pool that each node begins, 0 for none
}

// makePools makes a pool for each fan.
func makePools(g Graph, t *tree, gr *groups, idom []int, maxWidth, gap int) *pools {
	p := &pools{of: make([]int, len(g.Nodes)), root: make([]int, len(g.Nodes))}
	p.list = append(p.list, pool{parent: -1, width: maxWidth})
	poolOf := make([]int, len(gr.parent)) // of each group
	first := len(gr.f.header)
	for i := first; i < len(gr.parent); i++ {
		poolOf[i] = len(p.list)
		p.root[gr.root[i]] = len(p.list)
		p.list = append(p.list, pool{})
	}
	for l := range first { // loops have no width of their own
		in := l
		for in >= 0 && in < first {
			in = gr.parent[in]
		}
		if in >= 0 {
			poolOf[l] = poolOf[in]
		}
	}
	for i := first; i < len(gr.parent); i++ {
		if up := gr.parent[i]; up >= 0 {
			p.list[poolOf[i]].parent = poolOf[up]
		}
	}
	for v, in := range gr.of {
		if in >= 0 {
			p.of[v] = poolOf[in]
		}
	}
	p.measure(g, t, idom, gap)
	return p
}

// measure sets areas and least widths. The nodes that may stand beside a fan are assumed to be
// those that branch off between its pool's root and the fan: nodes with one predecessor, with all
// that they dominate. Others are joins, and come later.
func (p *pools) measure(g Graph, t *tree, idom []int, gap int) {
	n := len(g.Nodes)
	below := make([]int64, n) // area dominated by each node, in pixels
	beside := make([]int64, n)
	widest, sum, count := make([]int, len(p.list)), make([]int, len(p.list)), make([]int, len(p.list))
	single := func(v int) bool {
		forward := 0
		for _, e := range t.in[v] {
			if !t.retreating[e] {
				forward++
			}
		}
		return forward == 1
	}
	for i := n - 1; i >= 0; i-- {
		v := t.order[i]
		b := g.Nodes[v]
		below[v] += int64(b.W+gap) * int64(b.H+2*gap)
		if d := idom[v]; d >= 0 {
			below[d] += below[v]
			if single(v) {
				beside[d] += below[v]
			}
		}
		k := p.of[v]
		p.list[k].left++
		widest[k] = max(widest[k], b.W+gap)
		sum[k] += b.W + gap
		count[k]++
	}
	rest := make([]int64, n)
	for _, v := range t.order {
		if d := idom[v]; d >= 0 && p.root[d] == 0 {
			rest[v] = rest[d]
		}
		if d := idom[v]; d >= 0 {
			rest[v] += beside[d]
			if single(v) {
				rest[v] -= below[v]
			}
		}
		if k := p.root[v]; k > 0 {
			p.list[k].area, p.list[k].rest = below[v], rest[v]
		}
	}
	for k := len(p.list) - 1; k > 0; k-- {
		q := &p.list[k]
		p.list[q.parent].left++
		q.least = max(widest[k], min(sum[k], 3*sum[k]/max(1, count[k])))
	}
}

// open reserves a part of the parent's row for pool k. It reports false when there is no room now,
// but will be later. Small nodes beside the fan are not counted: of fifty nested switches, the last
// has the width of the first.
func (p *pools) open(k int, force bool) bool {
	q := &p.list[k]
	up := &p.list[q.parent]
	room := up.width - up.reserved
	least := min(q.least, up.width)
	if room < least && up.reserved > 0 && !force {
		return false
	}
	share := up.width
	if q.rest > q.area/8 {
		share = int(float64(up.width) * float64(q.area) / float64(q.area+q.rest))
	}
	q.width = max(least, min(share, room))
	up.reserved += q.width
	return true
}

// room returns the width left in a row.
func (q *pool) room(row int) int {
	if q.row != row {
		q.row, q.used = row, 0
	}
	return q.width - q.used - q.reserved
}

// take uses width of a row.
func (q *pool) take(row, w int) {
	q.room(row)
	q.used += w
}
