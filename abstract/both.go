package abstract

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// The results of two analyses of one program hold together: what either excludes does not happen,
// and what either is certain of happens.

// both merges what f and g know of uses, calls and stacks into the facts. An instruction for which
// g has nothing is not reached.
func (out *Facts) both(f, g *Facts) {
	out.uses, out.depth = make([]use, len(g.uses)), make([]reach, len(g.depth))
	for pc, u := range g.uses {
		if u != (use{}) {
			out.uses[pc] = u.both(f.uses[pc])
		}
	}
	for sub, d := range g.depth {
		out.depth[sub] = d.both(f.depth[sub])
	}
	out.calls = make(map[bytecode.PC]callArgs, len(g.calls))
	for pc, c := range g.calls {
		if d, ok := f.calls[pc]; ok {
			c = c.both(d)
		}
		out.calls[pc] = c
	}
	out.packet = use{certain: g.packet.certain | f.packet.certain, maybe: g.packet.maybe & f.packet.maybe}
}

// both combines the knowledge of two uses. MemUnknown stands for any of the others.
func (u use) both(v use) use {
	all, other := u.certain|u.maybe, v.certain|v.maybe
	switch {
	case all&(1<<MemUnknown) != 0:
		all = other
	case other&(1<<MemUnknown) == 0:
		all &= other
	}
	u.certain |= v.certain
	u.maybe = all &^ u.certain
	u.low, u.sureLow = max(u.low, v.low), min(u.sureLow, v.sureLow)
	u.noPointer = u.noPointer || v.noPointer
	return u
}

// both combines the knowledge of two analyses about a frame.
func (r reach) both(q reach) reach {
	return reach{min(r.deep, q.deep), max(r.sureDeep, q.sureDeep), min(r.low, q.low), max(r.sureLow, q.sureLow)}
}
