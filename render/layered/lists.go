package layered

// lists is a list of numbers for each of n owners, all in one array: a slice
// for each cost most of the time of large layouts.
type lists struct {
	start []int32
	items []int
}

// makeLists collects the pairs of owner and item that each passes to add. It calls each twice; both
// calls must pass the same pairs.
func makeLists(n int, each func(add func(owner, item int))) lists {
	l := lists{start: make([]int32, n+1)}
	each(func(owner, _ int) { l.start[owner+1]++ })
	for i := range n {
		l.start[i+1] += l.start[i]
	}
	l.items = make([]int, l.start[n])
	at := make([]int32, n)
	copy(at, l.start)
	each(func(owner, item int) {
		l.items[at[owner]] = item
		at[owner]++
	})
	return l
}

// of returns the list of an owner.
func (l *lists) of(i int) []int { return l.items[l.start[i]:l.start[i+1]] }

// components numbers the strongly connected components of the graph in which
// each owner leads to its items.
//
// Source: R. Tarjan, "Depth-first search and linear graph algorithms" (SIAM J.
// Computing 1, 1972), with a stack of its own.
func (l *lists) components() []int32 {
	n := len(l.start) - 1
	comp, low, num := make([]int32, n), make([]int32, n), make([]int32, n) // num 0: not seen
	next := make([]int32, n)
	copy(next, l.start)
	var open, path []int32
	var count, comps int32
	enter := func(v int32) {
		count++
		num[v], low[v], comp[v] = count, count, -1
		open, path = append(open, v), append(path, v)
	}
	for root := range int32(n) {
		if num[root] > 0 {
			continue
		}
		for enter(root); len(path) > 0; {
			v := path[len(path)-1]
			if next[v] < l.start[v+1] {
				w := int32(l.items[next[v]])
				next[v]++
				if num[w] == 0 {
					enter(w)
				} else if comp[w] < 0 {
					low[v] = min(low[v], num[w])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				up := path[len(path)-1]
				low[up] = min(low[up], low[v])
			}
			if low[v] != num[v] {
				continue
			}
			for w := int32(-1); w != v; {
				w = open[len(open)-1]
				open = open[:len(open)-1]
				comp[w] = comps
			}
			comps++
		}
	}
	return comp
}
