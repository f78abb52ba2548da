package ebpfspec

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// typeName returns the name of a program type; empty for an unknown one of
// Linux.
func typeName(t ebpf.ProgramType) (string, error) {
	if t == ebpf.UnspecifiedProgram {
		return "", nil
	}
	if names := bytecode.ProgTypes(); uint64(t) < uint64(len(names)) {
		return names[t], nil
	}
	if uint32(t)>>28 != 0 { // the tag of another system
		return "", fmt.Errorf("type %v: %w", t, ErrSystem)
	}
	return "", nil
}

// typeOf is the inverse of typeName.
func typeOf(name string) (ebpf.ProgramType, error) {
	if name == "" {
		return ebpf.UnspecifiedProgram, nil
	}
	i := slices.Index(bytecode.ProgTypes(), name)
	if i < 0 {
		return 0, fmt.Errorf("type %s: %w", visible.Text(name), ErrNotInSpec)
	}
	return ebpf.ProgramType(i), nil
}
