package abstract

import (
	"iter"
	"maps"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A state without slack says of each number by itself which values executions give it. After
// a comparison or a sum of two numbers that both vary, it cannot say so any more: which values
// one has depends on the other. A search for witnesses goes on from there with states in which
// one of the two is decided. Each covers fewer executions, and together they do not cover all,
// but what they select is selected.

// Limits of a search for witnesses. What is beyond is not found.
const (
	maxWitnesses   = 256           // states of a block, and of the end of a function
	leastRoom      = 1 << 10       // for states at the starts of blocks, see State.weight, and
	roomPerSlot    = 9             // more for each slot of the program
	maxChoices     = 20            // constants of comparisons that are tried for a number
	maxTries       = 16            // numbers that are tried for a field of the context
	maxCalls       = 4 * maxRounds // entry states of a function
	witnessFuel    = 1 << 18       // instructions that are carried out, and
	witnessPerSlot = 32            // more for each slot of the program,
	mostFuel       = 1_000_000     // at most
)

// Witness looks for executions that select the targets of indirect jumps and calls for which
// facts f, by rules Executions, have none (see Indirect.Proven).
func Witness(p *bytecode.Program, f *Facts) *Facts {
	if f.searched {
		return f
	}
	goals := f.unproven(p)
	out := *f
	out.searched = true
	if len(goals) == 0 {
		return &out
	}
	out.indirect = maps.Clone(f.indirect)
	for tries := 0; tries <= maxTries && len(goals) > 0; tries += maxTries {
		room := leastRoom + roomPerSlot*int(p.Len())
		opt := Options{Rules: Executions, Like: f, search: &search{f.ways(p, goals), maps.Clone(goals), tries, room}}
		found := analyzeOnce(p, f.g, opt, newCovering(p, f.g, false))
		for pc := range goals {
			if d, ok := found.indirect[pc]; ok && len(d.sure) > 0 {
				with := *out.indirect[pc]
				with.sure = union(with.Proven(), d.sure)
				out.indirect[pc] = &with
			}
		}
		goals = out.unproven(p)
	}
	return &out
}

// search is a search for witnesses.
type search struct {
	ways  bitset // blocks through which it goes
	goals goals  // what it has not found yet
	tries int    // numbers to try for each field of the context, from 0 up
	room  int    // for states, as alternatives of registers
}

// goals are targets of indirect jumps and calls, at least one of each.
type goals map[bytecode.PC][]bytecode.PC

// unproven returns the targets of which no execution is known, of the indirect jumps and calls that
// are resolved and stay in their tables.
func (f *Facts) unproven(p *bytecode.Program) goals {
	out := goals{}
	for pc, d := range f.indirect {
		leaves := slices.ContainsFunc(d.alts, func(a Alt) bool { return a.flags&beyond != 0 })
		if d.Unresolved != "" || leaves {
			continue
		}
		if to := without(d.Selected(p, Executions), d.Proven()); len(to) > 0 {
			out[pc] = to
		}
	}
	return out
}

// reach notes that executions select targets. The list of a goal is not changed.
func (g goals) reach(pc bytecode.PC, to []bytecode.PC) {
	switch left := without(g[pc], to); {
	case len(left) == 0:
		delete(g, pc)
	case len(left) < len(g[pc]):
		g[pc] = left
	}
}

// without returns the slots that are not in the second of two ascending slices.
func without(slots, in []bytecode.PC) []bytecode.PC {
	var out []bytecode.PC
	for _, pc := range slots {
		if _, ok := slices.BinarySearch(in, pc); !ok {
			out = append(out, pc)
		}
	}
	return out
}

// ways returns the blocks through which executions may come to one of the instructions: all
// blocks of other functions than the program's own.
func (f *Facts) ways(p *bytecode.Program, to goals) bitset {
	g := f.g
	on := newBitset(g.NumBlocks())
	var todo []cfg.BlockID
	add := func(b cfg.BlockID) {
		if !on.has(int(b)) {
			on.add(int(b))
			todo = append(todo, b)
		}
	}
	elsewhere := false
	for pc := range to {
		elsewhere = elsewhere || p.SubprogAt(pc) != 0
	}
	for b := range g.Blocks {
		if g.Blocks[b].Sub != 0 || elsewhere {
			add(cfg.BlockID(b))
		}
	}
	for pc := range to {
		if b, ok := g.BlockAt(pc); ok {
			add(b)
		}
	}
	into := make([][]cfg.BlockID, g.NumBlocks())
	for _, e := range g.Edges() {
		into[e.To] = append(into[e.To], e.From)
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, from := range into[b] {
			add(from)
		}
	}
	return on
}

// searches reports whether the analysis looks for witnesses.
func (a *analyzer) searches() bool { return a.opt.search != nil }

// found reports whether a search for witnesses has found all that it looks for.
func (a *analyzer) found() bool { return a.searches() && len(a.opt.search.goals) == 0 }

// keep adds a state to the entry of a block, if executions are in it and there is room.
func (r *run) keep(b cfg.BlockID, s *State) {
	bs, to := &r.blocks[b-r.lo], r.a.opt.search
	if s.doubt || r.a.fuel <= 0 || to.room <= 0 || !to.ways.has(int(b)) || len(bs.entries) >= maxWitnesses {
		return
	}
	s.trim(r.a.live[b] | bit(bytecode.R10))
	for i := range bs.entries {
		if to.covers(&bs.entries[i], s) {
			return
		}
	}
	to.room -= s.weight()
	bs.entries = append(bs.entries, entry{s: s})
	r.push(b)
}

// weight returns how much room a state takes: one, and one for each alternative of a register beyond
// the first.
func (s *State) weight() int {
	n := 1
	for _, v := range s.regs {
		if v != nil {
			n += len(v.more())
		}
	}
	return n
}

// covers reports whether a state need not be followed because of one that is. Where numbers are
// tried, a state in which one is decided can show more than one in which it is not.
func (a *search) covers(e *entry, s *State) bool {
	return s.leqFrom(e.s, Executions, &e.below) && (a.tries == 0 || e.s.leqFrom(s, Executions, &e.above))
}

// keepExit is keep for the end of a function.
func (r *run) keepExit(x *State) {
	covered := func(y *State) bool { return x.leq(y, Executions) }
	if !x.doubt && len(r.exits) < maxWitnesses && !slices.ContainsFunc(r.exits, covered) {
		r.exits = append(r.exits, x)
	}
}

// witnesses follows a function from one state, and only from that one.
func (a *analyzer) witnesses(sub int, e *State, nested int) *summary {
	for _, c := range a.contexts[sub] {
		if e.leq(c.entry, Executions) && c.entry.leq(e, Executions) {
			return c
		}
	}
	if len(a.contexts[sub]) >= maxCalls || a.fuel <= 0 {
		return &summary{entry: e}
	}
	c := a.analyse(sub, a.g.Entry(sub), e, nested)
	a.contexts[sub] = append(a.contexts[sub], c)
	return c
}

// decided returns states like s in each of which one number that an instruction reads is
// decided.
func (r *run) decided(pc bytecode.PC, in bytecode.Insn, s *State) []*State {
	ops := []bytecode.Reg{in.Dst}
	if in.Source() == asm.RegSource {
		ops = append(ops, in.Src)
	}
	var out []*State
	for _, reg := range ops {
		v := s.get(reg)
		if !varies(v) {
			continue
		}
		for _, k := range r.choices(v, s) {
			out = append(out, r.assume(pc, s, reg, k))
		}
	}
	return out
}

// assume returns a state like s in which a register has one of its numbers.
func (r *run) assume(pc bytecode.PC, s *State, reg bytecode.Reg, k uint64) *State {
	t := s.fork()
	c := &compare{r: r, pc: pc, cond: scalar.JEQ, a: t.get(reg), b: r.a.constant(k), dst: reg, src: noReg}
	c.refine(t, scalar.JEQ, takenSide)
	return t
}

// try schedules the block to be carried out again from after a load from the context, for some
// numbers that the load may give.
func (r *run) try(pc bytecode.PC, s *State) {
	in, tries := r.a.p.Insns[pc], r.a.opt.search.tries
	if in.Class() != asm.LdXClass || tries == 0 || in.LoadsArg() || !s.get(in.Src).is(Ctx) {
		return
	}
	known := len(s.outer.read())
	t := s.fork()
	r.load(pc, in, t)
	v := t.get(in.Dst)
	for k := range uint64(tries) {
		if len(t.outer.read()) > known && v.member(k) {
			r.points = append(r.points, point{pc + 1, r.assume(pc, t, in.Dst, k)})
		}
	}
}

// varies reports whether a value is a number that has each of several values.
func varies(v *Value) bool {
	return v.is(Number) && !v.fixed() && v.src != nil && v.tight()
}

// fixed reports whether a value is one number.
func (v *Value) fixed() bool {
	_, ok := v.constant()
	return ok
}

// choices returns numbers of a value to go on with: its ends, and those for which it, or one
// that is linked to it, is a number that the function compares with.
func (r *run) choices(v *Value, s *State) []uint64 {
	out := v.ends()
	const wide = 1 << 16 // it is rarely one of few
	if v.Off.R64.Size > wide && v.Off.R32.Size > wide {
		return out
	}
	for _, c := range r.a.equals(r.sub) {
		for x := range s.tiedTo(v) {
			if !x.member(c) {
				continue
			}
			k := c + uint64(int64(v.delta)-int64(x.delta))
			if v.add == 32 || x.add == 32 {
				k = uint64(uint32(k))
			}
			if v.member(k) && !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// tiedTo yields a number and those that are linked to it.
func (s *State) tiedTo(v *Value) iter.Seq[*Value] {
	return func(yield func(*Value) bool) {
		if yield(v) && v.id != 0 {
			s.visit(func(x *Value) bool { return x.id != v.id || !x.is(Number) || x == v || yield(x) })
		}
	}
}

// equals returns the constants that a function compares for equality, each once.
func (a *analyzer) equals(sub int) []uint64 {
	if a.equal[sub] != nil {
		return a.equal[sub]
	}
	out := []uint64{}
	s := a.p.Subprogs[sub]
	for pc := s.Start; pc < s.End && len(out) < maxChoices; pc += a.p.Insns[pc].Slots() {
		in := a.p.Insns[pc]
		cond, _, ok := scalar.CondOf(in.Code)
		if c := uint64(int64(in.Imm)); ok && in.Source() == asm.ImmSource && (cond == scalar.JEQ || cond == scalar.JNE) &&
			!slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	a.equal[sub] = out
	return out
}

// ends returns two numbers of the alternative: the ends of one of its ranges, if both are its.
func (a *Alt) ends() []uint64 {
	s := a.Off
	for _, k := range [...][2]uint64{{s.Umin(), s.Umax()}, {uint64(s.Smin()), uint64(s.Smax())},
		{uint64(s.R32.Base), uint64(s.R32.Last())}} {
		if a.member(k[0]) && a.member(k[1]) {
			return k[:]
		}
	}
	return nil
}

// loses reports whether a number that varies in a state before a branch is known less exactly in
// the states after it.
func loses(before *State, after ...*State) bool {
	less := func(v, w *Value) bool { return v != nil && v != w && varies(v) && w != nil && !w.tight() }
	for _, t := range after {
		if t == nil {
			continue
		}
		for r := range before.values() {
			if less(before.value(r), t.value(r)) {
				return true
			}
		}
		for i, f := range before.frames {
			if f == t.frames[i] {
				continue
			}
			for num, sl := range f.all {
				if less(sl.val, t.frames[i].get(num).val) {
					return true
				}
			}
		}
	}
	return false
}

// split schedules the block to be carried out again from an operation on, with one operand decided,
// if it is not known otherwise what values the result has.
func (r *run) split(pc bytecode.PC, s *State) {
	in := r.a.p.Insns[pc]
	if c := in.Class(); c != asm.ALUClass && c != asm.ALU64Class || in.Source() != asm.RegSource || r.forks <= 0 ||
		!varies(s.get(in.Dst)) || !varies(s.get(in.Src)) {
		return
	}
	t := s.fork()
	r.alu(pc, in, t)
	if v := t.get(in.Dst); v.is(Number) && v.tight() {
		return
	}
	for _, t := range r.decided(pc, in, s) {
		r.points = append(r.points, point{pc, t})
		r.forks--
	}
}

// ways are the states on the edges of a conditional jump, nil for an edge that is not followed.
type ways struct{ taken, fall *State }

// decide passes a state on along the edges of a conditional jump in a search for witnesses, and
// states in which more is decided. These come first: there is not room for all.
func (r *run) decide(b cfg.BlockID, pc bytecode.PC, in bytecode.Insn, s *State) {
	var out []ways
	for todo := []*State{s}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		var before *State
		if varies(s.get(in.Dst)) || in.Source() == asm.RegSource && varies(s.get(in.Src)) {
			before = s.fork()
		}
		w := r.edges(b, pc, in, s)
		if before != nil && r.a.opt.search.room > 0 && loses(before, w.taken, w.fall) {
			todo = append(todo, r.decided(pc, in, before)...)
		}
		out = append(out, w)
	}
	for _, w := range slices.Backward(out) {
		r.pass(b, in, w)
	}
}
