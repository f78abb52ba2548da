package progen

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// Stack slots of programs that Mixed makes, as offsets from the frame's top: 12
// words that pieces store to (scratch), 4 words for pointers at a variable offset,
// then words of which each depth of pieces has its own, and the flags.
const (
	pointersAt = -8 * (scratch + 4)
	iterAt     = pointersAt - 8  // and below, by depth
	flagsAt    = iterAt - 8*5    // a number that never changes
	privateAt  = flagsAt - 8     // and below, by depth
	dynptrAt   = privateAt - 8*6 // 16 bytes
)

// begin stores the flags.
func (g *gen) begin() {
	r := bytecode.Reg(7)
	if g.kind == kindMain {
		r = 3
		g.a.Emit(opLdxDW, r, 6, 48, 0)
	}
	g.a.Emit(opStxDW, 10, r, flagsAt, 0)
	switch g.kind {
	case kindCallback, kindMap, kindVMA, kindBuffer, kindPointer, kindDeep:
		if g.rnd.IntN(2) == 0 { // what was linked there is no more
			g.a.Emit(opStxDW, 6, 7, int16(8*g.rnd.IntN(4)), 0)
		}
	}
}

// private returns a slot that nested pieces do not change.
func (g *gen) private() int16 { return privateAt - 8*int16(g.depth) }

// flag puts a bit into r, the same one each time for one number k.
func (g *gen) flag(r bytecode.Reg, k int32) {
	if g.kind == kindMain && k&1 != 0 {
		g.a.Emit(opLdxDW, r, 6, 48, 0)
	} else {
		g.a.Emit(opLdxDW, r, 10, flagsAt, 0)
	}
	g.a.Emit(0x77, r, 0, 0, k) // >>=
	g.a.Emit(opAndK, r, 0, 0, 1)
}

// boundary ends a block, now and then.
func (g *gen) boundary() {
	if g.rnd.IntN(3) > 0 {
		l := g.label()
		g.a.Jump(l)
		g.a.Label(l)
	}
}

// few returns a constant that a computation may well hit.
func (g *gen) few() int32 {
	if g.rnd.IntN(3) == 0 {
		return g.constant()
	}
	return int32(g.rnd.IntN(10)) - 1
}

// branchOn branches on a number and changes another after the jump.
func (g *gen) branchOn(r bytecode.Reg) {
	l := g.label()
	g.a.If(g.cond(), r, 0, g.few(), l)
	g.a.Emit([]uint8{opAddK, opAndK, opOrK, 0x04}[g.rnd.IntN(4)], g.number(true), 0, 0, g.few())
	g.a.Label(l)
}

// look loads from the stack and branches on what is there.
func (g *gen) look() {
	bits, n := g.size()
	r := g.number(true)
	g.a.Emit(0x61|bits, r, 10, g.slotOff(n), 0)
	g.branchOn(r)
}

// aim puts a pointer to n bytes of the words that pieces store to into r, at a
// variable distance that is a multiple of align.
func (g *gen) aim(r, scr bytecode.Reg, n, align int) {
	most := min(8*scratch-n, 63)
	mask := int32(g.rnd.IntN(64)) &^ int32(align-1)
	for int(mask) > most {
		mask >>= 1
		mask &^= int32(align - 1)
	}
	g.a.Emit(opMovX, scr, g.number(false), 0, 0)
	g.a.Emit(opAndK, scr, 0, 0, mask)
	switch g.rnd.IntN(3) {
	case 0:
		g.a.Emit(opMovX, r, 10, 0, 0)
		g.a.Emit(opAddK, r, 0, 0, -8*scratch)
		g.a.Emit(opAddX, r, scr, 0, 0)
	case 1:
		g.a.Emit(opMovX, r, scr, 0, 0)
		g.a.Emit(opAddX, r, 10, 0, 0)
		g.a.Emit(opAddK, r, 0, 0, -8*scratch)
	case 2: // downwards
		top := int32(n+align-1) &^ int32(align-1)
		if int(mask+top) > 8*scratch {
			top = 8*scratch - mask
		}
		g.a.Emit(opMovX, r, 10, 0, 0)
		g.a.Emit(0x1f, r, scr, 0, 0) // -=
		g.a.Emit(opAddK, r, 0, 0, -top)
	}
}

// constantsOnStack stores constants to a few words, to contradict an analysis that misses a store.
func (g *gen) constantsOnStack() {
	for range 1 + g.rnd.IntN(scratch) {
		g.a.Emit(0x7a, 10, 0, int16(-8*(1+g.rnd.IntN(scratch))), g.few())
	}
}

// target puts a pointer to 8 aligned bytes of the stack into r.
func (g *gen) target(r, scr bytecode.Reg) {
	if g.rnd.IntN(3) == 0 {
		g.aim(r, scr, 8, 8)
		return
	}
	g.a.Emit(opMovX, r, 10, 0, 0)
	g.a.Emit(opAddK, r, 0, 0, int32(-8*(1+g.rnd.IntN(scratch))))
}

// through stores to the 8 bytes that r points to, or loads from there.
func (g *gen) through(r bytecode.Reg) {
	bits, n := g.size()
	off := int16(g.rnd.IntN(8/n) * n)
	switch g.rnd.IntN(5) {
	case 0, 1:
		g.a.Emit(0x63|bits, r, g.number(false), off, 0)
	case 2, 3:
		g.a.Emit(0x62|bits, r, 0, off, g.few())
	default:
		g.a.Emit(0x61|bits, g.number(true), r, off, 0)
	}
}

