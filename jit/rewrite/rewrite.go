// Package rewrite predicts the program that Linux's verifier hands to the JIT:
// it applies to a source program the rewrites that the verifier applies to one
// it has accepted, in the same order, and keeps track of where each instruction
// and each entry of an instruction array ends up.
//
//	r, err := rewrite.Predict(p, rewrite.Facts{Seen: seen}, profile, rewrite.Options{})
//	if err != nil { … }                  // "slot 7: …": the kernel refuses it too
//	first := r.Xlated[8]                 // xlated slot that source slot 8 begins at
//	image, err := jit.Compile(r.Program, profile)
//
// Facts about values (what can execute, which map a call gets) are an input; only
// constants are folded here, as in the kernel's own passes. The package does not
// know the layouts of kernel structures: an access to a context whose
// replacement depends on them stays in place, and its slot is listed in
// Result.Unpredicted. Every other slot is meant to be exact; if a missing fact
// would change it, it is listed as well.
//
// Each rewrite is a pass over an immutable program with jumps as targets, so
// that the cost of each is linear, where the kernel's own patching is not.
//
// Sources: kernel/bpf/verifier.c bpf_check, kernel/bpf/fixups.c,
// kernel/bpf/const_fold.c, kernel/bpf/bpf_insn_array.c, kernel/bpf/core.c, all
// Linux 7.3; checked against programs that Linux 7.3.4 and 6.19.14 produced.
package rewrite

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Options says how the program is loaded.
type Options struct {
	NoCapBPF bool // loaded without CAP_BPF: dead code stays, as self loops
	// NoCapPerfmon: loaded without CAP_PERFMON on a CPU whose speculation the
	// verifier guards against. Indices are masked; arithmetic that may be on
	// pointers is unpredicted, and so are stores that no fact is about.
	NoCapPerfmon bool

	// Blind requests constant blinding: net.core.bpf_jit_harden is 2, or 1 for a loader without
	// CAP_BPF. Random gives the kernel's random numbers, one for each instruction that blinding
	// considers; without it the immediates are unknown, and their slots unpredicted.
	Blind  bool
	Random func() uint32

	AttachType uint32 // expected_attach_type; 0 takes the program's
	// PrivateStack requests private stacks in a struct_ops program, as some
	// subsystems do.
	PrivateStack bool
}

// Result is the predicted program.
type Result struct {
	Program *jit.Program // ready for compilation, without addresses

	// Original holds for each xlated slot the source slot that it comes from;
	// all slots of a replacement come from the replaced one. It is -1 for slots
	// that the verifier added.
	Original []bytecode.PC
	// Xlated holds for each source slot the first xlated slot of its replacement, or jit.Deleted if
	// it was removed. As for entries of an instruction array, that of a function's first
	// instruction includes the code that the verifier put before it.
	Xlated []bytecode.PC
	// Unpredicted lists in order the xlated slots that the kernel fills with something that is not
	// known here.
	Unpredicted []bytecode.PC
	Passes      []PassNote // what each rewrite did, in order
	// Build names the kernel build, "Debian 7.3.4 cloud", whose structures the
	// program accesses: the bytes are for that build. Empty when none decides.
	Build string

	plain  *jit.Program  // the program before blinding
	hidden []bytecode.PC // xlated slots whose immediate is computed from an address
	// unlinked holds the xlated slots that refer to functions which were removed.
	unlinked []bytecode.PC
	kernel   kernel.Features
	maps     []bytecode.Map
}

// PassNote describes the changes of a rewrite.
type PassNote struct {
	Name    string // such as "dead code"
	Changed int    // instructions patched, replaced or removed
	Slots   int    // length of the program afterwards
}

// state is what passes share beside the image.
type state struct {
	src    *bytecode.Program
	facts  Facts
	prof   jit.Profile
	opt    Options
	kernel kernel.Features

	calls map[bytecode.PC]CallFact

	members structs          // of kernel structures; read when first needed
	asked   map[string]found // of members
	build   string           // the build whose members were used
	added   []bytecode.Ref   // of slots that are put before the program

	usedValue, usedStackForm, usedSMP bool // members of the profile that were used

	throws       cfg.Truth
	private      []bool              // by source subprogram: uses a private stack
	tailReaching []bool              // by source subprogram: reaches a tail call
	zext         map[int32]cfg.Truth // source slots that a zero extension follows
	tailCalls    []jit.TailCall      // with PC in source slots
}

// pass is one rewrite. It returns the new image and the number of instructions
// that it changed; with 0, the image is the old one.
type pass struct {
	name string
	run  func(*state, *image) (*image, int, error)
}

