package check

import (
	"maps"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// maxAlike bounds the findings of a kind that a program has. Only hostile programs have more, and a
// finding for each instruction takes more memory than the rest of the analysis.
const maxAlike = 10_000

// leftOut counts findings of each kind, and those beyond maxAlike. The zero value has none.
type leftOut struct {
	all, beyond map[ID]int
	level       map[ID]Level // the worst of those beyond
	last        *Finding     // beyond, and perhaps not yet complete
}

// full counts a finding and reports whether its kind has reached the limit.
func (l *leftOut) full(id ID) bool {
	if l.all == nil {
		l.all, l.beyond, l.level = map[ID]int{}, map[ID]int{}, map[ID]Level{}
	}
	l.all[id]++
	return l.all[id] > maxAlike
}

// add counts a finding that is left out, and returns it so that the caller can fill in more.
func (l *leftOut) add(f Finding) *Finding {
	l.settle()
	l.beyond[f.ID]++
	l.last = &f
	return l.last
}

// settle records the level of the last finding.
func (l *leftOut) settle() {
	if l.last != nil {
		l.raise(l.last.ID, l.last.Level)
	}
	l.last = nil
}

// raise records the level of a finding of a kind that is left out.
func (l *leftOut) raise(id ID, level Level) {
	if level.Rank() > l.level[id].Rank() {
		l.level[id] = level
	}
}

// clone returns the same counts.
func (l *leftOut) clone() leftOut {
	l.settle()
	return leftOut{all: maps.Clone(l.all), beyond: maps.Clone(l.beyond), level: maps.Clone(l.level)}
}

// rest returns a finding for each kind with findings left out. Their number is part of its
// identity: a baseline does not cover one more.
func (c *context) rest() []Finding {
	c.left.settle()
	var out []Finding
	for _, id := range slices.Sorted(maps.Keys(c.left.beyond)) {
		more := visible.Count(c.left.beyond[id], "more finding")
		f := c.make(id, -1, more+" of this kind left out")
		f.Level, f.Fix, f.dead = c.left.level[id], "", more
		out = append(out, f)
	}
	return out
}
