package verify

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Modes of accesses that exist only after the verifier, and the speculation
// barrier (include/linux/filter.h, Linux 7.3).
const (
	modeProbe     asm.Mode = 0x20 // load that may fault
	modeProbeSX   asm.Mode = 0x40 // the same with sign extension
	modeArena     asm.Mode = 0xa0
	modeArenaSX   asm.Mode = 0xc0 // loads only
	modeArenaAtom asm.Mode = 0xe0
	codeBarrier            = 0xc2
)

var sizes = map[asm.Size]int{asm.Byte: 1, asm.Half: 2, asm.Word: 4, asm.DWord: 8}

// isParams reports whether a register is the base of stack-passed arguments.
func (c *checker) isParams(r bytecode.Reg) bool { return c.k.StackArgs && r == bytecode.R11 }

// sixth is the offset of the sixth argument, which travels in r9.
const sixth = 8

// load lists a load.
func (c *checker) load(l *list, b *body) {
	in := b.in
	d, s := c.register(in.Dst), c.register(in.Src)
	size, signed := sizes[in.Size()], in.Mode() == asm.MemSXMode
	m := at(s, int32(in.Off))
	switch in.Mode() {
	case modeProbe, modeProbeSX:
		c.probe(l, in, d, s)
		return
	case modeArena, modeArenaSX:
		m = atIndex(s, nArena, 1, int32(in.Off))
		loadFrom(l, d, size, in.Mode() == modeArenaSX, 4, m)
		return
	}
	if c.isParams(in.Src) {
		if in.Off == sixth {
			if d != n9 {
				l.mov(8, d, n9)
			}
			return
		}
		m = at(nBP, int32(in.Off))
	}
	loadFrom(l, d, size, signed, 8, m)
}

// loadFrom lists a load from memory; narrow is the size of the register that
// small unsigned loads name.
func loadFrom(l *list, d, size int, signed bool, narrow int, m arg) {
	m = m.of(size)
	switch {
	case signed && size == 4:
		l.add(x86asm.MOVSXD, sized(d, 8), m)
	case signed:
		l.add(x86asm.MOVSX, sized(d, 8), m)
	case size < 4:
		l.add(x86asm.MOVZX, sized(d, narrow), m)
	default:
		l.add(x86asm.MOV, sized(d, size), m)
	}
}

// probe lists a load through a pointer that may be stale: one comparison excludes user space and
// the vsyscall page, which give zero.
func (c *checker) probe(l *list, in bytecode.Insn, d, s int) {
	const vsyscall, page = -10 << 20, 4096
	end := int64(1)<<47 - page // TASK_SIZE_MAX (arch/x86/include/asm/page_64.h)
	if c.k.LA57 {
		end = int64(1)<<56 - page
	}
	if !c.k.has(kernel.ProbeWindow) {
		c.probeAbove(l, in, d, s, end+page)
		return
	}
	l.add(x86asm.MOV, sized(nHidden, 8), imm64(vsyscall))
	l.mov(8, nScratch, s)
	if in.Off != 0 {
		l.add(x86asm.ADD, sized(nScratch, 8), imm(int64(in.Off)))
	}
	l.add(x86asm.SUB, sized(nScratch, 8), sized(nHidden, 8))
	l.add(x86asm.MOV, sized(nHidden, 8), imm64(end+page-vsyscall))
	l.add(x86asm.CMP, sized(nScratch, 8), sized(nHidden, 8))
	allowed := l.skip(x86asm.JA)
	l.add(x86asm.XOR, sized(d, 4), sized(d, 4))
	over := l.skip(x86asm.JMP)
	l.land(allowed)
	loadFrom(l, d, sizes[in.Size()], in.Mode() == modeProbeSX, 8, at(s, int32(in.Off)))
	l.land(over)
}

// probeAbove is probe of older kernels: a register that is not above user space by the size of the offset
// gives zero, and so does a sum that overflows.
func (c *checker) probeAbove(l *list, in bytecode.Insn, d, s int, limit int64) {
	off := int64(in.Off)
	l.add(x86asm.MOV, sized(nScratch, 8), imm64(limit+max(off, -off)))
	l.add(x86asm.CMP, sized(s, 8), sized(nScratch, 8))
	low := l.skip(x86asm.JB)
	l.mov(8, nScratch, s)
	l.add(x86asm.ADD, sized(nScratch, 8), imm(off))
	above := l.skip(x86asm.JAE)
	l.land(low)
	l.add(x86asm.XOR, sized(d, 4), sized(d, 4))
	over := l.skip(x86asm.JMP)
	l.land(above)
	loadFrom(l, d, sizes[in.Size()], false, 8, at(s, int32(in.Off)))
	l.land(over)
}