// passes lists the rewrites in the order of bpf_check (kernel/bpf/verifier.c,
// Linux 7.3).
func passes() []pass {
	return []pass{
		{"constant branches", pruneBranches},
		{"fastcall spills", removeFastcallSpills},
		{"stack use", surveyStacks},
		{"bpf_loop", inlineLoops},
		{"dead branches", hardWire},
		{"dead code", removeDead},
		{"nops", removeNops},
		{"context accesses", convertAccesses},
		{"prologue", addPrologue},
		{"fixups", fixUp},
		{"loop counters", insertLoopCounters},
		{"zero extension", extendCmpxchg},
	}
}

// Predict returns the program that a kernel with the given profile hands to its JIT. It fails if
// this kernel does not accept the program, as far as the rewrites notice, and if facts do not fit
// the program.
func Predict(p *bytecode.Program, f Facts, prof jit.Profile, opt Options) (*Result, error) {
	res, _, err := predictFor(p, f, prof, prof.Kernel(), opt)
	return res, err
}

// predictFor is Predict with the features of the profile's kernel. It also returns what
// the passes shared.
func predictFor(p *bytecode.Program, f Facts, prof jit.Profile, k kernel.Features, opt Options,
) (*Result, *state, error) {
	if k.Version < kernel.Oldest {
		return nil, nil, fmt.Errorf("profile %q: Linux %q has no rewrites that are known, want %v or newer",
			prof.Name, prof.Version,
			kernel.Oldest)
	}
	im, err := firstImage(p, f)
	if err != nil {
		return nil, nil, err
	}
	if pc := slices.IndexFunc(p.Insns, bytecode.Insn.IsCallx); pc >= 0 && !k.Has(kernel.StaticCallx) {
		return nil, nil, fmt.Errorf("slot %d: no kernel up to Linux 7.3 takes indirect calls", pc)
	}
	if pc, ok := p.Unwinds(); ok {
		return nil, nil, &UnwindError{Insn: pc, Text: bytecode.Text(p.Insns, pc)}
	}
	if im.slots[0].marks&markSeen == 0 {
		return nil, nil, fmt.Errorf("slot 0 cannot be unseen")
	}
	if opt.AttachType == 0 {
		opt.AttachType = p.AttachType
	}
	if slices.ContainsFunc(im.slots, slot.isVariable) && k.Has(kernel.SmallPercpu) {
		im.markVariables()
	}
	st := &state{src: p, facts: f, prof: prof, opt: opt, kernel: k, throws: f.Throws.Or(throws(im))}
	st.calls = make(map[bytecode.PC]CallFact, len(f.Calls))
	for _, c := range f.Calls {
		if c.Map != NoMap && (c.Map < 0 || c.Map >= len(p.Maps)) {
			return nil, nil, fmt.Errorf("slot %d: fact about map %d of %d", c.PC, c.Map, len(p.Maps))
		}
		st.calls[c.PC] = c
	}
	if f.AsyncCallback != nil && len(f.AsyncCallback) != len(im.funcs) {
		return nil, nil, fmt.Errorf("%d facts about callbacks for %d subprograms", len(f.AsyncCallback), len(im.funcs))
	}
	res := &Result{kernel: st.kernel}
	step := func(ps pass) error {
		next, changed, err := ps.run(st, im)
		if err != nil {
			return fmt.Errorf("%s: %w", ps.name, err)
		}
		if len(next.slots) == 0 {
			return fmt.Errorf("%s: no instruction is left", ps.name)
		}
		im = next
		res.Passes = append(res.Passes, PassNote{Name: ps.name, Changed: changed, Slots: len(im.slots)})
		return nil
	}
	for _, ps := range passes() {
		if err := step(ps); err != nil {
			return nil, nil, err
		}
	}
	if opt.Blind {
		if res.plain, err = encode(st, im); err != nil {
			return nil, nil, err
		}
		if err := step(pass{"blinding", blind}); err != nil {
			return nil, nil, err
		}
	}
	res, err = res.finish(st, im)
	return res, st, err
}

// UnwindError is about a program in which an exception continues at a landing pad. It is not known
// how a kernel rewrites and compiles such a program.
type UnwindError struct {
	Insn bytecode.PC // the first such place
	Text string
}

// Error implements error.
func (e *UnwindError) Error() string {
	return fmt.Sprintf("slot %d: no kernel is known that compiles exceptions with landing pads: %s", e.Insn, e.Text)
}

// throws reports whether a call of bpf_throw can execute.
func throws(im *image) cfg.Truth {
	out := cfg.No
	for _, s := range im.slots {
		if !s.in.IsKfuncCall() || s.marks&markSeen == 0 {
			continue
		}
		if ref, ok := im.refAt(s); ok && ref.Name == "bpf_throw" {
			if s.marks&markMaybe == 0 {
				return cfg.Yes
			}
			out = cfg.Maybe
		}
	}
	return out
}
