package render

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// stubs returns the edges that are drawn as pills: branches and gotos to blocks to
// which many lead. A bundle of lines to a common exit runs across the whole picture,
// and is less clear than a pill that names the exit at each. Edges that a comparison marks, and
// those from the block directly before, stay lines.
func (s *Scene) stubs(many int) []int {
	into := map[int][]int{}
	for i := range s.Edges {
		e := &s.Edges[i]
		if e.To == Outside || e.Kind != Taken && e.Kind != Goto || e.Dead || e.Back || e.Mark != "" || e.From+1 == e.To ||
			s.Blocks[e.From].Func != s.Blocks[e.To].Func || s.Blocks[e.To].LoopHeader {
			continue
		}
		into[e.To] = append(into[e.To], i)
	}
	var out []int
	for b := range s.Blocks {
		if len(into[b]) >= many {
			out = append(out, into[b]...)
		}
	}
	return out
}

// waysIn returns a row that names the blocks with pills that lead to a block, and false if there
// are few.
func (v *viewer) waysIn(b int) (row, bool) {
	list := v.stubsInto[b]
	if len(list) < v.lim.stubIns {
		return row{}, false
	}
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = visible.Text(v.scene.Blocks[v.scene.Edges[e].From].Name)
	}
	full := fmt.Sprintf("← %d ways in: %s", len(list), strings.Join(names, " "))
	text, _ := clip(full, v.lim.cols)
	return row{kind: foldText, text: text, title: full}, true
}
