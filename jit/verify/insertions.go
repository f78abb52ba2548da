package verify

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// plainForms checks an instruction that is neither a jump nor a call.
func (c *source) plainForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	c.dropBarriers()
	switch in.Class() {
	case asm.LdClass:
		if !in.IsWide() {
			return c.packetLoad(in, end)
		}
		return c.wideForms(pc, in)
	case asm.ALUClass, asm.ALU64Class:
		return c.arithmeticForms(in, end)
	case asm.LdXClass, asm.StClass, asm.StXClass:
		return c.accessForms(pc, in, end)
	}
	return c.single(in)
}

// dropBarriers leaves out the speculation barriers around an instruction of a
// program that is loaded without CAP_PERFMON.
func (c *source) dropBarriers() {
	if !c.Masks {
		return
	}
	barrier := bytecode.Insn{Code: codeBarrier}
	if n := len(c.items); n > 1 && c.items[n-1].in == barrier {
		c.items = c.items[:n-1]
	}
	if len(c.items) > 1 && c.items[0].in == barrier {
		c.items = c.items[1:]
	}
}

// wideForms checks a 64-bit immediate load: the constant is the same, and the reference names the
// object of an address. The kernel may have cleared the kind. A value of a per-CPU array gets this
// CPU's base.
func (c *source) wideForms(pc bytecode.PC, in bytecode.Insn) bool {
	want, isRef := c.p.RefAt(pc)
	n := 1
	if isRef && want.Kind == bytecode.RefMapValue && want.Index >= 0 && want.Index < len(c.p.Maps) &&
		c.p.Maps[want.Index].Type == mapPercpuArray {
		n = 2
	}
	thisCPU := bytecode.Insn{Code: w64 | opMov | byReg, Dst: in.Dst, Src: in.Dst, Off: -1}
	it := &c.items[0]
	if len(c.items) != n || n == 2 && c.items[1].in != thisCPU || !it.in.IsWide() || it.in.Dst != in.Dst {
		return false
	}
	if !isRef {
		return in.Src != bytecode.LdImm64 || it.in.Imm == in.Imm && it.high == c.p.Insns[pc+1].Imm
	}
	return it.ref == nil && c.Blinded || it.ref != nil && it.ref.Kind == want.Kind && it.ref.Index == want.Index
}

// arithmeticForms checks an ALU instruction: as it is, guarded, or made one on
// low halves because it is on arena pointers.
func (c *source) arithmeticForms(in bytecode.Insn, end int32) bool {
	if op := in.ALUOp(); (op == asm.Div || op == asm.Mod) && c.isGuarded(in) {
		return c.matches(end, c.guards(in)...)
	}
	if c.single(in) {
		return true
	}
	low := in
	low.Code = in.Code&^7 | w32
	switch {
	case in.Class() != asm.ALU64Class || !c.hasArena():
		return c.matches(end, pat{in: in})
	case in.ALUOp() == asm.Mov && in.Source() == asm.RegSource && in.Off == 1: // cast to the kernel's space
		low.Off, low.Imm = 0, 0
		return c.matches(end, pat{in: low})
	}
	return c.matches(end, pat{in: low}) || c.matches(end, pat{in: in})
}

// hasArena reports whether the program has an arena.
func (c *source) hasArena() bool {
	const arena = 33 // BPF_MAP_TYPE_ARENA
	for _, m := range c.p.Maps {
		if m.Type == arena {
			return true
		}
	}
	return false
}

// isGuarded reports whether a division or remainder can trap on x86: by a
// register, and a signed one by -1.
func (c *source) isGuarded(in bytecode.Insn) bool {
	return in.Source() == asm.RegSource || in.Off == 1 && in.Imm == -1 && c.k.has(kernel.SignedGuards)
}

