// Package cfg makes the control-flow graph of a BPF program: basic blocks and
// the edges between them.
//
//	p := &bytecode.Program{…}          //  0: if r1 == 0 goto +1
//	g, err := cfg.Build(p, nil)        //  1: r1 += 1
//	for b, blk := range g.Blocks {     //  2: exit
//		fmt.Println(cfg.BlockID(b), blk.Start, blk.End, g.Succs(cfg.BlockID(b)))
//	}
//	// b0 0 1 [b0 -fall-through-> b1 b0 -taken-> b2]
//	// b1 1 2 [b1 -fall-through-> b2]
//	// b2 2 3 []
//
// The blocks tile the whole program, dead code too: every slot lies in exactly one block, and no
// block extends over the start of a subprogram. A block ends after a jump, an exit, a call of a
// subprogram, an indirect jump or call, or a helper call that calls back, and before every slot
// that one of these leads to.
//
// The instruction does not state the targets of indirect jumps and calls or the callbacks of
// helper calls. They come from an analysis as a Targets value, which only ever grows. A jump
// table entry that no jump selects does not split a block.
//
// The graph has no edges from an exit back to the callers: a call block has one summary edge
// Return to the block after the call instead, because the pairs of exits and return sites are
// quadratic in number. It has no edge for the helper bpf_tail_call, which continues after the
// call when it fails and otherwise leaves for a program outside the graph, and none for a load of
// a subprogram's address, which calls nothing. Control does not continue after a call of the
// kfunc bpf_throw, unless unwind_goto follows it. An exception that a call passes on to an outer
// function has no edge: it ends the program, or it reaches a landing pad, which has edges of the
// kind Unwind from its own calls.
//
// On the graph: dominators (Dominators), loops and a weak topological order (Loops), reverse
// postorder (ReversePostorder). All of them work on slices without recursion, and their cost is
// linear or nearly so, for programs of a million slots. Graph.Gonum gives a view for the
// algorithms of gonum.org/v1/gonum/graph: strongly connected components, shortest paths and all
// the others.
package cfg

import (
	"strconv"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// BlockID is the index of a block in Graph.Blocks. Blocks are numbered by
// address.
type BlockID int32

// NoBlock is the BlockID that stands for no block.
const NoBlock BlockID = -1

// String returns the block's name in listings, for example "b3".
func (b BlockID) String() string { return "b" + strconv.Itoa(int(b)) }

// Block is a basic block: instructions that are executed one after the other.
type Block struct {
	Start bytecode.PC // first slot
	End   bytecode.PC // slot after the last
	Last  bytecode.PC // last instruction, which decides the edges
	Sub   int         // index in Program.Subprogs
}

// Kind is the way in which control passes along an edge.
type Kind uint8

// The kinds of edge.
const (
	FallThrough Kind = iota + 1 // to the next slot
	Taken                       // conditional jump, may_goto or static key that jumps
	Goto                        // unconditional jump
	Indirect                    // gotox to one of its targets
	Call                        // to the entry of a called subprogram
	Return                      // summary: from a call to the block after it
	Callback                    // from a helper call to the entry of a subprogram that the helper calls
	TailCall                    // to another program; Build makes none, a picture of several programs may
	Exception                   // from a call of bpf_throw to the program's exception callback
	Unwind                      // exceptional: from a call to its landing pad, or the jump of unwind_goto
)

// kindNames holds the names of the kinds in listings and JSON.
var kindNames = [...]string{
	"invalid", "fall-through", "taken", "goto", "indirect", "call", "return", "callback", "tail-call", "exception",
	"unwind",
}

// String returns the kind's name in listings and JSON, for example "fall-through".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[0]
}

// Edge is a possible passage of control from the end of one block to the start of another. Two
// blocks may have several edges: a conditional jump with offset 0 makes two.
type Edge struct {
	From, To BlockID
	Kind     Kind
}

// String returns the edge as "b0 -taken-> b2".
func (e Edge) String() string {
	return e.From.String() + " -" + e.Kind.String() + "-> " + e.To.String()
}

// Graph is the control-flow graph of a program. It does not change after Build has returned it.
// Its memory is linear in slots and edges.
//
// Edges are stored as compressed sparse rows: one slice of all edges, sorted by From, and the
// index of each block's first edge.
type Graph struct {
	Program *bytecode.Program
	Blocks  []Block // by address

	// BadTargets holds the targets given to Build that cannot be edges, by PC and target.
	BadTargets []BadTarget
	// Problems holds the errors in the program's own control flow, by PC. The graph does not have
	// their edges.
	Problems []Problem

	blockOf []BlockID // of each slot
	insn    []uint64  // bit set of the slots on which an instruction starts
	edges   []Edge    // by From, then in the order of Succs
	succ    []int32   // succ[b]:succ[b+1] in edges
	preds   []Edge    // by To, then as in edges
	predID  []int32   // index in edges of each of preds
	pred    []int32   // pred[b]:pred[b+1] in preds
	entries []BlockID // of each subprogram
}

