package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// swap emits a byte-order conversion (RFC 9669 section 4.2). On x86, which is
// little endian, conversion to little endian only truncates.
func (c *function) swap(in bytecode.Insn, d x86.Reg) {
	x := &c.x
	if in.Class() == asm.ALUClass && in.Source() == asm.ImmSource {
		switch in.Imm {
		case 16:
			x.RR0F(x86.W32, 0xb7, d, d) // movzx
		case 32:
			x.Mov(x86.W32, d, d)
		}
		return
	}
	switch in.Imm {
	case 16:
		x.Byte(0x66)
		x.RDigit(x86.W32, 0xc1, 1, d) // ror
		x.Byte(8)
		x.RR0F(x86.W32, 0xb7, d, d) // movzx
	case 32:
		c.bswap(x86.W32, d)
	case 64:
		c.bswap(x86.W64, d)
	}
}

// bswap emits BSWAP d.
func (c *function) bswap(w x86.Width, d x86.Reg) {
	c.x.REX(w, 0, d)
	c.x.Put(0x0f, 0xc8|byte(d&7))
}