// guards returns the form of a division that could trap: x / 0 is 0, x % 0 is x,
// and the smallest number by -1 is itself (RFC 9669 section 4.1;
// kernel/bpf/fixups.c bpf_do_misc_fixups, Linux 7.3).
func (c *source) guards(in bytecode.Insn) []pat {
	div, wide := in.ALUOp() == asm.Div, in.Class() == asm.ALU64Class
	jump, own := j32, pat{in: in}
	if wide {
		jump = j64
	}
	class := uint8(in.Class())
	if in.Source() == asm.ImmSource { // by -1
		if div {
			return []pat{p(class|opNeg, in.Dst, 0, 0, 0)}
		}
		return []pat{p(w32|opMov, in.Dst, 0, 0, 0)}
	}
	if in.Off == 1 && c.k.has(kernel.SignedGuards) {
		return c.signedGuards(in, div, wide, jump)
	}
	over := p(bytecode.CodeGoto, 0, 0, 1, 0)
	switch {
	case div:
		return []pat{p(jump|jne, in.Src, 0, 2, 0), p(w32|opXor|byReg, in.Dst, in.Dst, 0, 0), over, own}
	case wide:
		return []pat{p(jump|jeq, in.Src, 0, 1, 0), own}
	}
	return []pat{p(jump|jeq, in.Src, 0, 2, 0), own, over, p(w32|opMov|byReg, in.Dst, in.Dst, 0, 0)}
}

// signedGuards returns the form for signed numbers: AX is the divisor plus one,
// so that one comparison finds 0 and -1.
func (c *source) signedGuards(in bytecode.Insn, div, wide bool, jump uint8) []pat {
	class, over := uint8(in.Class()), p(bytecode.CodeGoto, 0, 0, 1, 0)
	head := []pat{p(w64|opMov|byReg, c.ax, in.Src, 0, 0), p(class|opAdd, c.ax, 0, 0, 1)}
	own := pat{in: in}
	switch {
	case div:
		return append(head, p(jump|jgt, c.ax, 0, 4, 1), p(jump|jeq, c.ax, 0, 1, 0), p(class|opMov, in.Dst, 0, 0, 0),
			p(class|opNeg, in.Dst, 0, 0, 0), over, own)
	case wide:
		return append(head, p(jump|jgt, c.ax, 0, 3, 1), p(jump|jeq, c.ax, 0, 3, 1), p(w32|opMov, in.Dst, 0, 0, 0), over, own)
	}
	return append(head, p(jump|jgt, c.ax, 0, 3, 1), p(jump|jeq, c.ax, 0, 4, 1), p(w32|opMov, in.Dst, 0, 0, 0), over, own,
		over, p(w32|opMov|byReg, in.Dst, in.Dst, 0, 0))
}

// packetLoad checks a load of classic BPF: a call that leaves the function when
// there is no such byte (net/core/filter.c bpf_gen_ld_abs).
func (c *source) packetLoad(in bytecode.Insn, end int32) bool {
	r0, r1, r2 := bytecode.R0, bytecode.R1, bytecode.R2
	var form []pat
	if in.Mode() == asm.AbsMode {
		form = append(form, p(w64|opMov, r2, 0, 0, in.Imm))
	} else {
		form = append(form, p(w64|opMov|byReg, r2, in.Src, 0, 0))
		if in.Imm != 0 {
			form = append(form, p(w64|opAdd, r2, 0, 0, in.Imm))
		}
	}
	bits := map[asm.Size]string{asm.Byte: "8", asm.Half: "16", asm.Word: "32"}[in.Size()]
	form = append(form, p(w64|opMov|byReg, r1, bytecode.R6, 0, 0), kernelCall("bpf_skb_load_helper_"+bits+"_no_cache"),
		p(j64|jsge, r0, 0, 2, 0), p(w32|opXor|byReg, r0, r0, 0, 0), p(bytecode.CodeExit, 0, 0, 0, 0))
	return c.matches(end, form...)
}

// mayGotoTimer is the kernel function that reads the clock.
const mayGotoTimer = "arch_bpf_timed_may_goto"

// mayGoto checks the replacement of may_goto: a count on the stack, at the place where the
// function's start sets it up.
func (c *source) mayGoto(far bytecode.PC, end int32) bool {
	ax, fp := c.ax, bytecode.R10
	count := c.countPlace()
	leave := jumpTo(bytecode.Insn{Code: j64 | jeq, Dst: ax}, far)
	head := []pat{p(ldxD, ax, fp, count, 0), leave, p(w64|opSub, ax, 0, 0, 1)}
	if !c.k.has(kernel.TimedMayGoto) {
		return c.matches(end, append(head, p(stxD, fp, ax, count, 0))...)
	}
	return c.matches(end, append(head, p(j64|jne, ax, 0, 2, 0), p(w64|opMov, ax, 0, 0, int32(count)),
		kernelCall(mayGotoTimer), p(stxD, fp, ax, count, 0))...)
}

// countPlace returns where on the stack the count of may_goto lies: at the end
// of the function's frame.
func (c *source) countPlace() int16 { return int16(-c.prog.Funcs[c.fn].StackDepth) }
