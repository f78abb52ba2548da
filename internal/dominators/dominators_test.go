package dominators

import (
	"math/rand/v2"
	"testing"
)

// TestImmediate compares with the definition: a dominates b when b cannot be
// reached without a, and the immediate one is that which all others dominate.
func TestImmediate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + r.IntN(12)
		out := make([][]int, n)
		for range r.IntN(3 * n) {
			from := r.IntN(n)
			out[from] = append(out[from], r.IntN(n))
		}
		order, parent := search(out)
		num := make([]int32, n)
		for i := range num {
			num[i] = -1
		}
		for v, b := range order {
			num[b] = int32(v)
		}
		got := Immediate(parent, func(w int32, from func(v int32)) {
			for b := range out {
				for _, to := range out[b] {
					if num[to] == w && num[b] >= 0 {
						from(num[b])
					}
				}
			}
		})
		for w := 1; w < len(order); w++ {
			if want := slow(out, order, w); int(got[w]) != want {
				t.Fatalf("%v: immediate dominator of %d is %d, want %d", out, order[w], order[got[w]], order[want])
			}
		}
	}
}

// search returns the nodes that node 0 leads to in the order of a depth-first
// search, and for each its parent's place in that order.
func search(out [][]int) (order []int, parent []int32) {
	seen := make([]bool, len(out))
	var visit func(b int, from int32)
	visit = func(b int, from int32) {
		seen[b] = true
		me := int32(len(order))
		order, parent = append(order, b), append(parent, from)
		for _, to := range out[b] {
			if !seen[to] {
				visit(to, me)
			}
		}
	}
	visit(0, -1)
	return order, parent
}

// slow finds the immediate dominator of order[w] by taking nodes away: of those
// without which it is not reached, the one that most others are needed for.
func slow(out [][]int, order []int, w int) int {
	best, most := -1, -1
	for a := range w {
		if !without(out, order[a])[order[w]] {
			needed := 0
			for c := range w {
				if c == a || !without(out, order[c])[order[a]] {
					needed++
				}
			}
			if needed > most {
				best, most = a, needed
			}
		}
	}
	return best
}

// without returns the nodes that node 0 leads to when one is taken away.
func without(out [][]int, gone int) []bool {
	seen := make([]bool, len(out))
	if gone == 0 {
		return seen
	}
	seen[0] = true
	for list := []int{0}; len(list) > 0; {
		b := list[0]
		list = list[1:]
		for _, to := range out[b] {
			if to != gone && !seen[to] {
				seen[to] = true
				list = append(list, to)
			}
		}
	}
	return seen
}
