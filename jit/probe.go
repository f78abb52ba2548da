package jit

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// Addresses that bound user space (arch/x86/include/asm/page_64.h and
// uapi/asm/vsyscall.h).
const (
	pageSize     = 4096
	vsyscallAddr = 0xffffffffff600000
	userEnd4     = 1<<47 - pageSize // TASK_SIZE_MAX with 4-level paging
	userEnd5     = 1<<56 - pageSize // with 5-level paging
)

// userEnd returns TASK_SIZE_MAX.
func (c *function) userEnd() uint64 {
	if c.prof.LA57 {
		return userEnd5
	}
	return userEnd4
}

// loadProbe emits a load through a kernel pointer that may be stale. A fault in kernel space is
// fixed up by the exception table; a check of the address excludes user space and the vsyscall
// page, which yield zero. The check shifts addresses so that both lie in one range from 0: then
//
//	address - vsyscallAddr <= userEnd + pageSize - vsyscallAddr   (mod 2^64)
//
// means "do not load".
func (c *function) loadProbe(in bytecode.Insn, d, s x86.Reg) {
	if !c.kernel.Has(kernel.ProbeWindow) {
		c.loadAbove(in, d, s)
		return
	}
	x := &c.x
	x.MovImm64(regAX, vsyscallAddr, c.prof.MovImm64Short)
	x.Mov(x86.W64, regScratch, s)
	if in.Off != 0 {
		x.RDigit(x86.W64, 0x81, 0, regScratch) // add, always with 4 bytes
		x.Imm32(int32(in.Off))
	}
	x.RR(x86.W64, 0x29, regAX, regScratch)
	limit := c.userEnd() + pageSize
	x.MovImm64(regAX, limit-vsyscallAddr, c.prof.MovImm64Short)
	x.RR(x86.W64, 0x39, regAX, regScratch)
	load := c.zeroOr(0x77, d) // ja
	start := x.Len()
	c.loadMem(in.Size(), in.Mode() == modeProbeMemSX, d, s, int32(in.Off))
	x.SetByte(load, byte(x.Len()-start))
	c.mayFault(start)
}

// loadAbove is loadProbe before the window: the register must lie above user space by as much as the
// offset, whatever its sign, and the sum must not overflow. A negative offset makes it do so, and the
// load is left out (arch/x86/net/bpf_jit_comp.c do_jit, Linux 6.1).
func (c *function) loadAbove(in bytecode.Insn, d, s x86.Reg) {
	x := &c.x
	off := int32(in.Off)
	x.MovImm64(regScratch, c.userEnd()+pageSize+uint64(max(off, -off)), c.prof.MovImm64Short)
	x.RR(x86.W64, 0x39, regScratch, s)
	x.Put(0x72, 0) // jb to the zero
	from := x.Len()
	x.Mov(x86.W64, regScratch, s)
	x.RDigit(x86.W64, 0x81, 0, regScratch)
	x.Imm32(off)
	zero := x.Len() + 2
	load := c.zeroOr(0x73, d) // jnc
	x.SetByte(from-1, byte(zero-from))
	start := x.Len()
	c.loadMem(in.Size(), false, d, s, off)
	x.SetByte(load, byte(x.Len()-start))
	c.mayFault(start)
}

// zeroOr emits a conditional jump to the code that follows, with d = 0 and a
// jump over that code on the other path. The caller fills in the byte at the
// offset returned with that code's length.
func (c *function) zeroOr(cc byte, d x86.Reg) int {
	x := &c.x
	x.Put(cc, 0)
	from := x.Len()
	x.RR(x86.W32, 0x31, d, d)
	x.Put(0xeb, 0)
	x.SetByte(from-1, byte(x.Len()-from))
	return x.Len() - 1
}
