package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// foldCases is the kind of a box of cases.
const foldCases = "cases"

// minCases is the least number of cases of a switch that are folded.
const minCases = 24

// caseEdges are edges to cases of one switch, in the order of the blocks that they lead to.
type caseEdges []int

// cases folds cases of switches that nothing else leads to. Cases that follow each other in the
// program become a box: about as many boxes as there are cases in each, or fewer if there would be
// too many. Cases that never run have boxes of their own.
func (f *folder) cases(above int) {
	for b := range f.s.Blocks {
		live, dead := f.casesOf(b)
		n := len(live) + len(dead)
		if n < minCases {
			continue
		}
		room := max(above-len(f.s.Blocks)+n, minFold)
		by := max((n+room-1)/room, int(math.Sqrt(float64(n))), minFold)
		for _, list := range [2]caseEdges{live, dead} {
			for len(list) >= minFold {
				n := min(by, len(list))
				if len(list)-n < minFold {
					n = len(list)
				}
				f.foldCases(list[:n])
				list = list[n:]
			}
		}
	}
}

// casesOf returns the edges to blocks that only the indirect jump or the compares of a
// block lead to: those that run, and those that never do.
func (f *folder) casesOf(b int) (live, dead caseEdges) {
	out := slices.Clone(f.out[b])
	slices.SortFunc(out, func(i, j int) int { return cmp.Compare(f.s.Edges[i].To, f.s.Edges[j].To) })
	for _, i := range out {
		e := &f.s.Edges[i]
		to := &f.s.Blocks[e.To]
		switch {
		case e.Kind != Indirect && e.Kind != Compared || e.To == b || len(f.in[e.To]) != 1 || to.Entry ||
			to.Mark != "" || to.LoopDepth != f.s.Blocks[b].LoopDepth:
		case e.Dead:
			dead = append(dead, i)
		default:
			live = append(live, i)
		}
	}
	return live, dead
}

func (f *folder) foldCases(list caseEdges) {
	if f.text == nil {
		f.text = map[int]string{}
	}
	head := f.s.Edges[list[0]].To
	var labels []string
	for _, i := range list {
		e := &f.s.Edges[i]
		f.into[e.To] = head
		if !e.Dead {
			labels = append(labels, e.Label)
		}
	}
	f.kind[head] = foldCases
	f.text[head] = fmt.Sprintf("%d cases: %s", len(list), strings.Join(labels, ", "))
	if len(labels) == 0 {
		f.text[head] = fmt.Sprintf("%d cases, never taken", len(list))
	}
}
