// Package abstract computes facts: the possible values of registers and stack slots at each point
// of a program, and with them the points that an execution can reach.
//
//	facts := abstract.Analyze(p, g, abstract.Options{})
//	facts.Reached(9)                  // whether an execution can reach slot 9
//	facts.EntryText(b)                // r1=scalar(umax=14) r10=fp0
//	facts.Indirect()                  // gotox@8: BPF.JT.0.0, bytes 0 to 112
//
// A fact holds for every execution that a verifier would let run. The analysis over-approximates:
// it may call a place reachable that is not, never the reverse. Package scalar computes the
// effect of instructions on numbers, this package that on pointers, memory and calls.
//
// Where paths meet, a few states are kept separate; further ones are joined, and values that grow
// in a loop are widened. Subprograms are followed in the context of their calls, up to a few
// entry states each. So the cost is linear in the program for code as compilers make it, and
// polynomial always, while the kernel's verifier takes every path.
//
// The package does not decide what to do with an indirect jump whose targets
// the graph lacks; package succ builds the graph again.
package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Options of Analyze. The zero value gives facts about executions.
type Options struct {
	Rules  Rules
	Quirks Quirks // of an older kernel, with rules Verifier
	// Coarse is the graph whose blocks an unknown jump may lead to, if the analysed graph has
	// more blocks. Nil stands for the same graph.
	Coarse *cfg.Graph
	// Like, if not nil, are other facts on the same graph, whose preparations are used again.
	Like *Facts
	// Narrow keeps fewer states apart: less is proven, in about a third of the time.
	Narrow bool

	usedQuirks *Quirks // the quirks that were used, nil if nobody needs them
	all        bool    // keep all states, also of a large program
	search     *search // of witnesses: see witness.go; nil otherwise
	large      int     // slots from which on a program is large; 0 for manySlots
}

// Facts is the result of Analyze for a program. It does not change afterwards.
type Facts struct {
	g         *cfg.Graph
	shape     *shape
	states    [][]*State // of each block, at its entry; see statesAt
	reached   bitset     // of the blocks that can be reached
	edges     bitset     // of the edges that can be taken, by index in Graph.Edges
	sure      []bool     // of each block, whether a certain state is at its entry
	sureEdges bitset     // of the edges that a certain state takes
	depth     []reach    // of each subprogram
	sync      []bool     // of each subprogram: helpers call it before they return
	indirect  map[bytecode.PC]*Indirect
	callbacks map[bytecode.PC][]int // subprograms that a helper call calls
	faultAt   map[faultPlace]int
	faults    []Fault
	bounds    map[origin]Bound
	missing   bool // an indirect jump leads where the graph has no edge
	anyFunc   bool // an unknown function is called

	uses       []use // by slot
	calls      map[bytecode.PC]callArgs
	async      []use // by subprogram, a bit each
	packet     use   // packet data is written to
	mixedPlain bool  // Quirks.MixedPlain

	usedQuirks Quirks // quirks that were used: the others would change nothing

	readsConfig   bool
	droppedStates *droppedStates // nil when states holds all
	unanalyzed    bool           // see Unanalyzed
	rounds        *rounds        // what differs between rounds
	searched      bool           // by Witness
}

// Bound is the range that an instruction bounds a register to.
type Bound struct{ Min, Max uint64 }

// Analyze computes the facts of a program on its graph.
func Analyze(p *bytecode.Program, g *cfg.Graph, opt Options) *Facts {
	opt.Quirks = opt.Quirks.of(p)
	cover := newCovering(p, g, opt.Rules == Verifier)
	f := analyzeOnce(p, g, opt, cover)
	for f.neededDropped() || cover.again() {
		opt.all = opt.all || f.neededDropped()
		used := f.usedQuirks
		f = analyzeOnce(p, g, opt, cover)
		f.usedQuirks = f.usedQuirks.Or(used)
	}
	f.finish()
	if f.rounds = cover.rounds; f.rounds != nil {
		f.rounds.done = true
	}
	if f.droppedStates != nil {
		f.states = nil
	}
	return f
}

