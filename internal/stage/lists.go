package stage

import (
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
)

// sharedLists numbers lists of a program, equal ones alike: all jumps through a table have the same
// targets, and without sharing, a document would have the size of jumps times targets.
type sharedLists struct {
	seed maphash.Seed
	ids  map[uint64][]int // by hash: candidates
	all  [][]int32
}

func newSharedLists() *sharedLists {
	return &sharedLists{seed: maphash.MakeSeed(), ids: map[uint64][]int{}}
}

// listID returns the number of a list; the first one is 0.
func listID[T ~int | ~int32](l *sharedLists, list []T) int {
	var h maphash.Hash
	h.SetSeed(l.seed)
	for _, v := range list {
		maphash.WriteComparable(&h, int32(v))
	}
	sum := h.Sum64()
	same := func(id int) bool {
		return slices.EqualFunc(l.all[id], list, func(a int32, b T) bool { return T(a) == b })
	}
	if i := slices.IndexFunc(l.ids[sum], same); i >= 0 {
		return l.ids[sum][i]
	}
	kept := make([]int32, len(list))
	for i, v := range list {
		kept[i] = int32(v)
	}
	l.all = append(l.all, kept)
	l.ids[sum] = append(l.ids[sum], len(l.all)-1)
	return len(l.all) - 1
}

// onceLists bounds repetition in a document: after some maxListed numbers, a list that was written
// before is left out, and its place is named.
type onceLists struct {
	all    bool // repeat everything
	lists  *sharedLists
	first  []int // place of each list
	listed int
}

func newOnceLists(all bool) *onceLists { return &onceLists{all: all, lists: newSharedLists()} }

// listOnce returns a list that belongs to a place in its JSON form, or nil and the place that has
// the same list.
func listOnce[T ~int | ~int32](o *onceLists, list []T, place int) (written []int, same *int) {
	id := listID(o.lists, list)
	if id == len(o.first) {
		o.first = append(o.first, place)
	} else if o.listed > maxListed && len(list) > 1 && !o.all {
		return nil, &o.first[id]
	}
	o.listed += len(list)
	return Ints(list), nil
}

// edges returns the JSON of a block's edges, or names another block with the same fan of one kind.
func (o *onceLists) edges(edges []cfg.Edge, from cfg.BlockID) []edgeDoc {
	out := []edgeDoc{}
	for fan := range fans(edges) {
		kind := fan[0].Kind.String()
		to, same := listOnce(o, blocksOf(fan), int(from))
		if same != nil {
			out = append(out, edgeDoc{Same: same, Kind: kind})
		}
		for i := range to {
			out = append(out, edgeDoc{To: &to[i], Kind: kind})
		}
	}
	return out
}

// fans cuts edges into those of one kind.
func fans(edges []cfg.Edge) iter.Seq[[]cfg.Edge] {
	return func(yield func([]cfg.Edge) bool) {
		for len(edges) > 0 {
			n := slices.IndexFunc(edges, func(e cfg.Edge) bool { return e.Kind != edges[0].Kind })
			if n < 0 {
				n = len(edges)
			}
			if !yield(edges[:n]) {
				return
			}
			edges = edges[n:]
		}
	}
}

// blocksOf returns the targets of edges.
func blocksOf(edges []cfg.Edge) []cfg.BlockID {
	out := make([]cfg.BlockID, len(edges))
	for i, e := range edges {
		out[i] = e.To
	}
	return out
}

// printedEdges writes fans of edges as text; in a program with many of them, each only once.
type printedEdges struct {
	all    bool // list everything
	lists  *sharedLists
	first  []cfg.BlockID // of each list
	listed int
	left   int // lists that were not written again
}

// fan lists blocks that one block leads to, or names another that leads to the same.
func (t *printedEdges) fan(to []cfg.BlockID, from cfg.BlockID) string {
	if len(to) == 1 {
		return to[0].String()
	}
	id := listID(t.lists, to)
	if id == len(t.first) {
		t.first = append(t.first, from)
	} else if t.listed > maxListed && !t.all {
		t.left++
		return fmt.Sprintf("as %s (%d)", t.first[id], len(to))
	}
	t.listed += len(to)
	words := make([]string, len(to))
	for i, b := range to {
		words[i] = b.String()
	}
	return strings.Join(words, " ")
}
