package jit

import (
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// maxTailCalls is MAX_TAIL_CALL_CNT (include/linux/bpf.h).
const maxTailCalls = 33

// tailCall emits bpf_tail_call. Imm is 0 when map or index are not known, else
// the index plus 1 (prepare_bpf_tail_call_info in kernel/bpf/fixups.c).
func (c *function) tailCall(in bytecode.Insn) {
	if in.Imm == 0 {
		c.tailCallIndirect()
	} else {
		c.tailCallDirect()
	}
}

// tailCallIndirect looks the target up: array in rsi, index in edx.
func (c *function) tailCallIndirect() {
	x := &c.x
	var out [3]int    // offsets of displacements to the end
	x.Put(0x89, 0xd2) // mov edx, edx
	x.Put(0x39, 0x56, byte(c.prof.OffMaxEntries))
	out[0] = c.jumpOut(0x76) // jbe
	out[1] = c.checkTailCount(!c.kernel.Has(kernel.TailCallPointer))
	x.Put(0x48, 0x8b, 0x8c, 0xd6) // mov rcx, [rsi+rdx*8+ptrs]
	x.Imm32(int32(c.prof.OffPtrs))
	x.RR(x86.W64, 0x85, x86.RCX, x86.RCX)
	out[2] = c.jumpOut(0x74) // je
	if c.kernel.Has(kernel.TailCallPointer) {
		c.countTailCall()
	}
	c.leaveFrame()
	x.Put(0x48, 0x8b, 0x49, byte(c.prof.OffBPFFunc)) // mov rcx, [rcx+bpf_func]
	x.Put(0x48, 0x83, 0xc1, byte(c.tailEntry()))     // add rcx, entry
	c.indirectJump(x86.RCX)
	for _, at := range out {
		x.SetByte(at, byte(x.Len()-at-1))
	}
}

// tailCallDirect jumps to a target that the kernel patches in: two 5-byte
// places, a jump around and the jump itself, of which one is a NOP.
func (c *function) tailCallDirect() {
	x := &c.x
	out := c.checkTailCount(!c.kernel.Has(kernel.TailCallPointer))
	state, filled := c.tailState()
	bypass := x.Len()
	x.Nop(5)
	if c.kernel.Has(kernel.TailCallPointer) {
		c.countTailCall()
	}
	c.leaveFrame()
	if filled {
		target := state.Target + uint64(c.tailEntry())
		c.branchTo(0xe9, target, state.Target != 0, "tail call target", int64(c.tailEntry()))
	} else {
		x.Nop(5)
		x.Patch(bypass, 0xe9, int32(x.Len()-bypass-5))
	}
	x.SetByte(out, byte(x.Len()-out-1))
}

// jumpOut emits a short conditional jump and returns the place of its displacement.
func (c *function) jumpOut(cc byte) int {
	c.x.Put(cc, 0)
	return c.x.Len() - 1
}

// checkTailCount emits the comparison of the counter with its limit and returns the place of the
// displacement of the jump out. Before Linux 6.12 the counter itself is on the stack, and counting
// follows at once.
func (c *function) checkTailCount(count bool) int {
	x := &c.x
	if !count {
		c.passTailCount() // mov rax, [rbp+counter pointer]
		x.Put(0x48, 0x83, 0x38, maxTailCalls)
		return c.jumpOut(0x73) // jae
	}
	off := -4 - c.frame
	x.Put(0x8b, 0x85) // mov eax, [rbp+off]
	x.Imm32(off)
	x.Put(0x83, 0xf8, maxTailCalls)
	out := c.jumpOut(0x73)
	x.Put(0x83, 0xc0, 1)
	x.Put(0x89, 0x85)
	x.Imm32(off)
	return out
}

// countTailCall increments the counter that rax points to.
func (c *function) countTailCall() { c.x.Put(0x48, 0x83, 0x00, 1) }

// leaveFrame undoes the prologue up to the place where the target's code continues.
func (c *function) leaveFrame() {
	x := &c.x
	c.popSaved()
	x.Pop(x86.RAX)
	if c.kernel.Has(kernel.TailCallPointer) {
		x.Pop(x86.RAX)
	}
	if c.frame != 0 {
		x.RDigit(x86.W64, 0x81, 0, x86.RSP)
		x.Imm32(c.frame)
	}
}

// tailEntry returns the distance from bpf_func to the place where tail calls land
// (X86_TAIL_CALL_OFFSET): NOP, counter, push, move and the landing pad of the
// entry; the second landing pad is the first instruction there.
func (c *function) tailEntry() int {
	n := 12
	if !c.kernel.Has(kernel.TailCallPointer) {
		n = 11
	}
	if c.prof.IBT {
		n += 4
	}
	return n
}

// tailState returns what is known of the direct tail call at the current slot.
func (c *function) tailState() (TailCall, bool) {
	t := c.prog.TailCalls
	pc := c.fn.Start + bytecode.PC(c.slot)
	i := sort.Search(len(t), func(i int) bool { return t[i].PC >= pc })
	if i < len(t) && t[i].PC == pc {
		return t[i], t[i].Filled
	}
	return TailCall{}, false
}