// NumBlocks returns the number of blocks.
func (g *Graph) NumBlocks() int { return len(g.Blocks) }

// NumEdges returns the number of edges; parallel ones count each.
func (g *Graph) NumEdges() int { return len(g.edges) }

// Edges returns all edges, by From and then in the order of Succs. The index
// in it identifies an edge. Callers do not change the slice.
func (g *Graph) Edges() []Edge { return g.edges[:len(g.edges):len(g.edges)] }

// Succs returns the edges that leave b, in this order: fall-through or return, then taken, goto
// or the jump of unwind_goto, then indirect by target, call by target, callback by target,
// exception, landing pad of a call. Callers do not change the slice.
func (g *Graph) Succs(b BlockID) []Edge {
	lo, hi := g.succ[b], g.succ[b+1]
	return g.edges[lo:hi:hi]
}

// SuccIDs returns the range lo ≤ i < hi of indices in Edges of the edges that
// leave b.
func (g *Graph) SuccIDs(b BlockID) (lo, hi int) { return int(g.succ[b]), int(g.succ[b+1]) }

// Preds returns the edges that enter b, in the order of Edges. Callers do not
// change the slice.
func (g *Graph) Preds(b BlockID) []Edge {
	lo, hi := g.pred[b], g.pred[b+1]
	return g.preds[lo:hi:hi]
}

// PredIDs returns the indices in Edges of the edges that enter b, in the order
// of Preds. Callers do not change the slice.
func (g *Graph) PredIDs(b BlockID) []int32 {
	lo, hi := g.pred[b], g.pred[b+1]
	return g.predID[lo:hi:hi]
}

// BlockAt returns the block that contains the slot pc, and reports whether pc lies in the
// program. The cost is constant.
func (g *Graph) BlockAt(pc bytecode.PC) (BlockID, bool) {
	if pc < 0 || int(pc) >= len(g.blockOf) {
		return NoBlock, false
	}
	return g.blockOf[pc], true
}

// InsnAt reports whether an instruction starts at the slot pc. None starts at the second slot of
// a 64-bit immediate load or outside the program.
func (g *Graph) InsnAt(pc bytecode.PC) bool {
	return pc >= 0 && int(pc) < len(g.blockOf) && g.insn[pc>>6]>>(pc&63)&1 != 0
}

// Entry returns the first block of the subprogram with this index.
func (g *Graph) Entry(sub int) BlockID { return g.entries[sub] }

// SubBlocks returns the range lo ≤ b < hi of the blocks of a subprogram.
func (g *Graph) SubBlocks(sub int) (lo, hi BlockID) {
	if sub+1 < len(g.entries) {
		return g.entries[sub], g.entries[sub+1]
	}
	return g.entries[sub], BlockID(len(g.Blocks))
}

// Throws reports whether the block ends with a call of bpf_throw that no unwind_goto follows.
// Control does not continue after such a call.
func (g *Graph) Throws(b BlockID) bool { return throws(g.Program, g.Blocks[b].Last) }

// Local reports whether the edge stays inside one activation of a subprogram: it is not a call, a
// callback or an exception, and not an indirect jump into another subprogram. Dominators, loops
// and orders use local edges only.
func (g *Graph) Local(e Edge) bool {
	switch e.Kind {
	case Call, Callback, TailCall, Exception:
		return false
	case Indirect:
		return g.Blocks[e.From].Sub == g.Blocks[e.To].Sub
	}
	return true
}

// index fills the slices that map blocks to edges. The edges must be sorted by From.
func (g *Graph) index() {
	n := len(g.Blocks)
	g.succ = make([]int32, n+1)
	g.pred = make([]int32, n+1)
	for _, e := range g.edges {
		g.succ[e.From+1]++
		g.pred[e.To+1]++
	}
	for b := range n {
		g.succ[b+1] += g.succ[b]
		g.pred[b+1] += g.pred[b]
	}
	g.preds = make([]Edge, len(g.edges))
	g.predID = make([]int32, len(g.edges))
	next := append([]int32(nil), g.pred[:n]...)
	for i, e := range g.edges {
		g.preds[next[e.To]] = e
		g.predID[next[e.To]] = int32(i)
		next[e.To]++
	}
}
