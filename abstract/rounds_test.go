package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestRounds states that no instruction is dead to which a walk comes that forgets numbers in another
// round of a loop as the verifier does.
func TestRounds(t *testing.T) {
	const most = 5_000
	walked, forgot := 0, 0
	for seed := range uint64(120) {
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
	if walked < 60 || forgot < 3 {
		t.Error("the programs do not try it")
	}
	t.Logf("%d programs walked; in %d of them the walk comes where no execution does", walked, forgot)
}
