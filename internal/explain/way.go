package explain

import (
	"iter"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// search finds for each block the last edge of a shortest way from the entry of the program, along
// edges that an execution can take.
func (x *Explainer) search() {
	const none, root = -1, -2
	n := len(x.g.Blocks)
	x.tree, x.depth, x.early = make([]int, n), make([]int32, n), make([]cfg.BlockID, n)
	half := int32(x.limits.Steps / 2)
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
					from := queue[0]
					x.tree[to], x.depth[to], x.early[to] = i, x.depth[from]+1, x.early[from]
					if x.depth[to] == half {
						x.early[to] = to
					}
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

// back returns the edge by which the way comes into a block, and whether there is one.
func (x *Explainer) back(b cfg.BlockID) (edge int, ok bool) {
	if x.tree == nil {
		x.search()
	}
	return x.tree[b], x.tree[b] >= 0
}

// way returns the way into a block as steps, none when there is none, and how many of
// its middle are left out.
func (x *Explainer) way(b cfg.BlockID) (out []Step, skipped int) {
	i, ok := x.back(b)
	if !ok {
		return nil, 0
	}
	length := int(x.depth[b])
	half := x.limits.Steps / 2
	if half > 0 && length > 2*half {
		skipped = length - 2*half
	}
	for at := length; ok; at-- { // the step to a block that so many steps lead to
		if skipped > 0 && at == length-half {
			at = half
			i, _ = x.back(x.early[b])
		}
		out = append(out, x.step(i))
		i, ok = x.back(x.g.Edges()[i].From)
	}
	slices.Reverse(out)
	return out, skipped
}

// step describes an edge of a way.
func (x *Explainer) step(i int) Step {
	e := x.g.Edges()[i]
	last := x.g.Blocks[e.From].Last
	return Step{
		Block: int(e.From), Insn: int(last), Text: x.p.Text(last), Kind: e.Kind.String(), To: int(e.To),
		Source: x.source(last),
	}
}

// chained is an instruction on the way to another.
type chained struct {
	pc   bytecode.PC
	edge int // taken after the instruction, -1 inside a block
}

// maxChain bounds the instructions looked at for the origin of a value.
const maxChain = 4096

// chain yields the end of the way to an instruction, itself left out, backwards: to the entry of
// the program, or some maxChain instructions. Callees that returned on the way are left out.
func (x *Explainer) chain(pc bytecode.PC) iter.Seq[chained] {
	return func(yield func(chained) bool) {
		b, _ := x.g.BlockAt(pc)
		n := 0
		block := func(b cfg.BlockID, end bytecode.PC, edge int) bool {
			for at := end - 1; at >= x.g.Blocks[b].Start; at-- {
				if !x.g.InsnAt(at) {
					continue
				}
				if n++; !yield(chained{at, edge}) {
					return false
				}
				edge = -1
			}
			return true
		}
		ok := block(b, pc, -1)
		for i, more := x.back(b); ok && more && n < maxChain; i, more = x.back(b) {
			e := x.g.Edges()[i]
			if e.Kind == cfg.Callback || e.Kind == cfg.Exception { // arguments come from the kernel
				return
			}
			b = e.From
			ok = block(b, x.g.Blocks[b].End, i)
		}
	}
}
