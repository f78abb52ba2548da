package abstract

import (
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Limits of Linux's verifier (kernel/bpf/verifier.c BPF_COMPLEXITY_LIMIT_INSNS and
// BPF_COMPLEXITY_LIMIT_JMP_SEQ, Linux 5.2 to 7.3).
const (
	MaxWalked  = 1_000_000 // instructions that it follows
	MaxWaiting = 8192      // branches that wait to be followed
)

// Ending says how a walk ended.
type Ending uint8

// The endings.
const (
	GaveUp      Ending = iota // by its own limit, or at something that is not modelled
	AllPaths                  // every path came to its end
	Stopped                   // by WalkOptions.Stop
	Faulted                   // by a fault that WalkOptions.Refuses
	Repeats                   // a path has come back to a state of its own
	TooLong                   // more than MaxWalked instructions
	TooManyWait               // more than MaxWaiting branches
)

// WalkOptions of Walk.
type WalkOptions struct {
	Options
	// Steps is how many instructions are followed before paths that end are given
	// up; one that does not is followed as far as Linux would.
	Steps int
	// Endless says that there are loops that nothing leaves: Steps does not count.
	Endless bool
	// Stop is asked at each instruction.
	Stop func(bytecode.PC) bool
	// Refuses is called for each fault that is proven.
	Refuses func(Fault) bool
	// Facts, if any, say where to begin: in a state of block From, as if nothing had
	// been followed before.
	Facts *Facts
	From  cfg.BlockID
}

// Outcome is what Walk found.
type Outcome struct {
	Ending Ending
	PC     bytecode.PC // where the walk was
	Fault  Fault       // with Faulted
	// Proven reports whether Linux's verifier is certain to refuse the program if it
	// does not for another reason before: the path is its own.
	Proven     bool
	Steps      int    // instructions that were followed
	UsedQuirks Quirks // see Facts.UsedQuirks
}

// Walk follows a program as Linux's verifier does: one path after another, the
// fall-through edge first, with its rules on when to remember a state and when to
// look for one. Unlike Analyze it joins nothing, so it finds the instruction at
// which the verifier reports an error; the price is that it may not end within its limits.
//
// Callbacks that are called any number of times are not followed.
//
// Source: kernel/bpf/verifier.c do_check and kernel/bpf/states.c
// bpf_is_state_visited, Linux 7.3.
func Walk(p *bytecode.Program, g *cfg.Graph, opt WalkOptions) Outcome {
	w := newWalker(p, g, opt)
	if opt.Facts != nil {
		w.begin(opt.Facts, opt.From)
		w.out.UsedQuirks = w.r.a.f.usedQuirks
		return w.out
	}
	w.all()
	return w.out
}

// newWalker returns a walker that is about to set out.
func newWalker(p *bytecode.Program, g *cfg.Graph, opt WalkOptions) *walker {
	opt.Rules = Verifier
	opt.Quirks = opt.Quirks.of(p)
	a := &analyzer{p: p, g: g, opt: opt.Options, f: newFacts(p, g), kinds: make([]accessKind, p.Len()),
		cover: newCovering(p, g, false)}
	a.opt.usedQuirks = &a.f.usedQuirks
	a.prepare()
	w := &walker{r: &run{a: a}, p: p, opt: opt}
	w.called, w.followed = make([]cfg.Truth, len(p.Subprogs)), make([]cfg.Truth, len(p.Subprogs))
	w.distrusted = make([]bool, len(p.Subprogs))
	w.read()
	return w
}

// all follows the program and the global functions that it calls, or that the verifier
// follows without a call.
func (w *walker) all() {
	p := w.p
	for _, sub := range w.r.a.uncalled() {
		w.called[sub] = cfg.Yes
	}
	w.follow(0, 0, mainEntry(p))
	for sub := 1; sub < len(p.Subprogs) && !w.over; sub++ {
		if w.called[sub] > w.followed[sub] {
			w.followed[sub] = w.called[sub]
			e := globalEntry(p, sub)
			e.cover = w.called[sub] != cfg.Yes
			w.follow(sub, p.Subprogs[sub].Start, e)
			sub = 0 // it may have called one before
		}
	}
	w.out.Steps, w.out.UsedQuirks = w.insns+w.within, w.r.a.f.usedQuirks
}

// walker is the work of Walk.
type walker struct {
	r      *run
	p      *bytecode.Program
	opt    WalkOptions
	places []place

	saved   map[bytecode.PC][]*checkpoint // of each place, newest first
	waiting []path
	cur     path
	// called holds for each global function whether the verifier follows it, as far as is known
	// yet; followed, whether it was followed here, and how certainly.
	called, followed []cfg.Truth
	// distrusted marks the functions whose prototype the verifier has found to be useless.
	distrusted []bool

	insns, jumps         int // processed so far
	within               int // instructions of functions that were called back: it is not known when
	savedInsns, savedJmp int // when the last state was remembered

	settles  bool                        // it finds out what the verifier reaches, as surely as Analyze
	keepsAll bool                        // it leaves out no path: for tests
	idle     []slotSet                   // of each frame of the current state: see idle.go
	linkings map[bytecode.PC][]pathLinks // of Linux 6.1
	out      Outcome
	over     bool // out is final
}

// path is a path as far as it was followed.
type path struct {
	pc      bytecode.PC
	s       *State
	up      *callerFrame
	parent  *checkpoint // the last state that was remembered on it
	history int         // entries of the verifier's history since then
	rounds  int         // of may_goto loops
	length  int         // instructions
	// elsewhere says that the verifier may have found the path to be covered by
	// another one, because it forgets more than is forgotten here.
	elsewhere bool

	from  origins     // see precise.go
	loop  *checkpoint // the loop that it is in
	depth int         // states that were remembered on it
}

// callerRegs are how many registers of each caller are in State.outer: r6 to r9.
const callerRegs = 4

// callerFrame is a call that has not returned.
type callerFrame struct {
	site  bytecode.PC
	sub   int
	regs  [numRegs]*Value // r6 to r10
	up    *callerFrame
	depth int // frames above

	ghosts       uint16 // of State
	hiddenGhosts uint8
}

// begin follows all paths from a block, from a certain state if there is one.
func (w *walker) begin(f *Facts, b cfg.BlockID) {
	blk, states := &f.g.Blocks[b], f.statesAt(b)
	if i := slices.IndexFunc(states, (*State).certain); i > 0 {
		states = states[i:]
	}
	if len(states) > 0 {
		w.follow(blk.Sub, blk.Start, states[0].fork())
	}
}

// follow follows all paths from an instruction of a function.
func (w *walker) follow(sub int, at bytecode.PC, s *State) {
	w.saved, w.waiting = make(map[bytecode.PC][]*checkpoint), w.waiting[:0]
	w.cur = path{pc: at, s: s, from: own()}
	w.r.sub, w.r.nested = sub, 0
	for !w.over {
		if w.cur.pc < 0 || w.cur.pc >= w.p.Len() { // of a damaged program
			w.end(GaveUp, false)
			return
		}
		w.insns++
		w.cur.length++
		if w.tooLong() || w.opt.Stop != nil && w.stop() {
			return
		}
		w.seen(w.cur.pc)
		mark := w.places[w.cur.pc].mark
		if mark&prunePlace != 0 && w.visited() || w.over {
			if w.over || !w.next() {
				return
			}
			continue
		}
		if mark&jumpPlace != 0 {
			w.cur.history++
		}
		ends := w.step()
		w.addDepth()
		if ends && !w.over && !w.next() {
			return
		}
	}
}

// end ends the walk.
func (w *walker) end(e Ending, proven bool) {
	w.over = true
	w.out.Ending, w.out.PC, w.out.Proven = e, w.cur.pc, proven
}

func (w *walker) stop() bool {
	if w.opt.Stop(w.cur.pc) {
		w.end(Stopped, w.cur.s.certain())
	}
	return w.over
}

// tooLong ends the walk at its limits. A single path that is longer than what the
// verifier follows in all is a refusal, however it treats the others.
func (w *walker) tooLong() bool {
	const patience = 4 // times as long as the verifier's limit, for the side paths
	all := w.insns + w.within
	switch n := w.cur.length; {
	case n > MaxWalked:
		w.end(TooLong, w.cur.s.certain() && !w.cur.elsewhere)
	case all > MaxWalked && w.opt.Endless:
		w.end(TooLong, false)
	case all > patience*MaxWalked:
		w.end(GaveUp, false)
	case all > w.opt.Steps && !w.opt.Endless && n < all/patience:
		w.end(GaveUp, false)
	}
	return w.over
}

// next ends the current path and takes up the last branch that waits. It reports
// whether there was one.
func (w *walker) next() bool {
	if w.cur.parent != nil && w.cur.loop != nil {
		w.cur.parent.inLoop(w.cur.loop)
	}
	for c := w.cur.parent; c != nil; c = c.parent {
		if c.branches--; c.branches > 0 {
			break
		}
		if c.parent != nil && c.loop != nil {
			c.parent.inLoop(c.loop)
		}
	}
	n := len(w.waiting)
	if n == 0 {
		w.out.Ending = AllPaths
		return false
	}
	w.cur, w.waiting = w.waiting[n-1], w.waiting[:n-1]
	w.enterFrame()
	return true
}

// enterFrame sets the function of the current path in the run.
func (w *walker) enterFrame() {
	w.r.nested, w.r.sub = 0, w.p.SubprogAt(w.cur.pc)
	if w.cur.up != nil {
		w.r.nested = w.cur.up.depth + 1
	}
}

// push lets a branch wait.
func (w *walker) push(pc bytecode.PC, s *State) *path {
	w.cur.from.shared = true
	b := w.cur
	b.pc, b.s = pc, s
	w.waiting = append(w.waiting, b)
	if b.parent != nil {
		b.parent.branches++
	}
	if len(w.waiting) > MaxWaiting {
		w.end(TooManyWait, s.certain() && !b.elsewhere)
	}
	return &w.waiting[len(w.waiting)-1]
}

// step carries out the instruction that the path has come to, and reports whether
// the path ends there.
func (w *walker) step() (ends bool) {
	pc, s, r := w.cur.pc, w.cur.s, w.r
	in := w.p.Insns[pc]
	r.enters(s)
	r.forks = maxForks
	f := w.p.Flow(pc)
	if c := in.Code & 7; c == uint8(asm.JumpClass) || c == uint8(asm.Jump32Class) {
		w.jumps++
	}
	switch f.Kind {
	case bytecode.FlowGoto:
		w.cur.pc = f.Target
	case bytecode.FlowCond:
		w.branch(pc, in, f)
	case bytecode.FlowIndirect:
		ends = w.indirect(pc, in)
	case bytecode.FlowExit:
		ends = w.exit(pc)
	case bytecode.FlowCall:
		w.call(pc, f)
	case bytecode.FlowHelper:
		ends = w.helper(pc, in)
	case bytecode.FlowCallx, bytecode.FlowKey:
		w.end(GaveUp, false)
	default:
		w.derive(in)
		if w.usesStack(in) && w.places[pc].mark&jumpPlace == 0 {
			w.cur.history++
		}
		if again := r.step(pc, s); again != nil {
			w.push(pc, again)
		}
		w.cur.pc += in.Slots()
		if len(r.exits) > 0 {
			w.leaveEarly()
		}
	}
	w.faults()
	return ends
}

// faults ends the walk at a fault that the kernel refuses.
func (w *walker) faults() {
	f := w.r.a.f
	if len(f.faults) == 0 {
		return
	}
	for _, x := range f.faults {
		if x.Kind == PartialFill && w.cur.elsewhere { // covered by one without the pointer
			continue
		}
		if x.Proven && !w.over && w.opt.Refuses != nil && w.opt.Refuses(x) {
			w.out.Fault = x
			w.end(Faulted, true)
			w.out.PC = x.PC
		}
	}
	f.faults = f.faults[:0]
	clear(f.faultAt)
}

// usesStack reports whether an instruction is a load or store through a pointer to
// the stack.
func (w *walker) usesStack(in bytecode.Insn) bool {
	base := in.Dst
	switch in.Class() {
	case asm.LdXClass:
		base = in.Src
	case asm.StClass, asm.StXClass:
	default:
		return false
	}
	return base < numRegs && w.cur.s.regs[base] != nil && w.cur.s.regs[base].is(Stack)
}

// branch follows a conditional jump: the fall-through edge now, the other later. Of
// may_goto the jump is followed first.
func (w *walker) branch(pc bytecode.PC, in bytecode.Insn, f bytecode.Flow) {
	s := w.cur.s
	if in.Code == bytecode.CodeMayGoto {
		if w.settles {
			w.end(GaveUp, false)
			return
		}
		w.r.a.f.usedQuirks.DeadCount = true
		w.nextRound(pc, f.Next, s.fork())
		w.cur.pc = f.Target
		return
	}
	if !w.settles && w.knowsBetter(in, s) {
		s.cover = true
	}
	numbers, linked := w.compared(in)
	taken, fall := w.r.branch(pc, in, s)
	w.decided(numbers, linked, taken == nil || fall == nil)
	pl := &w.places[pc]
	pl.taken = pl.taken.Or(truth(taken != nil, taken != nil && taken.certain()))
	pl.fell = pl.fell.Or(truth(fall != nil, fall != nil && fall.certain()))
	switch {
	case taken != nil && fall != nil:
		w.push(f.Target, taken)
		w.cur.pc, w.cur.s = f.Next, fall
	case taken != nil:
		w.cur.pc, w.cur.s = f.Target, taken
	default:
		w.cur.pc, w.cur.s = f.Next, fall
	}
}

// nextRound lets another round of a loop wait, in which the verifier has forgotten what
// differs from the one before and has decided nothing.
//
// Source: kernel/bpf/verifier.c check_cond_jmp_op and process_iter_next_call, Linux 7.3.
func (w *walker) nextRound(pc, to bytecode.PC, s *State) {
	if old := w.lastRound(pc); old != nil {
		s.widen(old)
	}
	w.push(to, s).rounds++
}

// knowsBetter reports whether a comparison is one of pointers, of which the
// verifier may know more than is modelled.
func (w *walker) knowsBetter(in bytecode.Insn, s *State) bool {
	a := s.get(in.Dst)
	if in.Source() == asm.RegSource {
		b := s.get(in.Src)
		return !a.is(Number) || !b.is(Number)
	}
	return !a.is(Number) && in.Imm != 0
}

// indirect follows an indirect jump: the largest target now, the others later.
func (w *walker) indirect(pc bytecode.PC, in bytecode.Insn) (ends bool) {
	r, s := w.r, w.cur.s
	v := r.target(pc, in, s)
	var to []bytecode.PC
	v.each(func(a *Alt) {
		ts, why := r.a.targets(a)
		if a.Kind != Insn {
			r.fault(a, Fault{PC: pc, Kind: NoCodeAddress, Reg: in.Dst})
		} else if r.a.opt.Quirks.NoLoadOffset {
			r.checkEntries(pc, in.Dst, a)
		}
		if why == "" {
			to = append(to, ts...)
		}
		s.cover = s.cover || why != "" || a.flags&loose != 0
	})
	slices.Sort(to)
	to = slices.Compact(to)
	if len(to) == 0 {
		return true
	}
	last := len(to) - 1
	for _, t := range to[:last] {
		w.push(t, s.fork())
	}
	w.cur.pc = to[last]
	if w.p.SubprogAt(w.cur.pc) != r.sub && !w.over {
		w.end(GaveUp, false)
	}
	return false
}

// leaveEarly leaves a function at a legacy packet load, and lets it go on after it.
//
// Source: kernel/bpf/verifier.c check_ld_abs, Linux 7.3.
func (w *walker) leaveEarly() {
	w.r.exits = w.r.exits[:0]
	if w.cur.up == nil || w.r.a.opt.Quirks.MayNotExit {
		return
	}
	w.push(w.cur.pc, w.cur.s.fork())
	w.cur.s.set(bytecode.R0, zeroNumber)
	w.exit(w.cur.pc)
}

// exit leaves a function.
func (w *walker) exit(pc bytecode.PC) (ends bool) {
	s, up := w.cur.s, w.cur.up
	w.r.leaves(pc, LeaveExit, s)
	w.r.checkResult(pc, s)
	if up == nil {
		return true
	}
	s.share()
	out := &State{frames: shiftFrames(s.frames[1:], -1), ids: s.ids, cover: !s.certain(), misled: s.misled,
		outer: outsideOf(s.outer.vals[callerRegs:]), locked: s.locked, held: s.held,
		ghosts: up.ghosts, hiddenGhosts: up.hiddenGhosts}
	out.regs = up.regs
	copy(out.regs[bytecode.R6:bytecode.R10], s.outer.vals)
	out.regs[bytecode.R0] = shift(s.regs[bytecode.R0], -1)
	out.endArgs()
	w.cur.pc, w.cur.s, w.cur.up = up.site+1, out, up.up
	w.cur.from.leave()
	w.enterFrame()
	return false
}

// unreadable reports whether a global function has or reads an argument in a register that cannot be read.
func (w *walker) unreadable(sub int) bool {
	f := &w.p.Subprogs[sub]
	for reg := bytecode.R1; reg <= bytecode.R5; reg++ {
		wanted := int(reg) <= len(f.Args) || w.places[f.Start].live>>reg&1 != 0
		if wanted && w.cur.s.regs[reg] == nil {
			return true
		}
	}
	return false
}

// call enters a function, or passes over a global one, which is followed on its own.
func (w *walker) call(pc bytecode.PC, f bytecode.Flow) {
	s, r := w.cur.s, w.r
	sub := w.p.SubprogAt(f.Callee)
	if sub < 0 || w.p.Subprogs[sub].Start != f.Callee || r.deeper(r.nested+1) {
		w.end(GaveUp, false)
		return
	}
	if !w.distrusted[sub] {
		r.checkArgs(pc, s, w.p.Subprogs[sub].Params)
	}
	w.distrusted[sub] = w.distrusted[sub] || w.p.Subprogs[sub].Distrusted
	if w.p.Subprogs[sub].Global && sub != 0 {
		if w.unreadable(sub) {
			r.checkGlobal(pc, sub, s)
			if w.faults(); !w.over {
				w.end(GaveUp, false) // the kernel refuses it, and no other path is left out because of this one
			}
			return
		}
		w.cur.s = r.callGlobal(pc, sub, s)
		w.enqueued()
		w.cur.pc++
		return
	}
	s.share()
	up := &callerFrame{site: pc, sub: r.sub, up: w.cur.up, depth: r.nested, hiddenGhosts: s.hiddenGhosts}
	for reg := bytecode.R6; reg <= bytecode.R10; reg++ {
		switch {
		case reg == bytecode.R10 || w.places[pc+1].live>>reg&1 != 0:
			up.regs[reg] = s.regs[reg]
		case r.a.lingers(s.regs[reg]) && !s.alone(s.regs[reg].id):
			up.regs[reg], up.ghosts = s.regs[reg], up.ghosts|1<<reg
		}
	}
	up.ghosts |= s.looseGhosts() & keptRegs
	e := &State{frames: append([]*frame{{}}, shiftFrames(s.frames, 1)...), ids: s.ids, cover: !s.certain(),
		misled: s.misled,
		outer:  outsideOf(slices.Concat(up.regs[bytecode.R6:bytecode.R10], s.outer.all())), locked: s.locked, held: s.held,
		hiddenGhosts: s.ghostsBehind()}
	for i := 1; i < len(arguments{}); i++ {
		e.put(argRegister(i), shift(s.value(argRegister(i)), 1))
	}
	e.regs[bytecode.R10] = pointer(Stack, 0, 0)
	w.cur.from.enter()
	w.cur.pc, w.cur.s, w.cur.up = f.Callee, e, up
	w.enterFrame()
}

// helper carries out the call of a helper or kernel function. Of an iterator the
// verifier follows first that there is no next element.
//
// Source: kernel/bpf/verifier.c process_iter_next_call, Linux 7.3.
func (w *walker) helper(pc bytecode.PC, in bytecode.Insn) (ends bool) {
	h := calleeAt(w.p, pc)
	if h.callback != 0 && !w.settles || w.settles && isNext(w.p, pc) {
		w.end(GaveUp, false)
		return false
	}
	s := w.cur.s
	before := w.beforeRounds(pc, h)
	w.passed(pc)
	w.r.once = true
	returns := w.r.helperCall(pc, in, s)
	w.r.once = false
	w.enqueued()
	w.rounds(pc, in, h, before)
	if v := s.regs[bytecode.R0]; returns && isNext(w.p, pc) && v != nil {
		next := s.fork()
		alts := v.alts()
		for i := range alts {
			alts[i].flags &^= maybeNull
		}
		next.set(bytecode.R0, fromAlts(alts))
		w.nextRound(pc, pc+1, next)
		s.set(bytecode.R0, zeroNumber)
	}
	w.cur.pc++
	return !returns
}

// isNext reports whether an instruction asks an iterator for its next element.
func isNext(p *bytecode.Program, pc bytecode.PC) bool {
	ref, ok := p.RefAt(pc)
	return ok && ref.Kind == bytecode.RefKfunc &&
		strings.HasPrefix(ref.Name, "bpf_iter_") && strings.HasSuffix(ref.Name, "_next")
}
