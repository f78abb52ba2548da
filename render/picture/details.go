package picture

import (
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
)

// AddDetails adds to each block of the analysis's scene the details that a page shows at a click,
// the facts at its start, and the code of AddCode. It is separate from Scene because it takes most
// of the work and bytes of a large page.
func AddDetails(s *render.Scene, a *pipeline.Analysis) {
	AddCode(s, a)
	s.Facts = &factTexts{Texts: a.Succ.Facts.Texts()}
}

// factTexts are render.Facts.
type factTexts struct {
	*abstract.Texts
	facts  []render.Fact // of the last states
	states [][]render.Fact
}

func (t *factTexts) Changes(block int) [][]render.Fact {
	states := t.Texts.Changes(cfg.BlockID(block))
	t.facts, t.states = t.facts[:0], t.states[:0]
	for _, changes := range states {
		from := len(t.facts)
		for _, k := range changes {
			t.facts = append(t.facts, render.Fact(k))
		}
		t.states = append(t.states, t.facts[from:len(t.facts):len(t.facts)])
	}
	return t.states
}

// relocText names the address that the kernel puts into n bytes at off.
func relocText(a *pipeline.Analysis, off, n int) string {
	rs := a.Image.Relocs
	i := sort.Search(len(rs), func(i int) bool { return rs[i].Offset >= off })
	if i == len(rs) || rs[i].Offset >= off+n || rs[i].Target == "" {
		return ""
	}
	return "  # " + rs[i].Target
}

// AddCounts adds to each block of the analysis's scene how often it was visited, from the visits of
// each slot: the maximum over its instructions. source names the counter.
func AddCounts(s *render.Scene, a *pipeline.Analysis, visits []uint64, source string) {
	s.Counted = source
	for i, b := range a.Graph.Blocks {
		n := slices.Max(visits[b.Start:b.End])
		s.Blocks[i].Count = &n
	}
}

// AddPasses adds to each edge of the analysis's scene how often it was passed,
// from the passes from slot to slot. Passes of edges with the same ends
// cannot be counted separately, nor can returns: these get no count.
func AddPasses(s *render.Scene, a *pipeline.Analysis, passes map[[2]int]uint64) {
	ends := func(e *render.Edge) [2]int {
		return [2]int{int(a.Graph.Blocks[e.From].Last), int(a.Graph.Blocks[e.To].Start)}
	}
	same := map[[2]int]int{}
	for i := range s.Edges {
		if e := &s.Edges[i]; e.To != render.Outside {
			same[ends(e)]++
		}
	}
	for i := range s.Edges {
		e := &s.Edges[i]
		if e.To == render.Outside || e.Kind == render.Return || same[ends(e)] > 1 {
			continue
		}
		n := passes[ends(e)]
		e.Count = &n
	}
}
