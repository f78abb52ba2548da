package verify

import (
	"math"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// constants holds which of R0 to R9 are constants, and which.
type constants struct {
	is  [10]bool
	val [10]uint64
}

// mustDecide reports whether a conditional jump compares constants that were set in its own block:
// kernels that look for constants before they verify find at least these (kernel/bpf/const_fold.c,
// Linux 7.3). It returns the way that remains.
func (c *source) mustDecide(pc bytecode.PC) way {
	blk := c.Graph.Blocks[c.block(pc)]
	in := c.p.Insns[pc]
	var k constants
	for at := blk.Start; at < pc; at += c.p.Insns[at].Slots() {
		if k.step(c.p.Insns[at]); c.p.PendingAt(at) != 0 { // not known yet
			k = constants{}
		}
	}
	taken, ok := k.compare(in)
	switch {
	case !ok:
		return bothWays
	case taken:
		return onlyTarget
	}
	return onlyNext
}

// step applies an instruction. Only moves and what they move are followed.
func (k *constants) step(in bytecode.Insn) {
	write := in.Dst
	switch in.Class() {
	case asm.StClass:
		return
	case asm.JumpClass, asm.Jump32Class:
		clear(k.is[:6])
		return
	case asm.StXClass:
		if in.Mode() == asm.AtomicMode {
			*k = constants{} // some fetch into R0, some into another register
		}
		return
	case asm.LdClass:
		clear(k.is[:6])
	}
	if write > bytecode.R9 {
		return
	}
	k.is[write] = false
	if in.Code == w64|opMov {
		k.is[write], k.val[write] = true, uint64(int64(in.Imm))
	}
	if in.Code == w32|opMov {
		k.is[write], k.val[write] = true, uint64(uint32(in.Imm))
	}
}

// compare evaluates a conditional jump; only constants below 2^32 count.
func (k *constants) compare(in bytecode.Insn) (taken, ok bool) {
	small := func(r bytecode.Reg) bool { return r <= bytecode.R9 && k.is[r] && k.val[r] <= math.MaxUint32 }
	if in.JumpOp() == asm.JCOND || !small(in.Dst) {
		return false, false
	}
	a, b := k.val[in.Dst], uint64(int64(in.Imm))
	if in.Source() == asm.RegSource {
		if !small(in.Src) {
			return false, false
		}
		b = k.val[in.Src]
	}
	if in.Class() == asm.Jump32Class { // sign extension keeps the order of unsigned numbers
		a, b = uint64(int32(a)), uint64(int32(b))
	}
	x, y := int64(a), int64(b)
	switch in.JumpOp() {
	case asm.JEq:
		return a == b, true
	case asm.JNE:
		return a != b, true
	case asm.JSet:
		return a&b != 0, true
	case asm.JGT:
		return a > b, true
	case asm.JGE:
		return a >= b, true
	case asm.JLT:
		return a < b, true
	case asm.JLE:
		return a <= b, true
	case asm.JSGT:
		return x > y, true
	case asm.JSGE:
		return x >= y, true
	case asm.JSLT:
		return x < y, true
	case asm.JSLE:
		return x <= y, true
	}
	return false, false
}
