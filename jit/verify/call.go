package verify

import (
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// call checks that the code calls once, and, when callee is a slot, that it
// calls the function that begins there.
func (c *checker) call(b *body, callee bytecode.PC) {
	var calls []disasm.Insn
	for _, in := range b.x86 {
		switch {
		case in.Inst.Op == x86asm.CALL:
			calls = append(calls, in)
		case isJump(in):
			c.nullCheck(b, in)
		case in.Inst.Op == x86asm.RET || in.Inst.Op == x86asm.LEAVE:
			c.fail(b.pc, in.Offset, "%s in a call", in)
		}
	}
	if len(calls) != 1 {
		c.fail(b.pc, b.start, "%d call instructions where one is expected", len(calls))
		return
	}
	if callee >= 0 {
		c.callee(b, calls[0], callee)
		return
	}
	if r := c.relocAt(calls[0].Offset, calls[0].Len); r == nil || !c.resolvedRight(r, calls[0]) {
		c.fail(b.pc, calls[0].Offset, "%s: does not lead to a kernel function", calls[0])
	}
}

// callee checks the target of a call of a subprogram. Functions lie at
// addresses of their own, so the call is compared by address where the
// addresses are known, and by its relocation otherwise.
func (c *checker) callee(b *body, call disasm.Insn, callee bytecode.PC) {
	f := c.funcAt(callee)
	to, ok := call.Target()
	if f < 0 || !ok {
		c.fail(b.pc, call.Offset, "%s: no function begins at slot %d", call, callee)
		return
	}
	addrs := c.p.Addresses.Funcs
	r := c.relocAt(call.Offset, call.Len)
	if len(addrs) == len(c.p.Funcs) {
		base := addrs[c.fn] - uint64(c.img.Funcs[c.fn].Entry)
		if got := base + uint64(int64(to)); got != addrs[f] {
			c.fail(b.pc, call.Offset, "calls %#x, should call %s at %#x", got, c.img.Funcs[f].Name, addrs[f])
		}
		return
	}
	if r == nil || r.PC != b.pc || !c.resolvedRight(r, call) {
		c.fail(b.pc, call.Offset, "%s: should be a call of %s", call, c.img.Funcs[f].Name)
	}
}

// funcAt returns the function that begins at a slot, or -1.
func (c *checker) funcAt(pc bytecode.PC) int {
	lo, hi := 0, len(c.p.Funcs)
	for lo < hi {
		if mid := (lo + hi) / 2; c.p.Funcs[mid].Start < pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(c.p.Funcs) && c.p.Funcs[lo].Start == pc {
		return lo
	}
	return -1
}

// indirect checks a gotox: it ends in a jump through the register of r, or to
// the thunk of that register.
func (c *checker) indirect(b *body, r bytecode.Reg) {
	x := b.x86
	if n := len(x); n > 0 && x[n-1].Inst.Op == x86asm.INT {
		x = x[:n-1]
	}
	if n := len(x); n == 2 && x[0].Inst.Op == x86asm.LFENCE && c.prof.Indirect == "lfence" {
		x = x[1:]
	}
	if len(x) != 1 || x[0].Inst.Op != x86asm.JMP {
		c.fail(b.pc, b.start, "no single indirect jump")
		return
	}
	c.through(b, x[0], c.register(r, true))
}

// through checks that a jump goes through a register, directly or by the thunk
// that the profile wants.
func (c *checker) through(b *body, in disasm.Insn, reg x86asm.Reg) {
	plain := c.prof.Indirect == "plain" || c.prof.Indirect == "lfence"
	if plain {
		if in.Inst.Args[0] != x86asm.Arg(reg) {
			c.fail(b.pc, in.Offset, "%s: should jump through %s", in, reg)
		}
		return
	}
	rl := c.relocAt(in.Offset, in.Len)
	if rl == nil || !strings.HasSuffix(rl.Target, "_"+strings.ToLower(reg.String())) || !c.resolvedRight(rl, in) {
		c.fail(b.pc, in.Offset, "%s: should go to the thunk of %s", in, reg)
	}
}

// nullCheck checks a jump in a call: the only ones skip the conversion of an
// argument that is a null pointer into an arena, three bytes ahead.
func (c *checker) nullCheck(b *body, in disasm.Insn) {
	const conversion = 3 // length of an addition of two 64-bit registers
	if to, ok := in.Target(); !ok || in.Inst.Op != x86asm.JE || to != in.Offset+in.Len+conversion || to > b.end {
		c.fail(b.pc, in.Offset, "%s: a jump that does not belong in a call", in)
	}
}

// tailCall checks a tail call. An indirect one compares the index, the count of
// tail calls and the program with their limits, and leaves by an indirect jump
// through rcx. A direct one compares the count, and has two places of five
// bytes that the kernel patches: a jump over the rest and a nop, or a nop and
// the jump to the program.
func (c *checker) tailCall(b *body) {
	var items []disasm.Insn
	for _, in := range b.x86 {
		switch {
		case isJump(in) || in.IsNop():
			items = append(items, in)
		case in.Inst.Op == x86asm.RET || in.Inst.Op == x86asm.CALL || in.Inst.Op == x86asm.LEAVE:
			c.fail(b.pc, in.Offset, "%s in a tail call", in)
		}
	}
	over := []x86asm.Op{x86asm.JBE, x86asm.JAE, x86asm.JE}
	direct := b.in.Imm != 0
	if direct {
		over = over[1:2]
	}
	if len(items) < len(over)+1 {
		c.fail(b.pc, b.start, "%d jumps in a tail call, too few", len(items))
		return
	}
	for i, op := range over {
		if to, _ := items[i].Target(); items[i].Inst.Op != op || to != b.end {
			c.fail(b.pc, items[i].Offset, "%s: should be %s to +%#x", items[i], op, b.end)
		}
	}
	rest := items[len(over):]
	if direct {
		c.patched(b, rest)
		return
	}
	if n := len(rest); n != 1 || rest[0].Inst.Op != x86asm.JMP {
		c.fail(b.pc, rest[0].Offset, "%d ways out of a tail call where one is expected", n)
		return
	}
	c.through(b, rest[0], x86asm.RCX)
}

// patched checks the two places of a direct tail call.
func (c *checker) patched(b *body, rest []disasm.Insn) {
	if len(rest) != 2 || rest[0].Len != 5 || rest[1].Len != 5 {
		c.fail(b.pc, rest[0].Offset, "a direct tail call without its two places to patch")
		return
	}
	skip, _ := rest[0].Target()
	empty := rest[0].Inst.Op == x86asm.JMP && skip == b.end && rest[1].IsNop()
	filled := rest[0].IsNop() && rest[1].Inst.Op == x86asm.JMP && c.relocAt(rest[1].Offset, 5) != nil
	if !empty && !filled {
		c.fail(b.pc, rest[0].Offset, "%s, %s: neither an empty nor a filled slot", rest[0], rest[1])
	}
}
