package abstract

import (
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Limits of the analysis of calls.
const (
	maxContexts = 8 // entry states of a subprogram that are kept separate
	maxGrowth   = 6 // times that a shared entry state is joined before it is given up
)

// entryState returns the state in which a function that is called from outside starts, with these
// argument registers.
func entryState(args arguments) *State {
	s := &State{frames: []*frame{{}}}
	for i, v := range args {
		s.put(argRegister(i), v.unlinked())
	}
	s.regs[bytecode.R10] = pointer(Stack, 0, 0)
	return s
}

// arguments are the values that a function is called with, by number from 1. The
// first five are passed in registers, the rest on the stack. Number 0 is none.
type arguments [1 + 5 + stackArgs]*Value

// topState returns the state in which only the frame pointer is known.
func topState() *State {
	s := &State{frames: []*frame{{mayHold: mayHold{localPointer: true}}}, cover: true}
	for r := range numValues {
		s.put(r, anything)
	}
	s.regs[bytecode.R10] = pointer(Stack, 0, 0)
	return s
}

// reaches reports whether a stack can be reached through the values.
func reaches(vals []*Value) bool {
	for _, v := range vals {
		if v != nil && v.has(isStack) {
			return true
		}
	}
	return false
}

// shift moves the frame numbers of stack pointers. A pointer to a removed frame becomes an
// unknown one: no kernel lets a program use it.
func shift(v *Value, by int32) *Value {
	if v == nil || !v.has(func(a *Alt) bool { return a.Kind == Stack }) {
		return v
	}
	alts := v.alts()
	for i := range alts {
		if alts[i].Kind != Stack {
			continue
		}
		if alts[i].Obj+by < 0 {
			alts[i] = unknownPtr.Alt
			continue
		}
		alts[i].Obj += by
	}
	w := fromAlts(alts)
	w.id, w.delta, w.add = v.id, v.delta, v.add
	return w
}

// shiftFrames returns the frames with all stack pointers in them moved.
func shiftFrames(frames []*frame, by int32) []*frame {
	out := make([]*frame, len(frames))
	for i, f := range frames {
		out[i] = f
		for num, sl := range f.all {
			if w := shift(sl.val, by); w != sl.val {
				if out[i] == f {
					out[i] = f.clone()
				}
				out[i].at(num).val = w
			}
		}
	}
	return out
}

// call carries out a call of a subprogram and returns the states after it.
func (r *run) call(pc bytecode.PC, sub int, s *State) []*State {
	r.checkArgs(pc, s, r.a.p.Subprogs[sub].Params)
	if r.a.p.Subprogs[sub].Global && sub != 0 && !r.a.searches() {
		return []*State{r.callGlobal(pc, sub, s)}
	}
	var args arguments
	for i := 1; i < len(args); i++ {
		args[i] = s.value(argRegister(i))
	}
	outs := r.enter(pc, sub, s, args)
	for _, out := range outs {
		out.endArgs()
	}
	return outs
}

// enter follows a function with these arguments and returns the states of the caller after it
// returns, without registers r1 to r5. The state s is unchanged afterwards.
func (r *run) enter(pc bytecode.PC, sub int, s *State, args arguments) []*State {
	s.share() // the states of the callee and those after the call share its frames
	live := r.a.live[r.a.g.Entry(sub)]
	for i := bytecode.R1; i <= bytecode.R5; i++ {
		if live>>i&1 == 0 && !r.a.lingers(args[i]) {
			args[i] = nil
		}
	}
	e := &State{frames: []*frame{{}}, ids: s.ids, cover: !s.certain(), doubt: s.doubt, misled: s.misled,
		tested: s.tested, given: s.given, stands: s.stands, sums: s.sums, locked: s.locked, held: s.held,
		hiddenGhosts: s.ghostsBehind()}
	visible := reaches(args[:])
	for i, v := range args {
		e.put(argRegister(i), shift(v, 1))
	}
	e.regs[bytecode.R10] = pointer(Stack, 0, 0)
	if r.a.searches() {
		e.outer = s.outer
	}
	r.freshArgs(pc, e)
	var places []hiddenPlace
	if r.a.opt.Rules == Verifier {
		places = s.hidden(&args, visible)
	}
	if len(places) > 0 {
		e.outer = &outside{vals: make([]*Value, len(places))}
		for i, p := range places {
			e.outer.vals[i] = s.at(p)
		}
	}
	if visible {
		e.frames = append(e.frames, shiftFrames(s.frames, 1)...)
	}
	e.trim(allRegs)
	if r.deeper(len(e.frames)-1) || r.deeper(r.nested+1) || r.a.active[sub] {
		if r.a.searches() {
			return nil
		}
		return []*State{r.unknownCall(pc, sub, s)}
	}
	ctx := r.a.summarize(sub, e, r.nested+1)
	if visible {
		for i, d := range ctx.depth {
			if i > 0 {
				r.frameUse(i - 1).add(d)
			}
		}
	}
	outs := make([]*State, 0, len(ctx.exits))
	wider := !ctx.entry.leq(e, r.a.opt.Rules) // the callee was followed with a more general state than e
	for _, x := range ctx.exits {
		outs = append(outs, r.returnTo(s, x, wider, visible, places))
	}
	return outs
}

// returnTo returns the state of the caller, s, after a followed function has returned with x. The
// function was followed with a more general state than the caller's if wider, and on its stack if
// visible. The places are those of hidden values.
func (r *run) returnTo(s, x *State, wider, visible bool, places []hiddenPlace) *State {
	if wider && r.a.opt.Rules == Executions {
		x = x.loosened()
	}
	out := &State{frames: s.frames, ids: s.ids, cover: !s.certain() || !x.certain() || wider,
		doubt: s.doubt || x.doubt, misled: s.misled || x.misled, stands: s.stands || x.stands, sums: s.sums,
		tested: s.tested | x.tested, given: s.given, outer: s.outer, locked: x.locked, held: x.held,
		ghosts: s.ghosts & keptRegs, hiddenGhosts: s.hiddenGhosts}
	copy(out.regs[6:numRegs], s.regs[6:numRegs])
	out.regs[0] = rebase(shift(x.regs[0], -1), s.ids)
	if visible {
		out.frames = shiftFrames(x.frames, -1)
		out.ids += x.ids
	}
	if visible || len(places) > 0 || x.regs[0] != nil && x.regs[0].id != 0 {
		out.rebaseFrames(s.ids, visible)
		out.unhide(places, x.outer.all(), s.ids, r.isFirst())
		if x.stands {
			out.standFor(mark{regs: uint32(allRegs)})
		}
		out.ids = s.ids + x.ids
	}
	if r.a.searches() {
		out.outer = x.outer.each(func(v *Value) *Value { return rebase(v, s.ids) })
		out.ids = s.ids + x.ids
	}
	return out
}

// rebase moves a link's id out of the way of those up to base.
func rebase(v *Value, base uint32) *Value {
	if v == nil || v.id == 0 || base == 0 {
		return v
	}
	return v.linked(v.id+base, v.delta, v.add)
}

// rebaseFrames is rebase for the frames that a callee returned.
func (s *State) rebaseFrames(base uint32, came bool) {
	if !came || base == 0 {
		return
	}
	s.share()
	for i := range s.frames {
		for num, sl := range s.frames[i].all {
			if v := sl.val; v != nil && v.id != 0 {
				s.edit(i).at(num).val = rebase(v, base)
			}
		}
	}
}

// unknownCall returns the state after a call that cannot be followed in its
// context: recursion, or a chain of calls that is too deep. The callee is
// analysed with anything at all.
func (r *run) unknownCall(pc bytecode.PC, sub int, s *State) *State {
	// Linux follows recursion until the frames are used up.
	r.fault(&anything.Alt, Fault{PC: pc, Kind: TooManyFrames, Value: int64(r.a.opt.Quirks.frames()) + 1})
	r.a.enqueue(sub, topState())
	return s.behindAny()
}

// behindAny returns the state after a call about which nothing is known, or at its landing pad:
// no known kernel follows exceptions there.
func (s *State) behindAny() *State {
	out := s.fork()
	out.cover = true
	forgetFrames(out)
	out.locked, out.held = false, 0
	out.regs = [numRegs]*Value{0: anything}
	copy(out.regs[6:], s.regs[6:])
	out.endArgs()
	return out
}

// callGlobal returns the state after a call of a global function, which the kernel verifies by
// itself, by the types of its parameters (kernel/bpf/verifier.c check_func_call and
// btf_check_subprog_call, Linux 7.3).
func (r *run) callGlobal(pc bytecode.PC, sub int, s *State) *State {
	e := globalEntry(r.a.p, sub)
	e.cover = s.cover // it verifies those whose call it reaches
	if r.a.opt.Rules == Executions {
		e = e.loosened()
		e.tested, e.given = s.tested, true
	}
	r.a.enqueue(sub, e)
	r.checkGlobal(pc, sub, s)
	for i := 1; i < len(arguments{}); i++ {
		v, reg := s.value(argRegister(i)), bytecode.Reg(argRegister(i))
		if v == nil {
			continue
		}
		r.escape(pc, v, false)
		size := argSize(r.a.p.Subprogs[sub].Args, i-1)
		v.each(func(a *Alt) {
			switch {
			case size == 0:
			case a.Kind == Number && a.flags&maybeLocal != 0:
				forgetFrames(s)
			case a.Kind == Stack && int(a.Obj) < len(s.frames):
				lo, hi, _ := r.span(access{pc: pc, reg: reg}, a)
				r.touch(int(a.Obj), lo, s)
				r.noteOuter(&r.a.set, a, lo, hi+size)
				s.edit(int(a.Obj)).forget(lo, hi+size)
				s.cover = s.cover || size == stackSize
			}
		})
	}
	s.held = 0 // it may release its arguments
	for reg := bytecode.R0; reg <= bytecode.R5; reg++ {
		s.set(reg, nil)
	}
	if r.a.p.Subprogs[sub].Result != "void" {
		if s.regs[0] = unknownNumber; r.a.opt.Rules == Executions {
			s.regs[0] = unknownNumber.loosened()
		}
	}
	s.endArgs()
	return s
}

// argSize returns the number of bytes that a global function may write through its parameter
// number i.
func argSize(args []string, i int) int64 {
	if args == nil {
		return stackSize
	}
	if i >= len(args) || args[i] == "scalar" || args[i] == "ctx" || args[i] == "arena" {
		return 0
	}
	for _, prefix := range []string{"mem:", "nonnull:"} {
		if n, ok := strings.CutPrefix(args[i], prefix); ok {
			if size, err := strconv.ParseInt(n, 10, 64); err == nil && size >= 0 && size < stackSize {
				return size
			}
		}
	}
	return stackSize
}

// mainEntry returns the state in which a program starts.
func mainEntry(p *bytecode.Program) *State {
	if p.TypedEntry() && p.Subprogs[0].Args != nil {
		return globalEntry(p, 0)
	}
	return entryState(arguments{1: pointer(Ctx, 0, 0)})
}

// globalEntry returns the state in which a global function starts.
func globalEntry(p *bytecode.Program, sub int) *State {
	var args arguments
	for i, a := range p.Subprogs[sub].Args {
		switch {
		case i+1 >= len(args):
		case a == "scalar", a == "arena": // who calls it may pass a number for a pointer into an arena
			args[i+1] = unknownNumber
		case a == "ctx":
			args[i+1] = pointer(Ctx, 0, 0)
		default:
			args[i+1] = globalPointer(p, a, uint32(i+1))
		}
	}
	return entryState(args)
}

// globalPointer returns a pointer parameter at the start of a global function; id is the link of
// one that may be null (kernel/bpf/btf.c btf_prepare_func_args and kernel/bpf/verifier.c
// do_check_common, Linux 7.3).
func globalPointer(p *bytecode.Program, arg string, id uint32) *Value {
	kind, of, _ := strings.Cut(arg, ":")
	m, orNull := MemTrusted, false
	switch kind {
	case "mem":
		m, orNull = MemPlain, true
	case "nonnull":
		m = MemPlain
	case "trusted":
	case "trusted-or-null":
		orNull = true
	case "untrusted":
		m = MemObject
	default:
		return unknownPtr
	}
	v := memoryPointer(m)
	if m != MemPlain && p.Kernel != nil && of != "" {
		v.Obj |= p.Kernel.Struct(of) << memoryBits
	}
	if orNull {
		v.flags |= maybeNull
		v.id = id
	}
	return v
}
