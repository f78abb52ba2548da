// Package reach finds what can be reached in a small graph of numbered nodes, such as the
// functions of a program by their calls.
//
//	calls := [][]int{{1}, {2}, nil, nil}                 // 0 calls 1, 1 calls 2
//	reach.From(calls, []bool{true, false, false, false}) // [true true true false]
//
// Graphs of blocks have their own searches in package cfg.
package reach

import "slices"

// From returns the given nodes and all to which they lead, over any number of edges. next
// holds the successors of each node.
func From(next [][]int, nodes []bool) []bool {
	out := slices.Clone(nodes)
	var work []int
	for n, in := range out {
		if in {
			work = append(work, n)
		}
	}
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		for _, to := range next[n] {
			if !out[to] {
				out[to] = true
				work = append(work, to)
			}
		}
	}
	return out
}

// To returns the given nodes and all that lead to them.
func To(next [][]int, nodes []bool) []bool {
	back := make([][]int, len(next))
	for n, list := range next {
		for _, to := range list {
			back[to] = append(back[to], n)
		}
	}
	return From(back, nodes)
}
