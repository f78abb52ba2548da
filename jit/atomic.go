package jit

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// Operations of atomic instructions, in Imm (RFC 9669 section 5.3;
// load_acquire and store_release: include/uapi/linux/bpf.h, Linux 6.15).
const (
	atomicAdd      = 0x00
	atomicOr       = 0x40
	atomicAnd      = 0x50
	atomicXor      = 0xa0
	atomicFetch    = 0x01
	atomicXchg     = 0xe1
	atomicCmpxchg  = 0xf1
	atomicLoadAcq  = 0x100
	atomicStoreRel = 0x110
)

// lock is the LOCK prefix.
const lock = 0xf0

// atomicOp returns the opcode of an atomic operation that is one x86
// instruction, and whether it is preceded by 0F. XADD and CMPXCHG leave the
// old value in the register as BPF wants it.
func atomicOp(imm int32) (op byte, two bool) {
	switch imm {
	case atomicAdd | atomicFetch:
		return 0xc1, true
	case atomicXchg:
		return 0x87, false
	case atomicCmpxchg:
		return 0xb1, true
	}
	return fetchOp(imm), false
}

// fetchOp returns the opcode of ADD, OR, AND or XOR for an atomic operation.
func fetchOp(imm int32) byte {
	switch imm &^ atomicFetch {
	case atomicAdd:
		return 0x01
	case atomicOr:
		return 0x09
	case atomicAnd:
		return 0x21
	default: // atomicXor
		return 0x31
	}
}

// isFetchLoop reports whether an atomic operation takes a compare-and-exchange
// loop: x86 has no OR, AND or XOR that returns the old value.
func isFetchLoop(imm int32) bool {
	return imm == atomicOr|atomicFetch || imm == atomicAnd|atomicFetch || imm == atomicXor|atomicFetch
}

// atomic emits an atomic operation on [d+off]. Ordinary loads and stores
// acquire and release on x86 (Intel SDM volume 3, section 10.2.2).
func (c *function) atomic(in bytecode.Insn, d, s x86.Reg) {
	switch {
	case in.Imm == atomicLoadAcq:
		c.loadMem(in.Size(), false, d, s, int32(in.Off))
	case in.Imm == atomicStoreRel:
		c.storeMem(in.Size(), s, d, int32(in.Off))
	case isFetchLoop(in.Imm):
		c.fetchLoop(in, d, s)
	default:
		c.lockPrefix(in.Imm)
		c.x.REX(wide(in), s, d)
		c.atomicOpcode(in.Imm)
		c.x.Mem(s, d, int32(in.Off))
	}
}

// lockPrefix emits LOCK, which XCHG implies and newer kernels leave out there.
func (c *function) lockPrefix(imm int32) {
	if imm != atomicXchg || c.prof.XchgLock {
		c.x.Byte(lock)
	}
}

// atomicOpcode emits the opcode of a one-instruction atomic operation.
func (c *function) atomicOpcode(imm int32) {
	op, two := atomicOp(imm)
	if two {
		c.x.Byte(0x0f)
	}
	c.x.Byte(op)
}

// fetchLoop emits s = fetch_OP([d+off], s):
//
//	r10 = rax            // R0 lives on in r10, as operand, too
//	again: rax = [d+off]
//	r11 = rax OP s
//	lock cmpxchg [d+off], r11; jne again
//	s = rax; rax = r10
func (c *function) fetchLoop(in bytecode.Insn, d, s x86.Reg) {
	x := &c.x
	w := wide(in)
	x.Mov(x86.W64, regAX, x86.RAX)
	if s == x86.RAX {
		s = regAX
	}
	if d == x86.RAX {
		d = regAX
	}
	again := x.Len()
	c.loadMem(in.Size(), false, x86.RAX, d, int32(in.Off))
	x.Mov(w, regScratch, x86.RAX)
	x.RR(w, fetchOp(in.Imm), s, regScratch)
	x.Byte(lock)
	x.REX(w, regScratch, d)
	x.Put(0x0f, 0xb1)
	x.Mem(regScratch, d, int32(in.Off))
	x.Put(0x75, 0)
	x.SetByte(x.Len()-1, byte(again-x.Len()))
	x.Mov(w, s, x86.RAX)
	x.Mov(x86.W64, x86.RAX, regAX)
}

// atomicArena is atomic for memory of the arena, without the loops.
func (c *function) atomicArena(in bytecode.Insn, d, s x86.Reg) {
	switch in.Imm {
	case atomicLoadAcq:
		c.loadArena(in, d, s)
		return
	case atomicStoreRel:
		c.storeArena(in, d, s)
		return
	}
	start := c.x.Len()
	c.lockPrefix(in.Imm)
	c.x.Byte(x86.REXIndex(wide(in), s, d, regArena))
	c.atomicOpcode(in.Imm)
	c.x.MemIndex(s, d, regArena, int32(in.Off))
	c.mayFault(start)
}
