package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// packets records that a comparison shows a pointer to be at the end of packet data or after it.
// The verifier uses that to decide later comparisons of the register (kernel/bpf/verifier.c
// try_match_pkt_pointers and mark_pkt_end, Linux 5.11 to 7.3). Such decisions are guesses here.
func (c *compare) packets(taken, fall *State) {
	a, b, cond, reg := c.a, c.b, c.cond, c.dst
	if isMemory(a, memPacketEnd) {
		a, b, cond, reg = b, a, cond.Flip(), c.src
	}
	if c.is32 || !isMemory(b, memPacketEnd) || !isMemory(a, MemPacket) {
		return
	}
	past := *a
	past.Obj = int32(memPacketPast)
	switch cond {
	case scalar.JGT, scalar.JGE:
		taken.set(reg, &past)
	case scalar.JLT, scalar.JLE:
		fall.set(reg, &past)
	}
}

// pastEnd reports whether the alternative is a pointer to packet data that is known to
// be at its end or after it.
func pastEnd(a *Alt) bool { return a.Kind == Other && memoryOf(a.Obj) == memPacketPast }

// isMemory reports whether the value is a pointer to a kind of memory that is not
// modelled.
func isMemory(v *Value, m Memory) bool { return v.is(Other) && memoryOf(v.Obj) == m }

// packet returns a pointer that is loaded from a field of the context. A search for witnesses
// keeps the places in a packet, from its data on.
func (r *run) packet(m Memory, field int64) *Value {
	v := memoryPointer(m)
	meta := r.a.p.Type == "xdp" && field == 8 || field == 140 && r.a.p.Type != "sk_reuseport"
	if r.a.searches() && m == MemPacket && !meta {
		v.Off = scalar.Const(0)
	}
	return v
}

// placed reports whether the place of a pointer in a packet is known.
func (r *run) placed(p *Alt) bool {
	return r.a.searches() && p.Kind == Other && memoryOf(p.Obj) == MemPacket && p.Off != unknown
}

// distance returns the difference of two pointers: that of their places in one packet, as far as
// these are known, else any number, of which it is not known whether some execution has it.
func (r *run) distance(pc bytecode.PC, in bytecode.Insn, op scalar.Op, a, b *Alt, any Alt) Alt {
	if r.a.opt.Rules != Executions {
		return any
	}
	if op != scalar.Sub || !r.placed(a) || !r.placed(b) {
		any.flags |= loose
		return any
	}
	number := func(p *Alt) *Value {
		return &Value{Alt: Alt{Kind: Number, flags: p.flags & loose, Off: p.Off, str: p.str, src: p.src}}
	}
	return r.numberALU(pc, in, op, false, number(a), number(b)).Alt
}
