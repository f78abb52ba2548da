package textgraph

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/bpfcfg/bpfcfg/render"
)

// wire is a line: the fan of an indirect jump, from one block to several, or the
// edges of one style that come to one block from above, or from below.
type wire struct {
	edges  []int // of the scene
	style  style
	lo, hi int // places of its ends, see place
	lane   int // 0 is next to the blocks; -1: it is not drawn
}

// Places count positions from top to bottom: a block has the place 2b, its first row, where lines
// enter, and 2b+1, the row of its last instruction, where they leave.
func headOf(b int) int { return 2 * b }
func tailOf(b int) int { return 2*b + 1 }

// falls reports whether an edge is drawn as an arrow between two blocks.
func falls(s *render.Scene, e *render.Edge) bool {
	return (e.Kind == render.FallThrough || e.Kind == render.Return) && e.To == e.From+1 &&
		s.Blocks[e.From].Func == s.Blocks[e.To].Func
}

// local reports whether an edge may have a line: inside a function.
func local(s *render.Scene, e *render.Edge) bool {
	return e.To != render.Outside && s.Blocks[e.From].Func == s.Blocks[e.To].Func && e.Kind != render.Call
}

// bundle identifies edges that share a line into their target.
type bundle struct {
	to    int
	style style
	up    bool
}

// wires makes the lines of a scene, in the order of their first edges. Edges of an indirect jump
// that are never taken are named only in the text, because they would obstruct the fan.
func wires(s *render.Scene, out [][]int) []wire {
	var ws []wire
	joined := map[bundle]int{}
	for b := range s.Blocks {
		fan := -1
		for _, i := range out[b] {
			e := &s.Edges[i]
			if falls(s, e) || !local(s, e) || e.Dead && e.Kind == render.Indirect {
				continue
			}
			n, ok := fan, fan >= 0
			k := bundle{e.To, styleOf(e), e.To <= b}
			if e.Kind != render.Indirect {
				n, ok = joined[k]
			}
			if !ok {
				n = len(ws)
				ws = append(ws, wire{style: styleOf(e), lo: tailOf(b), hi: tailOf(b), lane: -1})
				if e.Kind == render.Indirect {
					fan = n
				} else {
					joined[k] = n
				}
			}
			w := &ws[n]
			w.edges = append(w.edges, i)
			w.lo, w.hi = min(w.lo, headOf(e.To), tailOf(b)), max(w.hi, headOf(e.To), tailOf(b))
		}
	}
	return ws
}

// giveLanes gives each line the lane nearest to the blocks that is free over its
// whole length, short lines first. No two lines of a lane share a place.
func giveLanes(ws []wire, places, most int) {
	order := make([]int, len(ws))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(ws[a].hi-ws[a].lo, ws[b].hi-ws[b].lo), cmp.Compare(a, b))
	})
	t := newLaneTree(places)
	for _, i := range order {
		used := t.used(ws[i].lo, ws[i].hi)
		if lane := bits.TrailingZeros32(^used); lane < most {
			ws[i].lane = lane
			t.use(ws[i].lo, ws[i].hi, 1<<lane)
		}
	}
}

// laneTree records which lanes are in use at each place: a segment tree of sets of
// lanes. Without it the search would be quadratic in nested loops.
type laneTree struct {
	size int      // leaves, a power of two
	some []uint32 // lanes in use somewhere below the node
	all  []uint32 // lanes marked over all of the node
}

func newLaneTree(places int) *laneTree {
	size := 1
	for size < places {
		size *= 2
	}
	return &laneTree{size, make([]uint32, 2*size), make([]uint32, 2*size)}
}

// use marks lanes from lo to hi.
func (t *laneTree) use(lo, hi int, lanes uint32) {
	mark := func(n int) { t.all[n] |= lanes; t.some[n] |= lanes }
	l, r := lo+t.size, hi+t.size
	for a, b := l, r+1; a < b; a, b = a/2, b/2 {
		if a&1 == 1 {
			mark(a)
			a++
		}
		if b&1 == 1 {
			b--
			mark(b)
		}
	}
	for l, r = l/2, r/2; l >= 1; l, r = l/2, r/2 {
		t.some[l] |= lanes
		t.some[r] |= lanes
	}
}

// used returns the lanes in use anywhere from lo to hi.
func (t *laneTree) used(lo, hi int) uint32 {
	var out uint32
	l, r := lo+t.size, hi+t.size
	for a, b := l, r+1; a < b; a, b = a/2, b/2 {
		if a&1 == 1 {
			out |= t.some[a]
			a++
		}
		if b&1 == 1 {
			b--
			out |= t.some[b]
		}
	}
	// A mark on a node above a piece of the range holds for the piece, too.
	for l, r = l/2, r/2; l >= 1; l, r = l/2, r/2 {
		out |= t.all[l] | t.all[r]
	}
	return out
}
