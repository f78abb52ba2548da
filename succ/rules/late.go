package rules

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// lateFields checks register numbers and reserved fields of an instruction that
// a path has reached.
//
// Source: kernel/bpf/verifier.c do_check_insn, Linux 6.19. It does not check an indirect jump
// through a register that does not exist: see beyond.
func (c *checker) lateFields(pc bytecode.PC) *Verdict {
	in := c.p.Insns[pc]
	switch {
	case in.Code == bytecode.CodeLdImm64:
		if in.Off != 0 {
			return reject(pc, Encoding, "BPF_LD_IMM64 uses reserved fields")
		}
		return nil
	case in.IsGotox() && in.Dst > bytecode.R10:
		return c.beyond(pc, in.Dst)
	}
	if msg := c.set.badFields(in); msg != "" {
		return reject(pc, Encoding, msg)
	}
	if msg := c.set.badRegister(in); msg != "" {
		return reject(pc, Encoding, msg)
	}
	return nil
}

// noCaller is the kernel's text for the type -1, which has all flags of a type and no name.
const noCaller = "rdonly_ringbuf_user_percpu_rcu_untrusted_trusted_(null)_or_null"

// beyond returns the refusal of an indirect jump through a register that does not exist. The kernel
// reads the memory after its registers as one. It begins with the calling instruction, -1 in the
// main program, in place of the register's type; the rest is not known.
//
// Source: include/linux/bpf_verifier.h struct bpf_func_state, kernel/bpf/log.c reg_type_str, Linux
// 6.19; recorded on 6.19.14 and 7.0.13.
func (c *checker) beyond(pc bytecode.PC, reg bytecode.Reg) *Verdict {
	v := c.set.verdict(abstract.Fault{PC: pc, Kind: abstract.UnsetTarget, Proven: true, Reg: reg})
	if reg == bytecode.R10+1 && c.p.SubprogAt(pc) == 0 {
		v.Message = fmt.Sprintf("R%d has type %s, expected PTR_TO_INSN", reg, noCaller)
	}
	return v
}
