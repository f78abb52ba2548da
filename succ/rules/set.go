package rules

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Name names the default rule set in output.
const Name = "linux-7.3"

// Set is the rules of a kernel as far as kernels differ in them, by package kernel. Rules that are
// not here are the same in all kernels.
type Set struct {
	Name string // "linux-7.3"

	// V4 reports whether the instructions of -mcpu=v4 are known, MayGoto whether
	// may_goto is, MayGotoZero whether may_goto +0 is fine.
	V4, MayGoto, MayGotoZero bool
	// Indirect reports whether there are indirect jumps and instruction arrays.
	Indirect bool
	// LastGotox reports whether an indirect jump may end a subprogram. Linux 6.19 treats it as a
	// jump to the next instruction.
	LastGotox bool
	// LateFields reports whether register numbers and reserved fields are checked only when a path
	// reaches the instruction, not before.
	LateFields bool
	// OffsetErrno is the error for a reference to a bad offset of a table.
	OffsetErrno string
	// PerSubprogram reports whether the targets of a subprogram's indirect jumps are computed once,
	// and a table that spans subprograms is reported with its map.
	PerSubprogram bool
	// MaxJumpEdges limits the edges of all indirect jumps together; 0 is no limit.
	MaxJumpEdges int
	// StaticCallx reports whether indirect calls of static subprograms are
	// accepted.
	StaticCallx bool
	// FixedOffsets reports whether the constant part of a pointer's offset is separate from the
	// variable part in messages.
	FixedOffsets bool
	// KeepsTargets reports whether rewriting neither deletes the targets of
	// indirect jumps nor puts code before them where they then lead.
	KeepsTargets bool
	// DeepCalls reports whether calls nest 16 deep, not 8.
	DeepCalls bool
	// CallbackLimits reports whether callbacks may neither load packets by LD_ABS nor tail call.
	// Some stable releases of older kernels differ: 6.12.117 refuses the loads, 6.19.14 accepts
	// both.
	CallbackLimits bool
	// ContextStores reports whether an instruction may store a constant into the context;
	// before, it had to be in a register.
	ContextStores bool
	// Exceptions reports whether there are exceptions, and callbacks for them.
	Exceptions bool
	// StackArgs reports whether arguments can be passed on the stack, through r11.
	StackArgs bool
	// LeakWords reports whether the message about a reference that is held where a program may end
	// is the same everywhere.
	LeakWords bool
	// Quirks are differences in how values are computed.
	Quirks abstract.Quirks
	// Unwinds reports whether exceptions may continue at landing pads. The rules of such a kernel
	// are not known: it certainly refuses nothing from there on.
	Unwinds bool
	// DeepRecursion reports whether recursion is found only when calls nest too
	// deep, not before values are computed.
	DeepRecursion bool
}

// Linux73 returns the default set: the rules of Linux 7.3.
func Linux73() Set { return Of(kernel.Of(7003)) }

// Of returns the rules of a kernel.
func Of(k kernel.Features) Set {
	s := Set{
		Name: k.Version.Name(), V4: k.Has(kernel.InsnV4), MayGoto: k.Has(kernel.MayGoto),
		MayGotoZero: k.Has(kernel.TimedMayGoto),
		Indirect:    k.Has(kernel.Gotox), LastGotox: k.Has(kernel.LastGotox),
		LateFields: k.Has(kernel.LateFields), OffsetErrno: "EINVAL", PerSubprogram: k.Has(kernel.TablesByMap),
		StaticCallx: k.Has(kernel.StaticCallx), FixedOffsets: k.Has(kernel.FixedOffsets),
		KeepsTargets: k.Has(kernel.KeepTargetNops), DeepRecursion: k.Has(kernel.DeepRecursion),
		Exceptions:    k.Has(kernel.Exceptions),
		ContextStores: k.Has(kernel.ContextStores),
		StackArgs:     k.Has(kernel.StackArgs), DeepCalls: k.Has(kernel.DeepCalls),
		CallbackLimits: k.Has(kernel.CallbackLimits), LeakWords: k.Has(kernel.LeakWords),
		Unwinds: k.Has(kernel.Unwinding),
		Quirks:  abstract.QuirksOf(k),
	}
	if k.Has(kernel.OffsetIsAccess) {
		s.OffsetErrno = "EACCES"
	}
	if k.Has(kernel.JumpEdgeLimit) {
		s.MaxJumpEdges = 1_000_000
	}
	return s
}

// frames returns how many frames a chain of calls may have (MAX_CALL_FRAMES).
func (s Set) frames() int {
	if s.DeepCalls {
		return 16
	}
	return 8
}

// Lookup returns the rules of the kernel with a name, "linux-7.3", or of a release
// of it, "linux-7.3.4". The empty name is the default.
func Lookup(name string) (Set, error) {
	if name == "" {
		return Linux73(), nil
	}
	v, err := kernel.Parse(name)
	if err != nil || !strings.HasPrefix(name, "linux-") || v < kernel.Oldest {
		return Set{}, fmt.Errorf("no rules for the kernel %q: want linux-%s or newer, or linux-next",
			name, kernel.Oldest)
	}
	return Of(kernel.Of(v)), nil
}
