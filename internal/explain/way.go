package explain

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// search finds for each block the edge by which a shortest way from the entry
// of the program comes to it, along edges that an execution can take.
func (x *Explainer) search() {
	const none, root = -1, -2
	x.tree = make([]int, len(x.g.Blocks))
	for i := range x.tree {
		x.tree[i] = none
	}
	edges := x.g.Edges()
	from := func(start cfg.BlockID) {
		if x.tree[start] != none {
			return
		}
		x.tree[start] = root
		for queue := []cfg.BlockID{start}; len(queue) > 0; queue = queue[1:] {
			lo, hi := x.g.SuccIDs(queue[0])
			for i := lo; i < hi; i++ {
				if to := edges[i].To; x.tree[to] == none && x.a.Succ.Exact.EdgeFeasible(i) {
					x.tree[to] = i
					queue = append(queue, to)
				}
			}
		}
	}
	from(0)
	for sub := range x.p.Subprogs { // exception callbacks: called by the kernel
		if b := x.g.Entry(sub); x.a.Succ.Exact.BlockReached(b) {
			from(b)
		}
	}
}

// edgesTo returns the edges of the way into a block, in order.
func (x *Explainer) edgesTo(b cfg.BlockID) []int {
	if x.tree == nil {
		x.search()
	}
	var out []int
	for i := x.tree[b]; i >= 0; i = x.tree[x.g.Edges()[i].From] {
		out = append(out, i)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// way returns the way into a block as steps, none when there is none.
func (x *Explainer) way(b cfg.BlockID) []Step {
	edges := x.edgesTo(b)
	if len(edges) == 0 {
		return nil
	}
	var out []Step
	for _, i := range edges {
		e := x.g.Edges()[i]
		last := x.g.Blocks[e.From].Last
		out = append(out, Step{
			Block: int(e.From), Insn: int(last), Text: x.p.Text(last), Kind: e.Kind.String(), To: int(e.To),
			Source: x.source(last),
		})
	}
	return out
}

// chained is an instruction on the way to another.
type chained struct {
	pc   bytecode.PC
	edge int // taken behind the instruction, -1 inside a block
}

// maxChain bounds the instructions looked at for the origin of a value.
const maxChain = 4096

// chain returns the end of the way to an instruction, itself left out,
// backwards: to the entry of the program, or maxChain instructions. Callees that
// came back on the way are left out.
func (x *Explainer) chain(pc bytecode.PC) []chained {
	b, _ := x.g.BlockAt(pc)
	var out []chained // backwards
	add := func(b cfg.BlockID, end bytecode.PC, edge int) {
		var fwd []chained
		for at := x.g.Blocks[b].Start; at < end; at += x.p.Insns[at].Slots() {
			fwd = append(fwd, chained{at, -1})
		}
		if len(fwd) > 0 {
			fwd[len(fwd)-1].edge = edge
		}
		for i := len(fwd) - 1; i >= 0; i-- {
			out = append(out, fwd[i])
		}
	}
	add(b, pc, -1)
	edges := x.edgesTo(b)
	for i := len(edges) - 1; i >= 0 && len(out) < maxChain; i-- {
		e := x.g.Edges()[edges[i]]
		if e.Kind == cfg.Callback || e.Kind == cfg.Exception { // arguments come from the kernel
			break
		}
		add(e.From, x.g.Blocks[e.From].End, edges[i])
	}
	return out
}
