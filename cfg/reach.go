package cfg

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// ReachableStatic reports for each block whether Linux's check for unreachable instructions
// reaches it, given a graph with the Targets that Linux assumes (every entry of every jump table
// of the subprogram). Beyond the graph's edges, the check treats a subprogram whose address is
// loaded as called, continues after bpf_throw, and also starts from the exception callback. If it
// does not reach an instruction, Linux refuses the program with "unreachable insn".
//
// Source: kernel/bpf/cfg.c bpf_check_cfg and visit_insn, Linux 7.3.
func ReachableStatic(g *Graph) []bool {
	p := g.Program
	r := &reacher{g: g, seen: make([]bool, len(g.Blocks))}
	r.push(g.Entry(0))
	for sub, s := range p.Subprogs {
		if s.Exception {
			r.push(g.Entry(sub))
		}
	}
	r.run(func(b BlockID) {
		blk := g.Blocks[b]
		for pc := blk.Start; pc < blk.End; {
			f := p.Flow(pc)
			if f.Kind == bytecode.FlowFuncAddr {
				if sub := p.SubprogAt(f.Callee); sub >= 0 && p.Subprogs[sub].Start == f.Callee {
					r.push(g.Entry(sub))
				}
			}
			pc = f.Next
		}
		if g.Throws(b) && blk.End < p.Subprogs[blk.Sub].End {
			r.push(g.blockOf[blk.End])
		}
	})
	return r.seen
}

// reacher is a search along all edges.
type reacher struct {
	g    *Graph
	seen []bool
	todo []BlockID
}

// push adds a block to the reached blocks.
func (r *reacher) push(b BlockID) {
	if !r.seen[b] {
		r.seen[b] = true
		r.todo = append(r.todo, b)
	}
}

// run follows the edges of all reached blocks; visit may push more.
func (r *reacher) run(visit func(BlockID)) {
	for len(r.todo) > 0 {
		b := r.todo[len(r.todo)-1]
		r.todo = r.todo[:len(r.todo)-1]
		visit(b)
		for _, e := range r.g.Succs(b) {
			r.push(e.To)
		}
	}
}
