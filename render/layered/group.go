package layered

// groups says which nodes stay together. A group is a loop, or a fan: a node with at least minFan
// targets and what it dominates in its loop. Groups nest. In each row the cells of a group lie side
// by side, and code after a group is placed below all of it. So the cases of two switches do not
// mix, and unrelated lines pass beside a switch.
//
// Indices up to the number of loops are those of the forest.
type groups struct {
	nest
	f     *forest
	idom  []int
	loop  []int  // innermost loop around each group, for loops itself; -1
	root  []int  // of a fan the node that it begins with; -1 for loops
	of    []int  // group of each node, -1
	guest []bool // nodes in the area of a loop that they are not of
}

// minFan is the number of targets that make a node the root of a group.
const minFan = 4

// maxGuests is how many blocks on end may be guests of a loop.
const maxGuests = 3

// findGroups builds the groups from the top: a node begins in the group of its dominator, and
// leaves the groups whose loop it leaves.
//
// A case of a switch in a loop may fall through to a way out of the loop. Such blocks are guests:
// they stay below their case, though they are not of the loop. Placed below the loop, each would
// need a line through all rows of the switch.
func findGroups(g Graph, t *tree, f *forest, idom []int) *groups {
	n := len(g.Nodes)
	s := &groups{f: f, idom: idom, of: make([]int, n), guest: make([]bool, n)}
	for l := range f.header {
		s.parent = append(s.parent, f.parent[l])
		s.loop = append(s.loop, l)
		s.root = append(s.root, -1)
	}
	guests := make([]int, n) // length of the chain of guests that ends at each
	for _, v := range t.order {
		in := -1
		if idom[v] >= 0 {
			in = s.of[idom[v]]
		}
		l := f.of[v]
		if l >= 0 && f.header[l] == v {
			in = s.climb(in, f.parent[l])
			s.parent[l] = in
			in = l
		} else if host := s.host(g, t, v, guests); host >= 0 {
			s.guest[v] = true
			in = s.of[host]
			guests[v] = guests[host] + 1
		} else {
			in = s.climb(in, l)
		}
		if targets(g, t, v) >= minFan && !s.guest[v] {
			s.parent = append(s.parent, in)
			s.loop = append(s.loop, l)
			s.root = append(s.root, v)
			in = len(s.parent) - 1
		}
		s.of[v] = in
	}
	s.measure()
	return s
}

// climb returns the innermost group around in, or in itself, whose loop is l.
// In an irreducible loop there may be none but the loop.
func (s *groups) climb(in, l int) int {
	for in >= 0 && s.loop[in] != l {
		in = s.parent[in]
	}
	if in < 0 {
		return l
	}
	return in
}

// host returns the node that falls through to v and of which v is a guest, -1 if v is none.
func (s *groups) host(g Graph, t *tree, v int, guests []int) int {
	if len(t.in[v]) != 1 {
		return -1
	}
	e := t.in[v][0]
	h := g.Edges[e].From
	switch {
	case !g.Edges[e].Straight, t.retreating[e], t.pre[h] > t.pre[v], guests[h] == maxGuests:
		return -1
	case s.of[h] < 0, s.root[s.of[h]] < 0, s.root[s.of[h]] == h:
		return -1
	case s.guest[h]:
		return h
	case s.f.of[v] == s.f.of[h], s.f.common(s.f.of[v], s.f.of[h]) != s.f.of[v]:
		return -1
	}
	return h
}

// targets returns the number of fan edges of v that do not retreat, with
// different targets.
func targets(g Graph, t *tree, v int) int {
	n, last := 0, -1
	for _, e := range t.out[v] {
		if ed := g.Edges[e]; ed.Fan && !t.retreating[e] && ed.To != last {
			n++
			last = ed.To
		}
	}
	return n
}

// nest is a forest of groups or loops.
type nest struct {
	parent []int // enclosing group, -1
	depth  []int // 1 for an outermost one
	flat   []int // the group itself, or the ancestor of it at maxDepth
}

// measure sets depth and flat.
func (s *nest) measure() {
	s.depth, s.flat = make([]int, len(s.parent)), make([]int, len(s.parent))
	var path []int
	for i := range s.parent {
		for j := i; j >= 0 && s.depth[j] == 0; j = s.parent[j] {
			path = append(path, j)
		}
		for ; len(path) > 0; path = path[:len(path)-1] {
			j := path[len(path)-1]
			s.depth[j] = 1
			if p := s.parent[j]; p >= 0 {
				s.depth[j] = s.depth[p] + 1
			}
			s.flat[j] = j
			if s.depth[j] > maxDepth {
				s.flat[j] = s.flat[s.parent[j]]
			}
		}
	}
}

// common returns the innermost group that contains both, -1 for none. Either
// may be -1.
func (s *nest) common(a, b int) int {
	for a != b {
		if a < 0 || b < 0 {
			return -1
		}
		if s.depth[a] >= s.depth[b] {
			a = s.parent[a]
		} else {
			b = s.parent[b]
		}
	}
	return a
}

// shallow returns the group or the ancestor of it at maxDepth.
func (s *nest) shallow(l int) int {
	if l < 0 {
		return l
	}
	return s.flat[l]
}

// outermostExited returns the largest group around the source that does not
// contain the target, -1 for none.
func (s *nest) outermostExited(from, to int) int {
	both := s.common(from, to)
	if from == both {
		return -1
	}
	for s.parent[from] != both {
		from = s.parent[from]
	}
	return from
}
