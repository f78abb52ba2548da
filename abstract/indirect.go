package abstract

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxAccesses bounds the pairs of table and offsets that are kept for an indirect jump before
// those of one table are joined.
const maxAccesses = 256

// Indirect holds the facts about an indirect jump or call, over all paths that reach it.
type Indirect struct {
	PC bytecode.PC
	// Accesses are the tables whose entries the register may hold, with the byte offsets of the
	// entries. Pairs that differ by path are kept separate, up to a limit.
	Accesses []Access
	// Funcs are the subprograms whose addresses the register may hold, as
	// indices in Subprogs, ascending.
	Funcs []int
	// Targets are the slots that control may go to, ascending: by the rules
	// that the facts were made with.
	Targets []bytecode.PC
	// Unresolved is the reason why the targets cannot be bounded, empty if they can. If there is
	// a reason, the register may hold anything.
	Unresolved string
	// Refused reports whether Linux's verifier itself reaches the jump with an unbounded
	// register, by facts with rules Verifier.
	Refused bool

	alts   []Alt
	direct []int // subprograms whose addresses were loaded by an instruction

	// By rules Executions: sure holds the targets selected in states without doubt, common those
	// that all other states select. Both ascend.
	sure, common []bytecode.PC
	doubted      bool // there are others
}

// Access is a range of entries of a table that a code address was loaded from.
type Access struct {
	Table int      // index in Program.Tables, -1 for a map
	Map   int      // index in Program.Maps of a data section with labels, -1 for a table
	Off   scalar.S // byte offsets of the cells
	// Loose reports whether Off may hold offsets that no path has: paths were
	// joined, or only the table's size bounds it.
	Loose bool
	// BoundPC is the instruction that bounded Off, -1 when unknown, and BoundReg
	// the register that it bounded.
	BoundPC  bytecode.PC
	BoundReg bytecode.Reg

	// Label reports whether the address was computed: then there is no table, and
	// Off is the distance of targets from the program's first slot, in bytes.
	// BoundPC is the computation.
	Label bool

	org origin
	str stride
	src *readings
}

// target returns the value of an indirect jump's register.
func (r *run) target(pc bytecode.PC, in bytecode.Insn, s *State) *Value {
	v := s.get(in.Dst)
	if in.Dst >= numRegs {
		r.fault(&v.Alt, Fault{PC: pc, Kind: BadRegister, Reg: in.Dst})
	} else if s.regs[in.Dst] == nil {
		r.fault(&v.Alt, Fault{PC: pc, Kind: UnsetTarget, Reg: in.Dst})
	}
	return v
}

// gotox carries out an indirect jump.
func (r *run) gotox(b cfg.BlockID, pc bytecode.PC, in bytecode.Insn, s *State) {
	v := r.target(pc, in, s)
	ind := r.a.indirect(pc)
	var to []bytecode.PC
	sel := selection{doubt: s.doubt, off: r.a.opt.Rules != Executions}
	v.each(func(a *Alt) {
		ts, why := r.a.targets(a)
		if why == "" && len(ts) == 0 {
			why = "no entry of the table can be loaded"
		}
		if why == "" && !ind.afford(r.a, a, max(len(ts), a.cells())) {
			why = tooMany
		}
		if a.Kind != Insn {
			r.fault(a, Fault{PC: pc, Kind: NoCodeAddress, Reg: in.Dst})
		} else if r.a.opt.Quirks.NoLoadOffset {
			r.checkEntries(pc, in.Dst, a)
		}
		if why != "" {
			ind.fail(why)
			ind.Refused = ind.Refused || r.proves(a)
			if taken := r.open(s, a.org.side == arithmetic); ind.afford(r.a, a, len(taken)) {
				ind.add(taken)
			}
			return
		}
		ind.alts = addAlt(ind.alts, *a)
		sel.add(a, ts)
		to = append(to, ts...)
		s.cover = s.cover || a.flags&loose != 0
	})
	s.doubt = s.doubt || sel.vague
	r.a.selects(pc, &sel)
	if len(ind.alts) > maxAccesses {
		ind.alts = onePerObject(ind.alts)
	}
	slices.Sort(to)
	to = slices.Compact(to)
	for _, t := range to {
		r.jump(b, t, s.fork())
	}
	ind.add(to)
}

// maxEntries bounds the table entries that all indirect jumps of a program may
// select, each counted for itself. Linux refuses programs with more than a
// million edges of indirect jumps (since 7.4), and 7.3 runs out of its limit of
// 8192 waiting states long before. Each costs some 4 µs here: with four times as
// many, an object of 866 kB took 47 s and 1.3 GB.
const maxEntries = 1 << 20

// tooMany is the reason why a jump is not resolved if there are more.
const tooMany = "the program's indirect jumps have too many targets"

