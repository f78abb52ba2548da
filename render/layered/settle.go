package layered

import (
	"cmp"
	"slices"
)

// settler moves whole chains. It keeps for each chain only the chains on which it depends, in lists
// without repetition: two trunks side by side for a thousand rows keep one distance, not a
// thousand.
type settler struct {
	m         *mover
	x         []int      // centre of each chain
	left      chainLinks // chains to the left of each, with their distance
	right     chainLinks
	pulls     chainLinks // chains that pull each, with the weight
	pullsBack chainLinks // chains that each pulls
	dirty     []bool
	wanted    []chainLink
}

// chainLinks lists other chains for each chain.
type chainLinks struct {
	start []int32
	items []chainLink
}

// chainLink is a chain and a distance or a weight.
type chainLink struct{ chain, n int32 }

func (n *chainLinks) of(k int) []chainLink { return n.items[n.start[k]:n.start[k+1]] }

// makeChainLinks collects the arguments of add like makeLists. Consecutive items of a chain that
// name the same other chain are joined.
func makeChainLinks(chains int, join func(a, b int32) int32, each func(add func(k, other, n int))) chainLinks {
	l := makeLists(chains, func(add func(owner, item int)) {
		i := 0
		each(func(k, _, _ int) { add(k, i); i++ })
	})
	all := make([]chainLink, 0, len(l.items))
	each(func(_, other, n int) { all = append(all, chainLink{int32(other), int32(n)}) })
	out := chainLinks{start: make([]int32, chains+1), items: make([]chainLink, 0, len(all)/2)}
	for k := range chains {
		first := len(out.items)
		for _, i := range l.of(k) {
			if last := len(out.items) - 1; last >= first && out.items[last].chain == all[i].chain {
				out.items[last].n = join(out.items[last].n, all[i].n)
			} else {
				out.items = append(out.items, all[i])
			}
		}
		out.start[k+1] = int32(len(out.items))
	}
	return out
}

func newSettler(m *mover) *settler {
	c := m.c
	chains := len(m.list)
	s := &settler{m: m, dirty: make([]bool, chains)}
	greater := func(a, b int32) int32 { return max(a, b) }
	sum := func(a, b int32) int32 { return a + b }
	neighbours := func(leftOf bool) func(add func(k, other, n int)) {
		return func(add func(k, other, n int)) {
			for k, cells := range m.list {
				for _, v := range cells {
					row, p := c.rows[c.cell[v].row], c.pos[v]
					if leftOf && p > 0 {
						add(k, m.of[row[p-1]], m.left[v].gap)
					} else if !leftOf && p+1 < len(row) {
						add(k, m.of[row[p+1]], m.left[row[p+1]].gap)
					}
				}
			}
		}
	}
	s.left = makeChainLinks(chains, greater, neighbours(true))
	s.right = makeChainLinks(chains, greater, neighbours(false))
	s.pulls = makeChainLinks(chains, sum, s.eachPull)
	s.pullsBack = makeChainLinks(chains, sum, func(add func(k, other, n int)) {
		s.eachPull(func(k, other, n int) { add(other, k, n) })
	})
	return s
}

// eachPull calls add for each chain with the chains that it wants to be near.
func (s *settler) eachPull(add func(k, other, weight int)) {
	m, c := s.m, s.m.c
	for k, cells := range m.list {
		for _, v := range cells {
			for _, links := range [2][]int{c.up.of(v), c.down.of(v)} {
				for _, i := range links {
					l := &c.links[i]
					if o := m.of[l.a+l.b-v]; o != k {
						add(k, o, pull(l.weight))
					}
				}
			}
			if d := c.joins(v); d >= 0 && m.of[d] != k {
				add(k, m.of[d], weightJoin)
			}
			if c.cell[v].kind == laneCell {
				for _, o := range c.side[v] {
					if m.of[o] != k {
						add(k, m.of[o], weightPlain)
					}
				}
			}
		}
	}
}

