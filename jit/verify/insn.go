package verify

import (
	"bytes"
	"strings"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// body is the decoded code of one xlated instruction.
type body struct {
	pc         bytecode.PC
	in         bytecode.Insn
	start, end int           // offsets in the function
	x86        []disasm.Insn // without a leading ENDBR64
}

// insn checks the code of one xlated instruction.
func (c *checker) insn(fn jit.Func, pc bytecode.PC) {
	in := c.p.Insns[pc]
	b := &body{pc: pc, in: in, start: c.start(pc), end: c.start(pc + in.Slots())}
	b.x86 = c.between(b.start, b.end)
	c.endbr(b)
	c.nops(b)
	f := bytecode.FlowAt(c.p.Insns, pc)
	switch f.Kind {
	case bytecode.FlowGoto:
		c.r.Jumps++
		c.jump(b, fn, f.Target)
	case bytecode.FlowCond:
		c.r.Jumps++
		c.cond(b, fn, f.Target)
	case bytecode.FlowExit:
		c.r.Exits++
		c.exit(b)
	case bytecode.FlowIndirect:
		c.r.Indirect++
		c.indirect(b, in.Dst)
	case bytecode.FlowCall:
		c.r.Calls++
		c.call(b, f.Callee)
	case bytecode.FlowHelper:
		c.r.Calls++
		if in.Code == bytecode.CodeTailCall {
			c.tailCall(b)
			return
		}
		c.call(b, -1)
	default:
		c.plain(b)
	}
}

// endbr takes a leading ENDBR64 off the body, and says if one is missing or
// too many.
func (c *checker) endbr(b *body) {
	want := c.prof.IBT && c.prof.EndbrTargets && int(b.pc) < len(c.p.IndirectTarget) && c.p.IndirectTarget[b.pc]
	have := len(b.x86) > 0 && b.x86[0].IsEndbr()
	if have {
		b.x86 = b.x86[1:]
	}
	switch {
	case want && !have:
		c.fail(b.pc, b.start, "a target of indirect jumps without endbr64")
	case have && !want:
		c.fail(b.pc, b.start, "endbr64 at what is no target of indirect jumps")
	}
}

// padding holds the nops that Linux emits inside programs: 2 to 5 bytes
// (arch/x86/include/asm/nops.h, Linux 7.3; Intel SDM volume 2B, NOP).
var padding = [][]byte{
	2: {0x66, 0x90}, 3: {0x0f, 0x1f, 0x00}, 4: {0x0f, 0x1f, 0x40, 0x00}, 5: {0x0f, 0x1f, 0x44, 0x00, 0x00},
}

// nops checks that nops are Linux's and stand only where padding may: in
// direct jumps, exits and tail calls.
func (c *checker) nops(b *body) {
	for _, in := range b.x86 {
		if !in.IsNop() {
			continue
		}
		code := c.code[in.Offset : in.Offset+in.Len]
		if in.Len >= len(padding) || !bytes.Equal(code, padding[in.Len]) {
			c.fail(b.pc, in.Offset, "a nop that Linux does not use: % x", code)
		}
		switch bytecode.FlowAt(c.p.Insns, b.pc).Kind {
		case bytecode.FlowGoto, bytecode.FlowCond, bytecode.FlowExit:
		default:
			if b.in.Code != bytecode.CodeTailCall {
				c.fail(b.pc, in.Offset, "padding in an instruction that needs none")
			}
		}
	}
}

// withoutNops returns the body's instructions that do something.
func (b *body) withoutNops() []disasm.Insn {
	out := make([]disasm.Insn, 0, len(b.x86))
	for _, in := range b.x86 {
		if !in.IsNop() {
			out = append(out, in)
		}
	}
	return out
}

// isJump reports whether the instruction is a direct or indirect jump.
func isJump(in disasm.Insn) bool {
	return strings.HasPrefix(in.Inst.Op.String(), "J")
}

// plain checks an instruction that is no jump: control leaves its code at the
// end, and the only jumps in it are those of the two forms that have some.
func (c *checker) plain(b *body) {
	var jumps []disasm.Insn
	for _, in := range b.x86 {
		switch {
		case in.Inst.Op == x86asm.RET || in.Inst.Op == x86asm.CALL || in.Inst.Op == x86asm.INT || in.Inst.Op == x86asm.LEAVE:
			c.fail(b.pc, in.Offset, "%s in an instruction that does not leave its place", in)
		case isJump(in):
			jumps = append(jumps, in)
		}
	}
	c.innerJumps(b, jumps, c.innerForm(b))
}

// innerJump is a jump that the code of an instruction has inside.
type innerJump struct {
	op x86asm.Op
	to int // offset in the function
}

// innerForm returns the jumps that the code of an instruction which is no jump
// must have: the retry loop of an atomic that fetches the result of and, or or
// xor, which goes back to the load behind the first move, and the address check
// of a load that may fault, which skips to the load or over it.
func (c *checker) innerForm(b *body) []innerJump {
	const fetchAnd, fetchOr, fetchXor = 0x51, 0x41, 0xa1
	class, mode, n := b.in.Class(), b.in.Mode(), len(b.x86)
	switch {
	case class == asm.StXClass && mode == asm.AtomicMode && n > 1 &&
		(b.in.Imm == fetchAnd || b.in.Imm == fetchOr || b.in.Imm == fetchXor):
		return []innerJump{{x86asm.JNE, b.x86[1].Offset}}
	case class == asm.LdXClass && (mode == modeProbeMem || mode == modeProbeMemSX) && n > 0:
		return []innerJump{{x86asm.JA, b.x86[n-1].Offset}, {x86asm.JMP, b.end}}
	}
	return nil
}

// Modes of loads that exist only after the verifier (include/linux/filter.h
// BPF_PROBE_MEM and BPF_PROBE_MEMSX, Linux 7.3).
const (
	modeProbeMem   asm.Mode = 0x20
	modeProbeMemSX asm.Mode = 0x40
)

// innerJumps compares the jumps inside an instruction's code with those that
// must be there.
func (c *checker) innerJumps(b *body, have []disasm.Insn, want []innerJump) {
	for i, in := range have {
		if i >= len(want) {
			c.fail(b.pc, in.Offset, "%s: a jump that does not belong here", in)
			continue
		}
		if to, ok := in.Target(); !ok || to != want[i].to || in.Inst.Op != want[i].op {
			c.fail(b.pc, in.Offset, "%s: should be %s to +%#x", in, want[i].op, want[i].to)
		}
	}
	for _, w := range want[min(len(have), len(want)):] {
		c.fail(b.pc, b.start, "no %s to +%#x", w.op, w.to)
	}
}

// jump checks goto and gotol. A jump to the next code may vanish.
func (c *checker) jump(b *body, fn jit.Func, target bytecode.PC) {
	want, ok := c.targetStart(b, fn, target)
	if !ok {
		return
	}
	x := b.withoutNops()
	switch {
	case len(x) == 0 && want == b.end:
	case len(x) == 0:
		c.fail(b.pc, b.start, "falls through, should jump to +%#x", want)
	case len(x) > 1 || x[0].Inst.Op != x86asm.JMP:
		c.fail(b.pc, b.start, "%s where one jmp is expected", x[0])
	default:
		c.leads(b, x[0], want)
	}
}

// targetStart returns where the code of a jump's target begins.
func (c *checker) targetStart(b *body, fn jit.Func, target bytecode.PC) (int, bool) {
	if target < fn.Start || target >= fn.End {
		c.fail(b.pc, b.start, "its target %d is outside the function", target)
		return 0, false
	}
	return int(c.img.Offsets[target]), true
}

// leads checks the target of a direct jump.
func (c *checker) leads(b *body, in disasm.Insn, want int) {
	if to, ok := in.Target(); !ok || to != want {
		c.fail(b.pc, in.Offset, "%s, should go to +%#x", in, want)
	}
}

// exit checks a return: the first of a function undoes the frame and returns,
// later ones jump to it.
func (c *checker) exit(b *body) {
	x := b.withoutNops()
	if c.cleanup >= 0 {
		if len(x) != 1 || x[0].Inst.Op != x86asm.JMP {
			c.fail(b.pc, b.start, "a later exit is no single jmp")
			return
		}
		if to, ok := x[0].Target(); !ok || to != c.cleanup && to != c.landing {
			c.fail(b.pc, x[0].Offset, "%s, should go to the epilogue at +%#x", x[0], c.cleanup)
		}
		return
	}
	c.cleanup, c.landing = b.end, b.start
	if len(b.x86) > 0 {
		c.cleanup = b.x86[0].Offset
	}
	if len(x) > 0 && x[len(x)-1].Inst.Op == x86asm.INT {
		x = x[:len(x)-1]
	}
	if len(x) < 2 || x[len(x)-2].Inst.Op != x86asm.LEAVE {
		c.fail(b.pc, b.start, "the epilogue has no leave in front of its return")
		return
	}
	ret := x[len(x)-1]
	thunk := ret.Inst.Op == x86asm.JMP && c.goesTo(ret, c.prof.ReturnThunk)
	if plain := ret.Inst.Op == x86asm.RET; plain != (c.prof.ReturnThunk == "") || !plain && !thunk {
		c.fail(b.pc, ret.Offset, "%s: not the return of this profile", ret)
	}
}

// goesTo reports whether a direct jump or call leaves the image for a kernel
// symbol: by its relocation, or by address where the relocation is resolved.
func (c *checker) goesTo(in disasm.Insn, symbol string) bool {
	r := c.relocAt(in.Offset, in.Len)
	return r != nil && r.Target == symbol && r.Kind == jit.RelRel32 && c.resolvedRight(r, in)
}

// resolvedRight reports whether a resolved relocation leads out of the function
// as a kernel function must; one that is not resolved holds zeros.
func (c *checker) resolvedRight(r *jit.Reloc, in disasm.Insn) bool {
	to, ok := in.Target()
	if !ok {
		return false
	}
	if !r.Resolved {
		return to == in.Offset+in.Len
	}
	return to < 0 || to >= len(c.code)
}