// analyzeOnce is one pass of Analyze with the present knowledge of covering states.
func analyzeOnce(p *bytecode.Program, g *cfg.Graph, opt Options, cover *covering) *Facts {
	f := newFacts(p, g)
	a := &analyzer{p: p, g: g, opt: opt, f: f, cover: cover, rounds: cover.rounds,
		kinds: make([]accessKind, p.Len())}
	a.opt.usedQuirks, f.mixedPlain = &f.usedQuirks, opt.Quirks.MixedPlain
	a.prepare()
	a.enqueue(0, mainEntry(p))
	for _, sub := range a.uncalled() {
		a.enqueue(sub, globalEntry(p, sub))
	}
	if opt.Rules == Verifier {
		a.noteThrow() // the kernel always verifies the exception callback
	}
	for i := 0; i < len(a.pending); i++ { //nolint:intrange // analyse makes it longer
		j := a.pending[i]
		a.analyse(j.sub, j.block, j.entry, 0)
	}
	if a.dropsStates {
		opt.all = true
		f.droppedStates = &droppedStates{p: p, opt: opt, neededDropped: a.neededDropped}
	}
	return f
}

// newFacts returns empty facts.
func newFacts(p *bytecode.Program, g *cfg.Graph) *Facts {
	return &Facts{
		g: g, states: make([][]*State, g.NumBlocks()), reached: newBitset(g.NumBlocks()), edges: newBitset(g.NumEdges()),
		sure: make([]bool, g.NumBlocks()), sureEdges: newBitset(g.NumEdges()), depth: make([]reach, len(p.Subprogs)),
		sync: make([]bool, len(p.Subprogs)), indirect: make(map[bytecode.PC]*Indirect),
		callbacks: make(map[bytecode.PC][]int), faultAt: make(map[faultPlace]int), bounds: make(map[origin]Bound),
		uses: make([]use, p.Len()), calls: make(map[bytecode.PC]callArgs), async: make([]use, len(p.Subprogs)),
	}
}

// shape is what analyses of one graph have in common.
type shape struct {
	live     []uint16 // of each block, the registers that may be read from its start on
	relevant []uint16 // of each block, the registers that may decide where control goes

	indirects bool // the program has an indirect jump or call

	order [][]cfg.BlockID // of each subprogram, its blocks in reverse postorder
	pos   []int32         // of each block, its index there
}

// shapeOf returns the shape of a graph, of facts on it if there are any.
func shapeOf(g *cfg.Graph, like *Facts) *shape {
	if like != nil && like.g == g && like.shape != nil {
		return like.shape
	}
	blocks := allBlocks(g, cfg.ReversePostorder(g))
	s := &shape{
		live: liveness(g, blocks), relevant: relevance(g, blocks),
		order: make([][]cfg.BlockID, len(g.Program.Subprogs)), pos: make([]int32, g.NumBlocks()),
		indirects: slices.ContainsFunc(g.Program.Insns, func(in bytecode.Insn) bool { return in.IsGotox() || in.IsCallx() }),
	}
	for _, b := range blocks {
		sub := g.Blocks[b].Sub
		s.pos[b] = int32(len(s.order[sub]))
		s.order[sub] = append(s.order[sub], b)
	}
	return s
}

// prepare computes the common inputs of the analyses of subprograms.
func (a *analyzer) prepare() {
	n := len(a.p.Subprogs)
	a.shape = shapeOf(a.g, a.opt.Like)
	a.f.shape, a.opt.Like = a.shape, nil
	if a.opt.Rules == Executions {
		a.numberReadings()
	}
	a.selected = make(map[entryKey][]bytecode.PC)
	a.stops, a.equal = make([][]uint64, n), make([][]uint64, n)
	a.dropsStates, a.back = a.canDropStates(), make([][]int32, n)
	a.contexts = make([][]*summary, n)
	a.shared = make([]map[[2]int]*summary, n)
	a.active = make([]bool, n)
	a.fuel = 2_000_000 + 4*int(a.p.Len())
	if a.opt.Narrow {
		a.joins = narrowJoins
	}
	if a.searches() {
		a.fuel = min(witnessFuel+witnessPerSlot*int(a.p.Len()), mostFuel)
	}
}

// allBlocks returns the blocks in reverse postorder, then those that are not
// reached.
func allBlocks(g *cfg.Graph, o *cfg.Order) []cfg.BlockID {
	out := slices.Clone(o.Blocks)
	for b, n := range o.Num {
		if n < 0 {
			out = append(out, cfg.BlockID(b))
		}
	}
	return out
}

