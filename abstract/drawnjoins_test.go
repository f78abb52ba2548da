package abstract

import (
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestOverReadings: a number that stands for another one depends on all that either of them was
// computed of, and tells nothing as its own that a branch has told of the other.
func TestOverReadings(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	number := func() *Value {
		few := func() uint64 { return rnd.Uint64() & rnd.Uint64() & 15 }
		return &Value{Alt: Alt{Kind: Number, Off: scalar.Range(0, 100), src: &readings{from: few(), bits: few(), tested: few()}}}
	}
	for range 2000 {
		v, w := number(), number()
		got, a, b := v.over(w).src, v.src, w.src
		if got.from&a.from != a.from || got.from&b.from != b.from || got.bits&(a.bits|b.bits) != a.bits|b.bits ||
			got.tested&(a.tested|b.tested) != a.tested|b.tested {
			t.Fatalf("%+v over %+v: %+v", *a, *b, *got)
		}
	}
}

// TestLinkedCoverNothingElse: a state in which two numbers are linked does not cover one in which each of
// them is linked to another one: what a branch tells of the one does not hold for the other.
func TestLinkedCoverNothingElse(t *testing.T) {
	state := func(ids ...uint32) *State {
		s := topState()
		s.cover = false
		for i, id := range ids {
			s.put(int(bytecode.R1)+i, unknownNumber.linked(id, 0, 0))
		}
		s.ids = 2
		return s
	}
	linked, apart := state(1, 1, 2, 2), state(1, 2, 1, 2)
	for _, rules := range []Rules{Verifier, Executions} {
		if apart.leq(linked, rules) || linked.leq(apart, rules) || state(1, 2).leq(state(1, 1), rules) {
			t.Errorf("rules %v: numbers that are linked in another way are covered", rules)
		}
		if !linked.leq(state(2, 2, 1, 1), rules) {
			t.Errorf("rules %v: other names of links make a difference", rules)
		}
	}
}

// TestReadsBack: what bpf_fib_lookup and bpf_check_mtu leave behind depends on what they were given
// there (include/uapi/linux/bpf.h, Linux 5.12 to 7.3), so no execution is known for each value.
func TestReadsBack(t *testing.T) {
	for helper, want := range map[int32]byteKind{69: byteMisc, 163: byteMisc, 105: byteOutside} { // 105: bpf_strtol
		var a progen.Asm
		a.Helper(helper)
		p := a.Program("helper")
		r := &run{a: &analyzer{p: p, opt: Options{Rules: Executions}}}
		s := topState()
		s.regs[bytecode.R3] = constant(64)
		i := map[int32]int{69: 2, 163: 3, 105: 4}[helper]
		if got := r.written(calleeAt(p, 0), i, true, s); got != want {
			t.Errorf("helper %d: %v, want %v", helper, got, want)
		}
	}
}
