package rendertest_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// reach returns the blocks, instructions and unreached blocks that edges lead to
// from the entry; folded ones by what they stand for.
func reach(s *render.Scene) (blocks, insns int) {
	next := make([][]int, len(s.Blocks))
	for _, e := range s.Edges {
		if e.To != render.Outside {
			next[e.From] = append(next[e.From], e.To)
		}
	}
	seen := make([]bool, len(s.Blocks))
	work := []int{s.Funcs[0].Entry}
	seen[work[0]] = true
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		if f := s.Blocks[b].Folded; f != nil {
			blocks, insns = blocks+f.Blocks, insns+f.Insns
		} else {
			blocks, insns = blocks+1, insns+len(s.Blocks[b].Lines)
		}
		for _, to := range next[b] {
			if !seen[to] {
				seen[to] = true
				work = append(work, to)
			}
		}
	}
	return blocks, insns
}

// TestFoldCorpus checks that folding loses nothing that could be reached: what
// is folded has one way in, and its ways out stay.
func TestFoldCorpus(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	var scenes []*render.Scene
	for _, s := range corpus(t) {
		scenes = append(scenes, s.Scene)
	}
	for seed := range uint64(60) {
		a, err := pipeline.Run(tangle(seed), prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		scenes = append(scenes, picture.Scene(a, "tangle"))
	}
	kinds := map[string]int{}
	for i, s := range scenes {
		for above := len(s.Blocks); above > 0; above /= 2 {
			out := render.Fold(s, above)
			if err := out.Check(); err != nil {
				t.Fatal(err)
			}
			subprograms := false
			for _, b := range out.Blocks {
				if b.Folded != nil {
					kinds[b.Folded.Kind]++
					subprograms = subprograms || b.Folded.Kind == "subprogram"
				}
			}
			b0, i0 := reach(s)
			b1, i1 := reach(out)
			if b1 < b0 || i1 < i0 || !subprograms && (b1 != b0 || i1 != i0) {
				t.Errorf("scene %d folded above %d: %d blocks, %d instructions reached, want %d, %d", i, above, b1, i1, b0, i0)
			}
			if _, err := render.Place(out, render.PlaceOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
	for _, k := range []string{"chain", "loop", "region", "subprogram"} {
		if kinds[k] < 3 { // of the corpus
			t.Errorf("only %d folded %ss", kinds[k], k)
		}
	}
}
