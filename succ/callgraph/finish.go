package callgraph

import (
	"cmp"
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"gonum.org/v1/gonum/graph/topo"
	"gonum.org/v1/gonum/graph/traverse"
)

// addStructOps adds the structures of functions.
func (b *builder) addStructOps() {
	for _, s := range b.in.StructOps {
		note := ""
		if s.Type != "" {
			note = "struct " + s.Type
		}
		from := b.named(StructOps, s.Name, note)
		for _, m := range s.Members {
			if to, ok := b.entry(m.Program); ok {
				b.edge(from, to, Member, m.Name, -1, false)
			}
		}
	}
}

// pad records that a call has a landing pad.
func (p *part) pad(from, to int, pc, at bytecode.PC) {
	if _, ok := p.p.PadOf(pc); ok || p.p.Caught(pc) {
		p.pads = append(p.pads, pad{from, to, at})
	}
}

// countPads counts the landing pads of each function, once for all programs that have
// the function.
func (p *part) countPads() {
	count := func(pad bytecode.PC) {
		sub := p.p.SubprogAt(pad)
		if sub < 0 {
			return
		}
		at := place{p.funcs[keyOf(p.p, sub)], pad - p.p.Subprogs[sub].Start}
		if !p.counted[at] {
			p.counted[at] = true
			p.g.Nodes[at.node].Pads++
		}
	}
	for _, c := range p.p.Cleanups {
		count(c.Pad)
	}
	for pc := bytecode.PC(0); pc < p.p.Len(); pc += p.p.Insns[pc].Slots() {
		if p.p.Insns[pc].IsUnwindGoto() {
			count(p.p.Flow(pc).Target)
		}
	}
}

// addCleanups adds the edges along which an exception unwinds: from a function
// that may throw, by itself or by what it calls, to the landing pads of its callers.
func (b *builder) addCleanups() {
	if len(b.pads) == 0 {
		return
	}
	throws := b.throwers()
	for _, p := range b.pads {
		if throws[int64(p.to)] {
			b.edge(p.to, p.from, Cleanup, "", p.at, false)
		}
	}
}

// throwers returns the functions that may throw an exception: those that can reach a call of
// bpf_throw along calls.
func (b *builder) throwers() map[int64]bool {
	g := gonum(b.g, true, Call, Callx, Callback)
	seen := map[int64]bool{}
	for i := range b.g.Nodes {
		if !b.g.Nodes[i].Throws || seen[int64(i)] {
			continue
		}
		w := traverse.DepthFirst{Visit: func(n node) { seen[n.ID()] = true }}
		w.Walk(g, g.Node(int64(i)), nil)
	}
	return seen
}

// finish sorts the edges and marks nodes by the edges that lead to them.
func (b *builder) finish() {
	g := b.g
	sort.SliceStable(g.Edges, func(i, j int) bool {
		x, y := &g.Edges[i], &g.Edges[j]
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(x.Kind, y.Kind),
			cmp.Compare(x.Label, y.Label)) < 0
	})
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if (n.Kind == Function || n.Kind == Program) && !n.Called {
			n.Note = NeverCalled
		}
	}
	calls := gonum(g, false, Call, Callx, Callback)
	for _, group := range topo.TarjanSCC(calls) {
		for _, n := range group {
			self := slices.ContainsFunc(g.Edges, func(e Edge) bool {
				return int64(e.From) == n.ID() && e.From == e.To && (e.Kind == Call || e.Kind == Callx || e.Kind == Callback)
			})
			g.Nodes[n.ID()].Recursive = len(group) > 1 || self
		}
	}
}

// NeverCalled is the note of a function that no program has.
const NeverCalled = "never called"
