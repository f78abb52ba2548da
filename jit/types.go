package jit

import "github.com/bpfcfg/bpfcfg/jit/machine"

// What Compile is given and what it makes. The types are those of package
// machine, where nothing compiles.
type (
	Program     = machine.Program
	Func        = machine.Func
	TailCall    = machine.TailCall
	ArenaArgs   = machine.ArenaArgs
	Addresses   = machine.Addresses
	Image       = machine.Image
	FuncImage   = machine.FuncImage
	Reloc       = machine.Reloc
	RelocKind   = machine.RelocKind
	ExtableSite = machine.ExtableSite
)

// Deleted marks a table entry whose instruction the verifier removed.
const Deleted = machine.Deleted

// The forms of relocation sites.
const (
	RelRel32     = machine.RelRel32
	RelCallDepth = machine.RelCallDepth
	RelAbs64     = machine.RelAbs64
	RelAbs32S    = machine.RelAbs32S
)
