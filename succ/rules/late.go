package rules

import (
	"fmt"
	"regexp"
	"strings"

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
			return reject(pc, "BPF_LD_IMM64 uses reserved fields")
		}
		return nil
	case in.IsGotox() && in.Dst > bytecode.R10:
		return reject(pc, fmt.Sprintf("R%d has type ?, expected PTR_TO_INSN", in.Dst))
	}
	if msg := badFields(in); msg != "" {
		return reject(pc, msg)
	}
	if msg := badRegister(in); msg != "" {
		return reject(pc, msg)
	}
	return nil
}

// fault returns the verdict on a fault of values, in the words of the kernel.
func (s Set) fault(f abstract.Fault) *Verdict {
	text := f.Text
	if s.FixedOffsets {
		text = fixedOffset(text, f.Fixed)
	}
	return &Verdict{Message: text, PC: f.PC, Errno: errnoOf(text)}
}

// negativeIndex is how a message on an index that may be negative ends.
const negativeIndex = " min value is negative, " +
	"either use unsigned index or do a if (index >=0) check."

// misaligned matches the place in a message on alignment: known bits of the
// variable offset, and the rest.
var misaligned = regexp.MustCompile(`^misaligned (\w+) access off (\(0x[0-9a-f]+; 0x[0-9a-f]+\)|-?\d+)\+(-?\d+) size`)

// fixedOffset rewords a fault for kernels that keep the constant part of an
// offset apart. Where a part is variable, the constant one is taken for zero,
// which it is unless the program adds a constant, too.
//
// Source: kernel/bpf/verifier.c check_generic_ptr_alignment and
// check_mem_region_access, Linux 6.19.
func fixedOffset(text string, fixed bool) string {
	if reg, ok := strings.CutSuffix(text, negativeIndex); ok && fixed {
		return reg + " min value is outside of the allowed memory range"
	}
	if m := misaligned.FindStringSubmatch(text); m != nil {
		bits, constant := m[2], "0"
		if !strings.HasPrefix(bits, "(") {
			bits, constant = "0", m[2]
		}
		end := text[len(m[0]):]
		return fmt.Sprintf("misaligned %s access off %s+%s+%s size%s", m[1], bits, constant, m[3], end)
	}
	return text
}
