package rules

import (
	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// lateFields checks register numbers and reserved fields of an instruction that
// a path has reached.
//
// Source: kernel/bpf/verifier.c do_check_insn, Linux 6.19. An indirect jump
// through a register that does not exist is not looked at there: the kernel
// reads beyond the end of its array of registers.
func (c *checker) lateFields(pc bytecode.PC) *Verdict {
	in := c.p.Insns[pc]
	switch {
	case in.Code == bytecode.CodeLdImm64:
		if in.Off != 0 {
			return reject(pc, Encoding, "BPF_LD_IMM64 uses reserved fields")
		}
		return nil
	case in.IsGotox() && in.Dst > bytecode.R10:
		return c.set.verdict(abstract.Fault{PC: pc, Kind: abstract.UnsetTarget, Proven: true, Reg: in.Dst})
	}
	if msg := c.set.badFields(in); msg != "" {
		return reject(pc, Encoding, msg)
	}
	if msg := c.set.badRegister(in); msg != "" {
		return reject(pc, Encoding, msg)
	}
	return nil
}
