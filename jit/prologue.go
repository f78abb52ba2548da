package jit

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// savedRegs is a set of callee-saved registers: bit n for savedOrder[n].
type savedRegs uint8

// savedOrder is the order of pushing (push_r12, push_callee_regs in
// bpf_jit_comp.c).
var savedOrder = [...]x86.Reg{regArena, x86.RBX, x86.R13, x86.R14, x86.R15}

const (
	savedArena savedRegs = 1      // r12
	savedR6    savedRegs = 1 << 1 // rbx; R7 to R9 follow
	savedAll   savedRegs = 1<<len(savedOrder) - 1
)

// scanSaved returns the callee-saved registers that the function pushes. The kernel looks at the
// register fields of all slots whatever the opcode. In a program with several functions it does
// so before the kind of a 64-bit immediate load is cleared from the source field, so that kind 6
// counts as a use of R6; a kernel quirk, reproduced on purpose (detect_reg_usage in
// bpf_jit_comp.c; jit_subprogs runs before convert_pseudo_ld_imm64 in kernel/bpf/verifier.c).
func (c *function) scanSaved() savedRegs {
	if c.fn.ExceptionBoundary {
		return savedAll
	}
	var fields uint32 // bit n: register number n occurs
	for i := range c.insns {
		in := &c.insns[i]
		fields |= 1 << (in.Dst & 15)
		if !in.IsWide() || c.multi() {
			fields |= 1 << (in.Src & 15)
		}
	}
	s := savedRegs(fields>>bytecode.R6&0xf) * savedR6
	if c.arena {
		s |= savedArena
	}
	return s
}

// count returns the number of registers in s.
func (s savedRegs) count() int32 {
	n := int32(0)
	for ; s != 0; s &= s - 1 {
		n++
	}
	return n
}

// pushSaved pushes the callee-saved registers.
func (c *function) pushSaved() {
	for i, r := range savedOrder {
		if c.saved>>i&1 != 0 {
			c.x.Push(r)
		}
	}
}

// popSaved pops what pushSaved pushed.
func (c *function) popSaved() {
	for i := len(savedOrder) - 1; i >= 0; i-- {
		if c.saved>>i&1 != 0 {
			c.x.Pop(savedOrder[i])
		}
	}
}

// prologue emits the code before the first instruction (emit_prologue and the head of do_jit in
// bpf_jit_comp.c).
func (c *function) prologue() {
	x := &c.x
	c.cfiPreamble()
	x.Nop(5) // patched when a trampoline attaches
	counts := c.fn.TailCallReachable && !c.isSub()
	if !c.prog.Classic {
		c.clearTailCount(counts)
	}
	if c.fn.ExceptionCallback {
		c.enterCallback()
	} else {
		x.Push(x86.RBP)
		x.Mov(x86.W64, x86.RBP, x86.RSP)
	}
	c.endbr() // tail calls land here
	if c.frame != 0 {
		x.RDigit(x86.W64, 0x81, 5, x86.RSP) // sub rsp; never the short form
		x.Imm32(c.frame)
	}
	if c.fn.TailCallReachable {
		c.pushTailCount(counts)
	}
	c.pushSaved()
	c.moveStack(5, c.outArgs)
	if c.arena {
		known := c.prog.ArenaStart != 0
		size, kind := c.movAddress(regArena, c.prog.ArenaStart, known, false)
		c.reloc(size, kind, known, "arena", 0)
	}
	if c.private {
		c.loadPrivate()
	}
}

// endbr emits a landing pad in kernels built for them, whether or not the CPU
// checks.
func (c *function) endbr() {
	if c.prof.IBT {
		c.x.Endbr64()
	}
}

// cfiLen returns the bytes before bpf_func (cfi_get_offset in
// arch/x86/include/asm/cfi.h).
func (c *function) cfiLen() int {
	if c.prof.CFI == CFIOff {
		return 0
	}
	return 16
}

