package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Limits of a search for witnesses in bpf_loop.
const (
	maxRounds      = 128 // rounds that are followed, one by one
	maxRoundStates = 4   // states in which each round begins
)

// looped follows a call of bpf_loop round by round and returns states after it, in a search for
// witnesses. It finds only states after callbacks that certainly continue, or certainly end, the
// loop.
func (r *run) looped(pc bytecode.PC, s *State) (after []*State) {
	h := calleeAt(r.a.p, pc)
	n, fn := s.get(bytecode.R1), s.get(bytecode.Reg(max(h.callback, 1)))
	if h.how != cbLoop || h.callback == 0 || !fn.is(Func) || !fn.whole() || !n.is(Number) || n.Off.Umin() == 0 {
		return nil
	}
	rounds := n.Off.Umin()
	args := r.callbackArgs(h.how, s)
	visible := reaches(args[:])
	if visible {
		s = s.fork()
		s.unlinkFrames(r.a.opt.Rules)
	}
	now := []*State{s}
	for i := uint64(0); i < min(rounds, maxRounds) && len(now) > 0; i++ {
		args[1] = r.a.constant(i)
		var next []*State
		for _, t := range now {
			for _, out := range r.enter(pc, int(fn.Obj), t, args) {
				end, known := out.get(bytecode.R0).constant()
				switch {
				case !known || out.doubt:
				case end != 0 || i+1 == rounds && n.fixed():
					after = append(after, r.behindLoop(t, out, i+1))
				case len(next) < maxRoundStates:
					next = append(next, r.behindLoop(t, out, 0))
				}
			}
		}
		now = next
	}
	return after
}

// behindLoop returns the state after a round: s is the state before it, and out the one in which
// the callback returned.
func (r *run) behindLoop(s, out *State, rounds uint64) *State {
	t := out.fork()
	copy(t.regs[:bytecode.R6], []*Value{r.a.constant(rounds), nil, nil, nil, nil, nil})
	copy(t.regs[bytecode.R6:], s.regs[bytecode.R6:])
	t.endArgs()
	return t
}

// round returns the index of a round of bpf_loop with at most n rounds. By rules Executions it is
// loose, because n or the callback may end the loop earlier.
func (r *run) round(n *Value) *Value {
	if r.a.opt.Rules != Executions {
		return unknownNumber
	}
	last := uint64(8<<20) - 1 // BPF_MAX_LOOPS (include/linux/bpf.h, Linux 5.17 to 7.3)
	if n.is(Number) && n.Off.Umin() > 0 {
		last = min(last, n.Off.Umax()-1)
	}
	return number(scalar.Range(0, last)).loosened()
}
