package abstract

import (
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestDropStates demands that dropping states makes no difference: all facts are the same,
// and states that are asked for are there.
func TestDropStates(t *testing.T) {
	dropped, complete := 0, 0
	compare := func(name string, p *bytecode.Program) {
		g, err := cfg.Build(p, nil)
		if err != nil {
			return
		}
		for _, rules := range []Rules{Verifier, Executions} {
			kept := Analyze(p, g, Options{Rules: rules, all: true})
			f := Analyze(p, g, Options{Rules: rules, large: 1})
			if f.droppedStates == nil {
				complete++
				if !slices.ContainsFunc(p.Insns, func(in bytecode.Insn) bool { return in.IsGotox() || in.IsCallx() }) {
					t.Errorf("%s: a state came to a block whose states were dropped", name)
				}
				continue
			}
			dropped++
			if rules == Verifier { // what a walk finds dead has no states to lose
				Settle(p, f, Options{Rules: rules, large: 1}, 1<<16)
			}
			for b := range g.Blocks {
				if got, want := f.EntryText(cfg.BlockID(b)), kept.EntryText(cfg.BlockID(b)); !slices.Equal(got, want) {
					t.Errorf("%s: b%d: states %q, want %q", name, b, got, want)
				}
			}
			a, b := *f, *kept
			a.droppedStates, a.states, b.states = nil, nil, nil
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s: facts differ", name)
			}
		}
	}
	for _, file := range slices.Concat(testenv.Glob(t, "corpus/out/*.o"), testenv.Glob(t, "calls/*.o")) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(file, data)
		if err != nil {
			continue
		}
		for _, p := range o.Programs {
			compare(file+"#"+p.Name, p)
		}
	}
	for _, s := range progen.AllShapes() {
		compare(s.Name, s.Make(300))
	}
	for seed := range uint64(25) {
		compare("copies", progen.Copies(seed))
		compare("stack", progen.Stack(seed, seed%2 == 0))
		mixed, _ := progen.Mixed(seed, 30)
		compare("mixed", mixed)
	}
	t.Logf("states were dropped in %d analyses, not in %d", dropped, complete)
	if dropped < 150 {
		t.Errorf("states were dropped in %d analyses: too few to tell anything", dropped)
	}
}
