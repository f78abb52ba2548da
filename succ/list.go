package succ

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// list makes the answers for all indirect jumps and calls of a program.
func (r *Result) list(p *bytecode.Program) []Indirect {
	byKernel, exact := byPC(r.Facts), byPC(r.Exact)
	unions := cfg.Unions(p)
	var out []Indirect
	same := lists{}
	for sub, s := range p.Subprogs {
		for pc := s.Start; pc < s.End; pc += p.Insns[pc].Slots() {
			in := p.Insns[pc]
			switch {
			case in.IsGotox():
				d := Indirect{PC: pc, Op: "gotox", Reg: in.Dst, Kernel: unions[sub]}
				r.answer(&d, p, byKernel[pc], exact[pc])
				same.share(&d)
				out = append(out, d)
			case in.IsCallx():
				d := Indirect{PC: pc, Op: "callx", Reg: in.CallxReg(), Kernel: []bytecode.PC{}}
				r.answer(&d, p, byKernel[pc], exact[pc])
				same.share(&d)
				out = append(out, d)
			}
		}
	}
	return out
}

// lists shares equal lists of slots: many jumps through one table have the same targets.
type lists map[listKey][]bytecode.PC

// listKey is equal for equal lists.
type listKey struct {
	n           int
	first, last bytecode.PC
	sum         uint64
}

// share replaces the lists of an answer by equal ones that are already known.
func (l lists) share(d *Indirect) {
	for _, list := range []*[]bytecode.PC{&d.Kernel, &d.Range, &d.Exact, &d.Proven} {
		n := len(*list)
		if n == 0 {
			continue
		}
		key := listKey{n: n, first: (*list)[0], last: (*list)[n-1]}
		for _, pc := range *list {
			key.sum = key.sum*0x100000001b3 ^ uint64(pc)
		}
		if old, ok := l[key]; ok && slices.Equal(old, *list) {
			*list = old
		} else {
			l[key] = *list
		}
	}
}

// byPC indexes the indirect jumps and calls of facts.
func byPC(f *abstract.Facts) map[bytecode.PC]*abstract.Indirect {
	m := make(map[bytecode.PC]*abstract.Indirect)
	for _, d := range f.Indirect() {
		m[d.PC] = d
	}
	return m
}

// answer fills in the targets by either rule.
func (r *Result) answer(d *Indirect, p *bytecode.Program, k, e *abstract.Indirect) {
	d.Exact, d.Range, d.Proven = []bytecode.PC{}, []bytecode.PC{}, []bytecode.PC{}
	d.Reached = r.Facts.Reached(d.PC)
	if k == nil {
		d.Status, d.Reason = Exact, "no execution reaches it"
		return
	}
	d.Range = k.Selected(p, abstract.Verifier)
	d.Refused = k.Refused
	if e == nil {
		d.Status, d.Reason = Exact, "no execution reaches it, but the verifier does"
		d.Tables = tables(p, k, nil, r.errs)
		return
	}
	d.Exact = e.Selected(p, abstract.Executions)
	switch {
	case k.Unresolved != "" && e.Unresolved == "": // the verifier has no range, and refuses the jump
		d.Range = d.Exact
	case !r.errs:
		d.Exact = abstract.Common(d.Exact, d.Range)
	}
	d.Tables = tables(p, k, e, r.errs || k.Unresolved != "")
	d.Proven = abstract.Common(d.Exact, e.Proven())
	d.Status = status(e, len(d.Proven) == len(d.Exact))
	d.Reason = r.reason(p, d, e)
}

// status returns how well the targets of an indirect jump or call are known; proven reports that
// each of them is selected.
func status(e *abstract.Indirect, proven bool) Status {
	switch {
	case e.Unresolved != "":
		return Unresolved
	case !proven:
		return OverApproximate
	}
	return Exact
}
