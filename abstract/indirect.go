package abstract

import (
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxAccesses bounds how many pairs of table and offsets are kept for an
// indirect jump before those of one table are joined.
const maxAccesses = 256

// Indirect is what is known of an indirect jump or call, over all paths that
// reach it.
type Indirect struct {
	PC bytecode.PC
	// Accesses are the tables whose entries the register may hold, with the
	// byte offsets of the entries. Pairs that differ by path are kept apart, up
	// to a limit.
	Accesses []Access
	// Funcs are the subprograms whose addresses the register may hold, as
	// indices in Subprogs, ascending.
	Funcs []int
	// Targets are the slots that control may go to, ascending: by the rules
	// that the facts were made with.
	Targets []bytecode.PC
	// Unresolved is why the targets cannot be bounded, empty when they can.
	// Then what the register holds may be anything.
	Unresolved string

	alts   []Alt
	direct []int // subprograms whose addresses were loaded by an instruction
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

	org origin
}

// gotox carries out an indirect jump.
func (r *run) gotox(b cfg.BlockID, pc bytecode.PC, in bytecode.Insn, s *State) {
	v := s.get(in.Dst)
	if in.Dst >= numRegs {
		r.fault(pc, &v.Alt, "R%d is invalid", in.Dst)
	} else if s.regs[in.Dst] == nil {
		r.fault(pc, &v.Alt, "R%d has type ?, expected PTR_TO_INSN", in.Dst)
	}
	ind := r.a.indirect(pc)
	var to []bytecode.PC
	v.each(func(a *Alt) {
		ts, why := r.a.targets(a)
		if why == "" && len(ts) == 0 {
			why = "no entry of the table can be loaded"
		}
		if why == "" && !ind.afford(r.a, a, max(len(ts), a.cells())) {
			why = tooMany
		}
		if a.Kind != Insn {
			r.fault(pc, a, "R%d has type %s, expected PTR_TO_INSN", in.Dst, typeName(a))
		}
		if why != "" {
			ind.fail(why)
			if taken := r.open(s); ind.afford(r.a, a, len(taken)) {
				ind.add(taken)
			}
			return
		}
		ind.alts = addAlt(ind.alts, *a)
		to = append(to, ts...)
	})
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
// 8192 waiting states long before.
const maxEntries = 8 << 20

// tooMany is why a jump is not resolved when there are more.
const tooMany = "the program's indirect jumps have too many targets"

// afford reports whether n more entries for a jump are within the limit. What
// the jump has paid for by the same alternative is free.
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

// fail notes why targets are unknown; the first reason stays.
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
		d.Targets = append(d.Targets, to...)
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

// targets returns the slots that a code address may be, or why they are not
// known.
func (a *analyzer) targets(x *Alt) (to []bytecode.PC, why string) {
	switch x.Kind {
	case Insn:
		return a.entryTargets(x), ""
	case Code:
		m := &a.p.Maps[x.Obj]
		for _, i := range codeCells(m, x.Off) {
			if m.Code[i].Target < 0 {
				return nil, "an entry of " + m.Name + " leads out of the program"
			}
			to = append(to, m.Code[i].Target)
		}
		return to, ""
	case Func:
		return nil, "the register holds the address of a function"
	case Number:
		return nil, x.notCode("an address from a table")
	}
	return nil, "the register holds a pointer (" + kindNames[x.Kind] + ")"
}

// entryKey is a range of entries of a table.
type entryKey struct {
	table int32
	off   scalar.S
}

// entryTargets returns the slots in the entries of a table that an alternative
// selects, ascending and without duplicates. What was asked before is kept.
func (a *analyzer) entryTargets(x *Alt) []bytecode.PC {
	key := entryKey{x.Obj, x.Off}
	if to, ok := a.selected[key]; ok {
		return to
	}
	t := a.p.Tables[x.Obj].Targets
	idx := a.indices(x.Off, len(t))
	to := make([]bytecode.PC, len(idx))
	for j, i := range idx {
		to[j] = t[i]
	}
	slices.Sort(to)
	to = slices.Compact(to)
	a.fuel -= len(idx) / 8
	if len(a.selected) > 1<<10 {
		clear(a.selected)
	}
	a.selected[key] = to
	return to
}

// notCode says why a number cannot be followed; wanted is what it should be.
func (a *Alt) notCode(wanted string) string {
	at := bytecode.PC(a.org.pc - 1).String()
	switch a.org.side {
	case writable:
		return "the address was loaded at " + at + " from memory that can be written"
	case arithmetic:
		return "the address was computed at " + at + " from a code address"
	case misaligned:
		return "the load at " + at + " may miss the start of an entry"
	case narrow:
		return "the load at " + at + " takes only a part of an entry"
	}
	return "the register does not hold " + wanted
}

// indices returns the indices of the table entries that byte offsets select, by
// the analysis's rules, of n entries.
func (a *analyzer) indices(off scalar.S, n int) []int {
	if a.opt.Rules == Kernel {
		return rangeEntries(off, n)
	}
	return exactEntries(off, n)
}

// rangeEntries returns every index from the smallest offset to the largest
// (kernel/bpf/verifier.c indirect_jump_min_max_index, Linux 7.3).
func rangeEntries(off scalar.S, n int) []int {
	if off.Empty() || n == 0 {
		return nil
	}
	lo, hi := off.Umin()/8, min(off.Umax()/8, uint64(n-1))
	var out []int
	for i := lo; i <= hi; i++ {
		out = append(out, int(i))
	}
	return out
}

// exactEntries returns the indices whose offsets are in the set.
func exactEntries(off scalar.S, n int) []int {
	if n == 0 {
		return nil
	}
	in := scalar.Meet(off, scalar.Range(0, uint64(n-1)*8))
	offs, _ := in.Enumerate(8 * n)
	var out []int
	for _, o := range offs {
		if o%8 == 0 {
			out = append(out, int(o/8))
		}
	}
	return out
}

// codeCells returns the indices of the code addresses of a map at these byte
// offsets.
func codeCells(m *bytecode.Map, off scalar.S) []int {
	if off.Empty() {
		return nil
	}
	var out []int
	i := sort.Search(len(m.Code), func(i int) bool { return uint64(m.Code[i].Off) >= off.Umin() })
	for ; i < len(m.Code) && uint64(m.Code[i].Off) <= off.Umax(); i++ {
		if off.Contains(uint64(m.Code[i].Off)) {
			out = append(out, i)
		}
	}
	return out
}

// loadCode returns what a load of 8 bytes yields from a map that holds code
// addresses, nil when it loads none.
func (r *run) loadCode(acc access, a *Alt, m *bytecode.Map) *Value {
	off := a.Off
	if acc.off != 0 {
		off = r.a.opt.Rules.offset(a.Off, scalar.Const(uint64(acc.off)), false)
	}
	if len(m.Value) < 8 {
		return nil
	}
	off = scalar.Meet(off, scalar.Range(0, uint64(len(m.Value)-8)))
	cells := codeCells(m, off)
	if len(cells) == 0 {
		return nil
	}
	out := Alt{Kind: Code, Obj: a.Obj, Off: off, flags: a.flags & loose, org: a.org}
	if offs, few := off.Enumerate(len(cells)); few && len(offs) == len(cells) {
		return &Value{Alt: out}
	}
	// Code addresses among other things. Where the offset is bounded by the
	// section alone, all that can be said is: one of them, or a number.
	out.flags |= loose
	return fromAlts([]Alt{out, {Kind: Number, flags: maybePtr, Off: unknown}})
}

// codeOverlaps reports whether a load would read a part of a code address.
func codeOverlaps(m *bytecode.Map, at int64, size int) bool {
	i := sort.Search(len(m.Code), func(i int) bool { return m.Code[i].Off+8 > at })
	return i < len(m.Code) && m.Code[i].Off < at+int64(size)
}

// jump hands a state on from an indirect jump to one of its targets.
func (r *run) jump(b cfg.BlockID, to bytecode.PC, s *State) {
	t, ok := r.a.g.BlockAt(to)
	if !ok || !r.a.g.InsnAt(to) {
		return // no kernel takes the table
	}
	if r.a.g.Blocks[t].Start != to {
		r.a.f.missing = true // no block begins there yet
		return
	}
	lo, hi := r.a.g.SuccIDs(b)
	found := false
	for i, e := range r.a.g.Edges()[lo:hi] {
		if e.Kind == cfg.Indirect && e.To == t {
			r.a.f.edge(lo + i)
			found = true
		}
	}
	if !found {
		r.a.f.missing = true
	}
	if r.a.g.Blocks[t].Sub == r.sub {
		r.insert(t, s)
		return
	}
	// Control goes on in another function on this one's frame. Linux 7.3 takes
	// some of these programs (kernel/bpf/verifier.c check_indirect_jump).
	r.a.enqueueAt(r.a.g.Blocks[t].Sub, t, topState())
	forgetFrames(s)
	r.exit(s, anything)
}

// open is what follows an indirect jump to an unknown address: any slot of the
// subprogram whose address is in a table, or any block at all if there is none.
// It returns the former, which the graph is to have edges to.
func (r *run) open(s *State) []bytecode.PC {
	taken := r.a.addressTaken()[r.sub]
	if r.opened {
		return taken
	}
	r.opened = true
	top := giveUp(s)
	for _, pc := range taken {
		if b, ok := r.a.g.BlockAt(pc); ok && r.a.g.Blocks[b].Start == pc {
			r.insert(b, top.fork())
		}
	}
	if len(taken) == 0 {
		lo, hi := r.a.g.SubBlocks(r.sub)
		for b := lo; b < hi; b++ {
			r.insert(b, top.fork())
		}
	}
	return taken
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

// callx carries out an indirect call.
func (r *run) callx(b cfg.BlockID, pc bytecode.PC, in bytecode.Insn, s *State) {
	reg := in.CallxReg()
	v := r.read(pc, s, reg)
	ind := r.a.indirect(pc)
	var subs []int
	why := ""
	v.each(func(a *Alt) {
		found, w := r.a.callees(a)
		if w != "" {
			why = w
			return
		}
		if a.Kind == Func {
			ind.direct = insertSorted(ind.direct, int(a.Obj))
		} else {
			ind.alts = addAlt(ind.alts, *a)
		}
		subs = append(subs, found...)
	})
	if len(ind.alts) > maxAccesses {
		ind.alts = onePerObject(ind.alts)
	}
	if why != "" {
		ind.fail(why)
		r.a.anyFunc(pc)
		out := s.fork()
		forgetFrames(out)
		out.regs = [numRegs]*Value{0: anything}
		copy(out.regs[6:], s.regs[6:])
		r.follow(b, cfg.Return, out)
	}
	slices.Sort(subs)
	for _, sub := range slices.Compact(subs) {
		ind.add([]bytecode.PC{r.a.p.Subprogs[sub].Start})
		ind.Funcs = insertSorted(ind.Funcs, sub)
		r.a.called(r.a.g, b, sub)
		for _, out := range r.call(pc, sub, s.fork()) {
			r.follow(b, cfg.Return, out)
		}
	}
}

// callees returns the subprograms that start at a code address, or why they are
// not known.
func (a *analyzer) callees(x *Alt) (subs []int, why string) {
	switch x.Kind {
	case Func:
		return []int{int(x.Obj)}, ""
	case Code:
		m := &a.p.Maps[x.Obj]
		for _, i := range codeCells(m, x.Off) {
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

// anyFunc notes that any function whose address is taken may be called.
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
