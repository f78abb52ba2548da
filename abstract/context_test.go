package abstract

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestContextOfEachType wants a decision for each program type: the pointers in its context are
// listed, or it is one of those whose context is not a structure of its own.
func TestContextOfEachType(t *testing.T) {
	arguments := []string{"tracing", "struct_ops", "lsm"} // of a kernel function, known from its BTF
	other := []string{"unspec", "ext"}                    // the context of a type that is not known
	for _, name := range bytecode.ProgTypes() {
		_, _, known := contextPointer(name, 0, 8)
		if unlisted := slices.Contains(slices.Concat(arguments, other), name); known == unlisted {
			t.Errorf("program type %s: known context %v; list its pointers in contextPointers (memory.go) or say in this "+
				"test why that is impossible", name, known)
		}
	}
}