func (g *gen) varPointer() {
	_, n := g.size()
	g.aim(3, 2, 8, max(n, 8))
	if g.rnd.IntN(3) == 0 {
		g.a.Emit(opStxDW, 10, 3, g.private(), 0)
		g.a.Emit(opMovK, 3, 0, 0, 0)
		g.boundary()
		g.a.Emit(opLdxDW, 3, 10, g.private(), 0)
	}
	g.through(3)
	g.look()
}

// narrow spills a part of a number and loads another part.
func (g *gen) narrow() {
	bits, n := g.size()
	r, off := g.number(true), int16(-8*(1+g.rnd.IntN(scratch)))
	if n < 8 && g.rnd.IntN(2) == 0 {
		g.a.Emit(opAndK, r, 0, 0, 1<<(8*n-1)-1)
	}
	if g.rnd.IntN(4) == 0 {
		g.a.Emit(0x62|bits, 10, 0, off, g.constant())
	} else {
		g.a.Emit(0x63|bits, 10, r, off, 0)
	}
	if g.rnd.IntN(3) == 0 {
		b2, n2 := g.size()
		g.a.Emit(0x63|b2, 10, g.number(false), off+int16(g.rnd.IntN(8/n2)*n2), 0)
	}
	bits, n = g.size()
	code := 0x61 | bits
	if n < 8 && g.rnd.IntN(3) == 0 {
		code = 0x81 | bits
	}
	g.boundary()
	at := off
	if g.rnd.IntN(3) == 0 {
		at += int16(g.rnd.IntN(8/n) * n)
	}
	g.a.Emit(code, 2, 10, at, 0)
	g.branchOn(2)
	g.branchOn(r)
}

// atomics carries out an atomic operation on stack or map value.
func (g *gen) atomics() {
	imm := []int32{0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110}[g.rnd.IntN(12)]
	bits, n := uint8(0x18), 8
	if g.rnd.IntN(2) == 0 {
		bits, n = 0, 4
	}
	if imm >= 0x100 {
		bits, n = g.size()
	}
	base, off := bytecode.Reg(10), g.slotOff(n)
	switch g.rnd.IntN(4) {
	case 0:
		g.aim(3, 2, n, n)
		base, off = 3, 0
	case 1:
		g.a.MapValue(3, g.array, 0)
		base, off = 3, int16(8*g.rnd.IntN(8))
	}
	src := g.number(true)
	if imm == 0x100 { // load-acquire: destination and source change places
		g.a.Emit(0xc3|bits, src, base, off, imm)
	} else {
		g.a.Emit(0xc3|bits, base, src, off, imm)
	}
	g.branchOn(src)
	g.look()
}

// lostPointer puts a stack pointer into bytes of which nothing is known any more, loads it from
// there, and stores through it.
func (g *gen) lostPointer() {
	slot := g.private()
	g.constantsOnStack()
	k := int32(g.rnd.IntN(48))
	end := g.label()
	switch g.rnd.IntN(4) {
	case 0: // at a variable offset
		g.target(4, 2)
		g.a.Emit(opMovX, 2, g.number(false), 0, 0)
		g.a.Emit(opAndK, 2, 0, 0, int32(g.rnd.IntN(4)*8))
		g.a.Emit(opMovX, 3, 10, 0, 0)
		g.a.Emit(opAddK, 3, 0, 0, pointersAt)
		g.a.Emit(opAddX, 3, 2, 0, 0)
		g.a.Emit(opStxDW, 3, 4, 0, 0)
		g.boundary()
		g.a.Emit(opLdxDW, 4, 3, 0, 0)
	case 1: // one byte is written anew
		g.target(4, 2)
		g.a.Emit(opStxDW, 10, 4, slot, 0)
		b := int16(g.rnd.IntN(8))
		g.a.Emit(0x71, 3, 10, slot+b, 0)
		g.a.Emit(0x73, 10, 3, slot+b, 0)
		g.boundary()
		g.a.Emit(opLdxDW, 4, 10, slot, 0)
	default: // on one of two ways
		g.oneWay(slot, k)
		g.boundary()
		g.a.Emit(opLdxDW, 4, 10, slot, 0)
		g.flag(1, k)
		g.a.If(opJeqK, 1, 0, 0, end)
	}
	g.through(4)
	g.a.Label(end)
	g.look()
}

// oneWay stores a stack pointer to a slot when flag k is set, else parts of a number
// or nothing.
func (g *gen) oneWay(slot int16, k int32) {
	none, meet := g.label(), g.label()
	g.flag(1, k)
	store := func() {
		g.target(4, 2)
		g.a.Emit(opStxDW, 10, 4, slot, 0)
	}
	number := func() {
		switch g.rnd.IntN(3) {
		case 0:
			g.a.Emit(0x6b, 10, 7, slot+2, 0) // *(u16 *)
		case 1:
			g.a.Emit(0x63, 10, 7, slot, 0) // *(u32 *)
		}
	}
	if g.rnd.IntN(2) == 0 {
		g.a.If(opJeqK, 1, 0, 0, none)
		store()
		g.a.Jump(meet)
		g.a.Label(none)
		number()
	} else {
		g.a.If(opJeqK, 1, 0, 1, none)
		number()
		g.a.Jump(meet)
		g.a.Label(none)
		store()
	}
	g.a.Label(meet)
}