// pack returns the leftmost and the rightmost place of each chain.
func (s *settler) pack() (left, right []int) {
	left, right = make([]int, len(s.dirty)), make([]int, len(s.dirty))
	for _, k := range s.m.order {
		left[k] = s.least(k, left, 0)
	}
	widest := slices.Max(left)
	for _, k := range slices.Backward(s.m.order) {
		right[k] = s.most(k, right, widest)
	}
	return left, right
}

// least returns the least place of a chain right of its left neighbours, open
// where it has none; most the greatest place left of its right ones.
func (s *settler) least(k int, x []int, open int) int {
	for _, o := range s.left.of(k) {
		open = max(open, x[o.chain]+int(o.n))
	}
	return open
}

func (s *settler) most(k int, x []int, open int) int {
	for _, o := range s.right.of(k) {
		open = min(open, x[o.chain]-int(o.n))
	}
	return open
}

// settleBest lets chains settle from the left, the right and the mean of both,
// and takes the result with the shortest lines for its width. Large drawings
// are settled from the mean only.
func (m *mover) settleBest() {
	s := newSettler(m)
	left, right := s.pack()
	mid := make([]int, len(left))
	for k := range left {
		mid[k] = (left[k] + right[k]) / (2 * grid) * grid
	}
	starts := [][]int{mid, left, right}
	if len(m.c.cell) > 20_000 {
		starts = starts[:1]
	}
	best := -1
	for _, x := range starts {
		s.x = x
		s.settle()
		m.x = x
		if cost := m.cost(); best < 0 || cost < best {
			best = cost
			for v := range m.c.cell {
				m.c.cell[v].x = x[m.of[v]]
			}
		}
	}
}

// settle moves chains towards their neighbours until nothing moves, from the right, from the left,
// and so on: chains that want to go right make room first. Only chains with a neighbour that moved
// are looked at again.
func (s *settler) settle() {
	rounds := 16
	if len(s.m.c.cell) < 5000 {
		rounds = 60
	}
	for k := range s.dirty {
		s.dirty[k] = true
	}
	for round := range rounds {
		moved := false
		for i := range s.m.order {
			k := s.m.order[i]
			if round%2 == 0 {
				k = s.m.order[len(s.m.order)-1-i]
			}
			if s.dirty[k] {
				s.dirty[k] = false
				moved = s.move(k) || moved
			}
		}
		if !moved {
			break
		}
	}
}

// move moves a chain towards the middle of its links, as far as its neighbours allow, and reports
// whether it moved.
func (s *settler) move(k int) bool {
	if len(s.pulls.of(k)) == 0 {
		return false
	}
	at := s.median(k) / grid * grid
	at = max(s.least(k, s.x, -far), min(s.most(k, s.x, far), at))
	if at == s.x[k] {
		return false
	}
	s.x[k] = at
	for _, list := range [3][]chainLink{s.left.of(k), s.right.of(k), s.pullsBack.of(k)} {
		for _, o := range list {
			s.dirty[o.chain] = true
		}
	}
	return true
}

// pull is how much a link attracts its chains: trunks run far and are no
// reason to move boxes.
func pull(weight int) int {
	switch weight {
	case weightStraight:
		return 24
	case weightTrunk:
		return weightOnly
	}
	return weight
}

// median returns the weighted median of the places that a chain is linked to;
// the mean of two middle ones.
func (s *settler) median(k int) int {
	ws := append(s.wanted[:0], s.pulls.of(k)...)
	s.wanted = ws
	total := 0
	for i := range ws {
		total += int(ws[i].n)
		ws[i].chain = int32(s.x[ws[i].chain]) // coordinates are less than far
	}
	slices.SortFunc(ws, func(a, b chainLink) int { return cmp.Compare(a.chain, b.chain) })
	sum := 0
	for i, w := range ws {
		sum += int(w.n)
		if 2*sum > total {
			return int(w.chain)
		}
		if 2*sum == total {
			return (int(w.chain) + int(ws[i+1].chain)) / 2
		}
	}
	panic("bug: layered: empty median")
}