// store lists a store of a constant, or a barrier.
func (c *checker) store(l *list, b *body) {
	in := b.in
	if in.Code == codeBarrier {
		l.add(x86asm.LFENCE)
		return
	}
	m := at(c.register(in.Dst), int32(in.Off))
	switch {
	case in.Mode() == modeArena:
		m = atIndex(c.register(in.Dst), nArena, 1, int32(in.Off))
	case c.isParams(in.Dst) && in.Off == -sixth:
		l.constant(n9, uint64(int64(in.Imm)))
		return
	case c.isParams(in.Dst):
		m = at(nBP, c.argument(in.Off))
	}
	size := sizes[in.Size()]
	l.add(x86asm.MOV, m.of(size), imm(int64(in.Imm)).of(size))
	l.last().half = size == 2
}

// argument returns the offset from rbp of an outgoing stack argument beyond the sixth: they are
// below the frame and the saved registers.
func (c *checker) argument(off int16) int32 {
	return -c.frame.size - 8*int32(len(c.frame.saved)) - c.frame.out - int32(off) - 2*sixth
}

// storeReg lists a store of a register or an atomic operation.
func (c *checker) storeReg(l *list, b *body) {
	in := b.in
	d, s := c.register(in.Dst), c.register(in.Src)
	switch {
	case in.Mode() == asm.AtomicMode:
		c.atomic(l, in, d, s, at(d, int32(in.Off)), at(s, int32(in.Off)), 8)
	case in.Mode() == modeArenaAtom:
		c.atomic(l, in, d, s, atIndex(d, nArena, 1, int32(in.Off)), atIndex(s, nArena, 1, int32(in.Off)), 4)
	case in.Mode() == modeArena:
		storeTo(l, s, sizes[in.Size()], atIndex(d, nArena, 1, int32(in.Off)))
	case c.isParams(in.Dst) && in.Off == -sixth:
		if s != n9 {
			l.mov(8, n9, s)
		}
	case c.isParams(in.Dst):
		storeTo(l, s, sizes[in.Size()], at(nBP, c.argument(in.Off)))
	default:
		storeTo(l, s, sizes[in.Size()], at(d, int32(in.Off)))
	}
}

func storeTo(l *list, s, size int, m arg) {
	l.add(x86asm.MOV, m.of(size), sized(s, size))
	l.last().half = size == 2
}

// Atomic operations, in Imm (RFC 9669 section 5.3; the last two:
// include/uapi/linux/bpf.h, Linux 6.15).
const (
	atomicAdd, atomicOr, atomicAnd, atomicXor = 0x00, 0x40, 0x50, 0xa0
	atomicFetch                               = 0x01
	atomicXchg, atomicCmpxchg                 = 0xe1, 0xf1
	atomicLoad, atomicStore                   = 0x100, 0x110
)

var atomics = map[int32]x86asm.Op{
	atomicAdd: x86asm.ADD, atomicOr: x86asm.OR, atomicAnd: x86asm.AND, atomicXor: x86asm.XOR,
	atomicAdd | atomicFetch: x86asm.XADD, atomicXchg: x86asm.XCHG, atomicCmpxchg: x86asm.CMPXCHG,
}

// atomic lists an atomic operation on memory at dst; from is the same at src.
func (c *checker) atomic(l *list, in bytecode.Insn, d, s int, m, from arg, narrow int) {
	size := sizes[in.Size()]
	switch op := atomics[in.Imm]; {
	case in.Imm == atomicLoad:
		loadFrom(l, d, size, false, narrow, from)
	case in.Imm == atomicStore:
		storeTo(l, s, size, m)
	case op != 0:
		l.add(op, m.of(size), sized(s, size))
		l.last().lock = in.Imm != atomicXchg || c.k.XchgLock
	default:
		fetchLoop(l, in, size, d, s)
	}
}

// fetchLoop lists an operation that returns the old value and that x86 lacks:
// a loop around a compare and exchange, with R0 kept in r10.
func fetchLoop(l *list, in bytecode.Insn, size, d, s int) {
	l.mov(8, nHidden, nAX)
	if s == nAX {
		s = nHidden
	}
	if d == nAX {
		d = nHidden
	}
	m := at(d, int32(in.Off)).of(size)
	again := len(l.w)
	l.add(x86asm.MOV, sized(nAX, size), m)
	l.mov(size, nScratch, nAX)
	l.add(atomics[in.Imm&^atomicFetch], sized(nScratch, size), sized(s, size))
	l.add(x86asm.CMPXCHG, m, sized(nScratch, size))
	l.last().lock = true
	back := l.skip(x86asm.JNE)
	l.w[back].place = again
	l.mov(size, s, nAX)
	l.mov(8, nAX, nHidden)
}