// cfiPreamble emits the start of the function: a plain landing pad, or what
// the CFI scheme checks before an indirect call (emit_cfi in bpf_jit_comp.c).
// Schemes other than none have not been compared with a running kernel.
func (c *function) cfiPreamble() {
	x := &c.x
	switch c.prof.CFI {
	case CFIKcfi:
		x.Byte(0xb8) // mov eax, hash
		c.cfiHash()
		for range 11 {
			x.Nop(1)
		}
		c.endbr()
	case CFIFine, CFIFineBHI:
		x.Endbr64()
		x.Byte(0x2d) // sub eax, hash
		c.cfiHash()
		if c.prof.CFI == CFIFine {
			x.Put(0x2e, 0x0f, 0x85, 3, 0, 0, 0) // jne, predicted not taken
		} else {
			x.Put(0x2e, 0x2e)
			c.branch(0xe8, c.bhiArgs())
		}
		x.Put(0x0f, 0x1f, 0x40, 0xd6) // a NOP that is known not to be ENDBR64
	default:
		c.endbr()
	}
}

// cfiHash emits the type hash of the function's kind.
func (c *function) cfiHash() {
	hash, name := c.prof.CFIHash, "CFI hash of programs"
	if c.isSub() {
		hash, name = c.prof.CFISubHash, "CFI hash of subprograms"
	}
	c.x.Imm32(int32(hash))
	c.reloc(4, RelAbs32S, hash != 0, name, 0)
}

// bhiArgs names the thunk that spoils pointer arguments on a misprediction:
// it depends on the number of arguments.
func (c *function) bhiArgs() string {
	if c.isSub() {
		return "__bhi_args_5"
	}
	return "__bhi_args_1"
}

// clearTailCount zeroes the tail-call counter register on entry of a program
// that does tail calls; a NOP of the same length otherwise.
func (c *function) clearTailCount(counts bool) {
	switch {
	case !c.kernel.Has(kernel.TailCallPointer) && counts:
		c.x.Put(0x31, 0xc0) // xor eax, eax
	case !c.kernel.Has(kernel.TailCallPointer):
		c.x.Nop(2)
	case counts:
		c.x.Put(0x48, 0x31, 0xc0) // xor rax, rax
	default:
		c.x.Nop(3)
	}
}

// enterCallback takes over the frame of the function that threw, which
// bpf_throw passes in rsi (stack pointer) and rdx (frame pointer). The
// registers that the boundary pushed are restored from there.
func (c *function) enterCallback() {
	x := &c.x
	x.Mov(x86.W64, x86.RSP, x86.RSI)
	x.Mov(x86.W64, x86.RBP, x86.RDX)
	for i := len(savedOrder) - 1; i >= 0; i-- {
		x.Pop(savedOrder[i])
	}
	x.Mov(x86.W64, x86.RSP, x86.RBP)
}

// pushTailCount reserves the tail-call counter and the pointer to it below the
// frame. A subprogram passes on the pointer in rax; a main program holds the
// counter itself when entered from outside and a pointer when tail-called,
// which the value shows (emit_prologue_tail_call in bpf_jit_comp.c).
func (c *function) pushTailCount(counts bool) {
	x := &c.x
	switch {
	case !c.kernel.Has(kernel.TailCallPointer):
		x.Push(x86.RAX)
	case counts:
		x.Put(0x48, 0x83, 0xf8, maxTailCalls) // cmp rax, 33
		x.Put(0x77, 6)                        // ja: rax is a pointer
		x.Push(x86.RAX)
		x.Mov(x86.W64, x86.RAX, x86.RSP)
		x.Put(0xeb, 1)
		x.Push(x86.RAX)
		x.Push(x86.RAX)
	default:
		x.Push(x86.RAX)
		x.Push(x86.RAX)
	}
}

// moveStack emits add (digit 0) or sub (digit 5) of n bytes to rsp, nothing
// for zero.
func (c *function) moveStack(digit uint8, n int32) {
	if n != 0 {
		c.aluImm(x86.W64, digit, x86.RSP, n)
	}
}

// loadPrivate points r9 at the end of this CPU's private stack. The kernel has
// the first of its per-CPU memory at an address of 32 signed bits, and further
// memory anywhere. An address that is not known is taken for one of the first,
// which the rewrites mark as not predicted.
func (c *function) loadPrivate() {
	// A guard word of 8 bytes precedes the stack.
	top := 8 + int64(roundUp8(c.fn.StackDepth))
	p := c.fn.PrivateStackPtr
	size, kind := c.movAddress(regPrivate, p+uint64(top), p != 0, c.prof.StackForm == StackNear)
	c.reloc(size, kind, p != 0, "private stack", top)
	c.addThisCPU(regPrivate)
}
