package main

import (
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
)

// schemaLists is the version of the documents whose programs have shared lists.
const schemaLists = "bpfcfg/2"

// sharedLists holds each list of numbers of a program once: all jumps through a table
// have the same targets, and a document of jumps times targets would be that large.
type sharedLists struct {
	seed maphash.Seed
	ids  map[uint64][]int // by hash: candidates
	all  [][]int32
}

func newSharedLists() *sharedLists {
	return &sharedLists{seed: maphash.MakeSeed(), ids: map[uint64][]int{}}
}

// listID returns the id of a list: where it stands in the program's lists.
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

// series returns the lists as an array, which is made when all else that refers to them
// has been written.
func (l *sharedLists) series() jsonstream.Series {
	return func(yield func(any) bool) {
		for _, list := range l.all {
			if !yield(list) {
				return
			}
		}
	}
}

// edges returns the JSON of a block's edges: several of one kind are one element with a
// list.
func (l *sharedLists) edges(edges []cfg.Edge) []edgeDoc {
	out := []edgeDoc{}
	for fan := range fans(edges) {
		doc := edgeDoc{Kind: fan[0].Kind.String()}
		if len(fan) == 1 {
			to := int(fan[0].To)
			doc.To = &to
		} else {
			id := listID(l, blocksOf(fan))
			doc.List = &id
		}
		out = append(out, doc)
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

// blocksOf returns where edges go.
func blocksOf(edges []cfg.Edge) []cfg.BlockID {
	out := make([]cfg.BlockID, len(edges))
	for i, e := range edges {
		out[i] = e.To
	}
	return out
}

// toldEdges writes fans of edges as text, where a program has many of them each once.
type toldEdges struct {
	all    bool // list everything
	lists  *sharedLists
	first  []cfg.BlockID // of each list
	listed int
	left   int // lists that were not written again
}

// fan lists blocks that one block leads to, or names another that leads to the same.
func (t *toldEdges) fan(to []cfg.BlockID, from cfg.BlockID) string {
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
