package golden

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestHash states that the hash depends on all that a program submits which
// decides where it can go: instructions, and each table's entries.
func TestHash(t *testing.T) {
	base := func() *bytecode.Program {
		return &bytecode.Program{
			Insns:  []bytecode.Insn{{Code: 0xb7, Imm: 1}, {Code: bytecode.CodeExit}},
			Tables: []bytecode.JumpTable{{Targets: []bytecode.PC{0, 1}}, {Targets: []bytecode.PC{1}}},
		}
	}
	same := Hash(base())
	if Hash(base()) != same {
		t.Fatal("two hashes of one program differ")
	}
	for name, change := range map[string]func(*bytecode.Program){
		"immediate": func(p *bytecode.Program) { p.Insns[0].Imm = 2 },
		"entry":     func(p *bytecode.Program) { p.Tables[0].Targets[1] = 0 },
		"moved entry": func(p *bytecode.Program) {
			p.Tables[0].Targets, p.Tables[1].Targets = []bytecode.PC{0}, []bytecode.PC{1, 1}
		},
		"missing table": func(p *bytecode.Program) { p.Tables = p.Tables[:1] },
	} {
		p := base()
		if change(p); Hash(p) == same {
			t.Errorf("%s: the hash does not change", name)
		}
	}
}
