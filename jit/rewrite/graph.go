package rewrite

import (
	"iter"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// graph is the control-flow graph of an image of source slots as the kernel's analyses without
// paths see it: calls are stepped over, even those of bpf_throw, and a gotox leads to all entries
// of all instruction arrays whose smallest entry lies in its subprogram (cfg.Unions). Nodes are the
// blocks, and for each subprogram a hub between its gotox instructions and their targets, so that
// the number of edges stays linear.
//
// The kernel has edges from tail calls and packet loads to the last exit of the subprogram too
// (kernel/bpf/liveness.c bpf_insn_successors, Linux 7.3). The uses of the graph here do not depend
// on them: constants before conditional jumps, and r0, which both define.
type graph struct {
	*cfg.Graph
	// gotox holds for each subprogram the block of its first gotox, whose edges
	// are those of the hub, or NoBlock.
	gotox []cfg.BlockID
}

// node is a block, or, after the blocks, the hub of a subprogram.
type node = int32

// graphOf makes the graph of an image that has the slots of the source.
func graphOf(src *bytecode.Program, im *image) (*graph, error) {
	p := &bytecode.Program{Insns: make([]bytecode.Insn, len(im.slots)), Subprogs: src.Subprogs, Tables: src.Tables}
	if len(p.Subprogs) == 0 {
		p.Subprogs = []bytecode.Subprogram{{End: bytecode.PC(len(im.slots))}}
	}
	for i, s := range im.slots {
		in, err := distance(s, int32(i), int32(len(im.slots)))
		if err != nil {
			return nil, err
		}
		p.Insns[i] = in
	}
	g := &graph{gotox: make([]cfg.BlockID, len(p.Subprogs))}
	targets := &cfg.Targets{}
	first := make([]bytecode.PC, len(p.Subprogs))
	for i, union := range cfg.Unions(p) {
		first[i] = firstGotox(p, p.Subprogs[i])
		if first[i] >= 0 {
			targets.Add(first[i], union...)
		}
	}
	var err error
	if g.Graph, err = cfg.Build(p, targets); err != nil {
		return nil, err
	}
	for i, pc := range first {
		if g.gotox[i] = cfg.NoBlock; pc >= 0 {
			g.gotox[i], _ = g.BlockAt(pc)
		}
	}
	return g, nil
}

// firstGotox returns the first indirect jump of a subprogram, or -1.
func firstGotox(p *bytecode.Program, s bytecode.Subprogram) bytecode.PC {
	for pc := s.Start; pc < s.End; pc += p.Insns[pc].Slots() {
		if p.Insns[pc].IsGotox() {
			return pc
		}
	}
	return -1
}

// nodes returns the number of nodes.
func (g *graph) nodes() int { return len(g.Blocks) + len(g.gotox) }

// isHub reports whether a node is a hub.
func (g *graph) isHub(n node) bool { return int(n) >= len(g.Blocks) }

// eachSucc calls f for each node that a node leads to.
func (g *graph) eachSucc(n node, f func(to node)) {
	b := cfg.BlockID(n)
	hub := g.isHub(n)
	if hub {
		b = g.gotox[int(n)-len(g.Blocks)]
		if b == cfg.NoBlock {
			return
		}
	} else if g.Program.Insns[g.Blocks[b].Last].IsGotox() {
		f(node(len(g.Blocks) + g.Blocks[b].Sub))
		return
	}
	for _, e := range g.Succs(b) {
		switch e.Kind {
		case cfg.FallThrough, cfg.Taken, cfg.Goto, cfg.Return:
			f(node(e.To))
		case cfg.Indirect:
			if hub && g.Blocks[e.To].Sub == g.Blocks[b].Sub {
				f(node(e.To))
			}
		}
	}
}

// insns returns the instructions of a block in order, as slots.
func (g *graph) insns(b cfg.BlockID) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for pc := g.Blocks[b].Start; pc <= g.Blocks[b].Last; pc += g.Program.Insns[pc].Slots() {
			if !yield(int32(pc)) {
				return
			}
		}
	}
}

// queue holds the nodes whose state has changed, each once.
type queue struct {
	list []node
	wait []bool
}

func newQueue(nodes int) queue { return queue{wait: make([]bool, nodes)} }

func (q *queue) more() bool { return len(q.list) > 0 }

func (q *queue) push(n node) {
	if !q.wait[n] {
		q.wait[n] = true
		q.list = append(q.list, n)
	}
}

func (q *queue) pop() node {
	n := q.list[0]
	q.list = q.list[1:]
	q.wait[n] = false
	return n
}

// isPacketLoad reports whether the instruction is one of classic BPF's loads
// from packet data (RFC 9669 section 5.5).
func isPacketLoad(in bytecode.Insn) bool {
	return in.Class() == asm.LdClass && (in.Mode() == asm.AbsMode || in.Mode() == asm.IndMode)
}

func isTailCall(in bytecode.Insn) bool {
	return in.IsHelperCall() && in.Imm == bytecode.HelperTailCall
}
