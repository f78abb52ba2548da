// Package rules checks a program against the control-flow rules of a Linux kernel: whether it
// passes, and if not, with which message at which instruction.
//
//	s, err := rules.Lookup("linux-6.19")
//	v := s.Static(p)                       // before values are computed
//	v, err = s.Judge(p)                    // with values
//	fmt.Println(v.Accept, v.Message, v.PC) // false unreachable insn 6 6
//
// A Set is a kernel's rules as data. The checks run in the kernel's order,
// because the first one that fails decides the message: subprograms and jump
// ranges, instruction fields and references (with the binding of instruction
// arrays), the depth-first walk with its jump tables, recursion, and then the
// paths, in the order in which the kernel follows them. They are the rules for a
// loader with CAP_BPF and CAP_PERFMON. docs/evidence/kernel-rules.md shows how often each
// was compared with a real kernel.
//
// Package abstract computes the possible values of a register at an indirect jump.
// Program types, helper arguments and kernel objects are mostly not checked: Accept
// means that no control-flow rule refuses the program.
package rules

import (
	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Verdict is the outcome of a check.
type Verdict struct {
	Accept  bool
	Message string      // the kernel's last line, empty when accepted
	Lead    string      // the line before, if it has the details; mostly empty
	PC      bytecode.PC // instruction the message is about, -1 when it is about none
	Errno   string      // "EINVAL"; empty when accepted
	Rule    Rule        // the broken rule
	// Fault is the fault of rule Values. Its kind is NoFault for other rules.
	Fault abstract.Fault
	// May is, of a program that passes, a limit of the kernel that may be exceeded.
	// It is nil when none was seen.
	May *Verdict
}

// Text returns the kernel's message, its lines separated by semicolons.
func (v *Verdict) Text() string {
	if v.Lead == "" {
		return v.Message
	}
	return v.Lead + "; " + v.Message
}

// Says reports whether a line is one of the kernel's message.
func (v *Verdict) Says(line string) bool {
	return line == v.Message || v.Lead != "" && line == v.Lead
}

// Rule is the rule that a program breaks.
type Rule uint8

// The rules. Those with a table or a jump in their name are about the graph.
const (
	NoRule      Rule = iota
	Encoding         // an opcode, register number or field
	Ending           // a subprogram that does not end in a jump or exit
	JumpLeaves       // a direct jump that leaves its subprogram
	TableLeaves      // a jump table that leaves its subprogram
	JumpForeign      // an indirect jump that leaves its subprogram
	MidLoad          // a jump to the second slot of a 64-bit load
	Unreachable      // code without an edge to it
	NoTable          // an indirect jump in a subprogram without a table
	Binding          // a table that does not fit the program
	TableOffset      // a reference to a bad offset of a table
	Calls            // calls between subprograms
	Endless          // a loop that nothing leaves
	TooLarge         // a limit of the kernel's
	Values           // values of registers and memory: see Verdict.Fault
	Unwinding        // exceptions that continue at landing pads: only in May
)

// reject returns a refusal with EINVAL.
func reject(pc bytecode.PC, rule Rule, msg string) *Verdict {
	return &Verdict{Message: msg, PC: pc, Errno: "EINVAL", Rule: rule}
}

// Static checks a program by everything that comes before value analysis.
//
// Source: the order of kernel/bpf/verifier.c bpf_check, Linux 7.3.
func (s Set) Static(p *bytecode.Program) Verdict {
	if v := newChecker(s, p).static(); v != nil {
		return *v
	}
	return accepted()
}

// accepted returns the verdict that lets a program pass.
func accepted() Verdict { return Verdict{Accept: true, PC: -1} }

// checker holds the state that the steps share.
type checker struct {
	set    Set
	p      *bytecode.Program
	starts []bytecode.PC // subprogram entries, then the program's length
	bound  []bool        // of each table: claimed by the program so far
	order  []int         // tables in the order of being claimed
	second []bool        // of each slot: second half of a 64-bit load

	unwinds bool     // exceptions continue at landing pads in the program, and in the kernel
	may     *Verdict // the first refusal that is not certain because of them

	calls *callSites // see paths.sites; nil until needed, shared by copies
}

func newChecker(s Set, p *bytecode.Program) *checker {
	c := &checker{set: s, p: p, bound: make([]bool, len(p.Tables)), calls: new(callSites)}
	c.unwinds = s.Undecided(p)
	return c
}

// unless returns a refusal, or nil if landing pads may prevent it.
func (c *checker) unless(v *Verdict) *Verdict {
	if !c.unwinds {
		return v
	}
	if c.may == nil {
		c.may = v
	}
	return nil
}

// undecided is the verdict on a program in which exceptions continue at landing pads: no kernel's
// rules for them are known.
func (c *checker) undecided() Verdict {
	v := accepted()
	if v.May = c.may; v.May == nil {
		pc, _ := c.p.Unwinds()
		v.May = reject(pc, Unwinding, UnwindText)
	}
	return v
}

// Undecided reports whether no rules are known for the program: exceptions continue at landing pads
// in it, and in the kernel. Check then only returns May.
func (s Set) Undecided(p *bytecode.Program) bool {
	_, unwinds := p.Unwinds()
	return s.Unwinds && unwinds
}

// UnwindText is the message about a program in which exceptions continue at landing pads. The
// message is ours.
const UnwindText = "no kernel is known that takes exceptions with landing pads"

// static runs the checks before value analysis and returns the first refusal,
// or nil.
func (c *checker) static() *Verdict {
	steps := []func() *Verdict{
		c.lastInsn, c.bindFDArray, c.exceptionTags, c.subprograms, c.jumpRanges, c.results, c.instructions, c.walk,
		c.recursion,
	}
	for _, step := range steps {
		if v := step(); v != nil {
			return v
		}
	}
	return nil
}

// lastInsn refuses a program that ends in half a load.
func (c *checker) lastInsn() *Verdict {
	n := c.p.Len()
	if n > 0 && c.p.Insns[n-1].Code == bytecode.CodeLdImm64 {
		return reject(n-1, Encoding, "invalid bpf_ld_imm64 insn")
	}
	return nil
}
