package verify

import (
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// frame is the stack frame of a function: what its prologue sets up, and its
// epilogue and tail calls undo.
type frame struct {
	size    int32 // bytes below rbp
	saved   []int // registers in the order of pushing
	out     int32 // bytes of outgoing stack arguments
	private bool
	arena   bool
	counts  bool // has the tail-call counter
	main    bool // the program's first function
}

// frameOf derives the frame from the program (arch/x86/net/bpf_jit_comp.c
// emit_prologue, push_callee_regs and detect_reg_usage, Linux 7.3). Registers
// count by their fields alone, whatever the opcode; the kind of a 64-bit
// immediate load counts in a program with several functions, which is compiled
// before the kernel clears it.
func (c *checker) frameOf(f int) frame {
	fn := &c.prog.Funcs[f]
	fr := frame{
		size: int32((fn.StackDepth + 7) &^ 7), private: fn.PrivateStack, main: f == 0,
		arena: c.prog.ArenaUsed || c.prog.ArenaStart != 0, counts: fn.TailCallReachable,
		out: 8 * int32(max(fn.OutStackArgs-1, 0)),
	}
	if fr.private {
		fr.size = 0
	}
	var used [16]bool
	for _, in := range c.prog.Insns[fn.Start:fn.End] {
		used[in.Dst&15] = true
		if !in.IsWide() || len(c.prog.Funcs) > 1 {
			used[in.Src&15] = true
		}
	}
	if fr.arena || fn.ExceptionBoundary {
		fr.saved = append(fr.saved, nArena)
	}
	for r, n := range []int{nBX, n13, n14, n15} {
		if used[int(bytecode.R6)+r] || fn.ExceptionBoundary {
			fr.saved = append(fr.saved, n)
		}
	}
	return fr
}

// prologue lists the code before that of the first instruction, from the
// function's entry on.
func (c *checker) prologue(l *list, f int) {
	fn, fr := &c.prog.Funcs[f], &c.frame
	if c.k.IBT && c.k.CFI == cfiOff {
		l.hint(endbr)
	}
	l.hint(nop5) // patched when a trampoline attaches
	counts := fr.counts && fr.main
	if !c.prog.Classic {
		c.clearCount(l, counts)
	}
	if fn.ExceptionCallback {
		takeFrame(l)
	} else {
		l.push(nBP)
		l.mov(8, nBP, nSP)
	}
	if c.k.IBT {
		l.hint(endbr) // tail calls land here
	}
	if fr.size != 0 {
		l.add(x86asm.SUB, sized(nSP, 8), imm(int64(fr.size)))
	}
	if fr.counts {
		c.pushCount(l, counts)
	}
	for _, n := range fr.saved {
		l.push(n)
	}
	if fr.out != 0 {
		l.add(x86asm.SUB, sized(nSP, 8), imm(int64(fr.out)))
	}
	if fr.arena {
		c.address(l, nArena, c.prog.ArenaStart, c.prog.ArenaStart != 0)
	}
	if fr.private {
		p := fn.PrivateStackPtr
		c.address(l, nPrivate, p+8+uint64((fn.StackDepth+7)&^7), p != 0)
		c.thisCPU(l, nPrivate)
	}
}

// clearCount lists the code that zeroes the tail-call counter, or a nop of its length.
func (c *checker) clearCount(l *list, counts bool) {
	size, skip := 8, nop3
	if c.k.countOnStack() {
		size, skip = 4, nop2
	}
	if counts {
		l.add(x86asm.XOR, sized(nAX, size), sized(nAX, size))
	} else {
		l.hint(skip)
	}
}

// takeFrame lists how an exception callback takes over the frame of the
// function at the boundary, whose pointers bpf_throw passes in rsi and rdx.
func takeFrame(l *list) {
	l.mov(8, nSP, nSI)
	l.mov(8, nBP, nDX)
	for _, n := range []int{n15, n14, n13, nBX, nArena} {
		l.pop(n)
	}
	l.mov(8, nSP, nBP)
}

// maxTailCalls is MAX_TAIL_CALL_CNT (include/linux/bpf.h).
const maxTailCalls = 33

// pushCount lists the code that makes room for the tail-call counter and the pointer to it: a main
// program is entered with a number from outside and with a pointer from a tail call; the value
// shows which.
func (c *checker) pushCount(l *list, counts bool) {
	switch {
	case c.k.countOnStack():
		l.push(nAX)
	case counts:
		l.add(x86asm.CMP, sized(nAX, 8), imm(maxTailCalls))
		pointer := l.skip(x86asm.JA)
		l.push(nAX)
		l.mov(8, nAX, nSP)
		number := l.skip(x86asm.JMP)
		l.land(pointer)
		l.push(nAX)
		l.land(number)
		l.push(nAX)
	default:
		l.push(nAX)
		l.push(nAX)
	}
}

// address lists a move of an address: of exactly that value if it is known.
func (c *checker) address(l *list, d int, v uint64, known bool) {
	if known {
		l.constant(d, v)
		return
	}
	l.add(x86asm.MOV, sized(d, 8), arg{kind: anyImm})
}

// thisCPU lists the addition of this CPU's base.
func (c *checker) thisCPU(l *list, d int) {
	if c.k.SMP {
		l.add(x86asm.ADD, sized(d, 8), arg{kind: anyMem, gs: true})
	}
}

// popFrame lists the code that undoes the pushes of a prologue.
func (c *checker) popFrame(l *list) {
	for _, n := range slices.Backward(c.frame.saved) {
		l.pop(n)
	}
}

// exit lists a return: the first of a function undoes the frame, later ones
// jump there, or to an ENDBR64 before it (cleanup_addr in do_jit,
// arch/x86/net/bpf_jit_comp.c, Linux 7.3).
func (c *checker) exit(l *list, b *body) {
	if c.cleanup >= 0 {
		l.jump(x86asm.JMP, c.cleanup)
		if n := len(b.x86); n > 0 && c.landing != c.cleanup && c.leads(&b.x86[n-1], c.landing) {
			l.last().place = c.landing
		}
		return
	}
	c.landing, c.cleanup = b.start, b.start
	if len(l.w) > 0 && len(b.x86) > 0 { // an ENDBR64 is expected
		c.cleanup += b.x86[0].Len
	}
	if c.prog.Classic && c.prog.Unprivileged {
		c.clearHistory(l)
	}
	if c.frame.out != 0 {
		l.add(x86asm.ADD, sized(nSP, 8), imm(int64(c.frame.out)))
	}
	c.popFrame(l)
	l.add(x86asm.LEAVE)
	if c.k.ReturnThunk != "" {
		l.away(x86asm.JMP, c.k.ReturnThunk)
		return
	}
	l.add(x86asm.RET)
	if c.k.SLS {
		trap(l)
	}
}

// trap lists the int3 after code that control does not leave at its end.
func trap(l *list) { l.add(x86asm.INT, imm(3)) }

// clearHistory lists the barrier before the return of a classic filter
// that an unprivileged user loads (emit_spectre_bhb_barrier).
func (c *checker) clearHistory(l *list) {
	if c.k.BHI == bhiLoop || c.k.BHI == bhiLoopGuest {
		l.push(nAX)
		l.push(nCX)
		c.callDepth(l, false)
		l.away(x86asm.CALL, "clear_bhb_loop")
		l.pop(nCX)
		l.pop(nAX)
	}
	if c.k.BHI == bhiHardware || c.k.BHI == bhiLoopGuest {
		l.hint(ibhf)
	}
}

// callDepth lists the accounting of a call on CPUs that track call depth.
func (c *checker) callDepth(l *list, thunked bool) {
	if c.k.CallDepth && !thunked {
		m := arg{kind: anyMem, reg: x86asm.RIP, gs: true}
		l.add(x86asm.SAR, m, imm(5))
	}
}

// Values of Kernel's fields.
const (
	cfiOff, cfiKernel, cfiFine, cfiFineBHI               = "off", "kcfi", "fineibt", "fineibt-bhi"
	bhiLoop, bhiLoopGuest, bhiHardware                   = "loop", "loop+hypervisor", "hw"
	throughRegister, behindFence, throughRet, throughITS = "plain", "lfence", "retpoline", "its"
)