// afford reports whether n more entries for a jump are within the limit. Entries that the jump
// has already counted for the same alternative are free.
func (d *Indirect) afford(a *analyzer, x *Alt, n int) bool {
	if slices.ContainsFunc(d.alts, func(y Alt) bool { return x.leq(&y) }) {
		return true
	}
	if a.entries+n > maxEntries {
		return false
	}
	a.entries += n
	return true
}

// cells returns how many cells of a table lie between the offsets of a.
func (a *Alt) cells() int {
	return int(min(a.Off.Umax()/8-a.Off.Umin()/8, maxEntries)) + 1
}

// fail records why targets are unknown; the first reason stays.
func (d *Indirect) fail(why string) {
	if d.Unresolved == "" {
		d.Unresolved = why
	}
}

// add adds targets.
func (d *Indirect) add(to []bytecode.PC) {
	if slices.ContainsFunc(to, func(t bytecode.PC) bool {
		_, ok := slices.BinarySearch(d.Targets, t)
		return !ok
	}) {
		d.Targets = append(d.Targets, to...) // no new memory for each target
		slices.Sort(d.Targets)
		d.Targets = slices.Compact(d.Targets)
	}
}

// indirect returns the record of an indirect jump or call, made on first use.
func (a *analyzer) indirect(pc bytecode.PC) *Indirect {
	if d, ok := a.f.indirect[pc]; ok {
		return d
	}
	d := &Indirect{PC: pc}
	a.f.indirect[pc] = d
	return d
}

// jump passes a state on from an indirect jump to one of its targets.
func (r *run) jump(b cfg.BlockID, to bytecode.PC, s *State) {
	t, ok := r.a.g.BlockAt(to)
	if !ok || !r.a.g.InsnAt(to) {
		return // no kernel accepts the table
	}
	if r.a.g.Blocks[t].Start != to {
		r.a.f.missing = true // no block begins there yet
		return
	}
	lo, hi := r.a.g.SuccIDs(b) // in the order of their targets, as there may be many
	i, found := slices.BinarySearchFunc(r.a.g.Edges()[lo:hi], t,
		func(e cfg.Edge, t cfg.BlockID) int { return cmp.Compare(e.To, t) })
	if found {
		r.a.f.edge(lo+i, s.certain())
	} else {
		r.a.f.missing = true
	}
	if r.a.g.Blocks[t].Sub == r.sub {
		r.insert(t, s)
		return
	}
	// Control continues in another function on the frame of this one. Linux 7.3 accepts some of
	// these programs (kernel/bpf/verifier.c check_indirect_jump).
	if r.a.searches() {
		return
	}
	r.a.enqueueAt(r.a.g.Blocks[t].Sub, t, topState())
	forgetFrames(s)
	r.exit(s, anything)
}

// open follows an indirect jump to an unknown address: any slot of the subprogram whose address
// is in a table, or any block if there is none or the address was computed. It returns the
// former; the graph needs edges to them.
func (r *run) open(s *State, computed bool) []bytecode.PC {
	if r.a.searches() {
		return nil
	}
	taken := r.a.addressTaken()[r.sub]
	all := computed || len(taken) == 0
	if r.openedAll || r.opened && !all {
		return taken
	}
	r.opened, r.openedAll = true, all
	top := giveUp(s)
	for _, pc := range taken {
		if b, ok := r.a.g.BlockAt(pc); ok && r.a.g.Blocks[b].Start == pc {
			r.insert(b, top.fork())
		}
	}
	if all {
		lo, hi := r.a.g.SubBlocks(r.sub)
		for b := lo; b < hi; b++ {
			if r.a.starts(r.a.g.Blocks[b].Start) {
				r.insert(b, top.fork())
			}
		}
	}
	return taken
}

// starts reports whether a block of Options.Coarse starts at a slot.
func (a *analyzer) starts(pc bytecode.PC) bool {
	if a.opt.Coarse == nil {
		return true
	}
	b, ok := a.opt.Coarse.BlockAt(pc)
	return ok && a.opt.Coarse.Blocks[b].Start == pc
}

// addressTaken returns for each subprogram the slots in it that a jump table or
// a label in data leads to, ascending.
func (a *analyzer) addressTaken() [][]bytecode.PC {
	if a.taken != nil {
		return a.taken
	}
	a.taken = make([][]bytecode.PC, len(a.p.Subprogs))
	add := func(pc bytecode.PC) {
		if sub := a.p.SubprogAt(pc); sub >= 0 && a.g.InsnAt(pc) {
			a.taken[sub] = append(a.taken[sub], pc)
		}
	}
	for i := range a.p.Tables {
		for _, pc := range a.p.Tables[i].Targets {
			add(pc)
		}
	}
	for i := range a.p.Maps {
		for _, c := range a.p.Maps[i].Code {
			if !c.Func {
				add(c.Target)
			}
		}
	}
	for sub := range a.taken {
		slices.Sort(a.taken[sub])
		a.taken[sub] = slices.Compact(a.taken[sub])
	}
	return a.taken
}
