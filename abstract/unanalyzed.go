package abstract

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Unanalyzed returns facts without an analysis: every part of the graph may execute, and nothing is
// certain to. They cost next to nothing, and are for callers that need only the graph.
func Unanalyzed(p *bytecode.Program, g *cfg.Graph) *Facts {
	f := newFacts(p, g)
	f.unanalyzed = true
	anything := []*State{topState()}
	for b := range f.states {
		f.states[b] = anything
		f.reached.add(b)
	}
	for i := range f.edges {
		f.edges[i] = ^uint64(0)
	}
	return f
}

// Analyzed reports whether the facts come from an analysis. Those of Unanalyzed do not.
func (f *Facts) Analyzed() bool { return !f.unanalyzed }
