package main

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
)

// markWay marks in a scene the ways of explain to a place: the blocks of the shortest way that an
// execution can take, those that every way passes, and the shortest cycle back.
func markWay(s *render.Scene, a *pipeline.Analysis, place string) error {
	at, err := explain.ParsePlace(place)
	if err != nil {
		return usagef("--way: %v", err)
	}
	if at.Several() {
		return usagef("--way %s: name one place, as block@N or insn@N", place)
	}
	ans, err := explain.New(a).At(at)
	if err != nil {
		return usagef("--way: %v", err)
	}
	if !ans.Executed {
		return usagef("--way %s: %s", place, ans.Verdict)
	}
	there := s.Blocks[ans.Block].Name
	for i, b := range ans.Cycle {
		s.Blocks[b].Mark, s.Blocks[b].Why = render.MarkCycle, "on the shortest cycle from "+there+" back to it"
		if i > 0 {
			markEdge(s, ans.Cycle[i-1], b, render.MarkCycle)
		}
	}
	for _, step := range ans.Way {
		b := &s.Blocks[step.Block]
		b.Mark, b.Why = render.MarkWay, "on the shortest way to "+there
		markEdge(s, step.Block, step.To, render.MarkWay)
	}
	for _, b := range ans.Before {
		s.Blocks[b].Mark = render.MarkAlways
		s.Blocks[b].Why = "every way from the start of its function to " + there + " passes here"
	}
	s.Blocks[ans.Block].Mark, s.Blocks[ans.Block].Why = render.MarkAlways, fmt.Sprintf("the place asked for: %s", at)
	s.Notes = append(s.Notes, wayNotes(there, ans)...)
	return nil
}

// markEdge marks the first edge between two blocks that can be taken.
func markEdge(s *render.Scene, from, to int, mark string) {
	for i := range s.Edges {
		if e := &s.Edges[i]; e.From == from && e.To == to && !e.Dead {
			e.Mark = mark
			return
		}
	}
}

// wayNotes describes the marks.
func wayNotes(there string, ans *explain.Answer) []string {
	notes := []string{
		fmt.Sprintf("the shortest way to %s has %s; every way from the start of its function passes %s before it", there,
			visible.Count(len(ans.Way), "step"), visible.Count(len(ans.Before), "block")),
	}
	if n := len(ans.Cycle); n > 0 {
		notes = append(notes, "the shortest cycle from "+there+" back to it has "+visible.Count(n-1, "step"))
	}
	return notes
}