// record adds the result of an analysis to the facts.
func (f *Facts) record(r *run) {
	for i := range r.blocks {
		b := r.lo + cfg.BlockID(i)
		f.sure[b] = f.sure[b] || r.blocks[i].sure
		if r.blocks[i].visits > 0 || len(r.blocks[i].entries) > 0 {
			f.reached.add(int(b))
		}
		if r.a.dropsStates {
			continue
		}
		for _, e := range r.blocks[i].entries {
			f.addState(b, e.s)
		}
		if past := r.blocks[i].forgotten(); past != nil {
			f.addState(b, past)
		}
	}
	if len(r.depth) > 0 {
		f.depth[r.sub].add(r.depth[0])
	}
}

// addState adds a state to those of a block. States with different numbers of frames are not
// joined.
func (f *Facts) addState(b cfg.BlockID, s *State) {
	f.sure[b] = f.sure[b] || s.certain()
	old := f.states[b]
	for _, t := range old {
		if s.leq(t, Verifier) {
			return
		}
	}
	if len(old) >= maxStates {
		for i, t := range old {
			if len(t.frames) == len(s.frames) {
				old[i] = joinStates(t, s, (*Value).join)
				return
			}
		}
	}
	f.states[b] = append(old, s)
}

// finish turns the collected notes into results.
func (f *Facts) finish() {
	f.conclude()
	for i := range f.faults {
		x := &f.faults[i]
		x.Proven = x.Proven && (x.Kind != PartialFill || !f.uses[x.PC].noPointer)
	}
	for _, d := range f.indirect {
		for _, a := range d.alts {
			d.Accesses = append(d.Accesses, f.access(&a))
		}
		slices.SortStableFunc(d.Accesses, compareAccess)
	}
}

// Reached reports whether an execution can reach the instruction at pc. For the second slot of a
// 64-bit immediate load, the answer is that of the first.
func (f *Facts) Reached(pc bytecode.PC) bool {
	b, ok := f.g.BlockAt(pc)
	return ok && f.BlockReached(b)
}

// BlockReached reports whether an execution can reach the block.
func (f *Facts) BlockReached(b cfg.BlockID) bool { return f.reached.has(int(b)) }

// EdgeFeasible reports whether an execution can take the edge with this index
// in Graph.Edges.
func (f *Facts) EdgeFeasible(i int) bool { return f.edges.has(i) }

// edge records that an edge can be taken, and whether a certain state takes it.
func (f *Facts) edge(i int, sure bool) {
	f.edges.add(i)
	if sure {
		f.sureEdges.add(i)
	}
}

// StackDepth returns the number of bytes of its stack frame that a subprogram touches, a multiple
// of 8 (kernel/bpf/verifier.c grow_stack_state, Linux 7.3).
func (f *Facts) StackDepth(sub int) int { return f.depth[sub].deep }

// SureDepth is the part of StackDepth that Linux's verifier certainly sees.
func (f *Facts) SureDepth(sub int) int { return f.depth[sub].sureDeep }

// Sync reports whether helpers or kernel functions call a subprogram before they
// return. Async is for those that are called later.
func (f *Facts) Sync(sub int) bool { return f.sync[sub] }

// Complete reports whether the graph has an edge for each target of an indirect jump that the
// facts admit. The facts of an incomplete graph cover only a part of the program.
func (f *Facts) Complete() bool { return !f.missing }

// Indirect returns the facts about the indirect jumps and calls that can be reached, by
// instruction.
func (f *Facts) Indirect() []*Indirect {
	pcs := sortedKeys(f.indirect)
	out := make([]*Indirect, len(pcs))
	for i, pc := range pcs {
		out[i] = f.indirect[pc]
	}
	return out
}

// Callbacks returns the helper calls that call subprograms, ascending.
func (f *Facts) Callbacks() []bytecode.PC { return sortedKeys(f.callbacks) }

// CalledBack returns the subprograms that the helper call at pc calls, as
// indices in Subprogs, ascending.
func (f *Facts) CalledBack(pc bytecode.PC) []int { return f.callbacks[pc] }

// BoundOf returns the bound of the offsets of an access, as the range to which instruction
// BoundPC bounded register BoundReg, over all states, and reports whether it is known.
func (f *Facts) BoundOf(a Access) (Bound, bool) {
	b, ok := f.bounds[a.org]
	return b, ok
}
