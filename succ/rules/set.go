package rules

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract"
)

// Name names the default rule set in output.
const Name = "linux-7.3"

// Set is the rules of a kernel as far as kernels differ in them. What is not
// here is the same in all.
type Set struct {
	Name  string // "linux-7.3"
	About string // where the rules are known from, in a sentence

	// Indirect reports whether there are indirect jumps and instruction arrays.
	Indirect bool
	// LastGotox reports whether an indirect jump may end a subprogram. Linux
	// 6.19 takes it for a jump to the next instruction there.
	LastGotox bool
	// LateFields reports whether register numbers and reserved fields are looked
	// at only when a path reaches the instruction, not before.
	LateFields bool
	// OffsetErrno is the error for a reference to a bad offset of a table.
	OffsetErrno string
	// PerSubprogram reports whether the targets of a subprogram's indirect jumps
	// are computed once, and a table that spans subprograms is told by its map.
	PerSubprogram bool
	// MaxJumpEdges limits the edges of all indirect jumps together; 0 is no limit.
	MaxJumpEdges int
	// StaticCallx reports whether indirect calls of static subprograms are
	// accepted.
	StaticCallx bool
	// FixedOffsets reports whether the constant part of a pointer's offset is
	// kept apart from the variable part, which shows in messages.
	FixedOffsets bool
	// KeepsTargets reports whether rewriting neither deletes the targets of
	// indirect jumps nor puts code in front of them where they then lead.
	KeepsTargets bool
	// Quirks are how values are computed otherwise.
	Quirks abstract.Quirks
	// DeepRecursion reports whether recursion is found only when calls nest too
	// deep, not before values are computed.
	DeepRecursion bool
}

// Linux73 returns the default set: the rules of Linux 7.3.
func Linux73() Set {
	return Set{
		Name: Name, About: "compared with programs that Linux 7.3.4 accepted and refused",
		Indirect: true, LastGotox: true, OffsetErrno: "EACCES",
	}
}

// sets returns all sets, the default first.
func sets() []Set {
	return []Set{
		Linux73(),
		{
			Name: "linux-6.19", About: "compared with programs that Linux 6.19.14 accepted and refused",
			Indirect: true, LateFields: true, OffsetErrno: "EINVAL", FixedOffsets: true, DeepRecursion: true,
			Quirks: abstract.Quirks{NoDivision: true, LostCode: true, NoLoadOffset: true},
		},
		{
			Name: "linux-6.18", About: "Linux 6.19's rules without indirect jumps, which came after it",
			LateFields: true, OffsetErrno: "EINVAL", FixedOffsets: true, DeepRecursion: true,
			Quirks: abstract.Quirks{NoDivision: true},
		},
		{
			Name: "linux-next", About: "development trees after Linux 7.3, by reading: no kernel was asked",
			Indirect: true, LastGotox: true, OffsetErrno: "EACCES", PerSubprogram: true, MaxJumpEdges: 1_000_000,
			StaticCallx: true, KeepsTargets: true,
		},
	}
}

// Names returns the names of all sets, the default first.
func Names() []string {
	var names []string
	for _, s := range sets() {
		names = append(names, s.Name)
	}
	return names
}

// Lookup returns the set with a name. The empty name is the default; a longer
// version, "linux-7.3.4", is the set of its series.
func Lookup(name string) (Set, error) {
	if name == "" {
		return Linux73(), nil
	}
	for _, s := range sets() {
		if name == s.Name || strings.HasPrefix(name, s.Name+".") {
			return s, nil
		}
	}
	return Set{}, fmt.Errorf("no rules for a kernel called %q: there are %s", name, strings.Join(Names(), ", "))
}
