package verify

import (
	"github.com/cilium/ebpf/asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/machine"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// checker compares rewritten program and machine code.
type checker struct {
	prog *machine.Program
	img  *machine.Image
	k    *Kernel
	p    *Proof

	fn      int    // current function
	code    []byte // its bytes
	frame   frame
	ref     int           // next reference, in order of slots
	body    body          // the current instruction
	x86     []disasm.Insn // of the current instruction: decoded instructions are large
	places  []int         // offsets of matched instructions
	want    list
	recall  recall
	cleanup int // offset of the first exit's code, -1 before it
	landing int // the same, or of an ENDBR64 before it
}

// shape checks that functions tile the image and that the offset map has the
// program's size, without which nothing else can be looked at.
func (c *checker) shape() bool {
	p, img := c.prog, c.img
	if len(img.Funcs) != len(p.Funcs) || len(img.Offsets) != len(p.Insns) || len(img.Tables) != len(p.Tables) {
		c.fail(-1, 0, "%d functions, %d offsets and %d tables for a program of %d functions, %d slots and %d tables",
			len(img.Funcs), len(img.Offsets), len(img.Tables), len(p.Funcs), len(p.Insns), len(p.Tables))
		return false
	}
	end, slot := 0, bytecode.PC(0)
	for f, fi := range img.Funcs {
		c.fn = f
		fn := p.Funcs[f]
		if fi.Offset != end || fi.Len <= 0 || fi.Offset+fi.Len > len(img.Code) {
			c.fail(-1, 0, "function occupies bytes %d to %d of %d, should begin at %d", fi.Offset, fi.Offset+fi.Len,
				len(img.Code), end)
			return false
		}
		if fn.Start != slot || fn.End <= fn.Start || int(fn.End) > len(p.Insns) {
			c.fail(-1, 0, "function has slots %d to %d, should begin at %d", fn.Start, fn.End, slot)
			return false
		}
		end, slot = fi.Offset+fi.Len, fn.End
	}
	if end != len(img.Code) || int(slot) != len(p.Insns) {
		c.fail(-1, 0, "functions end at byte %d of %d, slot %d of %d", end, len(img.Code), slot, len(p.Insns))
		return false
	}
	return true
}

// function checks one function. The code of each instruction begins where the
// offset map says and ends where that of the next begins.
func (c *checker) function(f int) {
	c.fn, c.cleanup = f, -1
	fi, fn := c.img.Funcs[f], c.prog.Funcs[f]
	c.code = c.img.Code[fi.Offset : fi.Offset+fi.Len]
	c.frame = c.frameOf(f)
	c.p.Funcs++
	if !c.offsets(fn) || !c.preamble(fi.Entry) {
		return
	}
	b := &body{pc: -1, start: fi.Entry, end: c.start(fn.Start)}
	c.want.reset()
	c.prologue(&c.want, f)
	if c.read(b) {
		c.match(b, c.want.w)
	}
	for pc := fn.Start; pc < fn.End; pc += c.prog.Insns[pc].Slots() {
		c.p.Insns++
		c.insn(fn, pc)
	}
}

// offsets checks that the offset map does not decrease or leave the function.
func (c *checker) offsets(fn machine.Func) bool {
	prev := 0
	for pc := fn.Start; pc < fn.End; pc += c.prog.Insns[pc].Slots() {
		off := int(c.img.Offsets[pc])
		if off < prev || off > len(c.code) {
			c.fail(pc, off, "its code begins outside the function or before +%#x, where that before it begins", prev)
			return false
		}
		prev = off
	}
	return true
}

// start returns where the code of slot pc begins in the current function;
// the slot after the last has its end.
func (c *checker) start(pc bytecode.PC) int {
	if pc >= c.prog.Funcs[c.fn].End {
		return len(c.code)
	}
	return int(c.img.Offsets[pc])
}

// preamble checks the bytes before the entry of a function with CFI, except for the hash and a
// distance (emit_cfi in bpf_jit_comp.c; read only).
func (c *checker) preamble(entry int) bool {
	const any = '?'
	form := map[string]string{
		cfiOff:     "",
		cfiKernel:  "\xb8????\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90",
		cfiFine:    "\xf3\x0f\x1e\xfa\x2d????\x2e\x0f\x85\x03\x00\x00\x00\x0f\x1f\x40\xd6",
		cfiFineBHI: "\xf3\x0f\x1e\xfa\x2d????\x2e\x2e\xe8????\x0f\x1f\x40\xd6",
	}[c.k.CFI]
	if c.k.CFI == cfiKernel && c.k.IBT {
		form += "\xf3\x0f\x1e\xfa"
	}
	if entry < 0 || entry > len(c.code) || len(form) > len(c.code) {
		c.fail(-1, 0, "the function begins at +%#x of %d bytes", entry, len(c.code))
		return false
	}
	for i := range len(form) {
		if form[i] != any && c.code[i] != form[i] {
			c.fail(-1, i, "%#x in front of the function, should be %#x", c.code[i], form[i])
			return false
		}
	}
	return true
}

// insn checks the code of one rewritten instruction.
func (c *checker) insn(fn machine.Func, pc bytecode.PC) {
	in := c.prog.Insns[pc]
	b := &c.body
	*b = body{pc: pc, in: in, start: c.start(pc), end: c.start(pc + in.Slots())}
	marks := c.prog.IndirectTarget
	marked := c.k.IBT && c.k.EndbrTargets && int(pc) < len(marks) && marks[pc]
	key, alone := c.key(b)
	if alone = alone && !marked; alone && c.recall.has(&key, c.p) || !c.read(b) {
		return
	}
	l := &c.want
	l.reset()
	if marked {
		l.hint(endbr)
	}
	f := bytecode.FlowAt(c.prog.Insns, pc)
	switch f.Kind {
	case bytecode.FlowGoto:
		c.p.Jumps++
		if !c.goTo(l, b, fn, f.Target) {
			return
		}
	case bytecode.FlowCond:
		c.p.Jumps++
		if !c.inside(b, fn, f.Target) {
			return
		}
		c.compare(l, in)
		l.jump(conditions[in.JumpOp()], int(c.img.Offsets[f.Target]))
	case bytecode.FlowExit:
		c.p.Exits++
		c.exit(l, b)
	case bytecode.FlowIndirect:
		c.p.Indirect++
		c.through(l, x86asm.JMP, c.register(in.Dst))
	case bytecode.FlowCallx:
		c.p.Calls++
		c.callThrough(l, c.register(in.Dst))
	case bytecode.FlowCall:
		c.p.Calls++
		c.call(l, b, f.Callee)
	case bytecode.FlowHelper:
		c.p.Calls++
		if in.Code == bytecode.CodeTailCall {
			c.tailCall(l, b)
		} else {
			c.call(l, b, -1)
		}
	default:
		c.plain(l, b)
	}
	if c.match(b, l.w) && alone {
		c.recall.add(&key, len(b.x86))
	}
}

// plain lists an instruction that is not a jump.
func (c *checker) plain(l *list, b *body) {
	switch b.in.Class() {
	case asm.LdClass:
		c.load64(l, b)
	case asm.LdXClass:
		c.load(l, b)
	case asm.StClass:
		c.store(l, b)
	case asm.StXClass:
		c.storeReg(l, b)
	case asm.ALUClass, asm.ALU64Class:
		c.arithmetic(l, b)
	default:
		c.fail(b.pc, b.start, "no kernel compiles it")
	}
}

// load64 lists a 64-bit immediate load: of its constant, or of an address.
func (c *checker) load64(l *list, b *body) {
	d := c.register(b.in.Dst)
	if b.in.Src != bytecode.LdImm64 || c.refAt(b.pc) != nil {
		n := len(b.x86) // an address may be any number, 0 among them
		l.add(x86asm.MOV, sized(d, 8), arg{kind: anyImm})
		if n > 0 && !l.last().is(&b.x86[n-1], c.code) {
			l.last().args[0] = sized(d, 4)
		}
		if n > 0 && b.x86[n-1].Inst.Op == x86asm.XOR {
			*l.last() = want{op: x86asm.XOR, args: [3]arg{sized(d, 4), sized(d, 4)}}
		}
		return
	}
	l.constant(d, uint64(uint32(b.in.Imm))|uint64(uint32(c.prog.Insns[b.pc+1].Imm))<<32)
}

// conditions gives for each comparison of two values the x86 jump that is
// taken when it holds after "cmp dst, src" (Intel SDM volume 2A, Jcc).
var conditions = map[asm.JumpOp]x86asm.Op{
	asm.JEq: x86asm.JE, asm.JNE: x86asm.JNE, asm.JSet: x86asm.JNE,
	asm.JGT: x86asm.JA, asm.JGE: x86asm.JAE, asm.JLT: x86asm.JB, asm.JLE: x86asm.JBE,
	asm.JSGT: x86asm.JG, asm.JSGE: x86asm.JGE, asm.JSLT: x86asm.JL, asm.JSLE: x86asm.JLE,
}

// compare lists the comparison before a conditional jump: test for JSET
// and for zero, cmp for all others.
func (c *checker) compare(l *list, in bytecode.Insn) {
	size := 4
	if in.Class() == asm.JumpClass {
		size = 8
	}
	d := sized(c.register(in.Dst), size)
	op, second := x86asm.CMP, imm(int64(in.Imm))
	if in.JumpOp() == asm.JSet {
		op = x86asm.TEST
	}
	switch {
	case in.Source() == asm.RegSource:
		second = sized(c.register(in.Src), size)
	case in.JumpOp() != asm.JSet && in.Imm == 0:
		op, second = x86asm.TEST, d
	}
	l.add(op, d, second)
}

// inside reports whether the target of a jump lies in its function.
func (c *checker) inside(b *body, fn machine.Func, target bytecode.PC) bool {
	if target < fn.Start || target >= fn.End {
		c.fail(b.pc, b.start, "its target %d is outside the function", target)
		return false
	}
	return true
}

// goTo lists goto and gotol. A jump forward to the next code vanishes; where Linux keeps the size,
// nops of 2 or 5 bytes take its place. A jump backward always has code: without it, a loop would be
// lost.
func (c *checker) goTo(l *list, b *body, fn machine.Func, target bytecode.PC) bool {
	if !c.inside(b, fn, target) {
		return false
	}
	place := int(c.img.Offsets[target])
	if place != b.end || target <= b.pc {
		l.jump(x86asm.JMP, place)
		return true
	}
	if rest := b.x86[min(len(l.w), len(b.x86)):]; len(rest) == 1 && rest[0].IsNop() {
		if l.hint(nop2); rest[0].Len == 5 {
			l.last().hint = nop5
		}
	}
	return true
}

// tables checks that each entry points at the code of its target.
func (c *checker) tables() {
	for t, targets := range c.prog.Tables {
		if len(targets) != len(c.img.Tables[t]) {
			c.fn = 0
			c.fail(-1, 0, "table %d has %d entries for %d targets", t, len(c.img.Tables[t]), len(targets))
			continue
		}
		for i, pc := range targets {
			c.p.Entries++
			c.entry(t, i, pc, int(c.img.Tables[t][i]))
		}
	}
}

// entry checks one table entry: where it points, relative to the target's
// function.
func (c *checker) entry(table, i int, pc bytecode.PC, jitted int) {
	switch {
	case pc == machine.Deleted && jitted != 0:
		c.fn = 0
		c.fail(-1, jitted, "table %d[%d] points at +%#x, its instruction was removed", table, i, jitted)
	case pc == machine.Deleted:
	case pc < 0 || int(pc) >= len(c.prog.Insns):
		c.fn = 0
		c.fail(-1, 0, "table %d[%d] has the target %d, outside the program", table, i, pc)
	case jitted != int(c.img.Offsets[pc]):
		want := int(c.img.Offsets[pc])
		c.fn = c.funcOf(pc)
		c.fail(pc, want, "table %d[%d] points at +%#x, should at +%#x", table, i, jitted, want)
	}
}
