package abstract_test

import (
	"os"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// TestKptrs loads from values of maps. In each program is an instruction that Linux 7.3.4 visits
// if what it loads is a pointer, as the program's name says.
func TestKptrs(t *testing.T) {
	const path = "../cfg/load/testdata/kptrs.o"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(path, data)
	if err != nil {
		t.Fatal(err)
	}
	// The kernel knows the place in a value, and looks neither through names nor into unions.
	perhaps := map[string]bool{"number_beside": true, "number_named": true, "number_either": true}
	pointers, numbers := 0, 0
	for _, p := range o.Programs {
		_, f := analyze(t, p, abstract.Verifier)
		pc := p.Len() - 4 // r0 = 7
		if in := p.Insns[pc]; in.Code != mov || in.Imm != 7 {
			t.Fatalf("%s: %v is %v", p.Name, pc, in)
		}
		switch got := f.Reach(pc); {
		case strings.HasPrefix(p.Name, "pointer_"):
			if pointers++; got == cfg.No {
				t.Errorf("%s: what only a pointer reaches is dead", p.Name)
			}
		case perhaps[p.Name]:
		default:
			if numbers++; got != cfg.No {
				t.Errorf("%s: what no number reaches: %v", p.Name, got)
			}
		}
	}
	if pointers != 5 || numbers != 6 {
		t.Errorf("%d pointers and %d numbers", pointers, numbers)
	}
}
