package verify

import (
	"sort"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// call lists a call of a helper, kernel function or, with a callee, a function
// of the program.
func (c *checker) call(l *list, b *body, callee bytecode.PC) {
	in, ref := b.in, c.refAt(b.pc)
	if ref != nil && ref.Kind == bytecode.RefFunc {
		callee = bytecode.PC(ref.Index) // the dump of a kernel has other numbers
	} else if ref != nil {
		callee = -1
	}
	if c.frame.counts && (in.Src == bytecode.CallSubprogram || !c.k.has(kernel.CountToSubprogs)) {
		c.passCount(l)
	}
	c.arenaArgs(l, b.pc)
	if c.frame.private {
		l.push(nPrivate)
	}
	thunked := ref != nil && c.prog.Addresses.Thunked != nil && c.prog.Addresses.Thunked(*ref)
	c.callDepth(l, thunked)
	switch {
	case callee >= 0:
		f := c.funcAt(callee)
		if f < 0 {
			c.fail(b.pc, b.start, "no function begins at slot %d", callee)
		}
		l.w = append(l.w, want{op: x86asm.CALL, to: toFunc, place: f})
	default:
		l.away(x86asm.CALL, calleeName(in, ref))
	}
	if c.frame.private {
		l.pop(nPrivate)
	}
}

// calleeName returns the name of the kernel function that a call leads to, or its
// number where the name is not known.
func calleeName(in bytecode.Insn, ref *bytecode.Ref) string {
	n, kind := int(in.Imm), "helper "
	if in.Src == bytecode.CallKfunc {
		kind = "kfunc "
	}
	switch {
	case ref == nil:
	case ref.Kind == bytecode.RefUnknown:
		return "" // of another object: the callee is known when they are linked
	case ref.Kind != bytecode.RefHelper && ref.Kind != bytecode.RefKfunc:
		return "no function" // the callee must be a function
	case ref.Name != "":
		return ref.Name
	default:
		n = ref.Index
		if kind = "helper "; ref.Kind == bytecode.RefKfunc {
			kind = "kfunc "
		}
	}
	return kind + itoa(n)
}

// passCount lists the load of the value that a callee with tail calls expects in rax.
func (c *checker) passCount(l *list) {
	off := -16 - c.frame.size
	if c.k.countOnStack() {
		off = -8 - c.frame.size
	}
	l.add(x86asm.MOV, sized(nAX, 8), at(nBP, off))
}

// arenaArgs lists the conversion of arguments that are pointers into an arena;
// one that may be null is skipped when it is.
func (c *checker) arenaArgs(l *list, pc bytecode.PC) {
	args := c.prog.ArenaArgs
	i := sort.Search(len(args), func(i int) bool { return args[i].PC >= pc })
	if i == len(args) || args[i].PC != pc {
		return
	}
	for n := range 5 {
		if args[i].Pointers>>n&1 == 0 {
			continue
		}
		r := registers[1+n]
		l.mov(4, r, r)
		if args[i].Nullable>>n&1 != 0 {
			l.add(x86asm.TEST, sized(r, 4), sized(r, 4))
			null := l.skip(x86asm.JE)
			l.add(x86asm.ADD, sized(r, 8), sized(nArena, 8))
			l.land(null)
			continue
		}
		l.add(x86asm.ADD, sized(r, 8), sized(nArena, 8))
	}
}

// refAt returns the reference of a slot, or nil.
func (c *checker) refAt(pc bytecode.PC) *bytecode.Ref {
	refs := c.prog.Refs
	for c.ref < len(refs) && refs[c.ref].PC < pc {
		c.ref++
	}
	if c.ref < len(refs) && refs[c.ref].PC == pc {
		return &refs[c.ref]
	}
	return nil
}

// funcAt returns the function that begins at a slot, or -1.
func (c *checker) funcAt(pc bytecode.PC) int {
	funcs := c.prog.Funcs
	i := sort.Search(len(funcs), func(i int) bool { return funcs[i].Start >= pc })
	if i < len(funcs) && funcs[i].Start == pc {
		return i
	}
	return -1
}

// through lists a jump or call (op) to the address in a register, in the form that mitigations
// require (emit_indirect_jump).
func (c *checker) through(l *list, op x86asm.Op, n int) {
	name := strings.ToLower((x86asm.RAX + x86asm.Reg(n)).String())
	switch c.k.Indirect {
	case throughITS:
		l.away(op, "__x86_indirect_its_thunk_"+name)
	case throughRet:
		thunk := "__x86_indirect_thunk_"
		if c.k.CallDepth && op == x86asm.JMP {
			thunk = "__x86_indirect_jump_thunk_"
		} else if c.k.CallDepth {
			thunk = "__x86_indirect_call_thunk_"
		}
		l.away(op, thunk+name)
	case behindFence:
		l.add(x86asm.LFENCE)
		l.add(op, sized(n, 8))
	default:
		l.add(op, sized(n, 8))
		if op == x86asm.JMP && (c.k.RetpolineBuild || c.k.SLS) {
			trap(l)
		}
	}
}

// callThrough lists a call of the address in a register. The thunk for calls counts
// their depth itself. It has not been compared with a running kernel.
func (c *checker) callThrough(l *list, n int) {
	if c.frame.private {
		l.push(nPrivate)
	}
	c.callDepth(l, c.k.Indirect == throughRet)
	c.through(l, x86asm.CALL, n)
	if c.frame.private {
		l.pop(nPrivate)
	}
}

// tailCall lists a tail call (emit_bpf_tail_call_indirect and
// emit_bpf_tail_call_direct).
func (c *checker) tailCall(l *list, b *body) {
	if b.in.Imm != 0 {
		c.directTailCall(l, b)
		return
	}
	l.mov(4, nDX, nDX)
	l.add(x86asm.CMP, at(nSI, int32(c.k.OffMaxEntries)), sized(nDX, 4))
	outside := l.skip(x86asm.JBE)
	used := c.checkCount(l)
	l.add(x86asm.MOV, sized(nCX, 8), atIndex(nSI, nDX, 8, int32(c.k.OffPtrs)))
	l.add(x86asm.TEST, sized(nCX, 8), sized(nCX, 8))
	empty := l.skip(x86asm.JE)
	c.count(l)
	c.leaveFrame(l)
	l.add(x86asm.MOV, sized(nCX, 8), at(nCX, int32(c.k.OffBPFFunc)))
	l.add(x86asm.ADD, sized(nCX, 8), imm(int64(c.landingPad())))
	c.through(l, x86asm.JMP, nCX)
	l.land(outside, used, empty)
}

// directTailCall lists a tail call whose target the kernel patches in: two
// places of 5 bytes, of which one is a nop.
func (c *checker) directTailCall(l *list, b *body) {
	t := c.prog.TailCalls
	i := sort.Search(len(t), func(i int) bool { return t[i].PC >= b.pc })
	filled := i < len(t) && t[i].PC == b.pc && t[i].Filled
	used := c.checkCount(l)
	bypass := -1
	if filled {
		l.hint(nop5)
	} else {
		bypass = l.skip(x86asm.JMP)
		l.w[bypass].long = true
	}
	c.count(l)
	c.leaveFrame(l)
	if filled {
		l.away(x86asm.JMP, tailTarget)
	} else {
		l.hint(nop5)
		l.land(bypass)
	}
	l.land(used)
}

// checkCount lists the comparison of the tail-call counter with its limit, and
// returns the jump out.
func (c *checker) checkCount(l *list) int {
	if !c.k.countOnStack() {
		c.passCount(l)
		l.add(x86asm.CMP, at(nAX, 0).of(8), imm(maxTailCalls))
		return l.skip(x86asm.JAE)
	}
	count := at(nBP, -4-c.frame.size)
	l.add(x86asm.MOV, sized(nAX, 4), count)
	l.add(x86asm.CMP, sized(nAX, 4), imm(maxTailCalls))
	out := l.skip(x86asm.JAE)
	l.add(x86asm.ADD, sized(nAX, 4), imm(1))
	l.add(x86asm.MOV, count, sized(nAX, 4))
	return out
}

// count lists the increment of the counter that rax points to.
func (c *checker) count(l *list) {
	if !c.k.countOnStack() {
		l.add(x86asm.ADD, at(nAX, 0).of(8), imm(1))
	}
}

// leaveFrame lists the code that undoes the prologue up to the place where the target continues.
func (c *checker) leaveFrame(l *list) {
	c.popFrame(l)
	l.pop(nAX)
	if !c.k.countOnStack() {
		l.pop(nAX)
	}
	if c.frame.size != 0 {
		l.add(x86asm.ADD, sized(nSP, 8), imm(int64(c.frame.size)))
	}
}

// landingPad returns the bytes from bpf_func to the place where tail calls land
// (X86_TAIL_CALL_OFFSET).
func (c *checker) landingPad() int {
	n := 12
	if c.k.countOnStack() {
		n = 11
	}
	if c.k.IBT {
		n += 4
	}
	return n
}
