package explain

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Dead says why nothing reaches a block, nearest reasons first. It is empty for a
// block that executions reach.
func (x *Explainer) Dead(b cfg.BlockID) []Reason {
	if x.a.Succ.Exact.BlockReached(b) {
		return nil
	}
	return x.dead(b)
}

// dead says why nothing reaches a block: for each way into the dead code around it, the instruction
// that closes it. For code that is dead in any configuration, the instructions do not depend on its
// values.
func (x *Explainer) dead(b cfg.BlockID) []Reason {
	if always := x.anywhere(); always != nil && x.Death(b) == Always {
		if at, ok := always.Graph.BlockAt(x.g.Blocks[b].Start); ok {
			if x.always == nil {
				x.always = New(always)
				x.always.asked = true
			}
			return x.always.reasons(at)
		}
	}
	return x.reasons(b)
}

// reasons looks for them from the block backwards, by the facts of this analysis.
func (x *Explainer) reasons(b cfg.BlockID) []Reason {
	facts := x.a.Succ.Facts
	if facts.BlockReached(b) {
		facts = x.a.Succ.Exact // the verifier reaches the block, executions do not
	}
	d := &deadCode{x: x, seen: map[cfg.BlockID]bool{b: true}}
	tables := x.look().entries
	for queue := []cfg.BlockID{b}; len(queue) > 0 && len(d.out) < maxReasons; queue = queue[1:] {
		at := queue[0]
		blk := x.g.Blocks[at]
		preds := x.g.PredIDs(at)
		for _, i := range preds {
			e := x.g.Edges()[i]
			switch {
			case facts.BlockReached(e.From):
				d.edge(e)
			case !d.seen[e.From] && len(d.seen) < maxDead:
				d.seen[e.From] = true
				queue = append(queue, e.From)
			}
		}
		for i, t := range tables[blk.Start] {
			if i == 0 || t.table != tables[blk.Start][i-1].table { // one entry of each table suffices
				d.table(t)
			}
		}
		if len(preds) == 0 && len(tables[blk.Start]) == 0 {
			d.alone(at)
		}
	}
	return d.out
}

// Limits on the explanation of dead code.
const (
	maxReasons = 12
	maxDead    = 4096
)

// deadCode collects the reasons.
type deadCode struct {
	x    *Explainer
	seen map[cfg.BlockID]bool
	out  []Reason
}

// edge describes an edge from live code that nothing takes.
func (d *deadCode) edge(e cfg.Edge) {
	x := d.x
	pc := x.g.Blocks[e.From].Last
	var text string
	switch e.Kind {
	case cfg.Taken:
		text = fmt.Sprintf("insn %d in %v, %q, is never taken", pc, e.From, x.p.Text(pc))
	case cfg.FallThrough:
		text = fmt.Sprintf("insn %d in %v, %q, is always taken", pc, e.From, x.p.Text(pc))
		if x.p.Flow(pc).Kind != bytecode.FlowCond {
			text = fmt.Sprintf("insn %d in %v, %q, never falls through", pc, e.From, x.p.Text(pc))
		}
	case cfg.Return:
		text = fmt.Sprintf("the call at insn %d in %v, %q, does not return", pc, e.From, x.p.Text(pc))
	default:
		text = fmt.Sprintf("insn %d in %v, %q, never leads to %v", pc, e.From, x.p.Text(pc), e.To)
	}
	d.out = append(d.out, Reason{Kind: "edge", Insn: int(pc), Text: text, Facts: x.factsBefore(pc), Source: x.source(pc)})
}

// table describes a table entry that nothing selects.
func (d *deadCode) table(t tableEntry) {
	x := d.x
	name := x.p.Tables[t.table].Name
	if j, u := x.uses(t.table); u != nil {
		text := fmt.Sprintf("entry %d of %s leads here; insn %d, %s %v, selects entries %d to %d: %s", t.index, name, j.PC,
			j.Op, j.Reg, u.Min, u.Max, j.Reason)
		d.out = append(d.out, Reason{Kind: "table", Insn: int(j.PC), Text: text, Source: x.source(j.PC)})
		return
	}
	d.out = append(d.out, Reason{Kind: "table", Insn: -1,
		Text: fmt.Sprintf("entry %d of %s leads here; no indirect jump that can be reached uses the table", t.index, name)})
}

// alone describes a block without any way in.
func (d *deadCode) alone(b cfg.BlockID) {
	x := d.x
	blk := x.g.Blocks[b]
	if x.g.Entry(blk.Sub) == b {
		d.out = append(d.out, Reason{Kind: "not-called", Insn: -1, Source: x.source(blk.Start),
			Text: fmt.Sprintf("nothing calls function %s", x.function(b))})
		return
	}
	d.out = append(d.out, Reason{Kind: "no-way-in", Insn: -1, Source: x.source(blk.Start),
		Text: fmt.Sprintf("no jump leads to %v, and the instruction before it does not fall through", b)})
}
