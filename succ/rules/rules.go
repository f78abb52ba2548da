// Package rules says what Linux's control-flow rules make of a program: whether
// the checks that come before value analysis let it pass, and if not, with
// which message at which instruction.
//
//	v := rules.Static(p)
//	fmt.Println(v.Accept, v.Message, v.PC) // false unreachable insn 6 6
//
// The checks run in the kernel's order, because the first one that fails
// decides the message: subprograms and jump ranges, instruction fields and
// references (with the binding of instruction arrays), the depth-first walk
// with its jump tables, recursion. They are those of Linux 7.3 for a loader
// with CAP_BPF and CAP_PERFMON.
//
// The package does no value analysis: what a register may hold at an indirect
// jump is judged by package abstract. It knows nothing of program types, helper
// arguments or memory bounds, so a program that passes may still be refused.
package rules

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// Name names the rule set in output.
const Name = "linux-7.3"

// Verdict is the outcome of a check.
type Verdict struct {
	Accept  bool
	Message string      // the kernel's line, empty when accepted
	PC      bytecode.PC // instruction the message is about, -1 when it is about none
	Errno   string      // "EINVAL"; empty when accepted
}

// reject returns a refusal with EINVAL.
func reject(pc bytecode.PC, msg string) *Verdict {
	return &Verdict{Message: msg, PC: pc, Errno: "EINVAL"}
}

// Static checks a program by everything that comes before value analysis.
//
// Source: the order of kernel/bpf/verifier.c bpf_check, Linux 7.3.
func Static(p *bytecode.Program) Verdict {
	c := &checker{p: p, bound: make([]bool, len(p.Tables))}
	steps := []func() *Verdict{
		c.lastInsn, c.bindFDArray, c.subprograms, c.jumpRanges, c.instructions, c.walk, c.recursion,
	}
	for _, step := range steps {
		if v := step(); v != nil {
			return *v
		}
	}
	return Verdict{Accept: true, PC: -1}
}

// checker holds what the steps hand on.
type checker struct {
	p      *bytecode.Program
	starts []bytecode.PC // subprogram entries, then the program's length
	bound  []bool        // of each table: claimed by the program so far
	order  []int         // tables in the order of being claimed
	second []bool        // of each slot: second half of a 64-bit load
}

// lastInsn refuses a program that ends in half a load.
func (c *checker) lastInsn() *Verdict {
	n := c.p.Len()
	if n > 0 && c.p.Insns[n-1].Code == bytecode.CodeLdImm64 {
		return reject(n-1, "invalid bpf_ld_imm64 insn")
	}
	return nil
}
