package jit

// paddings holds for a kind of jump the two gaps, besides none, that filling
// up to the size of the walk before may leave.
type paddings [2]int32

// The possible gaps: the long form of a conditional jump is 6 bytes,
// that of a goto 5, their short form 2.
var (
	padCond = paddings{4, 4}
	padGoto = paddings{3, 3}
	padNone = paddings{2, 5} // a goto that vanished
)

// pad emits, in walks that pad, a NOP before a jump of size bytes that
// makes the instruction as long as it was in the walk before. The gap is what
// do_jit in bpf_jit_comp.c calls INSN_SZ_DIFF, less the jump itself; it fails
// on any gap that cannot come from a jump that shrank, and so does this.
func (c *function) pad(size int32, allowed paddings) {
	if !c.padding {
		return
	}
	gap := c.addrs[c.slot+1] - c.addrs[c.slot] - int32(c.x.Len()) - size
	switch gap {
	case 0:
	case allowed[0], allowed[1]:
		c.x.Nop(int(gap))
	default:
		c.fail(ErrPadding, "gap of %d bytes", gap)
	}
}
