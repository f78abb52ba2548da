package jit

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// Arena accesses add the arena's base, in r12, to a 32-bit pointer. The page
// may be missing: every access has an entry in the exception table. The index
// register makes a REX prefix necessary always.

// loadArena emits d = *(size *)(r12 + s + off). Unlike loadMem it has REX.W
// only where the operation needs it.
func (c *function) loadArena(in bytecode.Insn, d, s x86.Reg) {
	x := &c.x
	start := x.Len()
	signed := in.Mode() == modeProbeArnSX
	w := wide(in)
	if signed {
		w = x86.W64
	}
	x.Byte(x86.REXIndex(w, d, s, regArena))
	switch {
	case in.Size() == asm.Byte && signed:
		x.Put(0x0f, 0xbe)
	case in.Size() == asm.Byte:
		x.Put(0x0f, 0xb6)
	case in.Size() == asm.Half && signed:
		x.Put(0x0f, 0xbf)
	case in.Size() == asm.Half:
		x.Put(0x0f, 0xb7)
	case in.Size() == asm.Word && signed:
		x.Byte(0x63)
	default:
		x.Byte(0x8b)
	}
	x.MemIndex(d, s, regArena, int32(in.Off))
	c.mayFault(start)
}

// storeArena emits *(size *)(r12 + d + off) = s.
func (c *function) storeArena(in bytecode.Insn, d, s x86.Reg) {
	x := &c.x
	start := x.Len()
	if in.Size() == asm.Half {
		x.Byte(0x66)
	}
	x.Byte(x86.REXIndex(wide(in), s, d, regArena))
	if in.Size() == asm.Byte {
		x.Byte(0x88)
	} else {
		x.Byte(0x89)
	}
	x.MemIndex(s, d, regArena, int32(in.Off))
	c.mayFault(start)
}

// storeArenaImm emits *(size *)(r12 + d + off) = imm.
func (c *function) storeArenaImm(in bytecode.Insn, d x86.Reg) {
	x := &c.x
	start := x.Len()
	if in.Size() == asm.Half {
		x.Byte(0x66)
	}
	x.Byte(x86.REXIndex(wide(in), 0, d, regArena))
	x.Byte(storeImmOp(in))
	x.MemIndex(0, d, regArena, int32(in.Off))
	c.storedImm(in)
	c.mayFault(start)
}
