package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestRounds states that no instruction is dead to which a walk comes that forgets numbers in another
// round of a loop as the verifier does.
func TestRounds(t *testing.T) {
	const most = 5_000
	walked, forgot := 0, 0
	for seed := range uint64(200) {
		p := progen.Rounds(seed)
		g, err := cfg.Build(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := newWalker(p, g, WalkOptions{Steps: most})
		if w.all(); w.out.Ending != AllPaths {
			continue
		}
		walked++
		f, plain := Analyze(p, g, Options{Rules: Verifier}), Analyze(p, g, Options{})
		more := false
		for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
			if w.places[pc].seen == cfg.No {
				continue
			}
			more = more || plain.Reach(pc) == cfg.No
			if f.Reach(pc) == cfg.No {
				t.Errorf("seed %d, slot %d %q: dead, and a walk comes there", seed, pc, p.Text(pc))
			}
		}
		if more {
			forgot++
		}
	}
	if walked < 100 || forgot < 3 {
		t.Error("the programs do not try it")
	}
	t.Logf("%d programs walked; in %d of them the walk comes where no execution does", walked, forgot)
}

// TestRoundsApart: the verifier forgets a number in another round unless it is exactly the one of
// the round before, links counted (kernel/bpf/states.c widen_imprecise_scalars and regs_exact). A
// link of its own, of a number that nothing shows to be linked, is left to the quirk.
func TestRoundsApart(t *testing.T) {
	low, high := number(scalar.Range(0, 7)), number(scalar.Range(8, 15))
	ptr := pointer(Stack, 0, -8)
	for i, tt := range []struct {
		v, w *Value
		want [2]bool // without and with the quirk
	}{
		{low, high, [2]bool{true, true}},
		{low, number(scalar.Range(0, 7)), [2]bool{false, true}},
		{low, low.linked(1, 0, 0), [2]bool{true, true}},
		{low.marked(), number(scalar.Range(0, 7)), [2]bool{true, true}},
		{constant(1), constant(2), [2]bool{true, true}},
		{constant(1), constant(1), [2]bool{false, false}},
		{low, ptr, [2]bool{false, false}},
		{ptr, high, [2]bool{false, false}},
		{nil, high, [2]bool{false, false}},
	} {
		for k, lone := range []bool{false, true} {
			if got := (roundsApart{lone, new(bool)}).differ(tt.v, tt.w); got != tt.want[k] {
				t.Errorf("%d: %v and %v, quirk %v: %v", i, tt.v, tt.w, lone, got)
			}
		}
	}
}
