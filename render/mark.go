package render

import (
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// markSigns are the signs before mark words, also seen without colour, and the class
// of looks that each has.
var markSigns = [...]struct{ mark, sign, meaning, class string }{
	{MarkAdded, "+", "added", MarkAdded},
	{MarkRemoved, "−", "removed", MarkRemoved},
	{MarkChanged, "~", "changed", MarkChanged},
	{MarkMoved, ">", "moved", MarkMoved},
	{MarkMismatch, "≠", "does not agree, see above", MarkMismatch},
	{MarkAlways, "●", "on every way there, or the place itself", MarkAdded},
	{MarkWay, "→", "on the shortest way there", MarkChanged},
	{MarkCycle, "○", "on the shortest cycle back", MarkMoved},
}

// markText is the text of a mark in a block's head.
func markText(mark string) string {
	if mark == "" {
		return ""
	}
	return markSign(mark) + " " + visible.Text(mark)
}

// markSign returns the sign of a mark.
func markSign(mark string) string {
	for _, m := range markSigns {
		if m.mark == mark {
			return m.sign
		}
	}
	return "*"
}

// markMeaning is the text of one of markSigns in the legend.
func markMeaning(mark string) string {
	for _, m := range markSigns {
		if m.mark == mark {
			return m.meaning
		}
	}
	panic("bug: mark without a meaning")
}

// markClass returns the style sheet's class of a mark with a space in front,
// "" without one. Words that are not known here share a class, because they may hold anything.
func markClass(mark string) string {
	if mark == "" {
		return ""
	}
	for _, m := range markSigns {
		if m.mark == mark {
			return " m-" + m.class
		}
	}
	return " m-other"
}

// marksUsed returns the marks that blocks, edges and lines of the scene have, in
// the order of markSigns.
func (s *Scene) marksUsed() []string {
	has := map[string]bool{}
	for i := range s.Blocks {
		has[s.Blocks[i].Mark] = true
		for j := range s.Blocks[i].Lines {
			has[s.Blocks[i].Lines[j].Mark] = true
		}
	}
	for i := range s.Edges {
		has[s.Edges[i].Mark] = true
	}
	var out []string
	for _, m := range markSigns {
		if has[m.mark] {
			out = append(out, m.mark)
		}
	}
	return out
}
