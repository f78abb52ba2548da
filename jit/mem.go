package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// Mode bits of loads and stores that exist only after the verifier
// (include/linux/filter.h). The same bits mean different things in different
// classes.
const (
	modeMem         asm.Mode = 0x60
	modeMemSX       asm.Mode = 0x80
	modeProbeMem    asm.Mode = 0x20 // LDX: may fault
	modeProbeMemSX  asm.Mode = 0x40 // LDX: may fault, sign-extending
	modeProbeMem32  asm.Mode = 0xa0 // LDX, ST, STX: arena
	modeProbeArnSX  asm.Mode = 0xc0 // LDX: arena, sign-extending (PROBE_MEM32SX)
	modeAtomic      asm.Mode = 0xc0 // STX
	modeNospec      asm.Mode = 0xc0 // ST: speculation barrier
	modeProbeAtomic asm.Mode = 0xe0 // STX: arena
)

// codeNospec is the whole opcode of a speculation barrier.
const codeNospec = 0xc2

// load emits a load from memory (RFC 9669 section 5).
func (c *function) load(in bytecode.Insn, d, s x86.Reg) {
	switch in.Mode() {
	case modeProbeMem, modeProbeMemSX:
		c.loadProbe(in, d, s)
	case modeProbeMem32, modeProbeArnSX:
		c.loadArena(in, d, s)
	default:
		if c.isParams(in.Src) {
			c.loadArg(in, d)
			return
		}
		c.loadMem(in.Size(), in.Mode() == modeMemSX, d, s, int32(in.Off))
	}
}

// loadMem emits d = *(size *)(base + off). Small unsigned loads carry REX.W
// without need; sign-extending ones need it.
func (c *function) loadMem(size asm.Size, signed bool, d, base x86.Reg, off int32) {
	x := &c.x
	switch {
	case size == asm.Byte && signed:
		x.Put(x86.REX(x86.W64, d, base), 0x0f, 0xbe)
	case size == asm.Byte:
		x.Put(x86.REX(x86.W64, d, base), 0x0f, 0xb6)
	case size == asm.Half && signed:
		x.Put(x86.REX(x86.W64, d, base), 0x0f, 0xbf)
	case size == asm.Half:
		x.Put(x86.REX(x86.W64, d, base), 0x0f, 0xb7)
	case size == asm.Word && signed:
		x.Put(x86.REX(x86.W64, d, base), 0x63)
	case size == asm.Word:
		x.REX(x86.W32, d, base)
		x.Byte(0x8b)
	default:
		x.Put(x86.REX(x86.W64, d, base), 0x8b)
	}
	x.Mem(d, base, off)
}

// storeReg emits a store of a register, an atomic operation, or an outgoing
// stack argument.
func (c *function) storeReg(in bytecode.Insn, d, s x86.Reg) {
	switch in.Mode() {
	case modeAtomic:
		c.atomic(in, d, s)
	case modeProbeAtomic:
		c.atomicArena(in, d, s)
	case modeProbeMem32:
		c.storeArena(in, d, s)
	default:
		if c.isParams(in.Dst) {
			c.storeArg(in, s)
			return
		}
		c.storeMem(in.Size(), s, d, int32(in.Off))
	}
}

// storeMem emits *(size *)(base + off) = s.
func (c *function) storeMem(size asm.Size, s, base x86.Reg, off int32) {
	x := &c.x
	switch size {
	case asm.Byte:
		// Without REX, numbers 4 to 7 mean ah to bh.
		if p := x86.REX(x86.W32, s, base); p != x86.NoREX || s >= x86.RSP {
			x.Byte(p)
		}
		x.Byte(0x88)
	case asm.Half:
		x.Byte(0x66)
		x.REX(x86.W32, s, base)
		x.Byte(0x89)
	case asm.Word:
		x.REX(x86.W32, s, base)
		x.Byte(0x89)
	default:
		x.Put(x86.REX(x86.W64, s, base), 0x89)
	}
	x.Mem(s, base, off)
}

// storeImm emits a store of an immediate, or a speculation barrier.
func (c *function) storeImm(in bytecode.Insn, d x86.Reg) {
	switch {
	case in.Code == codeNospec:
		c.x.Put(0x0f, 0xae, 0xe8) // lfence
	case in.Mode() == modeProbeMem32:
		c.storeArenaImm(in, d)
	case c.isParams(in.Dst):
		c.storeArgImm(in)
	default:
		c.storeMemImm(in, d, int32(in.Off))
	}
}

// storeMemImm emits *(size *)(base + off) = imm.
func (c *function) storeMemImm(in bytecode.Insn, base x86.Reg, off int32) {
	x := &c.x
	if in.Size() == asm.Half {
		x.Byte(0x66)
	}
	x.REX(wide(in), 0, base)
	x.Byte(storeImmOp(in))
	x.Mem(0, base, off)
	c.storedImm(in)
}

// storeImmOp returns the opcode of a store of an immediate.
func storeImmOp(in bytecode.Insn) byte {
	if in.Size() == asm.Byte {
		return 0xc6
	}
	return 0xc7
}

// storedImm emits the immediate of a store, in the store's size; the CPU
// extends 4 bytes to 8.
func (c *function) storedImm(in bytecode.Insn) {
	switch in.Size() {
	case asm.Byte:
		c.x.Byte(byte(in.Imm))
	case asm.Half:
		c.x.Imm16(in.Imm)
	default:
		c.x.Imm32(in.Imm)
	}
}

// wide returns the operand size of a memory access as REX.W.
func wide(in bytecode.Insn) x86.Width {
	if in.Size() == asm.DWord {
		return x86.W64
	}
	return x86.W32
}
