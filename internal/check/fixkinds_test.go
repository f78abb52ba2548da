package check

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestFaultFixes checks that each kind of fault that is told of as a refusal says
// what to do, and that no other one does.
func TestFaultFixes(t *testing.T) {
	c := &context{p: &bytecode.Program{Insns: []bytecode.Insn{{Code: bytecode.CodeExit}}}}
	for k := abstract.NoFault + 1; k <= abstract.NoFunction; k++ {
		id := c.kindOfFault(&abstract.Fault{Kind: k})
		// refusalFix handles indirect calls before it looks at the fault.
		if want := id == KernelRefuses && k != abstract.NoFunction; (faultFixes[k] != "") != want {
			t.Errorf("kind %d, told of as %s: fix %q", k, id, faultFixes[k])
		}
	}
}
