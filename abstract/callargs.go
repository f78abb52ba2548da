package abstract

import (
	"math"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// callArg is a number for an argument of a call, or none, over all states at the call. If all
// states have the same, so has the verifier. If they differ, some may belong to none of its paths;
// only different numbers in certain states show that it has different ones, too.
type callArg struct {
	all  int64 // in all states
	own  int64 // in all certain states
	some bool  // there are certain states
}

// none says that there is no such argument, or different ones.
const none = math.MinInt64

// unknownArg is an argument of which nothing is known.
var unknownArg = callArg{all: none}

// arg returns the argument of one state.
func arg(v int64, s *State) callArg { return callArg{all: v, own: v, some: s.certain()} }

// noArg says that a state has no such argument.
func noArg(s *State) callArg { return arg(none, s) }

// numberArg returns an argument that is a number up to a limit. The verifier may know more
// of a loose one.
func numberArg(v *Value, limit uint64, s *State) callArg {
	if k, ok := v.constant(); ok && k <= limit {
		return arg(int64(k), s)
	}
	if v.has(func(a *Alt) bool { return a.flags&loose != 0 }) {
		return unknownArg
	}
	return noArg(s)
}

// certain reports whether the argument is the same for the verifier.
func (a callArg) certain() bool { return a.all != none || a.some && a.own == none }

// join returns the argument of the states of both.
func (a callArg) join(b callArg) callArg {
	if a.all != b.all {
		a.all = none
	}
	switch {
	case !a.some:
		a.own, a.some = b.own, b.some
	case b.some && a.own != b.own:
		a.own = none
	}
	return a
}

// or returns the value, or another one if there is none.
func (a callArg) or(other int64) int64 {
	if a.all == none {
		return other
	}
	return a.all
}

// callArgs are the arguments of a call that decide how Linux rewrites it: the index of a map, of
// an inner one its complement; a key; a subprogram; whether the flags are 0.
type callArgs [4]callArg

const (
	argMap = iota
	argKey
	argFunc
	argZero
)

// note adds the arguments of a state to those of a call.
func (r *run) note(pc bytecode.PC, a callArgs) {
	if old, seen := r.a.f.calls[pc]; seen {
		for i := range a {
			a[i] = old[i].join(a[i])
		}
	}
	r.a.f.calls[pc] = a
}

// both combines the knowledge of two analyses about the arguments of a call.
func (a callArgs) both(b callArgs) callArgs {
	for i := range a {
		if !a[i].certain() {
			a[i] = b[i]
		}
	}
	return a
}

// call returns what is known of a call.
func (a callArgs) call(pc bytecode.PC) Call {
	m := a[argMap].or(-1)
	c := Call{PC: pc, Map: int(m), Key: a[argKey].or(-1), Func: int(a[argFunc].or(-1)), Zero: a[argZero].all == 0,
		MapCertain: a[argMap].certain(), KeyCertain: a[argKey].certain(), FuncCertain: a[argFunc].certain(),
		ZeroCertain: a[argZero].certain()}
	if m < 0 && a[argMap].all != none {
		c.Map, c.Inner = int(^m), true
	}
	return c
}
