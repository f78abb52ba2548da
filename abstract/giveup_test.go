package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestGiveUp: a state that is given up covers every state that it stands for, whatever that says besides
// its values. Without instructions to spend, a block whose state goes on growing is given up.
func TestGiveUp(t *testing.T) {
	states := 0
	for seed := range uint64(12) {
		for _, p := range []*bytecode.Program{progen.Rounds(seed), progen.Callbacks(seed), progen.Random(seed, 60),
			progen.Stack(seed, true)} {
			g, err := cfg.Build(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, rules := range []Rules{Verifier, Executions} {
				f := Analyze(p, g, Options{Rules: rules})
				for b := range g.Blocks {
					for _, s := range f.statesAt(cfg.BlockID(b)) {
						states++
						checkGivenUp(t, s, rules)
					}
				}
			}
		}
	}
	if states < 1000 {
		t.Errorf("only %d states were tried", states)
	}
}

// checkGivenUp tries a state and those that say more besides their values.
func checkGivenUp(t *testing.T, s *State, rules Rules) {
	t.Helper()
	for _, say := range []func(*State){
		func(*State) {},
		func(s *State) { s.sent = true },
		func(s *State) { s.doubt = true },
		func(s *State) { s.misled = true },
		func(s *State) { s.ghosts = 1 << bytecode.R3 },
		func(s *State) { s.hiddenGhosts = 2 },
		func(s *State) { s.left = true },
	} {
		c := s.fork()
		c.cover = true // a state with less certainty covers none that is certain
		say(c)
		if !c.leq(giveUp(c), rules) {
			t.Fatalf("rules %v: not covered: %+v", rules, *c)
		}
		r := &run{a: &analyzer{opt: Options{Rules: rules}}}
		bs := &blockStates{entries: []entry{{s: s.fork()}}, growth: giveUpGrowth}
		out := r.collapse(bs, c)
		if !c.leq(out, rules) || out.frames[0].groups != (frame{}).groups {
			t.Fatalf("rules %v: not covered, or not given up, without instructions: %+v", rules, *c)
		}
	}
}
