package cfg

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// ProblemKind is a kind of error in the control flow of an instruction.
type ProblemKind uint8

// The kinds of problem.
const (
	JumpOutOfRange ProblemKind = iota + 1 // a direct jump leaves its subprogram
	JumpMidLoad                           // a direct jump goes to the second slot of a 64-bit immediate load
	FallsOff                              // control runs over the end of the subprogram
	CutLoad                               // the second slot of a 64-bit immediate load lies beyond the subprogram
	BadCallee                             // a call or address load of a slot that starts no subprogram
)

// problemNames holds the names of the kinds of problem.
var problemNames = [...]string{
	"invalid", "jump-out-of-range", "jump-mid-ldimm64", "falls-off", "cut-ldimm64", "bad-callee",
}

// String returns the kind's name, for example "jump-out-of-range".
func (k ProblemKind) String() string {
	if int(k) < len(problemNames) {
		return problemNames[k]
	}
	return problemNames[0]
}

// Problem is an impossible edge. No kernel loads a program that has one.
type Problem struct {
	PC   bytecode.PC // the instruction
	Kind ProblemKind
	// Text is the message of Linux 7.3: kernel/bpf/verifier.c check_subprogs, add_subprogs and
	// check_and_resolve_insns, kernel/bpf/cfg.c bpf_check_cfg. Linux stops at the first problem,
	// in an order of its own.
	Text string
}

// BadTarget is a target in Targets that cannot be an edge.
type BadTarget struct {
	PC     bytecode.PC // the instruction
	Target bytecode.PC
	Why    string // in a few words
}

// sortFindings sorts problems and bad targets into their fixed order.
func (g *Graph) sortFindings() {
	slices.SortStableFunc(g.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.PC, b.PC), cmp.Compare(a.Kind, b.Kind))
	})
	slices.SortStableFunc(g.BadTargets, func(a, b BadTarget) int {
		return cmp.Or(cmp.Compare(a.PC, b.PC), cmp.Compare(a.Target, b.Target))
	})
}

// problemText returns Linux's message for a problem at pc whose edge would have gone to the slot
// to.
func problemText(kind ProblemKind, pc, to bytecode.PC) string {
	switch kind {
	case JumpOutOfRange:
		return fmt.Sprintf("jump out of range from insn %d to %d", pc, to)
	case JumpMidLoad:
		return fmt.Sprintf("jump into the middle of ldimm64 insn %d", to-1)
	case FallsOff:
		return "last insn is not an exit or jmp"
	case CutLoad:
		return "invalid bpf_ld_imm64 insn"
	case BadCallee:
		return "call to invalid destination"
	}
	panic("bug: no text for problem " + kind.String())
}
