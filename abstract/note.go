package abstract

import (
	"cmp"
	"maps"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// noteBound records the range to which an instruction bounds a register, if BoundOf may need it.
func (a *analyzer) noteBound(o origin, s scalar.S) {
	if !a.indirects {
		return
	}
	b := Bound{s.Umin(), s.Umax()}
	if old, ok := a.f.bounds[o]; ok {
		b = Bound{min(b.Min, old.Min), max(b.Max, old.Max)}
	}
	a.f.bounds[o] = b
}

// noteCallback records that a helper call is given a subprogram, and whether it may call it:
// bpf_loop with no rounds does not.
func (a *analyzer) noteCallback(pc bytecode.PC, sub int, calls bool) {
	subs := a.f.callbacks[pc]
	i, ok := slices.BinarySearch(subs, sub)
	if !ok {
		a.f.callbacks[pc] = slices.Insert(subs, i, sub)
	}
	// The edge of a callback is one of the graph's once the graph was built
	// with it.
	b, _ := a.g.BlockAt(pc)
	lo, hi := a.g.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if e := a.g.Edges()[i]; e.Kind == cfg.Callback && e.To == a.g.Entry(sub) && a.g.Blocks[b].Last == pc {
			if calls {
				a.f.edge(i, false)
			}
			return
		}
	}
	a.f.missing = true
}

// noteCall records that the call at the end of a block calls a subprogram.
func (a *analyzer) noteCall(g *cfg.Graph, b cfg.BlockID, sub int, sure bool) {
	lo, hi := g.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if e := g.Edges()[i]; e.Kind == cfg.Call && e.To == g.Entry(sub) {
			a.f.edge(i, sure)
			return
		}
	}
	a.f.missing = true
}

// noteThrow records that bpf_throw may be called, which calls the program's exception callback.
func (a *analyzer) noteThrow() {
	for sub, s := range a.p.Subprogs {
		if s.Exception {
			a.enqueue(sub, globalEntry(a.p, sub))
			return
		}
	}
}

// access makes the public form of an alternative.
func (f *Facts) access(a *Alt) Access {
	acc := Access{
		Table: -1, Map: -1, Off: a.Off, Loose: a.flags&loose != 0,
		BoundPC: bytecode.PC(a.org.pc) - 1, BoundReg: bytecode.Reg(a.org.reg),
		org: a.org, str: a.str, src: a.src,
	}
	switch a.Kind {
	case Insn:
		acc.Table = int(a.Obj)
	case Code:
		acc.Map = int(a.Obj)
	case Label:
		acc.Label = true
	}
	return acc
}

// compareAccess orders accesses by table, map and offset.
func compareAccess(a, b Access) int {
	return cmp.Or(
		cmp.Compare(a.Table, b.Table), cmp.Compare(a.Map, b.Map),
		cmp.Compare(a.Off.Umin(), b.Off.Umin()), cmp.Compare(a.Off.Umax(), b.Off.Umax()),
		cmp.Compare(a.Off.Var.Value, b.Off.Var.Value), cmp.Compare(a.Off.Var.Mask, b.Off.Var.Mask),
	)
}

// sortedKeys returns the keys of a map, ascending.
func sortedKeys[V any](m map[bytecode.PC]V) []bytecode.PC {
	return slices.Sorted(maps.Keys(m))
}

// throws reports whether an instruction calls bpf_throw.
func (a *analyzer) throws(pc bytecode.PC) bool {
	ref, ok := a.p.RefAt(pc)
	return ok && ref.Kind == bytecode.RefKfunc && ref.Name == "bpf_throw"
}
