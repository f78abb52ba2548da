package verify

import (
	le "encoding/binary"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// recall remembers bodies that matched. Programs repeat the same instructions in the same bytes;
// decoding them once is enough if only the instruction and the kind of its frame decide what they
// must be. The number of bodies is bounded: a new one replaces an old one.
type recall struct{ slots []remembered }

// remembered is a body that matched.
type remembered struct {
	bodyKey
	x86 int // instructions that it consists of
}

// bodyKey is everything that decides whether the code of an instruction is right.
type bodyKey struct {
	in      bytecode.Insn
	code    [maxRecalled]byte
	n       uint8 // bytes of code; 0 for an unused slot
	private bool  // the function has a stack of its own
}

const (
	maxRecalled = 16 // bytes of code: what one or two x86 instructions take
	recallBits  = 11 // of the number of bodies
	recallFrom  = 64 // instructions from which on it pays
)

// key returns what decides whether a body is right, and whether that is everything: the instruction
// is arithmetic or accesses memory, has no reference, is not a marked target, and does not depend
// on the layout of its frame.
func (c *checker) key(b *body) (k bodyKey, ok bool) {
	in, n := b.in, b.end-b.start
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class, asm.LdXClass, asm.StClass, asm.StXClass:
	default:
		return k, false
	}
	if n <= 0 || n > maxRecalled || in.Dst > bytecode.R10 || in.Src > bytecode.R10 || len(c.prog.Insns) < recallFrom ||
		c.refAt(b.pc) != nil {
		return k, false
	}
	k.in, k.n, k.private = in, uint8(n), c.frame.private
	copy(k.code[:], c.code[b.start:b.end])
	return k, true
}

// has reports whether a body has matched before, and counts its instructions.
func (r *recall) has(k *bodyKey, p *Proof) bool {
	if r.slots == nil {
		return false
	}
	at := &r.slots[k.hash()]
	if at.bodyKey != *k {
		return false
	}
	p.X86 += at.x86
	return true
}

// add remembers a body that matched.
func (r *recall) add(k *bodyKey, x86 int) {
	if r.slots == nil {
		r.slots = make([]remembered, 1<<recallBits)
	}
	r.slots[k.hash()] = remembered{*k, x86}
}

// hash returns the place of a body.
func (k *bodyKey) hash() uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio: spreads keys that differ in few bits
	lo, hi := le.LittleEndian.Uint64(k.code[:]), le.LittleEndian.Uint64(k.code[8:])
	h := lo * odd
	return (h ^ h>>32 ^ hi) * odd >> (64 - recallBits)
}
