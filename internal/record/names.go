package record

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Numbers of the map types that are treated specially
// (include/uapi/linux/bpf.h, Linux 7.3).
const (
	MapArray     = 2
	MapProgArray = 3
	MapArena     = 33
	MapInsnArray = 34
)

// MapTypeNumber returns the number of a map type given by name or number.
func MapTypeNumber(s string) (uint32, error) { return number("map type", bytecode.MapTypes(), s) }

// InsnArray is the name of the type of instruction arrays.
const InsnArray = "insn_array"

// ProgTypeName returns the name of a program type given by name or number;
// a number without a name stays a number.
func ProgTypeName(s string) string {
	n, err := strconv.ParseUint(s, 10, 32)
	if names := bytecode.ProgTypes(); err == nil && n < uint64(len(names)) {
		return names[n]
	}
	return s
}

func number(what string, names []string, s string) (uint32, error) {
	if n, err := strconv.ParseUint(s, 0, 32); err == nil {
		return uint32(n), nil
	}
	if i := slices.Index(names, s); i >= 0 {
		return uint32(i), nil
	}
	return 0, fmt.Errorf("unknown %s %q", what, s)
}
