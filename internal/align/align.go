// Package align finds which elements of two sequences belong together when
// their order is kept: the common part that a diff leaves standing.
//
//	align.Pairs([]uint64{1, 2, 3}, []uint64{1, 9, 3}) // {0 0} {2 2}
//
// Elements are compared by their keys alone. The result is not always the longest common
// subsequence, whose cost is quadratic; it consists of equal elements at both ends and of elements
// that occur once on both sides, which people find more natural, and costs O(n log n) for each of a
// bounded number of levels.
package align

import (
	"cmp"
	"slices"
)

// Pair says that element A of the one sequence is element B of the other.
type Pair struct{ A, B int }

// maxLevels bounds how often a part is split at anchors.
const maxLevels = 16

// part is a piece of both sequences still to be aligned.
type part struct{ alo, ahi, blo, bhi, level int }

// Pairs returns pairs with equal keys, ascending in both A and B.
//
// Source: Bram Cohen, Patience Diff Advantages, 2010,
// https://bramcohen.livejournal.com/73318.html: unique elements are anchors, the
// longest increasing run of them is kept, and the parts between are aligned in
// turn. Where nothing is unique, the n-th occurrences of a key are anchors,
// which the original leaves to another algorithm.
func Pairs(a, b []uint64) []Pair {
	var out []Pair
	todo := []part{{0, len(a), 0, len(b), 0}}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for p.alo < p.ahi && p.blo < p.bhi && a[p.alo] == b[p.blo] {
			out = append(out, Pair{p.alo, p.blo})
			p.alo++
			p.blo++
		}
		for p.alo < p.ahi && p.blo < p.bhi && a[p.ahi-1] == b[p.bhi-1] {
			p.ahi--
			p.bhi--
			out = append(out, Pair{p.ahi, p.bhi})
		}
		if p.alo == p.ahi || p.blo == p.bhi || p.level == maxLevels {
			continue
		}
		anchors := increasing(unique(a, b, p))
		if len(anchors) == 0 {
			anchors = increasing(nth(a, b, p))
		}
		if len(anchors) == 0 {
			continue
		}
		out = append(out, anchors...)
		prev := Pair{p.alo - 1, p.blo - 1}
		for _, k := range append(anchors, Pair{p.ahi, p.bhi}) {
			todo = append(todo, part{prev.A + 1, k.A, prev.B + 1, k.B, p.level + 1})
			prev = k
		}
	}
	slices.SortFunc(out, func(x, y Pair) int { return cmp.Compare(x.A, y.A) })
	return out
}

// unique pairs the keys that occur once in both pieces, in the order of A.
func unique(a, b []uint64, p part) []Pair {
	const many = -1
	at := make(map[uint64]int, p.bhi-p.blo)
	for i := p.blo; i < p.bhi; i++ {
		if _, ok := at[b[i]]; ok {
			at[b[i]] = many
		} else {
			at[b[i]] = i
		}
	}
	seen := make(map[uint64]int, p.ahi-p.alo)
	for i := p.alo; i < p.ahi; i++ {
		seen[a[i]]++
	}
	var out []Pair
	for i := p.alo; i < p.ahi; i++ {
		if j, ok := at[a[i]]; ok && j != many && seen[a[i]] == 1 {
			out = append(out, Pair{i, j})
		}
	}
	return out
}

// occurrence is the n-th element with a key.
type occurrence struct {
	key uint64
	n   int
}

// nth pairs the n-th occurrences of each key, in the order of A.
func nth(a, b []uint64, p part) []Pair {
	count := make(map[uint64]int)
	at := make(map[occurrence]int, p.bhi-p.blo)
	for i := p.blo; i < p.bhi; i++ {
		at[occurrence{b[i], count[b[i]]}] = i
		count[b[i]]++
	}
	clear(count)
	var out []Pair
	for i := p.alo; i < p.ahi; i++ {
		if j, ok := at[occurrence{a[i], count[a[i]]}]; ok {
			out = append(out, Pair{i, j})
		}
		count[a[i]]++
	}
	return out
}

// increasing returns a longest subsequence in which B increases, of pairs in
// the order of A and with different B. (Fredman, On computing the length of
// longest increasing subsequences, 1975.)
func increasing(pairs []Pair) []Pair {
	if len(pairs) == 0 {
		return nil
	}
	var ends []int // index of the pair that ends the best run of each length
	before := make([]int, len(pairs))
	for i, p := range pairs {
		k, _ := slices.BinarySearchFunc(ends, p.B, func(e, b int) int { return cmp.Compare(pairs[e].B, b) })
		before[i] = -1
		if k > 0 {
			before[i] = ends[k-1]
		}
		if k == len(ends) {
			ends = append(ends, i)
		} else {
			ends[k] = i
		}
	}
	out := make([]Pair, len(ends))
	for i, k := ends[len(ends)-1], len(ends)-1; k >= 0; i, k = before[i], k-1 {
		out[k] = pairs[i]
	}
	return out
}
