package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// callx carries out an indirect call.
func (r *run) callx(b cfg.BlockID, pc bytecode.PC, in bytecode.Insn, s *State) {
	reg := in.CallxReg()
	v := r.read(pc, s, reg)
	ind := r.a.indirect(pc)
	var subs []int
	sel := selection{doubt: s.doubt, off: r.a.opt.Rules != Executions}
	why := ""
	v.each(func(a *Alt) {
		found, w := r.a.callees(a)
		if w != "" {
			why = w
			switch {
			case r.modified(pc, reg, a):
			case a.Kind != Code:
				r.fault(a, Fault{PC: pc, Kind: NoFunction, Reg: reg})
			}
			return
		}
		if a.Kind == Func {
			ind.direct = insertSorted(ind.direct, int(a.Obj))
		} else {
			ind.alts = addAlt(ind.alts, *a)
		}
		sel.add(a, r.a.firsts(found))
		subs = append(subs, found...)
	})
	s.doubt = s.doubt || sel.vague
	r.a.selects(pc, &sel)
	if len(ind.alts) > maxAccesses {
		ind.alts = onePerObject(ind.alts)
	}
	if why != "" {
		ind.fail(why)
		ind.Refused = ind.Refused || s.certain()
		r.a.anyFunc(pc)
		r.follow(b, cfg.Return, s.behindAny())
	}
	slices.Sort(subs)
	for _, sub := range slices.Compact(subs) {
		ind.add([]bytecode.PC{r.a.p.Subprogs[sub].Start})
		ind.Funcs = insertSorted(ind.Funcs, sub)
		r.a.noteCall(r.a.g, b, sub, s.certain())
		for _, out := range r.call(pc, sub, s.fork()) {
			r.follow(b, cfg.Return, out)
		}
	}
}

// firsts returns where subprograms start.
func (a *analyzer) firsts(subs []int) []bytecode.PC {
	out := make([]bytecode.PC, len(subs))
	for i, sub := range subs {
		out[i] = a.p.Subprogs[sub].Start
	}
	return out
}

// whole reports whether a function's address is unchanged since it was loaded.
func (x *Alt) whole() bool {
	c, fixed := x.Off.IsConst()
	return fixed && c == 0
}

// modified reports a fault if a function's address was changed before the call: Linux lets a
// program compute with it (kernel/bpf/verifier.c __check_ptr_off_reg, Linux 7.3).
func (r *run) modified(pc bytecode.PC, reg bytecode.Reg, a *Alt) bool {
	if a.Kind != Func || a.whole() {
		return false
	}
	off, _ := a.Off.IsConst()
	r.fault(a, Fault{PC: pc, Kind: ModifiedFunc, Reg: reg, Value: int64(off), Bits: a.Off.Var})
	return true
}

// callees returns the subprograms that start at a code address, or the reason why they are not
// known.
func (a *analyzer) callees(x *Alt) (subs []int, why string) {
	switch x.Kind {
	case Func:
		if !x.whole() {
			return nil, "something was added to the address of a function"
		}
		return []int{int(x.Obj)}, ""
	case Code:
		m := &a.p.Maps[x.Obj]
		for _, i := range codeCells(m, x.Off, x.str) {
			c := m.Code[i]
			sub := a.p.SubprogAt(c.Target)
			if c.Target < 0 || sub < 0 || a.p.Subprogs[sub].Start != c.Target {
				return nil, "an entry of " + m.Name + " is not the address of a function of the program"
			}
			subs = append(subs, sub)
		}
		return subs, ""
	}
	if x.Kind == Number {
		return nil, x.notCode("the address of a function")
	}
	return nil, "the register holds a pointer (" + kindNames[x.Kind] + ")"
}

// anyFunc records that any function whose address is taken may be called.
func (a *analyzer) anyFunc(bytecode.PC) {
	if a.f.anyFunc {
		return
	}
	a.f.anyFunc = true
	for pc := bytecode.PC(0); pc < a.p.Len(); pc += a.p.Insns[pc].Slots() {
		if f := a.p.Flow(pc); f.Kind == bytecode.FlowFuncAddr {
			if sub := a.p.SubprogAt(f.Callee); sub >= 0 && a.p.Subprogs[sub].Start == f.Callee {
				a.enqueue(sub, topState())
			}
		}
	}
	for _, ref := range a.p.Refs {
		if ref.Kind == bytecode.RefFunc && a.p.Insns[ref.PC].IsWide() {
			if sub := a.p.SubprogAt(bytecode.PC(ref.Index)); sub >= 0 {
				a.enqueue(sub, topState())
			}
		}
	}
	for i := range a.p.Maps {
		for _, c := range a.p.Maps[i].Code {
			if sub := a.p.SubprogAt(c.Target); c.Func && sub >= 0 {
				a.enqueue(sub, topState())
			}
		}
	}
}

// insertSorted adds a number to an ascending slice without duplicates.
func insertSorted(to []int, n int) []int {
	i, ok := slices.BinarySearch(to, n)
	if ok {
		return to
	}
	return slices.Insert(to, i, n)
}
