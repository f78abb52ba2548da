package abstract

import "github.com/bpfcfg/bpfcfg/abstract/scalar"

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
