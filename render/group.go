package render

import (
	"fmt"
	"slices"
)

// Group is a set of blocks that belong together for a reader: the compares of a switch, a round of
// an unrolled loop. FoldGroups draws it as one box.
type Group struct {
	Kind   string // of Folded: GroupCompares or GroupRounds
	Text   string // text of the box: "switch (r7): 1000 cases in 998 compares"
	Blocks []int  // the first is the only way in
	Each   int    // blocks of a round; 0 if it is no group of rounds
	// Labels are those of edges that leave the group, by index in Scene.Edges: the
	// values that lead there. Edges to one block have one label.
	Labels map[int]string
}

// Kinds of groups.
const (
	GroupCompares = "compares"
	GroupRounds   = "rounds"
)

// FoldGroups returns a scene in which each of the scene's Groups is one box, and the
// box of each block of the scene given. Groups with another way in or with a mark stay
// as they are. The scene given is not changed; without groups it is returned.
func FoldGroups(s *Scene) (*Scene, []int) {
	if len(s.Groups) == 0 {
		return s, identity(len(s.Blocks))
	}
	labelled := *s
	labelled.Edges = slices.Clone(s.Edges)
	f := newFolder(&labelled)
	f.text = map[int]string{}
	folded := 0
	for i := range s.Groups {
		g := &s.Groups[i]
		if !f.fold(g.Kind, g.Blocks) {
			continue
		}
		folded += len(g.Blocks)
		f.text[g.Blocks[0]] = g.Text
		if g.Kind != GroupCompares {
			continue
		}
		for e, label := range g.Labels {
			labelled.Edges[e].Label, labelled.Edges[e].Kind = label, Compared
		}
	}
	if folded == 0 {
		return s, identity(len(s.Blocks))
	}
	out, index := f.scene()
	out.Groups = nil
	out.Notes = append(slices.Clip(out.Notes), fmt.Sprintf(
		"%d blocks are drawn as %d: compares of a switch, and rounds that are alike, are one box each",
		len(s.Blocks), len(out.Blocks)))
	return out, index
}

func identity(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
