package verify

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// conditions gives for each comparison of two values the x86 jump that is
// taken when it holds after "cmp dst, src" (Intel SDM volume 2A, Jcc).
var conditions = map[asm.JumpOp]x86asm.Op{
	asm.JEq: x86asm.JE, asm.JNE: x86asm.JNE, asm.JSet: x86asm.JNE,
	asm.JGT: x86asm.JA, asm.JGE: x86asm.JAE, asm.JLT: x86asm.JB, asm.JLE: x86asm.JBE,
	asm.JSGT: x86asm.JG, asm.JSGE: x86asm.JGE, asm.JSLT: x86asm.JL, asm.JSLE: x86asm.JLE,
}

// registers holds the x86 register of each BPF register, in 64 and 32 bits
// (arch/x86/net/bpf_jit_comp.c reg2hex, Linux 7.3). The hidden register AX is
// 11 or 12, by kernel version.
var registers = [...][2]x86asm.Reg{
	{x86asm.RAX, x86asm.EAX}, {x86asm.RDI, x86asm.EDI}, {x86asm.RSI, x86asm.ESI}, {x86asm.RDX, x86asm.EDX},
	{x86asm.RCX, x86asm.ECX}, {x86asm.R8, x86asm.R8L}, {x86asm.RBX, x86asm.EBX}, {x86asm.R13, x86asm.R13L},
	{x86asm.R14, x86asm.R14L}, {x86asm.R15, x86asm.R15L}, {x86asm.RBP, x86asm.EBP},
}

// register returns the x86 register of a BPF register in this function.
func (c *checker) register(r bytecode.Reg, wide bool) x86asm.Reg {
	pair := [2]x86asm.Reg{}
	switch {
	case r == bytecode.R10 && c.p.Funcs[c.fn].PrivateStack:
		pair = [2]x86asm.Reg{x86asm.R9, x86asm.R9L}
	case int(r) < len(registers):
		pair = registers[r]
	case uint8(r) == c.prof.AXReg:
		pair = [2]x86asm.Reg{x86asm.R10, x86asm.R10L}
	}
	if wide {
		return pair[0]
	}
	return pair[1]
}

// cond checks a conditional jump: one comparison of the right operands, and one
// jump with the right condition to the right place.
func (c *checker) cond(b *body, fn jit.Func, target bytecode.PC) {
	want, ok := c.targetStart(b, fn, target)
	if !ok {
		return
	}
	x := b.withoutNops()
	if len(x) != 2 {
		c.fail(b.pc, b.start, "%d x86 instructions where a comparison and a jump are expected", len(x))
		return
	}
	c.comparison(b, x[0])
	if x[1].Inst.Op != conditions[b.in.JumpOp()] {
		c.fail(b.pc, x[1].Offset, "%s: the condition should be %s", x[1], conditions[b.in.JumpOp()])
	}
	c.leads(b, x[1], want)
}

// comparison checks the operands of the comparison in front of a conditional
// jump: test for JSET and for zero, cmp for all others.
func (c *checker) comparison(b *body, x disasm.Insn) {
	wide := b.in.Class() == asm.JumpClass
	dst, src := c.register(b.in.Dst, wide), c.register(b.in.Src, wide)
	byReg := b.in.Source() == asm.RegSource
	op, second := x86asm.CMP, x86asm.Arg(x86asm.Imm(b.in.Imm))
	switch {
	case b.in.JumpOp() == asm.JSet:
		op = x86asm.TEST
		if byReg {
			second = src
		}
	case byReg:
		second = src
	case b.in.Imm == 0:
		op, second = x86asm.TEST, dst
	}
	if x.Inst.Op != op || x.Inst.Args[0] != x86asm.Arg(dst) || !sameOperand(x.Inst.Args[1], second, wide) {
		c.fail(b.pc, x.Offset, "%s: should be %s of %s and %s", x, op, dst, second)
	}
}

// sameOperand compares operands; immediates compare at the width of the
// operation, since a decoder may or may not extend their sign.
func sameOperand(have, want x86asm.Arg, wide bool) bool {
	h, ok1 := have.(x86asm.Imm)
	w, ok2 := want.(x86asm.Imm)
	if ok1 && ok2 && !wide {
		return uint32(h) == uint32(w)
	}
	return have == want
}
