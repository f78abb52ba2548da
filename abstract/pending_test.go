package abstract_test

import (
	"os"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// TestPending checks that no number which the loader writes decides anything:
// each program of pending.c goes both ways, by Linux's rules too. Linux 6.18
// takes field and type to their second branch, whatever the compiler wrote.
func TestPending(t *testing.T) {
	const file = "../cfg/load/testdata/pending.o"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Programs) != 7 {
		t.Fatalf("%d programs", len(o.Programs))
	}
	for _, p := range o.Programs {
		if len(p.Relocs) == 0 {
			t.Errorf("%s: no relocations", p.Name)
		}
		for _, rules := range []abstract.Rules{abstract.Executions, abstract.Verifier} {
			g, f := analyze(t, p, rules)
			for b := range g.Blocks {
				if !f.BlockReached(cfg.BlockID(b)) {
					t.Errorf("%s: rules %d: b%d is not reached", p.Name, rules, b)
				}
			}
			for _, fault := range f.Faults() {
				t.Errorf("%s: rules %d: %+v", p.Name, rules, fault)
			}
		}
	}
}
